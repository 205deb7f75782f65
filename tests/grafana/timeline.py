"""The equivalence project evaluated by a Grafana: the states it showed at each evaluation, over HTTP alone.

Grafana says of each rule when it was last evaluated, and that time is the one its query was asked for. So a state belongs to an evaluation
whenever it is read; nothing depends on when that was. One evaluation is ten seconds, and the rules of a tick are spread over those.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.equivalence import remote_write
from tests.equivalence.live import Key
from tests.equivalence.table import Row, Series, given
from tests.grafana.site import Site
from tests.real.servers import Server

EVERY = 10_000
_LETTERS = {"pending": "P", "alerting": "F", "firing": "F", "recovering": "R"}
_OTHER = {"alertname", "rule_id", "grafana_folder", "__name__"}
_UNREAD = 5
"""One in so many evaluations may go unread."""
STATES = "/api/prometheus/grafana/api/v1/rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """alertname and labels -> number of the evaluation -> P, F or R; and which evaluations each alert was seen after."""

    shown: Mapping[Key, Mapping[int, str]]
    seen: Mapping[str, frozenset[int]]


def observe(site: Site, prometheus: Server, folder: str) -> Timeline:
    """Waits for the clock of the rules in that folder (its title), feeds the samples, and reads on to the last evaluation."""
    ask = given()
    started = time.monotonic()
    while not (times := _times(_rules(site, folder))) or min(times.values()) == 0:
        assert time.monotonic() - started < 120, f"not evaluated in two minutes: {times}"
        time.sleep(1)
    first = max(times.values()) + 2 * EVERY
    end = first + ask.before * EVERY
    remote_write.push(prometheus.url, [(each.labels, _samples(each, first)) for each in ask.series])
    shown: dict[Key, dict[int, str]] = {}
    seen: dict[str, set[int]] = {}
    while time.time() * 1000 < end + EVERY:
        for rule in _rules(site, folder):
            number = round((_milliseconds(rule["lastEvaluation"]) - first) / EVERY)
            if not 0 <= number < ask.before:
                continue
            seen.setdefault(rule["name"], set()).add(number)
            states = {_key(rule["name"], each): _letter(each["state"]) for each in rule.get("alerts") or ()}
            for key in {*states, *(key for key in shown if key[0] == rule["name"])}:
                shown.setdefault(key, {})[number] = states.get(key, ".")
        time.sleep(0.8)
    return Timeline(shown=shown, seen={name: frozenset(numbers) for name, numbers in seen.items()})


def differences(rows: Sequence[Row], timeline: Timeline) -> list[str]:
    """A sentence for each row that was shown otherwise, for an alert of which much was not read, for one in no row. On a busy machine two evaluations may
    follow one another so soon that nothing is read of the first: of that one nothing is said."""
    table = {(row.alert, row.labels): row for row in rows}
    found = [
        f"{name}: nothing was read of the evaluations {missed}"
        for name in sorted({row.alert for row in rows})
        if len(missed := _unread(name, timeline)) > given().before // _UNREAD
    ]
    alerts = {row.alert for row in rows}
    for key, states in sorted(timeline.shown.items()):
        if key not in table and key[0] in alerts and set(states.values()) & set("PFR"):
            found.append(f"{key}: no row of the table; {_line(states)}")
    for key, row in table.items():
        observed = _line(timeline.shown.get(key, {}))
        unread = _unread(row.alert, timeline)
        expected = "".join("." if number in unread else each for number, each in enumerate(row.grafana[0]))
        if observed != expected:
            found.append(f"{key}\n  expected {expected}\n  observed {observed}")
    return found


def _unread(alert: str, timeline: Timeline) -> list[int]:
    """The evaluations of an alert that nobody read."""
    return [each for each in range(given().before) if each not in timeline.seen.get(alert, ())]


def _line(states: Mapping[int, str]) -> str:
    return "".join(states.get(number, ".") for number in range(given().before))


def _rules(site: Site, folder: str) -> list[dict[str, Any]]:
    groups = site.get(STATES)["data"]["groups"]
    return [rule for group in groups if group["file"] == folder for rule in group["rules"]]


def _times(rules: Sequence[dict[str, Any]]) -> dict[str, int]:
    return {rule["name"]: max(0, _milliseconds(rule["lastEvaluation"])) for rule in rules}


def _key(alert: str, instance: dict[str, Any]) -> Key:
    rest = {name: value for name, value in instance["labels"].items() if name not in _OTHER}
    return alert, tuple(sorted(rest.items()))


def _letter(state: str) -> str:
    return _LETTERS.get(state.partition(" (")[0].lower(), ".")


def _milliseconds(text: str) -> int:
    """0 for Go's zero time."""
    if text.startswith("0001-"):
        return 0
    head = text[:19]
    zone = text[19:].lstrip(".0123456789")
    return int(datetime.fromisoformat(head + zone.replace("Z", "+00:00")).timestamp() * 1000)


def _samples(series: Series, first: int) -> list[remote_write.Sample]:
    """Half an interval before each evaluation; after the last token a marker."""
    samples: list[remote_write.Sample] = []
    for number, token in enumerate(series.tokens):
        if token is not None:
            value = remote_write.STALE_MARKER if isinstance(token, str) else token
            samples.append((first - EVERY // 2 + number * EVERY, value))
    return [*samples, (first - EVERY // 2 + given().before * EVERY, remote_write.STALE_MARKER)]
