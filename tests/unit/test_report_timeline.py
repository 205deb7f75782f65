"""The picture of a changed rule: well-formed, safe, the same twice, and what is gained and lost marked by shape."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from xml.etree import ElementTree

import pytest
from tests.comparing import DAY, HOUR, comparison, detection, incident, judged, metrics, spell

from tocsin.canary.comparison import Judged
from tocsin.ir.compiled import RuleKey
from tocsin.report.timeline import file_name, picture
from tocsin.verdict.record import GateResult, Waiver

SVG = "{http://www.w3.org/2000/svg}"


def drawn(each: Judged) -> ElementTree.Element:
    return ElementTree.fromstring(picture(each))


def classes(root: ElementTree.Element, tag: str) -> Counter[str]:
    return Counter(each.get("class", "") for each in root.iter(SVG + tag))


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(each.itertext()) for each in root.iter(SVG + "text")]


def test_old_above_new_below_gained_and_lost_by_shape() -> None:
    old = [spell(DAY), spell(3 * DAY, kind="lost"), spell(5 * DAY, kind="lost")]
    new = [spell(DAY), spell(7 * DAY, kind="gained")]
    root = drawn(judged(comparison(old=old, new=new)))
    bars = classes(root, "rect")
    assert (bars["kept"], bars["lost"], bars["gained"]) == (3, 2, 1)  # with the legend's own
    marks = [(each.get("class"), (each.get("href") or "")[-2:]) for each in root.iter(SVG + "use")]
    assert Counter(marks) == {("lost", "-l"): 3, ("gained", "-g"): 2}
    (axis,) = (float(each.get("y1", "")) for each in root.iter(SVG + "line") if each.get("class") == "axis")
    for bar in root.iter(SVG + "rect"):
        if str(bar.get("x")).endswith("%"):
            top = float(bar.get("y", ""))
            if bar.get("class") == "lost":
                assert top + float(bar.get("height", "")) == pytest.approx(axis)
            if bar.get("class") == "gained":
                assert top == pytest.approx(axis)


def test_incidents_are_shaded_numbered_and_listed() -> None:
    spans = tuple(incident(f"INC-{number}", at=number * DAY) for number in range(1, 10))
    found = replace(
        comparison(incidents=spans),
        old=metrics(1, detections=(detection("INC-1", 90.0),)),
        new=metrics(0, detections=(detection("INC-1", None),)),
    )
    root = drawn(judged(found))
    assert classes(root, "rect")["band"] == len(spans) + 1
    said = texts(root)
    assert "1  INC-1: old after 1m30s, new missed" in said
    assert "2  INC-2: missed by both" in said
    assert "and 3 more incidents" in said
    assert {"1", "9"} <= set(said)
    assert "and 1 more incident" in texts(drawn(judged(replace(found, incidents=spans[:7]))))


def test_a_picture_is_described_in_words() -> None:
    each = judged(comparison(old=[spell(DAY, kind="lost")]), "fail", went_silent="fail")
    root = drawn(each)
    title, words = (root.findtext(SVG + tag) or "" for tag in ("title", "desc"))
    assert title == "Lag (lag/ticket): fail"
    for part in ("Old version: 1 pages", "New version: 0 pages", "lost 1", "went-silent"):
        assert part in words
    ids = {root.find(SVG + tag).get("id") for tag in ("title", "desc")}  # type: ignore[union-attr]
    assert set((root.get("aria-labelledby") or "").split()) == ids
    assert root.get("role") == "img"


def test_a_gate_that_somebody_waived_is_no_reason_of_a_pass() -> None:
    accepted = Waiver(gate="recall", by="ann", reason="known", expires=date(2026, 12, 1))
    passed = replace(judged(comparison(old=[spell(DAY)]), "pass", recall="fail"), waivers=(accepted,))
    root = drawn(passed)
    assert (root.findtext(SVG + "desc") or "").endswith("Verdict: pass, with recall waived.")
    assert "pass: recall waived" in texts(root)
    both = replace(passed, verdict="fail", gates=(*passed.gates, GateResult(id="peak", verdict="fail")))
    root = drawn(both)
    assert (root.findtext(SVG + "desc") or "").endswith("Verdict: fail, because of peak, with recall waived.")
    assert "fail: peak, recall waived" in texts(root)


def test_a_picture_is_the_same_twice_and_shares_a_page_with_others() -> None:
    found = comparison(old=[spell(DAY)], new=[spell(DAY)])
    one = judged(found)
    other = replace(one, key=RuleKey("prod", "lag", "page"))
    assert picture(one) == picture(one)
    ids = [set(re.findall(r'\bid="([^"]+)"', picture(each))) for each in (one, other)]
    assert not ids[0] & ids[1]
    rules = re.search(r"<style>(.*?)</style>", picture(one), re.DOTALL)
    assert rules is not None
    own = f"#{drawn(one).get('id')}"
    # No rule of the style reaches beyond this picture.
    plain = re.sub(r"@media [^{]*", "", rules[1])
    selectors = [each.rpartition("}")[2].strip() for each in plain.split("{")[:-1]]
    selectors = [each for each in selectors if each]
    assert len(selectors) > 10
    assert all(each.startswith(own) for each in selectors)


def test_hostile_words_stay_words() -> None:
    hostile = '"><script>alert(1)</script><text>&amp; \x00\x1b \u202e</style>]]>'
    found = comparison(
        old=[spell(DAY, labels=(("alertname", hostile),))],
        name=hostile,
        incidents=(incident(hostile, title=hostile),),
    )
    text = picture(replace(judged(found), key=RuleKey("prod", hostile)))
    root = ElementTree.fromstring(text)
    assert {each.tag.removeprefix(SVG) for each in root.iter()} == {
        *("svg", "title", "desc", "style", "defs", "path", "circle", "rect", "line", "text", "use")
    }
    assert not re.search(r"\son[a-z]+=|javascript:|@import|url\(", text)
    assert all(
        "href" not in name or value.startswith("#") for each in root.iter() for name, value in each.items()
    )
    assert file_name(replace(judged(found), key=RuleKey("prod", "../a b", "x/y"))).count("/") == 0


def test_a_storm_does_not_flatten_the_rest() -> None:
    new = [spell(DAY + HOUR, kind="gained", labels=(("pod", str(each)),)) for each in range(5_000)]
    text = picture(judged(comparison(old=[spell(5 * DAY)], new=[*new, spell(5 * DAY)])))
    root = ElementTree.fromstring(text)
    assert len(text) < 20_000
    heights = [
        float(each.get("height", "")) for each in root.iter(SVG + "rect") if str(each.get("x")).endswith("%")
    ]
    assert max(heights) > 60
    assert min(heights) >= 0.9
    assert any("square root" in each for each in texts(root))


def test_what_was_not_compared_has_no_picture() -> None:
    with pytest.raises(ValueError, match="not compared"):
        picture(Judged(key=RuleKey("prod", "lag"), comparison=None, verdict="not-needed"))
    with pytest.raises(ValueError, match="not compared"):
        picture(judged(replace(comparison(), old=None, new=None), "not-backtestable"))


@pytest.mark.parametrize(("side", "said"), [("old", "old: no such rule"), ("new", "new: removed")])
def test_a_missing_side_is_said(side: str, said: str) -> None:
    root = drawn(judged(replace(comparison(), **{side: None})))  # type: ignore[arg-type]
    assert said in texts(root)


def test_a_file_is_named_after_its_rule() -> None:
    each = judged(comparison(key=RuleKey("prod", "kafka-lag", "ticket", "batch")))
    assert file_name(each) == "kafka-lag--ticket--batch.svg"
