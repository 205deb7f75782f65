"""The picture of a changed rule in a real browser: legible on a phone and on a wide screen, in light and in dark."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tests.comparing import DAY, HOUR, comparison, detection, incident, judged, metrics, spell

from tocsin.ir.compiled import RuleKey
from tocsin.report.timeline import picture

_MEASURE = """() => [...document.querySelectorAll('text')].map(each => {
  const box = each.getBoundingClientRect(), style = getComputedStyle(each);
  return {text: each.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom, height: box.height,
          shown: style.display !== 'none', fill: style.fill, kind: each.getAttribute('class')};
}).filter(each => each.shown && each.text)"""
_PAPER = "() => getComputedStyle(document.querySelector('.paper')).fill"


def example() -> str:
    """As full as a picture is in earnest: long names, many marks, two incidents beside each other."""
    old = [spell(each * 20 * HOUR, minutes=90, kind="lost" if each % 3 else "kept") for each in range(16)]
    new = [spell(each * 20 * HOUR, minutes=90) for each in range(0, 16, 3)]
    new += [spell(each * 9 * HOUR, minutes=30, kind="gained") for each in range(37)]
    spans = (incident("INC-2026-0041", at=2 * DAY), incident("INC-2026-0042", at=2 * DAY + 3 * HOUR))
    found = comparison(old=old, new=new, incidents=spans, name="KafkaUnderReplicatedPartitionsTicket")
    caught = tuple(detection(each.id, 5_370.0) for each in spans)
    found = replace(found, old=metrics(16, detections=caught), new=metrics(43, detections=caught))
    each = judged(found, "fail", pages="fail", recall="fail", detection_delay="fail")
    return picture(replace(each, key=RuleKey("prod", "kafka-under-replicated-partitions", "ticket", "batch")))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_a_timeline_is_legible(chromium: Browser, tmp_path: Path, width: int, scheme: Any) -> None:
    file = tmp_path / "timeline.svg"
    file.write_text(example(), encoding="utf-8")
    page = chromium.new_page(viewport={"width": width, "height": 600}, color_scheme=scheme)
    try:
        page.goto(file.as_uri())
        labels, paper = page.evaluate(_MEASURE), page.evaluate(_PAPER)
    finally:
        page.close()
    assert len(labels) > 12
    for each in labels:
        assert each["left"] >= 0, each
        assert each["right"] <= width, each
        assert each["height"] >= 12, each
        assert contrast(each["fill"], paper) >= 4.5, each
    for number, one in enumerate(labels):
        for other in labels[number + 1 :]:
            apart = (
                one["right"] <= other["left"]
                or other["right"] <= one["left"]
                or min(one["bottom"], other["bottom"]) - max(one["top"], other["top"]) <= 6
            )
            assert apart, (one, other)
    assert any("gained" in each["text"] for each in labels)


def test_an_image_on_a_page_is_as_legible_as_the_file(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "timeline.svg").write_text(example(), encoding="utf-8")
    (tmp_path / "page.html").write_text('<img width="100%" src="timeline.svg">', encoding="utf-8")
    page = chromium.new_page(viewport={"width": 360, "height": 600})
    try:
        page.goto((tmp_path / "page.html").as_uri())
        box = page.evaluate("() => { const b = document.images[0]; return [b.clientWidth, b.clientHeight]; }")
    finally:
        page.close()
    # As high as it says itself: nothing was scaled down with the width.
    assert box[0] < 360
    assert f'height="{box[1]}"' in example()


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two `rgb(...)` colours."""

    def light(colour: str) -> float:
        parts = [int(each) / 255 for each in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    first, second = sorted((light(one), light(other)), reverse=True)
    return (first + 0.05) / (second + 0.05)
