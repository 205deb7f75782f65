"""What the prose writer decides: where links lead, what of a diagram is drawn, which classes a command carries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tocsin.diag import SourceFile
from tocsin.emit.site.markup import code, link, plain, safe_target, words
from tocsin.emit.site.prose import drawn, flows, render_body
from tocsin.ir.prose import Listing, Paragraph, Words
from tocsin.ir.sop import Body
from tocsin.source.markdown import read_body
from tocsin.source.prose import read_prose


def body(source: str) -> Body:
    return read_body(SourceFile(path="x.md", text=source), source, 1)


def page(source: str, resolve: Callable[[str], str | None] = lambda target: target, demote: int = 0) -> str:
    return render_body(body(source), resolve=resolve, demote=demote).rstrip("\n")


def test_a_link_goes_where_the_page_says() -> None:
    asked: list[str] = []

    def resolve(target: str) -> str | None:
        asked.append(target)
        return {"SOP-A-001.md#verify": "../SOP-A-001/index.md#verify"}.get(target)

    source = "[a](SOP-A-001.md#verify) [b](secret.md) ![c](p.png) [d](javascript:x) [e](foo:x)"
    expected = "[a](../SOP-A-001/index.md#verify) b c (`p.png`) &#91;d&#93;(javascript:x) e (`foo:x`)"
    assert page(source, resolve) == expected
    assert asked == ["SOP-A-001.md#verify", "secret.md", "p.png"], (
        "a target that could run is nobody's to map"
    )


def test_what_the_page_answers_is_judged_too() -> None:
    assert page("[a](b.md) ![c](d.png)", lambda target: "javascript:alert(1)") == "a c (`d.png`)"
    assert page("![c](d.png)", lambda target: "https://example.org/d.png") == "c (`d.png`)"
    assert page("![c](d.png)", lambda target: "../d.png") == "![c](../d.png)"


def test_a_target_is_asked_for_as_the_body_lists_it() -> None:
    read = body("[a](<b c.md>) [d](e%20f.md) [g](h&amp;i.md) <https://example.org/ä>\n\n[j]\n\n[j]: k.md\n")
    asked: list[str] = []
    render_body(read, resolve=lambda target: asked.append(target))
    assert asked == ["b c.md", "e%20f.md", "h&i.md", "https://example.org/ä", "k.md"]
    assert sorted(asked) == sorted(each.target.replace("&amp;", "&") for each in read.links)


@pytest.mark.parametrize(
    ("source", "demote", "expected"),
    [
        ("# A", 0, "## A {: #a }"),
        ("## A", 0, "## A {: #a }"),
        ("### A", 1, "#### A {: #a }"),
        ("###### A", 3, "###### A {: #a }"),
        ("## 影响", 0, "## 影响 {: #impact }"),
        ("## 网络", 0, "## 网络 {: #网络 }"),
        ("## a {#b_c}", 0, "## a {: #b_c }"),
        ("## a {#_b}", 0, "## a {: #_b }"),
        ("## a {#_b_}", 0, '## <a id="&#95;&#98;&#95;"></a>a {: #tocsin-34bef5df }'),
    ],
)
def test_a_heading_has_its_level_and_anchor(source: str, demote: int, expected: str) -> None:
    assert page(source, demote=demote) == expected


@pytest.mark.parametrize(
    ("source", "header"),
    [
        ("<!-- tocsin: read -->\n```bash\nx\n```", "```{ .bash .tocsin-read }"),
        ("<!-- tocsin: change undo=#u -->\n```Bash\nx\n```", "```{ .bash .tocsin-change }"),
        ("<!-- tocsin: destructive -->\n```sh\nx\n```", "```{ .sh .tocsin-destructive }"),
        ("<!-- tocsin: anything -->\n```sh\nx\n```", "```sh"),
        ("```\nx\n```", "```text"),
        ("    x", "```text"),
        ("```text\nx\n```", "```{ .text .tocsin-output }"),
        ("```output\nx\n```", "```{ .text .tocsin-output }"),
        ("```console-output\nx\n```", "```{ .text .tocsin-output }"),
        ("```promql\nx\n```", "```{ .promql .tocsin-promql }"),
        ("```{.yaml #id onclick=x}\nx\n```", "```yaml"),
        ("```<script>\nx\n```", "```text"),
        ("````\n```\n````", "````text"),
    ],
)
def test_a_command_carries_its_kind(source: str, header: str) -> None:
    assert page(source).split("\n")[0] == header


def test_tasks_are_boxes() -> None:
    assert page("- [ ] a\n- [x] b\n- [ ]\n- [y] c") == "-   ☐ a\n-   ☑ b\n-   &#91; &#93;\n-   &#91;y&#93; c"


def test_comments_are_dropped_and_tags_are_words() -> None:
    assert read_prose(body("a <!-- b --> <kbd>c</kbd>\n\n<!-- d -->\n\n<div>\ne\n</div>\n")) == (
        Paragraph((Words("a  <kbd>c</kbd>"),)),
        *read_prose(body("\\<div><br>e<br>\\</div>")),
    )


def test_a_list_knows_its_start_and_its_spacing() -> None:
    tight, loose = read_prose(body("3. a\n4. b\n\n- c\n\n- d\n"))
    assert isinstance(tight, Listing) and (tight.start, tight.tight) == (3, True)
    assert isinstance(loose, Listing) and (loose.start, loose.tight) == (None, False)


FLOW = 'flowchart TD\n  a["click here"] --> b'


@pytest.mark.parametrize(
    "acting",
    [
        '  click a "https://x"',
        "  click a callback",
        "  CLICK a call f()",
        '  b --> c; click a href "javascript:x"',
        '  b --> c;click a "x"',
        '  click a href "x"',
        "  callback a f",
        '  link a "https://x"',
        "  links a: {}",
        "  properties a: {}",
        "%%{init: {'securityLevel': 'loose'}}%%",
        "%%{init: {\n'securityLevel': 'loose'\n}}%%",
        "%%{init: never closed",
    ],
)
def test_what_acts_in_a_diagram_is_not_drawn(acting: str) -> None:
    assert [each for each in drawn(f"{FLOW}\n{acting}").split("\n") if each] == FLOW.split("\n")


def test_settings_in_front_of_a_diagram_are_not_drawn() -> None:
    front = "---\nconfig:\n  securityLevel: loose\n---\n"
    assert drawn(front + FLOW) == FLOW
    assert drawn("\n " + front + FLOW) == FLOW
    named = FLOW + "\n  link --> call[Call the owner]\n  call --> click\n  style a fill:#fff"
    assert drawn(named) == named


def test_the_source_of_a_diagram_is_kept() -> None:
    source = f"{FLOW}\n  click a call f()\n"
    read = body(f"# a\n\n```mermaid\n{source}```\n\n- ```Mermaid\n  pie\n  ```\n")
    assert flows(read) == (source, "pie\n")
    assert f"```mermaid\n{FLOW}\n```" in page(read.text)
    assert page("```mermaid\nclick a b\n```") == "```{ .text .tocsin-output }\nclick a b\n```", "it is shown"


@pytest.mark.parametrize(
    ("target", "safe"),
    [
        ("https://example.org", True),
        ("HTTPS://example.org", True),
        ("mailto:a@example.org", True),
        ("../a.md#b", True),
        ("#b", True),
        ("javascript:x", False),
        (" java\tscript:x", False),
        ("\x01javascript:x", False),
        ("data:text/html,x", False),
        ("//example.org", False),
        ("\\\\example.org", False),
        ("/\\example.org", False),
        ("/\t/example.org", False),
    ],
)
def test_a_target_is_safe_or_not(target: str, safe: bool) -> None:
    assert safe_target(target) is safe
    assert link("a", target).startswith("[a](") is safe


def test_text_is_escaped_where_it_means_something() -> None:
    assert plain("max_poll a.b-c") == "max_poll a.b-c"
    assert plain("*a* _b_ <c> \"d\" 'e'") == "&#42;a&#42; &#95;b&#95; &#60;c&#62; &#34;d&#34; &#39;e&#39;"
    assert [plain(each) for each in ("- a", "1. a", "12) a", "+", "= b", ": c", "??? d")] == [
        "&#45; a",
        "1&#46; a",
        "12&#41; a",
        "&#43;",
        "&#61; b",
        "&#58; c",
        "&#63;?? d",
    ]
    assert words(" it's a.b ") == " it's a.b "
    assert code("`") == "<code>&#96;</code>"
    assert link("a", "b_c.md?d=e&copy=f") == "[a](b_c.md?d=e&amp;copy=f)"
