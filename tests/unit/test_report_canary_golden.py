"""A whole backtest as each report shows it, byte for byte: whoever changes a word or a line of the picture sees it in the diff.

`pytest tests/unit/test_report_canary_golden.py --update` writes what comes out over what was expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.comparing import DAY, HOUR, backtest, comparison, detection, incident, judged, metrics, spell

from tocsin.canary.comparison import Judged
from tocsin.canary.values import Calibration
from tocsin.ir.compiled import RuleKey
from tocsin.report.canary import Backtest
from tocsin.report.canary_json import as_json
from tocsin.report.canary_markdown import as_markdown
from tocsin.report.canary_text import as_text
from tocsin.report.timeline import picture

FOLDER = Path(__file__).parent / "canary_report"


def noisier() -> Judged:
    """Four kept, one lost with its incident, six gained."""
    old = [spell(each * 3 * DAY + 4 * HOUR) for each in range(4)]
    old.append(spell(5 * DAY, minutes=40, kind="lost", incidents=("INC-2026-004",)))
    new = [*old[:4], *(spell(each * 2 * DAY, minutes=5 + each, kind="gained") for each in range(1, 7))]
    spans = (
        incident(at=5 * DAY, hours=1, title="Billing is late", caught_by_others=False),
        incident("INC-2026-005", at=9 * DAY, hours=5, title="Mail stands still", caught_by_others=False),
    )
    found = comparison(
        old=old,
        new=new,
        incidents=spans,
        calibration=Calibration(agreement=0.994, n=1_204),
    )
    caught = [(detection("INC-2026-004", each), detection("INC-2026-005", None)) for each in (120.0, None)]
    found = replace(found, old=metrics(5, detections=caught[0]), new=metrics(10, detections=caught[1]))
    return judged(found, "fail", pages="ok", recall="fail", went_silent="vacuous", flaps="warn")


def run() -> Backtest:
    return backtest(
        replace(
            judged(comparison(old=[spell(DAY)], new=[spell(DAY)], key=RuleKey("prod", "calm")), pages="ok")
        ),
        noisier(),
        Judged(
            key=RuleKey("prod", "words"),
            comparison=None,
            verdict="not-needed",
            reason="only its texts changed",
        ),
        source="http://127.0.0.1:9090 (prometheus 3.5.0)",
        web_url="https://prometheus.example.com",
    )


def drawn(_: Backtest) -> str:
    return picture(noisier())


RENDERERS: Mapping[str, Callable[[Backtest], str]] = {
    "report.txt": as_text,
    "report.md": as_markdown,
    "report.json": as_json,
    "timeline.svg": drawn,
}


@pytest.mark.parametrize("name", RENDERERS)
def test_a_report_is_as_it_was(name: str, request: pytest.FixtureRequest) -> None:
    shown = RENDERERS[name](run())
    if request.config.getoption("--update"):
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / name).write_text(shown, encoding="utf-8")
    assert shown == (FOLDER / name).read_text(encoding="utf-8")
