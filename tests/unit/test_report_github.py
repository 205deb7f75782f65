"""The GitHub report, read back as the runner reads it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag.diagnostic import diagnostic
from tocsin.diag.span import Span
from tocsin.report import as_github
from tocsin.report.findings import Report
from tocsin.report.visible import visible


def rendered(file: str, message: str, code: str = "TOC401", help: str = "") -> list[str]:
    found = diagnostic(code, Span(file, 12, 9, 12, 13), message, help=help)
    return as_github.render(Report.of([found], texts={}, files=1, version="0")).split("\n")


def decode(text: str, codes: dict[str, str]) -> str:
    for escaped, character in codes.items():
        text = text.replace(escaped, character)
    return text.replace("%25", "%")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command, taken apart in the runner's order: the first `::` after the start ends the
    properties, `,` parts them.
    """
    match = re.match(r"::([a-z]+) (.*?)::(.*)\Z", line, re.DOTALL)
    assert match is not None
    data = {"%0D": "\r", "%0A": "\n"}
    properties = dict(each.split("=", 1) for each in match[2].split(","))
    decoded = {name: decode(value, data | {"%3A": ":", "%2C": ","}) for name, value in properties.items()}
    return match[1], decoded, decode(match[3], data)


def test_a_finding_is_a_command_with_place_and_title() -> None:
    line, summary, end = rendered("rules/kafka/lag.yaml", "no `,` here")
    assert line == (
        "::error file=rules/kafka/lag.yaml,line=12,col=9,endColumn=13,title=TOC401 promql-syntax::no `,` here"
    )
    assert (summary, end) == ("1 error in 1 of 1 file", "")


def test_severities_are_the_words_of_github() -> None:
    assert [rendered("a", "m", code)[0].split()[0] for code in ("TOC401", "TOC509", "TOC619")] == [
        "::error",
        "::warning",
        "::notice",
    ]


def test_help_is_a_second_line_of_the_annotation() -> None:
    assert read(rendered("a", "100% wrong", help="type `x`")[0])[2] == "100% wrong\ntype `x`"


pieces = st.one_of(
    st.sampled_from(["%0A", "%3A", "%25", "%", "::", ":", ",", "=", "\r", "\n", "::error::", " "]),
    st.characters(),
)
hostile = st.lists(pieces, max_size=12).map("".join)


@settings(max_examples=400, deadline=None)
@given(hostile, hostile)
def test_hostile_names_and_messages_stay_one_command(file: str, message: str) -> None:
    lines = rendered(file, message)
    assert len(lines) == 3
    command, properties, said = read(lines[0])
    assert command == "error"
    shown = "".join(each if each in "\r\n" else visible(each) for each in file)
    assert properties == {
        "file": shown,
        "line": "12",
        "col": "9",
        "endColumn": "13",
        "title": "TOC401 promql-syntax",
    }
    assert said == visible(message)
    assert not lines[1].startswith("::")
