"""The text report: the place first, carets under the words, and nothing a terminal would obey."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag.diagnostic import Diagnostic, Related, Severity, diagnostic, with_severity
from tocsin.diag.span import Span
from tocsin.report import as_text
from tocsin.report.findings import Report
from tocsin.report.visible import visible

FILE = "rules/kafka/lag.yaml"


def report(*found: Diagnostic, text: str = "", files: int = 14, **options: Severity) -> Report:
    return Report.of(found, texts={FILE: text}, files=files, version="0.1.0", **options)


def at(
    line: int, col: int, end_col: int, message: str = "a finding", code: str = "TOC401", **more: str
) -> Diagnostic:
    return diagnostic(code, Span(FILE, line, col, line, end_col), message, **more)


def test_a_finding_shows_place_words_help_and_related_places() -> None:
    found = diagnostic(
        "TOC301",
        Span(FILE, 2, 5, 2, 8),
        "the id `one` is taken",
        help="choose another",
        related=[Related(message="first used here", span=Span("rules/a/b.yaml", 7, 3, 7, 6))],
    )
    assert as_text.render(report(found, text="a: 1\nid: one\n")) == (
        "rules/kafka/lag.yaml:2:5: error TOC301 duplicate-id: the id `one` is taken\n"
        "  |\n"
        "2 | id: one\n"
        "  |     ^^^\n"
        "  = help: choose another\n"
        "  = rules/a/b.yaml:7:3: first used here\n"
        "\n"
        "1 error in 1 of 14 files\n"
    )


def test_the_summary_counts_by_severity_and_says_what_is_hidden() -> None:
    found = [at(1, 1, 2), at(2, 1, 2), at(3, 1, 2, code="TOC509"), at(4, 1, 2, code="TOC619")]
    assert as_text.render(report(*found)).endswith("2 errors, 1 warning, 1 note in 1 of 14 files\n")
    less = report(*found, min_severity=Severity.warning)
    assert as_text.render(less).endswith(
        "2 errors, 1 warning in 1 of 14 files (1 finding below warning not shown)\n"
    )
    assert as_text.render(report(files=1)) == "nothing to report in 1 file\n"


def test_a_hidden_finding_still_fails_the_run() -> None:
    note = at(1, 1, 2, code="TOC619")
    assert report(note, min_severity=Severity.error, fail_on=Severity.note).failed
    assert not report(note).failed
    assert report(with_severity(note, Severity.error)).failed


def source_and_carets(line: str, col: int, end_col: int) -> tuple[str, str]:
    rows = as_text.render(report(at(1, col, end_col), text=line)).split("\n")
    return rows[2].removeprefix("1 | "), rows[3].removeprefix("  | ")


@pytest.mark.parametrize(
    ("line", "col", "end_col", "source", "carets"),
    [
        ("\ta: b", 5, 6, "    a: b", "       ^"),
        ("说: 消费 lag", 4, 6, "说: 消费 lag", "    ^^^^"),
        ("e\u0301: x", 5, 6, "e\u0301: x", "   ^"),
        ("a: \x1b[31mred", 4, 12, "a: <U+001B>[31mred", "   " + "^" * 15),
        ("a: \u202eevil", 5, 9, "a: <U+202E>evil", " " * 11 + "^^^^"),
        ("a: b", 5, 5, "a: b", "    ^"),
        ("a: b", 40, 50, "a: b", "    ^"),
    ],
)
def test_carets_stand_under_the_words(line: str, col: int, end_col: int, source: str, carets: str) -> None:
    assert source_and_carets(line, col, end_col) == (source, carets)


def test_a_long_line_is_cut_around_the_words() -> None:
    line = "expr: " + "a" * 5_000 + " BAD " + "b" * 5_000
    start = line.index("BAD") + 1
    source, carets = source_and_carets(line, start, start + 3)
    assert len(source) <= as_text.WIDTH + 2
    assert source[0] == source[-1] == "…"
    assert source[carets.index("^") : len(carets)] == "BAD"


def test_drawing_looks_at_the_window_and_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a megabyte with a finding for each of its words would take hours otherwise."""
    looked = 0
    drawn = as_text._cell

    def count(character: str) -> tuple[str, int]:
        nonlocal looked
        looked += 1
        return drawn(character)

    monkeypatch.setattr(as_text, "_cell", count)
    as_text.render(report(*(at(1, 1 + 2 * each, 2 + 2 * each) for each in range(500)), text="1," * 500_000))
    assert looked < 500 * 10 * as_text.WIDTH


def test_a_span_over_several_lines_marks_the_rest_of_its_first() -> None:
    found = diagnostic("TOC401", Span(FILE, 1, 4, 3, 2), "x")
    rows = as_text.render(report(found, text='a: "b\n c\n d"\n')).split("\n")
    assert rows[2:4] == ['1 | a: "b', "  |    ^^"]


def test_a_finding_without_a_text_has_no_snippet() -> None:
    found = diagnostic("TOC113", Span("rules/x"), "this is a folder")
    assert as_text.render(report(found)).startswith(
        "rules/x:1:1: error TOC113 not-a-file: this is a folder\n\n"
    )


def test_colour_adds_only_our_own_sequences() -> None:
    found = at(1, 4, 8, message="bad \x1b]0;owned\x07", help="\x1b[2J")
    plain = as_text.render(report(found, text="a: \x1b[31mred"))
    coloured = as_text.render(report(found, text="a: \x1b[31mred"), colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


texts = st.text(
    alphabet=st.one_of(
        st.sampled_from("a \t说\x1b\x00\r\x85\u2028\u202e\u200d\u0301e😀\udcff|`"), st.characters()
    ),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(texts, texts, texts, st.integers(1, 70), st.integers(1, 70))
def test_no_source_reaches_the_terminal_raw(
    file: str, message: str, line: str, col: int, end_col: int
) -> None:
    found = diagnostic("TOC401", Span(file, 1, col, 1, end_col), message, help=message)
    rendered = as_text.render(Report.of([found], texts={file: line}, files=1, version="0"))
    assert not [
        each
        for each in rendered
        if each != "\n" and unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    ]
    rendered.encode()
    assert "^" in rendered or not line.split("\n")[0].strip()


@given(st.text(alphabet=st.characters(exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"])))
def test_what_can_be_read_is_left_alone(text: str) -> None:
    assert visible(text) == text
