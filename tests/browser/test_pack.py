"""A team's pack, opened from disk with no server and no network: finding, drawing, searching, filling, printing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser import sites
from tests.browser.chromium import PHONE, Visit, at_rest, visiting


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the pack's folder on disk."""
    out = sites.build(sites.ROOT, tmp_path_factory.mktemp("pack"), "--pack", "team-streaming")
    folder = out / "pack" / "team-streaming"
    assert (folder / "index.html").is_file()
    yield folder.as_uri() + "/"


def quiet(visit: Visit, pack: str) -> bool:
    return (visit.leaving(pack), visit.complaints) == ([], []) and bool(visit.requests)


@pytest.mark.parametrize("language", ["", "zh/"])
def test_an_alert_is_found_and_its_page_opens(chromium: Browser, pack: str, language: str) -> None:
    with visiting(chromium, f"{pack}{language}index.html") as visit:
        page = visit.page
        page.keyboard.press("/")
        page.keyboard.type("kafkaconsumerlagpage")
        at_rest(page)
        page.keyboard.press("Enter")
        page.wait_for_url("**/sop/SOP-KAFKA-007.html*")
        page.wait_for_function("() => !document.querySelector('pre.mermaid')")
        assert page.locator("div.mermaid").count() >= 1
        assert quiet(visit, pack)


def test_opened_with_an_alert_it_goes_to_the_sop_with_the_labels(chromium: Browser, pack: str) -> None:
    with visiting(chromium, f"{pack}index.html?alert=KafkaConsumerLagPage&consumergroup=billing") as visit:
        visit.page.wait_for_url("**/sop/SOP-KAFKA-007.html?*")
        visit.page.wait_for_selector("mark.tocsin-filled")
        assert quiet(visit, pack)


def test_full_text_search_works(chromium: Browser, pack: str) -> None:
    with visiting(chromium, f"{pack}index.html") as visit:
        page = visit.page
        page.locator(".md-search__input").click()
        page.keyboard.type("rebalances")
        page.wait_for_selector("a.md-search-result__link[href*='SOP-KAFKA-007']")
        found = [each.get_attribute("href") or "" for each in page.locator("a.md-search-result__link").all()]
        assert all(each.startswith(pack) for each in found)
        assert quiet(visit, pack)


@pytest.mark.parametrize("place", ["print.html", "card.html"])
def test_the_print_view_and_the_card_open(chromium: Browser, pack: str, place: str) -> None:
    with visiting(chromium, pack + place, size=PHONE) as visit:
        text = visit.page.locator("body").inner_text()
        assert "SOP-KAFKA-007" in text
        assert "P1" in text
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= 360
        assert quiet(visit, pack)


def test_the_card_is_one_sheet(chromium: Browser, pack: str, tmp_path: Path) -> None:
    with visiting(chromium, f"{pack}card.html") as visit:
        data = visit.page.pdf(format="A4", prefer_css_page_size=False)
    (tmp_path / "card.pdf").write_bytes(data)
    assert data.count(b"/Type /Page\n") + data.count(b"/Type /Page/") + data.count(b"/Type/Page/") == 1


def test_every_link_of_the_pack_leads_to_a_file(chromium: Browser, pack: str) -> None:
    with visiting(chromium, f"{pack}index.html") as visit:
        links = visit.page.evaluate("[...document.querySelectorAll('a[href]')].map((each) => each.href)")
    missing = [
        each
        for each in links
        if each.startswith("file:")
        and not Path(each.removeprefix("file://").partition("#")[0].partition("?")[0]).is_file()
    ]
    assert links
    assert missing == []
