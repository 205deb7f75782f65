"""promtool tests in the native form: what fits, exactly.

A native test asserts the exact set of one alert's instances at given times, on the rules of the alert's
service, evaluated at the alert's own interval. So a promtool test fits where it asks about alerts alone, each
the name of one rule, reads no record of another service, and uses no setting the format has no word for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tocsin.adopt.scalars import text_at
from tocsin.adopt.shapes import ForeignTest
from tocsin.adopt.sources import Adopted
from tocsin.diag.origin import Map, Origin, Seq
from tocsin.ir.duration import parse_duration
from tocsin.promql import Expr, metrics, parse

_FILE_KEYS = frozenset({"rule_files", "evaluation_interval", "tests"})
_TEST_KEYS = frozenset({"interval", "input_series", "name", "alert_rule_test"})


def native(test: ForeignTest, tested: Sequence[Adopted]) -> tuple[str, dict[str, list[Mapping[str, object]]]]:
    """The tests in the native form, or why they do not fit it."""
    made: dict[str, list[Mapping[str, object]]] = {}
    if extra := sorted(test.origin.node.keys() - _FILE_KEYS):
        return f"`{extra[0]}` has no word in the native form", made
    interval = parse_duration(text_at(test.origin, "evaluation_interval") or "1m")
    others = frozenset(
        rule.name
        for each in tested
        for group in each.groups
        if parse_duration(group.interval or "1m") != interval
        for rule in group.rules
    )
    alerts = _alerts(tested)
    borrowed = _borrowing(tested)
    rows = test.origin.node.get("tests")
    for row in rows if isinstance(rows, Seq) else []:
        if not isinstance(row, Map):
            return "a test is no mapping", made
        origin = Origin(test.origin.file, test.origin.text, row)
        reason, each_made = _one(origin, alerts, borrowed, others)
        if reason:
            return reason, made
        for path, test_rows in each_made:
            made.setdefault(path, []).append(test_rows)
    return ("" if made else "it has no tests"), made


def _alerts(sets: Sequence[Adopted]) -> dict[str, list[tuple[str, str]]]:
    """Alertname -> (path, id) of each rule that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in sets:
        for (g, r), id in each.ids.items():
            rule = each.groups[g].rules[r]
            if rule.kind == "alert":
                found.setdefault(rule.name, []).append((each.path, id))
    return found


def _borrowing(sets: Sequence[Adopted]) -> frozenset[str]:
    """Names of alerts that read, directly or through records of their own service, a record of another
    service of the same test.
    """
    homes: dict[str, set[str]] = {}
    reads: dict[tuple[str, str], set[str]] = {}
    for each in sets:
        for rule in (rule for group in each.groups for rule in group.rules):
            parsed = parse(rule.expr)
            names = set(metrics(parsed)) if isinstance(parsed, Expr) else set()
            if rule.kind == "record":
                homes.setdefault(rule.name, set()).add(each.place.service)
                reads.setdefault((each.place.service, rule.name), set()).update(names)
            else:
                reads.setdefault((each.place.service, f"alert {rule.name}"), set()).update(names)
    found: set[str] = set()
    for (service, name), first in reads.items():
        waiting, seen = list(first), set(first)
        while name.startswith("alert ") and waiting:
            metric = waiting.pop()
            if homes.get(metric, {service}) != {service}:
                found.add(name.removeprefix("alert "))
                break
            more = reads.get((service, metric), set()) - seen
            seen |= more
            waiting.extend(more)
    return frozenset(found)


def _one(
    origin: Origin,
    alerts: Mapping[str, list[tuple[str, str]]],
    borrowed: frozenset[str],
    others: frozenset[str],
) -> tuple[str, list[tuple[str, dict[str, object]]]]:
    """One promtool test as one native test for each alert it asks about."""
    if extra := sorted(origin.node.keys() - _TEST_KEYS):
        return f"`{extra[0]}` has no word in the native form", []
    series = _series(origin)
    if series is None:
        return "its input series have no single line each", []
    firing: dict[str, dict[str, object]] = {}
    asked = origin.node.get("alert_rule_test")
    for index, row in enumerate(asked if isinstance(asked, Seq) else []):
        name, time = (
            text_at(origin, "alert_rule_test", index, "alertname") or "",
            text_at(origin, "alert_rule_test", index, "eval_time") or "",
        )
        if len(alerts.get(name, ())) != 1:
            return f"`{name}` is not the name of exactly one rule", []
        if name in borrowed:
            return f"`{name}` reads records of another service", []
        if name in others:
            return f"`{name}` is evaluated at another interval than the test's", []
        if parse_duration(time) is None or time in firing.setdefault(name, {}):
            return f"`{name}` is asked about twice at {time}", []
        expected = _expected(origin, index, row)
        if expected is None:
            return "an expected alert has a form the native tests do not have", []
        firing[name][time] = expected
    if not firing:
        return "it asks about no alert", []
    interval = text_at(origin, "interval") or "1m"
    if parse_duration(interval) in (None, 0):
        return "its interval is no duration", []
    title = (text_at(origin, "name") or "").strip()
    made: list[tuple[str, dict[str, object]]] = []
    for name, times in firing.items():
        path, id = alerts[name][0]
        test: dict[str, object] = {
            "name": f"{title}: {name}"
            if title and len(firing) > 1
            else title or f"{name} at {', '.join(times)}",
            "alert": id,
        }
        if interval != "1m":
            test["step"] = interval
        made.append((path, {**test, "series": dict(series), "firing": times}))
    return "", made


def _series(origin: Origin) -> dict[str, str] | None:
    """Series -> values; None where a series is written twice or a value is not text."""
    found: dict[str, str] = {}
    rows = origin.node.get("input_series")
    for index, row in enumerate(rows if isinstance(rows, Seq) else []):
        series, values = (
            text_at(origin, "input_series", index, "series"),
            text_at(origin, "input_series", index, "values"),
        )
        if (
            not isinstance(row, Map)
            or row.keys() != {"series", "values"}
            or not series
            or values is None
            or series in found
        ):
            return None
        found[series] = values
    return found or None


def _expected(origin: Origin, index: int, row: object) -> list[object] | None:
    """The instances promtool expects; None where an entry says something else than labels and annotations."""
    if not isinstance(row, Map) or row.keys() - {"alertname", "eval_time", "exp_alerts"}:
        return None
    rows = row.get("exp_alerts")
    expected: list[object] = []
    for number, each in enumerate(rows if isinstance(rows, Seq) else []):
        path = ("alert_rule_test", index, "exp_alerts", number)
        if not isinstance(each, Map) or each.keys() - {"exp_labels", "exp_annotations"}:
            return None
        entry: dict[str, object] = {}
        for key, word in (("exp_labels", "labels"), ("exp_annotations", "annotations")):
            pairs = each.get(key)
            if isinstance(pairs, Map) and pairs:
                texts = {name: text_at(origin, *path, key, name) or "" for name in pairs}
                if word == "labels" and texts.get("alertname") == row.get("alertname"):
                    del texts["alertname"]  # the test says whose alert it is already
                if texts:
                    entry[word] = texts
        expected.append(entry or "firing")
    return expected
