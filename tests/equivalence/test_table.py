"""The table says everything: each alert, each case, each series, and why, wherever two back ends differ."""

from __future__ import annotations

import yaml
from tests.equivalence.table import Row, compilation, expected, given, grafana_rules, meaning, rule_file

from tocsin.diag import Severity
from tocsin.ir.duration import parse_duration

_ALWAYS = frozenset({"nan", "gap", "vanish", "services", "keep", "error", "restart"})
"""The cases that there have to be."""


def _alerts() -> list[dict[str, object]]:
    groups = yaml.safe_load(rule_file())["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]


def _differs(row: Row) -> bool:
    return any(meaning(row.prometheus[half]) != meaning(row.grafana[half]) for half in (0, 1))


def test_the_project_compiles_without_a_finding() -> None:
    found = [each for each in compilation().diagnostics if each.severity is not Severity.note]
    assert not found


def test_every_alert_has_rows_and_every_row_an_alert() -> None:
    assert {row.alert for row in expected().rows} == {rule["alert"] for rule in _alerts()}


def test_every_case_is_there_and_has_rows() -> None:
    assert set(expected().cases) == _ALWAYS == {row.case for row in expected().rows}


def test_no_row_is_there_twice() -> None:
    keys = [(row.alert, row.labels) for row in expected().rows]
    assert len(set(keys)) == len(keys)


def test_every_series_is_as_long_as_the_evaluations_it_is_for() -> None:
    for series in given().series:
        assert len(series.tokens) <= given().before, series.labels
        assert not series.on or len(series.tokens) == given().before, series.labels


def test_every_row_has_a_state_of_both_back_ends_for_each_evaluation() -> None:
    for row in expected().rows:
        for states, letters in ((row.prometheus, ".PFpf"), (row.grafana, ".PFR")):
            assert [len(half) for half in states] == [given().before, given().after], row
            assert set("".join(states)) <= set(letters), row


def test_a_difference_has_a_reason_and_only_a_difference_has_one() -> None:
    for row in expected().rows:
        assert _differs(row) == bool(row.because), row
        assert row.same or row.grafana != row.prometheus, row


def test_every_reason_is_said_with_its_source_and_is_somebodys() -> None:
    reasons = expected().reasons
    assert {each for row in expected().rows for each in row.because} == set(reasons)
    assert all(reason["text"].strip() and reason["source"].strip() for reason in reasons.values())


def test_what_is_active_after_the_restart_says_since_when() -> None:
    for row in expected().rows:
        assert (set(row.prometheus[1]) != {"."}) == (row.since in ("before", "restart", "moved")), row


def test_the_grafana_column_is_about_the_shape_that_is_emitted() -> None:
    """The states were derived for these settings; a rule that is emitted in another way needs another column."""
    for rule in grafana_rules():
        assert (rule["noDataState"], rule["execErrState"]) == ("OK", "KeepLast"), rule["title"]
        assert rule["missing_series_evals_to_resolve"] == 1, rule["title"]
        query, number, threshold = (each["model"] for each in rule["data"])
        assert query["instant"] is True
        assert query["range"] is False
        assert [part.split("(")[0] for part in number["expression"].split(" || ")] == [
            "is_number",
            "is_nan",
            "is_inf",
        ]
        assert threshold["conditions"][0]["evaluator"] == {"type": "gt", "params": [0]}
        assert rule["condition"] == threshold["refId"]


def test_both_back_ends_get_the_same_rules_ten_times_slower_in_grafana() -> None:
    slow = {rule["title"]: rule for rule in grafana_rules()}
    for rule in _alerts():
        other = slow.pop(str(rule["alert"]))
        assert other["data"][0]["model"]["expr"] == rule["expr"]
        for here, there in (("for", "for"), ("keep_firing_for", "keepFiringFor")):
            fast = parse_duration(str(rule.get(here, "0s")))
            assert fast is not None
            assert parse_duration(str(other.get(there, "0s"))) == fast * 10, (rule["alert"], here)
    assert not slow
