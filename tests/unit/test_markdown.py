"""Markdown with its places: front matter apart, headings with their anchors, fences and links where they stand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tocsin.diag import Diagnostic, SourceFile
from tocsin.ir.sop import Body, Link
from tocsin.source.headings import SECTION_IDS, slug
from tocsin.source.markdown import Pieces, read_body, split

REPOSITORY = Path(__file__).parents[2]


def body(text: str, first_line: int = 1) -> Body:
    return read_body(SourceFile(path="x.md", text="\n" * (first_line - 1) + text), text, first_line)


def parts(text: str) -> tuple[Pieces, tuple[Diagnostic, ...]]:
    return split(SourceFile(path="x.md", text=text))


# --- front matter


def test_front_matter_keeps_the_lines_of_the_file() -> None:
    text = "---\nid: X\nlist:\n  - on\n---\n# Title\n"
    pieces, found = parts(text)
    assert pieces.document is not None and pieces.document.origin is not None
    assert pieces.document.data == {"id": "X", "list": ["on"]}
    assert pieces.document.origin.value("list", 0).place == "x.md:4:5"
    assert pieces.document.file.text == text
    assert (pieces.text, pieces.first_line) == ("# Title\n", 6)
    assert [(each.code, each.span.place) for each in found] == [("TOC107", "x.md:4:5")]


@pytest.mark.parametrize(
    ("text", "code", "place", "words"),
    [
        ("", "TOC109", "x.md:1:1", "empty"),
        (" \n\n", "TOC109", "x.md:1:1", "empty"),
        ("# Title\n", "TOC116", "x.md:1:1", "does not start with front matter"),
        ("\n---\nid: X\n---\n", "TOC116", "x.md:1:1", "does not start"),
        ("---\nid: X\n# Title\n", "TOC116", "x.md:1:1", "not closed"),
        ("---", "TOC116", "x.md:1:1", "not closed"),
        ("---\n---\ntext\n", "TOC116", "x.md:1:1", "empty"),
        ("---\n# only a remark\n---\n", "TOC116", "x.md:1:1", "empty"),
        ("---\nid: X\nid: Z\n---\n", "TOC104", "x.md:3:1", "`id`"),
        ("---\nid: [\n---\n", "TOC101", "x.md:3:1", "not valid YAML"),
        ("---\nid:\n\tx: 1\n---\n", "TOC102", "x.md:3:1", "tab"),
        ("---\nid: !!python/name:os.system x\n---\n", "TOC106", "x.md:2:5", "tag"),
    ],
)
def test_front_matter_that_is_wrong_has_its_place(text: str, code: str, place: str, words: str) -> None:
    _, found = parts(text)
    assert [(each.code, each.span.place) for each in found] == [(code, place)]
    assert words in found[0].message and "\n" not in found[0].message


def test_a_rule_in_the_prose_does_not_end_anything() -> None:
    pieces, found = parts("---\nid: X\n---\none\n\n---\n\ntwo\n")
    assert not found and pieces.text == "one\n\n---\n\ntwo\n"


def test_dots_end_front_matter_too() -> None:
    assert parts("---\nid: X\n...\ntext")[0].text == "text"


# --- headings


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Impact", "impact"), ("impact:", "impact"), ("1. Impact", "impact"), ("影响范围", "impact"), ("一、影响", "impact"),
        ("What this means", "confirm"), ("含义", "confirm"), ("When to use this", "symptoms"), ("Quick fix", "mitigate"),
        ("Stop the bleeding", "mitigate"), ("处理方法", "mitigate"), ("How to tell it worked", "verify"), ("验证", "verify"),
        ("Undo", "rollback"), ("Troubleshooting", "diagnose"), ("根因", "diagnose"), ("Contacts", "escalate"),
        ("Full context", "background"), ("Past incidents", "history"), ("**Impact**", "impact"), ("复盘：", "history"),
    ],
)  # fmt: skip
def test_known_sections_have_fixed_ids_in_both_languages(heading: str, anchor: str) -> None:
    (section,) = body(f"## {heading}\n").sections
    assert (section.anchor, section.known) == (anchor, True)
    assert anchor in SECTION_IDS


@pytest.mark.parametrize(
    ("headings", "anchors"),
    [
        # As Python-Markdown 3.11's `toc` makes them, which MkDocs uses.
        (["Foo & bar"], ["foo-bar"]), (["Foo `a_b` *x*"], ["foo-a_b-x"]), (["Ünïcode"], ["unicode"]), (["--x--"], ["-x-"]),
        (["C++"], ["c"]), (["[link](http://x) y"], ["link-y"]), (["<b>x</b>"], ["x"]), (["a&amp;b"], ["ab"]), (["x #"], ["x"]),
        (["50% - done"], ["50-done"]), (["Kafka 集群"], ["kafka"]), (["Foo", "Foo", "Foo"], ["foo", "foo_1", "foo_2"]),
        (["Foo_1", "Foo", "Foo"], ["foo_1", "foo", "foo_2"]), (["x {#y}", "y"], ["y", "y_1"]), (["y", "x {: #y .c }"], ["y_1", "y"]),
        (["x {.c}"], ["x"]), (["{#y}"], ["y"]), (["a {b}"], ["a-b"]),
        # Where that would be a bare number, the words themselves: a number would move with every heading above it.
        (["回收 磁盘", "回收 磁盘"], ["回收-磁盘", "回收-磁盘_1"]), (["!!!", "???"], ["_1", "_2"]),
        # A known section keeps its id; a second one of the same kind is told apart by its words.
        (["Diagnosis", "Troubleshooting"], ["diagnose", "troubleshooting"]), (["diagnose", "Diagnosis"], ["diagnose", "diagnosis"]),
        (["Impact {#harm}", "影响"], ["harm", "impact"]), (["Rollback {#verify}", "Verification"], ["verify", "verification"]),
    ],
)  # fmt: skip
def test_anchors(headings: list[str], anchors: list[str]) -> None:
    assert [each.anchor for each in body("\n\n".join(f"## {each}" for each in headings)).sections] == anchors


@given(st.lists(st.text("ab 1_-é中#", max_size=5), max_size=6))
def test_no_two_anchors_are_equal(headings: list[str]) -> None:
    anchors = [each.anchor for each in body("\n\n".join(f"## x{each}" for each in headings)).sections]
    assert len(set(anchors)) == len(anchors) == len(headings)
    assert all(anchors)


def test_slugs_are_stable_under_a_second_slugging() -> None:
    for text in ("Foo & bar", "回收 磁盘", "a--b", "Ünï"):
        assert slug(slug(text)) == slug(text)


def test_headings_have_levels_and_places() -> None:
    text = "# One\n\nTwo\n===\n\n- ### In a list `x` ##\n"
    sections = body(text, 10).sections
    assert [(each.heading, each.level, each.span.place) for each in sections] == [
        ("One", 1, "x.md:10:3"), ("Two", 1, "x.md:12:1"), ("In a list x", 3, "x.md:15:7")
    ]  # fmt: skip


def test_a_heading_in_a_fence_is_none() -> None:
    assert body("```\n# no\n```\n    # no\n<!--\n# no\n-->\n").sections == ()


# --- fences

FENCES = """\
<!-- tocsin: read -->
```bash
kubectl get pods
```

<!-- tocsin: change undo=#undo-scale -->

~~~~ sh title="x"
kubectl scale
~~~~

1. first

   <!-- tocsin: destructive dry-run=#dry -->
   ```sql
   DELETE FROM x
     WHERE y
   ```

text between

```{.promql #id}
up == 0
```

<!-- tocsin: read -->
text between

```
unmarked
```
> ```json
> {}
> ```
"""


def test_fences_know_their_language_kind_and_place() -> None:
    found = body(FENCES, 5).fences
    assert [(each.language, each.kind, each.text) for each in found] == [
        ("bash", "read", "kubectl get pods\n"),
        ("sh", "change", "kubectl scale\n"),
        ("sql", "destructive", "DELETE FROM x\n  WHERE y\n"),
        ("promql", "", "up == 0\n"),
        ("", "", "unmarked\n"),
        ("json", "", "{}\n"),
    ]
    text = "\n" * 4 + FENCES
    assert [each.span.slice(text) for each in found] == [
        "kubectl get pods", "kubectl scale", "DELETE FROM x\n     WHERE y", "up == 0", "unmarked", "{}"
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["```", "```\n", "```\n```", "- ```\n", "```bash"])
def test_an_empty_or_open_fence_is_a_fence(text: str) -> None:
    (fence,) = body(text).fences
    assert fence.text.strip() == ""
    assert fence.span.slice(text + "\n\n") == ""


# --- links

LINKS = """\
See [the *dash*](https://x.example/d "title"), ![a ![b](c.png)](i.png) and <https://auto.example>.
Over two [lines
long](../b.md#x), [r][ref] [ref] [gone][nothing], `[code](no)` and \\[no](no).

| a | b |
|---|---|
| [x](y1) | [x](y2) <a href="z.html">z</a> |

> - [in a quote](<a b.md>)
>   [bad]( "x"

[ref]: ./r.md "t"
[^1]: note
<div><img src='p.png'>
<!-- <a href="no"> -->
</div>

# [h](h.md)

    [code](no)
```
[code](no)
```
中文 [链接](文档.md) 😀 [x](e.md)
<!-- [no](no) --> <img src=q.png>
"""
TARGETS = [
    "https://x.example/d", "i.png", "https://auto.example", "../b.md#x", "./r.md", "./r.md", "y1", "y2", "z.html",
    "a b.md", "p.png", "h.md", "文档.md", "e.md", "q.png",
]  # fmt: skip


def test_links_are_found_where_they_stand() -> None:
    found = body(LINKS, 3).links
    text = "\n\n" + LINKS
    assert [each.target for each in found] == TARGETS
    written = [each.span.slice(text) for each in found]
    assert [each for each in written if each not in ("[r][ref]", "[ref]")] == [
        each for each in TARGETS if each != "./r.md"
    ]


def test_equal_cells_have_places_of_their_own() -> None:
    text = "| a | b |\n|---|---|\n| [x](y) | [x](y) |\n"
    assert [each.span.place for each in body(text).links] == ["x.md:3:7", "x.md:3:16"]


def everything(text: str) -> tuple[list[str], list[str], list[tuple[int, str]]]:
    """Links, fences and headings as markdown-it itself says, with all of its rules."""
    md = MarkdownIt("commonmark").enable("table")
    links, fences, headings = [], [], []
    for token in md.parse(text):
        if token.type == "fence":
            fences.append(token.content)
        elif token.type == "heading_open":
            headings.append((token.map[0] if token.map else -1, token.tag))
        for child in token.children or ():
            if child.type in ("link_open", "image"):
                links.append(str(child.attrGet("href") or child.attrGet("src") or ""))
    return sorted(links), fences, [(line, tag) for line, tag in headings]


def normal(link: Link) -> str:
    return MarkdownIt("commonmark").normalizeLink(link.target)


WORD = st.sampled_from(
    ["[", "]", "(", ")", "](", "a", "b.md", " ", "\n", "\n\n", "`", "``", "```\n", "*", "_", "!", "![", "<", ">", "\\", "&lt;", "# ", "- ",
     "> ", "| ", "|---|\n", "[r]", "\n[r]: u\n", "https://x", '"', "    ", "\t", "~~~\n", "---\n", "1. ", "{#x}", "中", "<b>", "<!--", "-->"]
)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(st.lists(WORD, max_size=25).map("".join))
@example("[r][\n\n[r]: u\n")
def test_leaving_out_what_cannot_be_a_link_leaves_out_no_link(text: str) -> None:
    """All of markdown-it against the few rules we run, on text made of what matters to Markdown."""
    found = body(text)
    links, fences, headings = everything(text)
    ours = sorted(normal(each) for each in found.links if each.span.slice(text)[:1] != "<")
    # `[]()` leads nowhere, and nobody asks where to.
    links, ours = [each for each in links if each], [each for each in ours if each]
    html = [each for each in ours if each not in links]
    assert not html or "<" in text
    assert sorted(each for each in ours if each in links) == links
    assert [each.text for each in found.fences] == fences
    assert [(each.span.line - 1, f"h{each.level}") for each in found.sections] == headings


@settings(max_examples=500, deadline=None)
@given(st.lists(WORD, max_size=25).map("".join))
def test_every_span_lies_in_the_file(text: str) -> None:
    found = body(text)
    lines = text.split("\n")
    for each in (*found.links, *found.fences, *found.sections):
        span = each.span
        assert 1 <= span.line <= span.end_line <= len(lines) + 1
        assert span.line > len(lines) or span.col - 1 <= len(lines[span.line - 1])


def test_the_project_s_own_sops_can_be_read() -> None:
    files = sorted((REPOSITORY / "sops").rglob("SOP-*.md"))
    for path in files:
        text = path.read_text(encoding="utf-8")
        pieces, found = split(SourceFile(path=path.name, text=text))
        assert pieces.document is not None and not found
        read = read_body(pieces.document.file, pieces.text, pieces.first_line)
        assert [each.span.slice(text) for each in read.fences if each.text.strip()]


def test_markdown_is_imported_only_where_it_is_read() -> None:
    """40 ms that a command without SOPs does not pay."""
    script = (
        "import sys, tocsin.load.sops as _; print([each for each in sys.modules if each.startswith(LATE)])"
    )
    script = script.replace("LATE", "('markdown_it', 'jsonschema')")
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300,
        env={"PYTHONPATH": str(REPOSITORY / "compiler")},
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
