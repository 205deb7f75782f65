"""Every kind of page, in both languages: alone with itself, on a phone, in the dark, read aloud, with scripts off."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.chromium import PHONE, Visit, at_rest, visiting
from tests.judges import judge

KINDS = {
    "home": "",
    "sop": "sop/SOP-KAFKA-007/",
    "sop-untranslated": "sop/SOP-ORDERS-001/",
    "sops": "sop/",
    "stub": "a/KafkaConsumerLagPage/",
    "alerts": "a/",
    "service": "svc/kafka/",
    "services": "svc/",
    "team": "team/team-streaming/",
    "error-code": "err/REBALANCE_IN_PROGRESS/",
    "incident": "inc/INC-2026-004/",
    "levels": "levels/",
    "coverage": "report/coverage/",
    "freshness": "report/freshness/",
    "languages": "report/languages/",
}
PAGES = [
    pytest.param(language + place, id=f"{language.strip('/') or 'en'}-{kind}")
    for language in ("", "zh/")
    for kind, place in KINDS.items()
]

ALL_OPEN = "() => { for (const each of document.querySelectorAll('details')) each.open = true; }"


def settled(visit: Visit) -> Page:
    """The page after its scripts did what they do on their own; every diagram is drawn."""
    visit.page.wait_for_function("() => !document.querySelector('pre.mermaid')")
    visit.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 50)))")
    return visit.page


@pytest.mark.parametrize("place", PAGES)
def test_no_request_leaves_this_machine_and_the_policy_refuses_nothing(
    chromium: Browser, starter: str, place: str
) -> None:
    with visiting(chromium, starter + place) as visit:
        page = settled(visit)
        assert page.locator("meta[http-equiv='Content-Security-Policy']").count() >= 1
        assert (visit.leaving(starter), visit.complaints, visit.dialogs) == ([], [], [])
        assert visit.requests, "the record of requests does not work"


WIDER = """() => [...document.querySelectorAll('body *')].filter((each) => {
    if (each.closest('pre, .md-search, .md-sidebar, .md-select__inner, [data-tocsin-stack] thead, [hidden], .tocsin-offscreen')) return false;
    const box = each.getBoundingClientRect();
    if (!box.width || !box.height) return false;
    return box.right > 361 || (each.scrollWidth > each.clientWidth + 1 && /auto|scroll/.test(getComputedStyle(each).overflowX));
}).map((each) => `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 40)}`)"""


SMALL = """() => [...document.querySelectorAll(
    '.tocsin-button, .tocsin-jump a, .tocsin-fill input, #tocsin-find input, a.tocsin-answer, a.go, .md-header label.md-icon, .md-header a.md-logo,' +
    '.md-header .md-select > button, .md-nav--primary .md-nav__item > a.md-nav__link, summary'
)].filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.closest('.md-search')).map((each) => [each, each.getBoundingClientRect()])
  .filter(([, box]) => box.width && box.height && (box.height < 43.9 || box.width < 43.9))
  .map(([each, box]) => `${each.tagName} ${each.className} ${Math.round(box.width)}x${Math.round(box.height)} ${each.textContent.trim().slice(0, 30)}`)"""


@pytest.mark.parametrize("place", PAGES)
def test_on_a_phone_nothing_but_code_scrolls_sideways_and_what_is_pressed_is_large(
    chromium: Browser, starter: str, place: str
) -> None:
    with visiting(chromium, starter + place, size=PHONE) as visit:
        page = settled(visit)
        page.evaluate(ALL_OPEN)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate(WIDER) == []
        assert page.evaluate(SMALL) == []


def test_on_a_phone_the_navigation_can_be_pressed(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "levels/", size=PHONE) as visit:
        page = settled(visit)
        page.locator(".md-header label[for=__drawer]").click()
        at_rest(page)
        assert page.locator(".md-nav--primary a.md-nav__link:visible").count() > 3
        assert page.evaluate(SMALL) == []


def serious(page: Page) -> list[str]:
    """What axe-core calls serious or critical, with where."""
    page.evaluate(judge("axe-core/axe.min.js").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(
        "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
    )
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['html'][:120]} {(node.get('failureSummary') or '')[:300]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:4]
    ]


# The markup is the same in both languages: the Chinese pages that stand for the rest are those with the most of their own.
READ_ALOUD = [*KINDS.values(), "zh/", "zh/sop/SOP-KAFKA-007/", "zh/sop/SOP-ORDERS-001/"]


@pytest.mark.parametrize("place", READ_ALOUD)
def test_nothing_serious_is_in_the_way_of_those_who_listen_or_see_badly(
    chromium: Browser, starter: str, place: str
) -> None:
    with visiting(chromium, starter + place) as visit:
        page = settled(visit)
        page.evaluate(ALL_OPEN)
        assert serious(page) == []
        page.emulate_media(color_scheme="dark")
        at_rest(page)  # colours fade over
        assert serious(page) == []


def test_axe_sees_a_planted_fault(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "levels/") as visit:
        visit.page.evaluate(
            "() => { const bad = document.createElement('img'); bad.src = 'data:,'; document.querySelector('article').append(bad); }"
        )
        assert any("image-alt" in each for each in serious(visit.page))


def test_a_planted_wide_thing_is_seen(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "levels/", size=PHONE) as visit:
        visit.page.evaluate(
            "() => { const wide = document.createElement('div'); wide.textContent = 'x'; wide.style.width = '500px';"
            " document.querySelector('article').append(wide); }"
        )
        assert visit.page.evaluate(WIDER)


BADGES = """() => [...document.querySelectorAll('.tocsin-severity')].map((each) => {
    const channel = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3)
        .reduce((sum, value, at) => sum + [0.2126, 0.7152, 0.0722][at] * channel(Number(value)), 0);
    const style = getComputedStyle(each);
    const [one, two] = [light(style.color), light(style.backgroundColor)].sort((a, b) => b - a);
    return {word: each.textContent.trim(), shape: getComputedStyle(each, '::before').content, ratio: (one + 0.05) / (two + 0.05)};
})"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_severity_is_a_word_a_shape_and_a_colour_with_contrast(
    chromium: Browser, starter: str, scheme: str
) -> None:
    with visiting(chromium, starter + "levels/", scheme=scheme) as visit:
        badges = visit.page.evaluate(BADGES)
    assert {each["word"] for each in badges} >= {"P1", "P2", "P3"}
    assert all(each["ratio"] >= 4.5 for each in badges)
    assert len({each["shape"] for each in badges}) == len({each["word"] for each in badges})


def test_dark_mode_follows_the_device(chromium: Browser, starter: str) -> None:
    look = "getComputedStyle(document.body).backgroundColor"
    shades = []
    for scheme in ("light", "dark"):
        with visiting(chromium, starter, scheme=scheme) as visit:
            shades.append(sum(int(each) for each in visit.page.evaluate(look).strip("rgba()").split(",")[:3]))
    assert shades[0] > 600 > 250 > shades[1]


@pytest.mark.parametrize("place", PAGES)
def test_a_page_reads_with_scripts_off(chromium: Browser, starter: str, place: str) -> None:
    with visiting(chromium, starter + place, scripts=False) as visit:
        page = visit.page
        assert page.locator("h1").first.is_visible()
        assert len(page.locator("body").inner_text()) > 60
        links = page.locator("main a[href]:visible")
        assert links.count() > 0
        assert visit.leaving(starter) == []


def test_commands_and_flows_read_with_scripts_off(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "sop/SOP-KAFKA-007/", scripts=False) as visit:
        page = visit.page
        assert page.get_by_text("kafka-consumer-groups.sh --bootstrap-server").first.is_visible()
        assert page.locator(".tocsin-change").first.is_visible()
        assert "Members in the group?" in page.locator("article").inner_text()
        page.locator("nav.tocsin-jump a").first.click()
        assert "#" in page.url


def test_scripts_off_the_home_page_says_where_to_look(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter, scripts=False) as visit:
        visit.page.locator("main noscript a, #tocsin-find a").first.click()
        assert visit.page.locator("h1").is_visible()


@pytest.mark.parametrize("place", ["sop/SOP-KAFKA-007/", "zh/sop/SOP-KAFKA-007/"])
def test_the_flow_is_drawn_without_a_network(chromium: Browser, starter: str, place: str) -> None:
    opened = "const attach = Element.prototype.attachShadow; Element.prototype.attachShadow = function () { return attach.call(this, {mode: 'open'}); };"
    with visiting(chromium, starter + place, before=opened) as visit:
        page = settled(visit)
        picture = page.locator("div.mermaid svg").first
        picture.wait_for(state="attached")
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 200
        assert page.locator("div.mermaid svg .node").count() >= 8
        assert visit.leaving(starter) == []


def test_a_page_without_a_flow_does_not_pay_for_one(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "levels/") as visit:
        settled(visit)
        assert [each for each in visit.requests if "mermaid.min" in each] == []


def test_paper_shows_the_commands_and_no_buttons(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "sop/SOP-KAFKA-007/") as visit:
        page = settled(visit)
        page.emulate_media(media="print")
        assert not page.locator(".tocsin-copy").first.is_visible()
        assert not page.locator(".md-header").is_visible()
        assert page.evaluate(
            "[...document.querySelectorAll('pre > code')].every((each) => each.scrollWidth <= each.clientWidth + 1)"
        )


def test_a_row_on_a_phone_says_its_columns(chromium: Browser, starter: str) -> None:
    with visiting(chromium, starter + "levels/", size=PHONE) as visit:
        cell = visit.page.locator("td[data-label]").first
        assert (
            "respond"
            in str(
                visit.page.evaluate(
                    "[...document.querySelectorAll('td[data-label]')].map((each) => each.dataset.label).join()"
                )
            ).lower()
        )
        assert cell.evaluate("(each) => getComputedStyle(each, '::before').content") not in ("none", '""')


@pytest.mark.parametrize("old", ["sop/SOP-WEB-OLD/", "old/web/", "zh/old/web/"])
def test_an_old_address_hands_on_what_it_was_opened_with(chromium: Browser, hostile: str, old: str) -> None:
    with visiting(chromium, f"{hostile}{old}?alert=WebSlow&pod=a%26b#diagnose") as visit:
        base = hostile + ("zh/" if old.startswith("zh/") else "")
        visit.page.wait_for_url(f"{base}sop/SOP-WEB-001/?alert=WebSlow&pod=a%26b#diagnose")
        assert (visit.leaving(hostile), visit.complaints, visit.dialogs) == ([], [], [])


def test_an_old_address_leads_on_without_scripts(chromium: Browser, hostile: str) -> None:
    with visiting(chromium, f"{hostile}old/web/?pod=a", scripts=False) as visit:
        visit.page.wait_for_url(f"{hostile}sop/SOP-WEB-001/")
