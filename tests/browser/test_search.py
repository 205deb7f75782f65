"""The home page of the real site, and full-text search: an English word, and a Chinese word from the middle of a title."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser
from tests.browser.chromium import at_rest, visiting


def search(chromium: Browser, address: str, words: str) -> list[str]:
    """The addresses that full-text search finds."""
    with visiting(chromium, address) as visit:
        page = visit.page
        page.locator(".md-search__input").click()
        page.keyboard.insert_text(words)
        page.keyboard.press(
            "End"
        )  # the theme listens to keys, and text that came from an input method ends with one
        # The line above the results is empty until the index has answered.
        page.wait_for_function(
            "() => /\\d|没有|No matching/.test(document.querySelector('.md-search-result__meta').textContent)"
        )
        found = [
            each.get_attribute("href") or ""
            for each in page.locator(".md-search-result__item a.md-search-result__link").all()
        ]
        assert visit.leaving(address.partition("zh/")[0]) == []
        assert visit.complaints == []
        return found


def test_an_english_word(chromium: Browser, starter: str) -> None:
    assert any("SOP-KAFKA-007" in each for each in search(chromium, starter, "rebalances"))


@pytest.mark.parametrize("word", ["延迟", "响应", "处理"])
def test_a_chinese_word_from_the_middle_of_a_title(chromium: Browser, hostile: str, word: str) -> None:
    assert any("SOP-WEB-001" in each for each in search(chromium, hostile + "zh/", word))


def test_a_word_that_stands_nowhere_is_not_found(chromium: Browser, starter: str) -> None:
    assert search(chromium, starter, "zzqxzzqx") == []


@pytest.mark.parametrize(
    ("language", "typed", "expected"),
    [
        ("", "kafkaconsumerlag", "sop/SOP-KAFKA-007/"),
        ("", "pg: Disk quota exceeded (os error 122)", "sop/SOP-NODE-001/"),
        ("", "REBALANCE_IN_PROGRESS", "sop/SOP-KAFKA-007/"),
        ("zh/", "积压", "sop/SOP-KAFKA-007/"),
        ("zh/", "KafkaConsumerLagPage", "sop/SOP-KAFKA-007/"),
    ],
)
def test_the_box_of_the_built_home_page(
    chromium: Browser, starter: str, language: str, typed: str, expected: str
) -> None:
    with visiting(chromium, starter + language) as visit:
        page = visit.page
        page.keyboard.press("/")
        page.keyboard.type(typed)
        link = page.locator("a.tocsin-answer").first
        at_rest(page)  # letter by letter, other answers came before
        assert (link.get_attribute("href") or "").startswith(expected)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{language}{expected}**")
        assert page.locator("h1").is_visible()


@pytest.mark.parametrize("language", ["", "zh/"])
def test_an_alert_opens_its_sop_with_its_labels_filled_in(
    chromium: Browser, starter: str, language: str
) -> None:
    with visiting(
        chromium, f"{starter}{language}?alert=KafkaConsumerLagPage&consumergroup=billing&cluster=a"
    ) as visit:
        visit.page.wait_for_url(f"**/{language}sop/SOP-KAFKA-007/?*")
        visit.page.wait_for_selector("mark.tocsin-filled")
        assert '--group "billing"' in visit.page.locator("div.highlight code").first.inner_text()


def test_each_alert_of_the_lookup_leads_somewhere(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter) as visit:
        names = visit.page.evaluate("TOCSIN_LOOKUP.alerts.map((row) => row[0])")
        assert len(names) > 10
        for name in names:
            visit.page.goto(f"{starter}?alert={name}")
            visit.page.wait_for_url("**/sop/**")
            assert visit.page.locator("h1").is_visible()
