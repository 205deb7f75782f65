"""An author's prose on the generated page: the same page the author saw on a forge, and nothing on it that acts.

Judged by two renderers that are not ours: markdown-it says what the source means, Python-Markdown with the site's extensions makes the page.
`TOCSIN_PAGES=folder pytest tests/contract/test_site_prose_rendering.py` compares every Markdown file below that folder as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.rendered_pages import Node, commonmark, generated, outline, tree

from tocsin.diag import SourceFile
from tocsin.emit.site.prose import render_body
from tocsin.source.markdown import read_body, split

ROOT = Path(__file__).resolve().parents[2]
PAGES = tuple(
    path
    for folder in ("sops", "tests/golden", "tests/explain_defaults")
    for path in sorted((ROOT / folder).rglob("*.md"))
)


def page(source: str) -> str:
    """The Markdown our writer makes of `source`; every link leads where it says."""
    body = read_body(SourceFile(path="x.md", text=source), source, 1)
    return render_body(body, resolve=lambda target: target)


def prose(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if not text.startswith("---"):
        return text
    return split(SourceFile(path=path.name, text=text))[0].text


def assert_same(source: str) -> None:
    assert outline(generated(page(source))) == outline(commonmark(source)), page(source)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_page_here_reads_as_its_author_wrote_it(path: Path) -> None:
    source = prose(path)
    assert len(outline(commonmark(source))) > 1
    assert_same(source)


def test_pages_were_found() -> None:
    assert len(PAGES) >= 10


if _FOLDER := os.environ.get("TOCSIN_PAGES"):

    @pytest.mark.parametrize("path", sorted(Path(_FOLDER).rglob("*.md")), ids=str)
    def test_a_page_of_the_given_folder(path: Path) -> None:
        assert_same(prose(path))
        assert_harmless(generated(page(prose(path))))


NASTY = {
    "lists that touch": "- a\n- b\n\n* c\n* d\n\n1. one\n2. two\n\n- e\n\n3) three\n4) four\n",
    "list depths": "- a\n  - b\n    1. c\n       - d\n\n         loose\n  - e\n- f\n",
    "loose and tight": "- a\n\n- b\n+ c\n\n  d\ntext\n1. at once\n",
    "numbers": "7. seven\n8. eight\n\n100. hundred\n     more\n     1. one\n\n0. none\n",
    "fence in list": "1. do\n\n   ```bash\n   cat <<EOF\n     > x\n   \ttab\n\n   EOF\n   ```\n\n   then\n2. next\n   ```\n   x\n   ```\n",
    "no words first": "- ```\n  x\n  ```\n- > q\n- # h\n- - n\n  - m\n-\n- | t | u |\n  |---|---|\n  | 1 | 2 |\n- ---\n-     code\n",
    "quotes": "> one\n\n> two\n> > three\n>\n> ```\n> > like a quote\n>\n> end\n> ```\n> - list\n>   1. in it\n>\n>      loose\n> - more\n",
    "quote of quote marks": "> ```\n> >>> import x\n> > y\n> ```\n\n```\n> z\n>> zz\n```\n",
    "tasks": "- [ ] to do\n- [x] done\n  - [X] inner\n- [ ]\n- [x]no\n- [ ] `code`\n",
    "tables": "| a | b | c |\n|:-:|---|--:|\n| 1 |\n| `x\\|y` | z \\| w | **s** |\n| 1 | 2 | 3 | 4 |\n\n| only |\n|---|\n",
    "table in list": "- words\n\n  | a | b |\n  |---|---|\n  | 1 | 2 |\n\n> | a |\n> |---|\n> | 1 |\n",
    "breaks": "a  \nb\\\nc<br>d\n\n| a |\n|---|\n| b<br/>c |\n",
    "emphasis": "***both*** **_x_** *a **b** c* foo_bar_baz _x_y_ a*b*c **中文**。 ~~gone~~ ~x~ * not * __a__b\n",
    "code": "`` a`b `` ``` `` ``` `a`<!-- c -->`b` ` x ` `<GROUP>` `a|b` `\\` `&amp;` `{: .x }` `[a](b)` ` `` `\n",
    "links": "[a](b.md#c_d 't') [e](<has space.md>) [p](a(b).md) [q](a'b) [*x*`c`](y.md)[](e.md)[z](../up.md)(p)[s]!\n",
    "references": "[ref][r] [r] [r][] ![img][r]\n\n[r]: https://example.org/x_y_z*w?a=1&copy=2&lt; 'title'\n",
    "images": "![alt *x*](a/b.svg 't') ![](a.png) ![x](https://example.org/i.png) ![y](/root.png) [![i](p.png)](q.md)\n",
    "addresses": "<https://example.org/a?b=c&d=e_f_g> <a@example.org> https://example.org/a_b_ [<https://example.org>](x.md)\n",
    "html": "<div>\n*not em*\n</div>\n\ntext <b>bold</b> <!-- no --> <kbd>x</kbd>\n\n<details><summary>s</summary>\n\nin\n\n</details>\n",
    "comments": "a <!-- b\nc --> d\n\n<!-- gone -->\n\n<!-- tocsin: read -->\n```bash\nx\n```\n\n<!--> shown\n\n<!-- never closed\n\n# in it\n",
    "headings": "# One\n## Two #\n##\n###### Six\n## a `b` *c* {#d .e}\n## 中文 标题\nSet\n===\n## # x \\#\n> # in quote\n\n- # in list\n",
    "rules": "***\n\n---\n\n- a\n\n___\n\n> ---\n",
    "begins": "1986\\. year\n\n\\- no list\n\n\\# no heading\n\n\\+ x\n\n: def\n\nTerm\n: def\n\n=\n\n+\n\n\\> no quote\n\n1\\) x\n",
    "other dialects": '!!! note "x"\n    body\n\n??? danger\n    body\n\n[TOC]\n\n--8<-- "file"\n\n{{ x }}\n\n*[HTML]: H\n\n[^1]: f\n\n$x$\n\n/// a\n///\n',
    "entities": "&amp; &lt;b&gt; &#42;x&#42; &copy; &amp;copy; &nosuch; & &; &#0; &colon;\n",
    "code blocks": "    indented\n\n      more\n\n~~~ Bash extra\nx\n~~~\n\n````\n```\ninner\n```\n````\n\n```c++\ny\n```\n\n```\n\n\n```\n",
    "unclosed": "- a\n  ```bash\n  x\n\nafter\n\n> ```\n> y\n\n```\nz\n",
    "chinese": "请先确认**影响**范围，`$GROUP` 的值。\n第二行\n\n1、不是列表\n\n- 一\n  - 二\n",
}


@pytest.mark.parametrize("name", NASTY)
def test_a_nasty_page_reads_as_its_author_wrote_it(name: str) -> None:
    assert_same(NASTY[name])
    assert_harmless(generated(page(NASTY[name])))


def test_the_judge_sees_a_difference() -> None:
    seen = outline(commonmark("- a\n\n  b `c`\n"))
    assert seen == [["ul", "1", ["li", ["p", "a"], ["p", "b ", ["code", "c"]]]]]
    for other in (
        "- a b `c`\n",
        "1. a\n\n   b `c`\n",
        "- a\n\n  b c\n",
        "- a\n\nb `c`\n",
        "- a\n\n  b *c*\n",
    ):
        assert outline(commonmark(other)) != seen
    assert outline(commonmark("[a](b)")) != outline(commonmark("[a](c)"))


def test_headings_carry_the_published_anchors() -> None:
    source = "# Top\n## Impact\n## 影响\n## Two words\n## Two words\n## x {#my_own_id}\n## y {#a:b.c}\n### 网络\n##\n"
    body = read_body(SourceFile(path="x.md", text=source), source, 1)
    shown = tree(generated(render_body(body, resolve=lambda target: target)))
    found = [each.attributes.get("id") for each in shown.every() if re.fullmatch("h[1-6]", each.tag)]
    assert found == [each.anchor for each in body.sections]
    links = [
        each.attributes["href"] for each in shown.every() if each.attributes.get("class") == "headerlink"
    ]
    assert links == [f"#{each}" for each in found]


ELEMENTS = {
    **dict.fromkeys(("p", "ul", "li", "blockquote", "hr", "br", "em", "strong", "s", "table", "thead", "tbody", "tr"), ()),
    **dict.fromkeys(("pre", "code", "div", "span"), ("class",)),
    **dict.fromkeys(("h2", "h3", "h4", "h5", "h6"), ("id",)),
    **dict.fromkeys(("td", "th"), ("style",)),
    "ol": ("start",),
    "a": ("href", "class", "title", "id"),
    "img": ("src", "alt"),
}  # fmt: skip
"""Every element and attribute a page of prose may hold."""
CLASSES = re.compile(
    r"headerlink|mermaid|highlight|language-[a-z0-9_+-]+|tocsin-(?:read|change|destructive|output|promql)|-?[A-Za-z]{1,3}[0-9]?(?:-[A-Za-z]+)*|-[A-Z][a-z]+"
)


def assert_harmless(shown: str) -> Node:
    """Nothing on the page can run, load from elsewhere, or look like a part of the page that its author did not write."""
    root = tree(shown)
    for node in root.every():
        assert node.tag in ELEMENTS, f"<{node.tag}> in {shown}"
        for name, value in node.attributes.items():
            assert name in ELEMENTS[node.tag], f"<{node.tag} {name}={value!r}> in {shown}"
            if name == "class":
                assert all(CLASSES.fullmatch(each) for each in value.split()), shown
            if name == "id" and node.tag == "a":
                assert not node.children and len(node.attributes) == 1, shown
            if name == "style":
                assert re.fullmatch(r"text-align: (?:left|center|right);", value), shown
            if name == "title":
                assert value == "Permanent link"
            if name in ("href", "src"):
                # As a browser reads it: without white space and control characters.
                target = re.sub(r"[\x00-\x20\x7f-\x9f]", "", value)
                scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", target)
                assert scheme is None or scheme[1].lower() in ("http", "https", "mailto"), shown
                assert not target.startswith(("//", "\\", "/\\")), shown
                assert name == "href" or scheme is None, shown
    return root


JS = "javascript:alert(1)"
HOSTILE = {
    "script": ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    "script after words": ("see <script>alert(1)</script>", "see <script>alert(1)</script>"),
    "script in heading": ("## x <script>alert(1)</script>", "<script>alert(1)</script>"),
    "script in list": ("- a\n- <script>alert(1)</script>", "<script>alert(1)</script>"),
    "script in quote": ("> <script>\n> alert(1)\n> </script>", "<script>"),
    "script in cell": ("| a |\n|---|\n| <script>alert(1)</script> |", "<script>alert(1)</script>"),
    "script in link": ("[<script>alert(1)</script>](x.md)", "<script>alert(1)</script>"),
    "script in alt": ('![<script>alert(1)</script>" onerror="x](https://x/y)', "<script>alert(1)</script>"),
    "script by entities": ("&lt;script&gt;alert(1)&lt;/script&gt;", "<script>alert(1)</script>"),
    "script twice encoded": ("&amp;lt;script&amp;gt;", "&lt;script&gt;"),
    "script split": ("<scr<b>ipt>alert(1)</scr</b>ipt>", "ipt>alert(1)"),
    "script unclosed": ("<script src=//x.y/z", "<script src=//x.y/z"),
    "script in code": ("`<script>alert(1)</script>`", "<script>alert(1)</script>"),
    "script in fence": ("```html\n<script>alert(1)</script>\n```", "<script>alert(1)</script>"),
    "script in indented code": ("    <script>alert(1)</script>", "<script>alert(1)</script>"),
    "image with onerror": ("<img src=x onerror=alert(1)>", "onerror=alert(1)"),
    "svg": ("<svg onload=alert(1)><a xlink:href='javascript:x'>y</a></svg>", "<svg onload=alert(1)>"),
    "math": ("<math><mi xlink:href='data:x,<script>'>", "<math>"),
    "iframe": ("<iframe srcdoc='<script>x</script>'></iframe>", "<iframe"),
    "style": ("<style>@import url(//x)</style>", "@import"),
    "meta refresh": ("<meta http-equiv=refresh content='0;url=//x'>", "http-equiv"),
    "base": ("<base href=//x>", "<base"),
    "form": ("<form action=//x><input name=p></form>", "<form"),
    "object": ("<object data=x></object><embed src=x>", "<object"),
    "html with markdown": ('<div markdown="1">\n**x** <b onclick=y>\n</div>', '<div markdown="1">'),
    "html span with markdown": ('<span markdown="span" onclick=x>**y**</span>', "onclick=x"),
    "declaration": ("<!DOCTYPE x [<!ENTITY y 'z'>]>", "<!DOCTYPE"),
    "instruction": ("<?php alert(1) ?>", "<?php"),
    "cdata": ("<![CDATA[ <script>x</script> ]]>", "<script>"),
    "comment that ends early": ("<!--> <script>alert(1)</script> -->", "<script>alert(1)</script>"),
    "comment that ends with a dash": ("<!---> <script>alert(1)</script>", "<script>alert(1)</script>"),
    "words behind a comment": ("<!-- x --> <img src=x onerror=y>", "<img src=x onerror=y>"),
    "comment in a comment": ("<!-- <!-- --> <b onclick=x> -->", "<b onclick=x>"),
    "comment for the compiler with more": ("<!-- tocsin: read --> <b onclick=x>\n```\ny\n```", "<b onclick=x>"),
    "comment never closed": ("<!-- <script>alert(1)</script>", "<script>alert(1)</script>"),
    "attributes on heading": ("## x {: onclick=alert(1) style=color:red }", "x"),
    "attributes on heading in quotes": ('## x {#i onclick="alert(1)"}', "x"),
    "anchor that breaks out": ('## x {#"onclick=alert(1)}', "x"),
    "anchor with a key": ("## x {#a=b}", "x"),
    "attributes on paragraph": ("x\n{: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "attributes on emphasis": ("*x*{: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "attributes on link": ("[x](y.md){: onclick=alert(1) target=_blank }", "{: onclick=alert(1)"),
    "attributes on code": ("`x`{: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "attributes on image": ("![x](y.png){: onerror=alert(1) }", "{: onerror=alert(1) }"),
    "attributes on item": ("- x {: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "attributes below item": ("- x\n  {: onclick=alert(1) }\n- y", "{: onclick=alert(1) }"),
    "attributes on cell": ("| a {: onclick=x } |\n|---|\n| b {: onclick=alert(1) } |", "{: onclick=alert(1) }"),
    "attributes on fence": ("``` {.bash onclick=alert(1) #i}\necho x\n```", "echo x"),
    "options on fence": ('```bash title="<script>x</script>" linenums="1" hl_lines="1"\necho x\n```', "echo x"),
    "language that breaks out": ('```"><script>\necho x\n```', "echo x"),
    "language of a diagram with a class": ("```{.mermaid .x onclick=y}\nflowchart TD\n  a-->b\n```", "a-->b"),
    "attributes by entities": ("*x*&#123;: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "attributes over a hard break": ("x<br>{: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "javascript": (f"[x]({JS})", JS),
    "javascript in capitals": ("[x](JaVaScRiPt:alert(1))", "JaVaScRiPt:alert(1)"),
    "javascript by entity": ("[x](javascript&colon;alert(1))", "javascript:alert(1)"),
    "javascript by number": ("[x](&#106;avascript:alert(1))", "javascript:alert(1)"),
    "javascript twice encoded": ("[x](javascript&amp;colon;alert%281%29)", "x"),
    "javascript with a tab": ("[x](<java\tscript:alert(1)>)", "script:alert(1)"),
    "javascript with an encoded tab": ("[x](java&Tab;script:alert(1))", "script:alert(1)"),
    "javascript with a newline": ("[x](java&NewLine;script:alert(1))", "script:alert(1)"),
    "javascript behind a control": ("[x](&#1;javascript:alert(1))", "x"),
    "javascript in a reference": (f"[x][r]\n\n[r]: {JS}", "[x][r]"),
    "javascript in angle brackets": (f"<{JS}>", JS),
    "javascript in an image": (f"![x]({JS})", JS),
    "vbscript": ("[x](vbscript:msgbox)", "vbscript:msgbox"),
    "data": ("[x](data:text/html;base64,PHNjcmlwdD4=)", "data:text/html"),
    "data image": ("![x](data:image/svg+xml;base64,PHN2Zz4=)", "data:image/svg+xml"),
    "data image as link": ("[x](data:image/png;base64,AAAA)", "data:image/png"),
    "file": ("[x](file:///etc/passwd)", "file:///etc/passwd"),
    "another scheme": ("[x](ms-msdt:/id)", "ms-msdt:/id"),
    "view-source": ("[x](view-source:https://x)", "view-source:https://x"),
    "no scheme": ("[x](//evil.example/y)", "//evil.example/y"),
    "backslashes": ("[x](\\\\\\\\evil.example)", "evil.example"),
    "image from elsewhere": ("![pixel](https://evil.example/p.gif)", "https://evil.example/p.gif"),
    "title that breaks out": ("[x](y.md '\"onmouseover=alert(1) z=\"')", "x"),
    "target that breaks out": ('[x](<y.md" onmouseover="alert(1)>)', "x"),
    "target that ends early": ("[x](<a) [y](javascript:alert(1)>)", "x"),
    "bracket in a label": ("[a\\](javascript:alert(1)) [b](c.md)", "a](javascript:alert(1)) b"),
    "label made of a link": ("[[x](javascript:alert(1))](y.md)", "javascript:alert(1)"),
    "image marker before a link": ("\\![x](y.md)", "!x"),
    "reference of the dialect": ("[x]: javascript:alert(1)\n\n\\[x]", "[x]"),
    "nested backticks": ("`` `<script>` `` ```<b onclick=x>``", "<script>"),
    "fence that ends early": ("````\n```\n<script>alert(1)</script>\n````", "<script>alert(1)</script>"),
    "fence of tildes": ("~~~\n```\n<script>alert(1)</script>\n~~~", "<script>alert(1)</script>"),
    "fence never closed": ("- ```\n  <script>alert(1)</script>\n\n<b onclick=x>", "<b onclick=x>"),
    "fence in a quote that leaves it": ("> ```\n<script>alert(1)</script>", "<script>alert(1)</script>"),
    "fence with quote marks in a quote": ("> ```\n> > > <script>alert(1)</script>\n> ```", "<script>alert(1)</script>"),
    "diagram that ends early": ("````mermaid\n```\n<script>alert(1)</script>\n````", "<script>alert(1)</script>"),
    "diagram with a click": ('```mermaid\nflowchart TD\n  a-->b\n  click a "javascript:alert(1)"\n```', "a-->b"),
    "markup of the generator's own": ("\x02wzxhzdk:0\x03 \x02klzzwxh:0\x03 \x0242\x03", "wzxhzdk:0"),
    "admonition": ('!!! danger "<b onclick=x>"\n    y', "<b onclick=x>"),
    "details": ('??? note "<b onclick=x>"\n    y', "<b onclick=x>"),
    "table with attributes": ("| a |\n|---|\n| b |\n{: onclick=alert(1) }", "{: onclick=alert(1) }"),
    "template": ("{{ constructor.constructor('alert(1)')() }}", "constructor"),
    "right to left": ("\u202e(1)trela", "(1)trela"),
}  # fmt: skip
"""What is written, and what of it a reader must still see."""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    ("first", "rest"), [("", ""), ("- a\n\n  ", "  "), ("> ", "> ")], ids=["alone", "list", "quote"]
)
def test_what_is_hostile_is_shown_and_does_nothing(name: str, first: str, rest: str) -> None:
    source, seen = HOSTILE[name]
    source = first + source.replace("\n", "\n" + rest)
    shown = assert_harmless(generated(page(source)))
    assert " ".join(seen.split()) in " ".join(shown.text().split()), shown.text()


def test_the_judge_of_harm_sees_harm() -> None:
    for bad in (
        "<script>x</script>",
        "<p onclick='x'>y</p>",
        "<a href='java&#9;script:x'>y</a>",
        "<a href='//x'>y</a>",
        "<img src='https://x'>",
        "<p>x",
        "<div class='admonition'>x</div>",
        "<td style='position:fixed'>x</td>",
    ):
        with pytest.raises(AssertionError):
            assert_harmless(bad)


PIECES = """- |* |1. |3) |> |>|# |## | {#x}|{: .a }|{: onclick=x }|```\n|```bash\n|~~~\n|    |  |   |\t|\n|\n|\n\n|\n\n|⟦ a ⟦ b ⟧\n⟦---⟦--:⟧\n
|⟦ c ⟧|⟦|`|``|*|**|_|__|~~|[|]|(|)|](x.md)|](javascript:x)|![|!|<|<b>|</b>|<br>|<div>\n|<!-- c -->|<!--|-->|<!-- tocsin: read -->\n|&amp;
|&#42;|&lt;|\\|---|===|***|!!! note|???|[ ] |[x] |[TOC]|word|a_b|中文|https://example.org|<https://example.org>|1986.|:   def|  \n|\\\n|[r]
|[r]: /u\n|$x|{{ x }}|"|'|x|b c""".replace("\n|", "|").split("|")  # fmt: skip
MARKDOWN = st.lists(st.sampled_from(PIECES), max_size=25).map(
    lambda pieces: "".join(pieces).replace("⟦", "|").replace("⟧", "|")
)


@settings(max_examples=300, deadline=None)
@given(MARKDOWN)
def test_any_markdown_reads_as_its_author_wrote_it(source: str) -> None:
    assert_same(source)


def _texts() -> Iterator[st.SearchStrategy[str]]:
    yield st.text()
    yield MARKDOWN
    yield st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=20).map("".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(*_texts()))
def test_no_text_makes_a_page_that_acts(source: str) -> None:
    assert_harmless(generated(page(source)))
