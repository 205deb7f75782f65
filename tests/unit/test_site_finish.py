"""The last pass: a policy that allows the theme's inline scripts and no other, and nothing that loads from elsewhere."""

from __future__ import annotations

import base64
import hashlib

import pytest

from tocsin.emit.site.finish import finish_page, finish_sitemap, theme_scripts

SCOPE = '__md_scope=new URL("{base}",location),__md_get=e=>e'
PAGE = """<!doctype html>
<html lang="en">
  <head>

      <meta charset="utf-8">
      <link rel="canonical" href="https://runbooks.example.com/sop/X/">
      <title>{title}</title>
      <link rel="stylesheet" href="../../assets/main.css">
    <script>{scope}</script>
  </head>
  <body><article>{body}</article>
  <script id="__config" type="application/json">{{"base": "../.."}}</script>
  <script src="../../assets/bundle.js"></script>
  </body>
</html>
"""
THEME = PAGE.format(title="404", scope=SCOPE.format(base="/"), body="")


def page(body: str = "", title: str = "T", base: str = "../..") -> str:
    return PAGE.format(title=title, scope=SCOPE.format(base=base), body=body)


def test_the_theme_s_own_script_is_allowed_by_its_hash_at_every_depth() -> None:
    known = theme_scripts(THEME)
    for base in (".", "..", "../.."):
        done = finish_page(page(base=base), "x", known)
        digest = base64.b64encode(hashlib.sha256(SCOPE.format(base=base).encode()).digest()).decode()
        assert f"'sha256-{digest}'" in done.html
        assert done.problems == ()
    assert "unsafe-inline' 'sha" not in done.html and "script-src 'self' 'sha256-" in done.html


def test_the_policy_stands_before_anything_that_loads() -> None:
    html = finish_page(page(), "x", theme_scripts(THEME)).html
    assert html.index("Content-Security-Policy") < html.index("<link") < html.index("<script")


@pytest.mark.parametrize(
    "script",
    ["alert(1)", SCOPE.format(base="../..") + ";alert(1)", '__md_scope=new URL("x");alert(1)//",location)'],
)
def test_any_other_inline_script_gets_no_hash_and_is_said(script: str) -> None:
    done = finish_page(page(f"<script>{script}</script>"), "sop/X/index.html", theme_scripts(THEME))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert digest not in done.html
    assert len(done.problems) == 1 and done.problems[0].startswith("sop/X/index.html: an inline script")


@pytest.mark.parametrize(
    "element",
    [
        '<img src="https://far.example.com/x.png">',
        "<img alt=x src='//far.example.com/x.png'>",
        '<iframe src="https://far.example.com/"></iframe>',
        '<link rel="stylesheet" href="https://far.example.com/x.css">',
        '<script src="https://far.example.com/x.js"></script>',
    ],
)
def test_what_would_load_from_elsewhere_is_said(element: str) -> None:
    problems = finish_page(page(element), "x", theme_scripts(THEME)).problems
    assert len(problems) == 1 and "far.example.com" in problems[0]


def test_a_link_to_elsewhere_loads_nothing() -> None:
    assert (
        finish_page(page('<a href="https://far.example.com/">x</a>'), "x", theme_scripts(THEME)).problems
        == ()
    )


@pytest.mark.parametrize(
    "title",
    [
        "a </title><script>alert(1)</script> b",
        'a </title><link rel="stylesheet" href="x"> b',
        "</title></head>",
    ],
)
def test_a_title_that_the_theme_printed_raw_is_text_again(title: str) -> None:
    done = finish_page(page(title=title), "x", theme_scripts(THEME))
    assert "alert(1)</script>" not in done.html
    assert f"<title>{title.replace('<', '&lt;').replace('>', '&gt;')}</title>\n" in done.html


def test_code_keeps_its_blank_lines_and_its_blanks() -> None:
    body = '<pre><code>a<span class="w"> </span>b\n\n\n    c</code></pre>'
    assert "<pre><code>a b\n\n\n    c</code></pre>" in finish_page(page(body), "x", theme_scripts(THEME)).html


def test_a_page_with_a_policy_of_its_own_keeps_that_one() -> None:
    own = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; base-uri 'none'\">"
    stub = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{own}<title>x</title></head><body></body></html>'
    assert finish_page(stub, "a/x/index.html").html == stub
    late = stub.replace(own, "").replace("<body>", f"<body>{own}")
    assert finish_page(late, "a/x/index.html").html.count("Content-Security-Policy") == 2, "not from a text"
    assert finish_page(stub.replace("<body>", '<body><img src="//far.example/x">'), "x").problems


def test_the_article_says_the_same_in_fewer_bytes() -> None:
    body = (
        '<h2 id="x">X<a class="headerlink" href="#x" title="Permanent link">&para;</a></h2>\n<p>a &#40;b&#41; &#60;c&#62;</p>\n'
        "<table>\n<thead>\n<tr>\n<th>What</th>\n<th>Value</th>\n</tr>\n</thead>\n</table>\n<pre><code>a\n  b\n</code></pre>\n"
        '<h2 id="tocsin-alerts">Alerts</h2>\n<table>\n<thead>\n<tr>\n<th>What</th>\n<th>Value</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>y</td>\n</tr>\n'
        '</tbody>\n</table>\n<pre><code><span class="k">sum</span>\n  x</code></pre>'
    )
    html = finish_page(page(body), "x", theme_scripts(THEME)).html
    article = html[html.index("<article>") : html.index("</article>")]
    assert article == (
        '<article><h2 id="x">X<a class="headerlink" href="#x">¶</a></h2><p>a (b) &#60;c&#62;</p>'
        "<table><thead><tr><th>What</th><th>Value</th></tr></thead></table>\n<pre><code>a\n  b\n</code></pre>"
        '<h2 id="tocsin-alerts">Alerts</h2><table><tbody><tr><td>y</td></tr></tbody></table>\n<pre><code>sum\n  x</code></pre>'
    )


def test_a_sitemap_has_no_days() -> None:
    assert (
        finish_sitemap("<url><loc>x</loc>\n <lastmod>2026-01-01</lastmod></url>") == "<url><loc>x</loc></url>"
    )
