"""The comment on a pull request, read back by a Markdown parser: our table, their words as text, and never
too long.
"""

from __future__ import annotations

import html
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.span import Span
from tocsin.report import as_markdown
from tocsin.report.findings import Report
from tocsin.report.visible import visible

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


def report(*found: Diagnostic) -> Report:
    return Report.of(found, texts={}, files=5, version="0")


def at(file: str, line: int, message: str, code: str = "TOC401", help: str = "") -> Diagnostic:
    return diagnostic(code, Span(file, line, 1, line, 2), message, help=help)


def cells(markdown: str) -> list[list[Token]]:
    """The inline tokens of each cell in the bodies of all tables."""
    tokens = PARSER.parse(markdown)
    found = []
    body = False
    for index, token in enumerate(tokens):
        body = {"tbody_open": True, "tbody_close": False}.get(token.type, body)
        if body and token.type == "td_open":
            found.append(tokens[index + 1].children or [])
    return found


def words(tokens: list[Token]) -> str:
    """What a reader sees of a cell, without the zero-width spaces we put in."""
    return "".join(each.content for each in tokens if each.type in ("text", "text_special")).replace(
        "\u200b", ""
    )


def test_findings_are_grouped_by_file_the_worst_first() -> None:
    found = [
        at("rules/a/x.yaml", 1, "one", "TOC509"),
        at("rules/b/x.yaml", 1, "two"),
        at("rules/b/x.yaml", 2, "three", "TOC509"),
    ]
    text = as_markdown.render(report(*found))
    assert text.startswith("### tocsin: 1 error, 2 warnings in 2 of 5 files\n")
    assert re.findall(r"<code>(.*?)</code> (.*?)</summary>", text) == [
        ("rules/b/x.yaml", "1 error, 1 warning"),
        ("rules/a/x.yaml", "1 warning"),
    ]
    assert [words(each) for each in cells(text)][:4] == ["1", "❌ error", "TOC401 promql-syntax", "two"]


def test_words_between_backquotes_are_code() -> None:
    text = as_markdown.render(report(at("a", 1, "`a|b` is not `c`")))
    last = cells(text)[3]
    assert [each.content for each in last if each.type == "html_inline"] == ["<code>", "</code>"] * 2
    assert words(last) == "a|b is not c"


def test_nothing_becomes_a_mention_a_link_or_a_reference() -> None:
    hostile = (
        "ask @octocat or a@b.example, see #12, https://evil.example/x and www.evil.example, [x](javascript:y)"
    )
    text = as_markdown.render(report(at("@octocat", 1, hostile, help=hostile), at("a#1", 1, f"`{hostile}`")))
    tokens = [each for cell in cells(text) for each in cell]
    assert not [each for each in tokens if each.type.startswith("link") or each.type == "image"]
    shown = html.unescape("".join(each.content for each in tokens if each.type != "html_inline"))
    assert not re.search(r"@\w|#\d|://|www\.", shown)
    # The file name stands in <code>, where GitHub makes no mentions.
    assert "<code>@octocat</code>" in text


hostile_text = st.text(
    alphabet=st.one_of(st.sampled_from("|`<>&*_[]()!#@~\\-\n\r\t $:/.\x1b\u200b\u202ea1"), st.characters()),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(hostile_text, hostile_text)
def test_hostile_words_read_back_as_themselves(file: str, message: str) -> None:
    text = as_markdown.render(report(at(file, 7, message)))
    tokens = PARSER.parse(text)
    raw = "".join(each.content for each in tokens if each.type == "html_block")
    summary = f"<code>{html.escape(visible(file))}</code> 1 error"
    assert raw.replace("\n", "") == f"<details open><summary>{summary}</summary></details>"
    row = cells(text)
    assert len(row) == 4
    assert {each.content for each in row[3] if each.type == "html_inline"} <= {"<code>", "</code>"}
    assert {each.type for each in row[3]} <= {"text", "text_special", "html_inline"}
    wanted = re.sub(r"`([^`]+)`", r"\1", visible(message))
    assert words(row[3]) == wanted.strip(" ") or words(row[3]).strip() == wanted.strip()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 3000)), min_size=1, max_size=40))
def test_a_comment_is_never_too_long_and_counts_what_it_leaves_out(shape: list[tuple[int, int]]) -> None:
    found = [
        at(f"rules/s{number}/x.yaml", line, "|" * (size % 700))
        for number, (lines, size) in enumerate(shape)
        for line in range(1, lines + 1)
    ]
    text = as_markdown.render(report(*found))
    assert len(text) <= as_markdown.LIMIT
    rows = len(cells(text)) // 4
    left = re.search(r"\n([0-9,]+) more findings? in", text)
    assert rows + (int(left[1].replace(",", "")) if left else 0) == len(found)
    assert text.count("<details") == text.count("</details>")


def test_one_enormous_finding_does_not_push_out_the_rest() -> None:
    found = [at("rules/a/x.yaml", line, "x" * 100_000) for line in (1, 2)]
    text = as_markdown.render(report(*found))
    assert len(cells(text)) == 8
    assert "…" in text
