"""The reports of a backtest: what stands first, what is said of each rule, and that hostile words stay words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from importlib.resources import files

import jsonschema
import pytest
from markdown_it import MarkdownIt
from tests.comparing import (
    DAY,
    HOUR,
    backtest,
    comparison,
    detection,
    incident,
    judged,
    metrics,
    run,
    spell,
)

from tocsin.canary.comparison import Judged
from tocsin.canary.values import Calibration, Exactness
from tocsin.ir.compiled import RuleKey
from tocsin.report import canary
from tocsin.report.as_markdown import LIMIT
from tocsin.report.canary_json import as_json
from tocsin.report.canary_markdown import as_markdown
from tocsin.report.canary_text import as_text
from tocsin.report.sparkline import CELLS, counts, sparklines
from tocsin.verdict.record import Verdict, Waiver

HOSTILE = '<script>alert(1)</script> | `x` [a](javascript:b) @team #12 ![i](http://h/x) \x1b[31m \u202e"&'


@pytest.fixture(scope="module")
def schema() -> jsonschema.Draft202012Validator:
    text = files("tocsin").joinpath("schemas/canary-report.schema.json").read_text()
    jsonschema.Draft202012Validator.check_schema(json.loads(text))
    return jsonschema.Draft202012Validator(json.loads(text))


def named(id: str, each: Judged) -> Judged:
    key = RuleKey("prod", id)
    found = each.comparison
    return replace(each, key=key, comparison=replace(found, key=key) if found is not None else None)


def test_the_worst_gate_stands_first() -> None:
    rules = (
        named("g", Judged(key=RuleKey("prod", "x"), comparison=None, verdict="not-needed")),
        named("f", judged(verdict="pass", pages="ok")),
        named("e", judged(verdict="pass", pages="warn")),
        named("d", judged(verdict="quiet", pages="insufficient")),
        named("c", judged(verdict="not-backtestable", errors="fail")),
        named("b", judged(verdict="fail", flaps="fail", pages="ok")),
        named("a2", judged(verdict="fail", pages="fail")),
        named("a1", judged(verdict="fail", recall="fail", pages="fail")),
    )
    order = [each.key.id for each in backtest(*rules).worst_first]
    assert order == ["a1", "a2", "b", "c", "d", "e", "f", "g"]
    assert order == [each.key.id for each in backtest(*reversed(rules)).worst_first]


def test_a_row_has_both_sides_and_the_gates_that_tripped() -> None:
    old = metrics(20, detections=(detection("INC-1", 60.0), detection("INC-2", None)), flaps=3)
    new = metrics(10, detections=(detection("INC-1", 360.0), detection("INC-2", None)))
    found = comparison(old=[spell(DAY, kind="lost")], new=[])
    each = judged(replace(found, old=old, new=new), "fail", pages="ok", recall="warn", detection_delay="fail")
    assert canary.row(each) == (
        *("lag/ticket", "fail: detection-delay, recall", "10.0 -> 5.0 (x0.25..0.75)", "100.0%", "1/2"),
        *("1m -> 6m", "10m", "3 -> 0", "1", "0/1/0", "exact"),
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((None, "-"), (0.0, "0s"), (59.4, "59s"), (59.6, "1m"), (90.0, "1m30s"), (3_600.0, "1h")),
        *((7_500.0, "2h05m"), (-180.0, "-3m"), (-0.4, "0s")),
    ],
)
def test_durations_read_as_people_say_them(value: float | None, said: str) -> None:
    assert canary.seconds(value) == said


def test_evidence_names_the_longest_gained_and_every_lost_one_of_an_incident() -> None:
    gained = [spell(each * DAY, minutes=each, kind="gained") for each in range(1, 9)]
    lost = [spell(HOUR, kind="lost", incidents=("INC-1",)), spell(2 * HOUR, kind="lost")]
    text = as_text(backtest(judged(comparison(old=lost, new=gained))))
    assert re.findall(r"08-1[0-9] 00:00, ([0-9]+)m", text) == ["8", "7", "6", "5", "4"]
    assert "gained, the longest 5 of 8:" in text
    assert text.count("in INC-1") == 1
    assert "02:00" not in text


def test_incidents_are_said_with_who_caught_them() -> None:
    spans = [incident("INC-1", caught_by_others=True), incident("INC-2", title="Cold soup")]
    found = comparison(incidents=tuple(spans))
    sides = [
        metrics(1, detections=(detection("INC-1", each), detection("INC-2", None))) for each in (90.0, None)
    ]
    text = as_text(backtest(judged(replace(found, old=sides[0], new=sides[1]))))
    assert "INC-1 Late mail: old after 1m30s, new missed; so did another rule" in text
    assert "not caught by this rule: INC-2" in text


@pytest.mark.parametrize(
    ("others", "caught", "known"),
    [(False, None, True), (False, 60.0, False), (True, None, False), (None, None, False)],
)
def test_an_incident_is_uncaught_only_where_that_is_known(
    others: bool | None, caught: float | None, known: bool
) -> None:
    found = comparison(incidents=(incident("INC-1", caught_by_others=others),))
    found = replace(found, new=metrics(0, detections=(detection("INC-1", caught),)))
    run_ = backtest(judged(found))
    assert [each.id for each in run_.uncaught] == (["INC-1"] if known else [])
    assert ("no rule catches:" in as_text(run_)) is known
    assert ("**No rule catches:** INC-1" in as_markdown(run_)) is known


def test_nobody_reads_false_where_nobody_may_say_it() -> None:
    found = comparison(old=[spell(DAY)], new=[spell(DAY)])
    for render in (as_text, as_markdown):
        assert "not called false" in render(backtest(judged(found)))
        assert "not called false" not in render(backtest(judged(replace(found, complete=True))))
    documents = [
        json.loads(as_json(backtest(judged(each)))) for each in (found, replace(found, complete=True))
    ]
    names = [each["rules"][0]["comparison"]["unmatched_is"] for each in documents]
    assert names == ["unmatched rate", "false-positive rate"]


def test_what_the_numbers_rest_on_is_said() -> None:
    found = comparison(
        calibration=Calibration(agreement=0.991, n=210, causes=("a restart",)),
        new_run=run(exactness=Exactness(level="approx", why=("vm",)), failed=2),
    )
    said = canary.assumptions(found)
    for part in (
        *("14 d to 2026-08-24 00:00 UTC", "every 30s", "phase 1.5 s by rules", "exact -> approx(vm)"),
        *("0 of 40320 -> 2 of 40320 evaluations failed", "99.1% of 210 firing evaluations", "a restart"),
    ):
        assert part in said
    assert "not calibrated" in canary.assumptions(comparison())


@pytest.mark.parametrize("verdict", ["fail", "not-backtestable", "quiet", "pass", "not-needed"])
def test_every_verdict_says_what_to_do_next(verdict: Verdict) -> None:
    each = judged(verdict=verdict, pages="fail" if verdict == "fail" else "ok")
    lines = list(canary.advice(each))
    assert lines
    assert len(set(lines)) == len(lines)
    assert lines[0].startswith("pages: ") is (verdict == "fail")


def test_a_new_rule_and_a_removed_one_have_one_side() -> None:
    added = comparison(new=[spell(DAY, kind="gained")], old_run=None, change="added")
    removed = comparison(old=[spell(DAY, kind="lost")], new_run=None, change="removed")
    rules = [judged(replace(added, old=None)), judged(replace(removed, new=None))]
    text = as_text(backtest(rules[0]))
    assert "  new  " in text
    assert "  old  " not in text
    assert "- -> 0.5" in text
    assert "  new  " not in as_text(backtest(rules[1]))
    sides = [json.loads(as_json(backtest(each)))["rules"][0]["comparison"] for each in rules]
    assert [(each["old"] is None, each["new"] is None) for each in sides] == [(True, False), (False, True)]


def test_the_document_fits_its_schema(schema: jsonschema.Draft202012Validator) -> None:
    found = comparison(
        old=[spell(DAY, kind="lost", incidents=("INC-2026-004",), verdict="true")],
        new=[spell(2 * DAY, kind="gained", open=True)],
        incidents=(incident(), incident("INC-9", open=True)),
        calibration=Calibration(agreement=1.0, n=3),
    )
    found = replace(found, old=metrics(1, detections=(detection("INC-2026-004", 30.0, others=False),)))
    waiver = Waiver(gate="pages", by="ann", reason="known", expires=date(2026, 12, 1))
    rules = (
        replace(judged(found, "fail", pages="fail"), waivers=(waiver,)),
        judged(replace(found, old=None, new=None), "not-backtestable"),
        Judged(key=RuleKey("prod", "text"), comparison=None, verdict="not-needed", reason="only texts"),
    )
    document = json.loads(as_json(backtest(*rules)))
    schema.validate(document)
    assert document["summary"]["failed"] is True
    assert document["summary"]["verdicts"]["not-needed"] == 1
    del document["rules"][0]["verdict"]
    assert not schema.is_valid(document)


def test_hostile_words_stay_words() -> None:
    labels = (("alertname", "Lag"), ("pod", HOSTILE))
    found = comparison(
        old=[spell(DAY, kind="lost", incidents=("INC-1",), labels=labels)],
        new=[spell(2 * DAY, kind="gained", labels=labels)],
        name=HOSTILE,
        incidents=(incident("INC-1", title=HOSTILE, caught_by_others=False),),
    )
    each = replace(judged(found, "fail", pages="fail"), reason=HOSTILE)
    each = replace(each, gates=tuple(replace(gate, message=HOSTILE) for gate in each.gates))
    made = backtest(each, web_url="https://prom.example.com/")
    text = as_text(made)
    assert "\x1b" not in text
    assert "\u202e" not in text
    html = (
        MarkdownIt("commonmark")
        .enable("table")
        .render(as_markdown(made, {each.key: 'https://x/" onload="y.svg'}))
    )
    assert "<script" not in html
    assert "onload=" not in re.sub(r'"[^"]*"', "", html)
    assert re.findall(r'href="([^"]{0,30})', html) == ["https://prom.example.com/graph"] * 2
    assert re.findall(r'src="([^"]*)"', html) == ["https://x/%22%20onload=%22y.svg"]
    assert "@team" not in html
    assert "#12" not in html


def test_a_picture_of_this_run_is_named_and_one_with_an_address_is_shown() -> None:
    each = judged(comparison(old=[spell(DAY)]))
    shown = as_markdown(backtest(each), {each.key: "https://ci.example.com/lag.svg"})
    assert '<img width="100%" alt="Firing episodes' in shown
    assert "```text" not in shown
    named_ = as_markdown(backtest(each), {each.key: "pictures/lag.svg"})
    assert "<img" not in named_
    assert "picture: <code>pictures" in named_
    assert "```text\nold  " in named_


def test_a_rule_that_could_not_be_replayed_has_no_numbers() -> None:
    found = comparison(
        old=(),
        new=(),
        new_run=run(evaluations=0, exactness=Exactness(level="not-backtestable", why=("reads ALERTS",))),
    )
    each = judged(replace(found, old=None, new=None, page_ratio=None), "not-backtestable", errors="fail")
    assert set(canary.row(each)[2:-1]) == {"-"}
    assert canary.row(each)[-1] == "exact -> not-backtestable"
    text = as_text(backtest(each))
    assert "exact -> not-backtestable(reads ALERTS)" in text
    assert "  old  " not in text
    assert "0 of 0" not in text


def test_a_comment_is_never_longer_than_a_forge_takes() -> None:
    labels = (("alertname", "Lag"), ("pod", "x" * 500))
    found = comparison(new=[spell(each * HOUR, kind="gained", labels=labels) for each in range(9)])
    rules = [named(f"rule-{number:03}", judged(found, "fail", pages="fail")) for number in range(400)]
    comment = as_markdown(backtest(*rules))
    assert len(comment) <= LIMIT
    assert "rules left out here" in comment
    assert comment.count("<details") == comment.count("</details>") > 3
    assert "more rules are not in this table" in comment


def test_a_sparkline_is_48_characters_on_one_scale() -> None:
    old, new = [spell(each * HOUR) for each in range(4)], [spell(13 * DAY, minutes=24 * 60)]
    first, second = sparklines(old, new, backtest().window)
    assert (len(first), len(second)) == (CELLS, CELLS)
    assert first == "█" + "·" * 47
    assert second[:44] == "·" * 44
    assert second[-3:] == "▂▂▂"


def test_an_episode_touches_the_steps_it_is_in() -> None:
    window = backtest().window
    assert counts([spell(0, minutes=24 * 60)], window, 14) == [1] + [0] * 13
    assert counts([spell(0, minutes=24 * 60 + 1)], window, 14) == [1, 1] + [0] * 12
    assert counts([spell(-DAY, minutes=3 * 24 * 60)], window, 14) == [1, 1] + [0] * 12
    assert counts([spell(14 * DAY - 1, minutes=60)], window, 14) == [0] * 13 + [1]
    assert counts([spell(DAY, minutes=0)], window, 14) == [0, 1] + [0] * 12


def test_nothing_changed_is_said() -> None:
    assert as_text(backtest()) == "prod: no alert changed in meaning against main\n"
    assert as_markdown(backtest()).startswith("### tocsin canary: prod")
    both = backtest(judged(), judged(), unchanged=1)
    assert "2 pass of 2 rules (1 changed) against main" in as_text(both)


def test_a_label_as_long_as_a_book_hides_nothing() -> None:
    """Of a series of a pull request: the details of what failed stay in the comment, and the terminal stays one."""
    labels = (("alertname", "A"), ("big", "x" * 500_000), ("cluster", "<b>\x1b[31m\u202e"))
    found = comparison(old=[], new=[spell(at * 3_600_000, kind="gained", labels=labels) for at in range(3)])
    made = backtest(judged(found, "fail", pages="fail"))
    for text in (as_text(made), as_markdown(made)):
        assert "gained" in text
        assert len(text) < 10_000
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_calibration_of_nothing_claims_nothing() -> None:
    found = comparison(calibration=Calibration(agreement=1.0, n=0))
    assert "nothing fired really, nor by the replay" in canary.assumptions(found)
