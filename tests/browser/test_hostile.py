"""Texts that attack their reader: shown, not run. And what a site must not let out: a page marked internal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser import sites
from tests.browser.chromium import PHONE, visiting

_PAGES = [
    "",
    *("sop/", "sop/SOP-EVIL-001/", "sop/SOP-WEB-001/", "a/", "a/HighErrorRate/"),
    *("svc/web/", "team/team-web/", "err/ERR_EVIL/", "levels/", "report/coverage/"),
]
PLACES = [language + place for language in ("", "zh/") for place in _PAGES]
WRITTEN = (
    "<script>alert('script')</script>",
    "onerror=\"alert('img')\"",
    "{: onclick=\"alert('attr')\"",
    "javascript:alert('link')",
    "*[HTML]:",
    '--8<-- "/etc/passwd"',
    "{{ config }}",
)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_runs_and_nothing_is_asked_for(chromium: Browser, hostile: str, place: str) -> None:
    with visiting(chromium, hostile + place) as visit:
        page = visit.page
        page.wait_for_function("() => !document.querySelector('pre.mermaid')")
        page.wait_for_timeout(300)
        for each in page.locator("article a:visible").all()[:40]:
            target = each.get_attribute("href") or ""
            assert re.match(r"(?:https?://|mailto:|[^:]*$)", target), target
        handlers = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap((e) => [...e.attributes]).map((a) => a.name).filter((n) => /^on/i.test(n))"
        )
        assert handlers == []
        assert (visit.dialogs, visit.leaving(hostile), visit.complaints) == ([], [], [])


def test_the_attack_is_shown_as_it_was_written(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + "sop/SOP-EVIL-001/") as visit:
        text = visit.page.locator("article").inner_text()
    for written in WRITTEN:
        assert written in text, written


@pytest.mark.parametrize("place", ["", "zh/"])
def test_every_page_has_a_policy_that_allows_no_foreign_script(hostile_folder: Path, place: str) -> None:
    pages = sorted((hostile_folder / place).rglob("*.html"))
    assert len(pages) > 10
    for page in pages:
        html = page.read_text(encoding="utf-8")
        found = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', html)
        assert found is not None, page
        assert "default-src 'none'" in found[1]
        assert "unsafe-eval" not in found[1]
        assert not re.search(r"script-src[^;]*unsafe-inline", found[1]), page
        assert not re.search(r"<script\b[^>]*>[^<]", html[: found.start()]), (
            f"{page}: a script before the policy"
        )


def test_the_policy_stops_a_script_that_got_through(
    chromium: Browser, hostile_folder: Path, tmp_path: Path
) -> None:
    """The second wall: a page with an attack put into its HTML by hand."""
    from tests.browser.chromium import serving

    html = (hostile_folder / "levels" / "index.html").read_text(encoding="utf-8")
    attack = "<script>alert(1)</script><img src='data:,' onerror='alert(2)'><a id=x href='javascript:alert(3)'>x</a><script src='https://evil.example/x.js'></script>"
    assert "</article>" in html
    (tmp_path / "index.html").write_text(html.replace("</article>", attack + "</article>"), encoding="utf-8")
    with serving(tmp_path) as address, visiting(chromium, address) as visit:
        visit.page.locator("#x").click(no_wait_after=True)
        # One for each way of the attack; the browser reports them when it comes to it.
        visit.until(lambda: len([each for each in visit.console if "Content Security Policy" in each]) >= 3)
        assert visit.dialogs == []


def test_a_shared_name_is_a_choice(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + "a/HighErrorRate/") as visit:
        ways = [each.get_attribute("href") or "" for each in visit.page.locator("a.go").all()]
    assert sorted(ways) == ["../../sop/SOP-EVIL-001/#mitigate", "../../sop/SOP-WEB-001/"]


def test_a_missing_translation_shows_the_source_with_a_banner(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, hostile + "zh/sop/SOP-EVIL-001/") as visit:
        page = visit.page
        assert page.locator("html").get_attribute("lang") == "zh"
        assert page.locator(".admonition").count() > 0
        assert page.locator("h2#confirm").evaluate("(each) => each.closest('[lang]').lang") == "en"


def test_a_public_site_says_nothing_of_what_is_internal(
    chromium: Browser, hostile_folder: Path, tmp_path: Path
) -> None:
    assert "quinquereme" in "".join(
        each.read_text(encoding="utf-8") for each in hostile_folder.rglob("*.html")
    )
    public = sites.build(sites.HOSTILE, tmp_path / "public", "--public") / "site"
    for path in public.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for word in (b"SOP-WEB-900", b"quinquereme", b"Classified procedure"):
                assert word not in data, path


def test_what_is_said_of_an_undrawable_diagram_fits_a_phone(chromium: Browser, hostile: str) -> None:
    measure = """async () => {
        const holder = document.body.appendChild(document.createElement("div"));
        holder.style.width = "300px";
        holder.innerHTML = (await window.mermaid.render("undrawable", "no diagram")).svg;
        const words = holder.querySelector("text");
        return [words.textContent, words.getBoundingClientRect().right - holder.getBoundingClientRect().left];
    }"""
    with visiting(chromium, f"{hostile}sop/SOP-EVIL-001/", size=PHONE) as visit:
        said, right = visit.page.evaluate(measure)
    assert "could not be drawn" in said
    assert 100 < right <= 300
