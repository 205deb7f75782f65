"""The compiled rules in a real Prometheus: evaluated every second over the samples of `series.yaml`, restarted
once, and every state it showed.

Nothing depends on when anything runs. The rules say themselves when they are evaluated (`evaluation:done`), so the
samples are timed to that clock, half a second before each evaluation, and are all in the server before the
first is due. States are read afterwards, from the samples of ALERTS and ALERTS_FOR_STATE at exactly those times.
The rules API, which alone shows what a failed evaluation leaves standing, is asked in the middle between two
evaluations; an answer that came too late is no answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from tests.equivalence import remote_write
from tests.equivalence.table import Labels, Series, given, rule_file
from tests.real import components
from tests.real.servers import Server, running_prometheus

AHEAD_MS = 2_500
"""From the push of the samples to the evaluation they are for."""
ON_FOR = 120
"""Samples after the restart, one a second."""
_CONFIG = "global: {scrape_interval: 1m, evaluation_interval: 1m}\nrule_files: [rules.yaml]\n"
_CLOCK = "evaluation:done"
Key = tuple[str, Labels]
"""alertname and the labels of the series."""


class MissedEvaluationError(AssertionError):
    """The machine was so busy that the server left out an evaluation, or answered too late after most: no comparison can be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one server showed. Times are milliseconds; `shown` is ALERTS, `active` ALERTS_FOR_STATE, `held` the rules
    API by the number of the evaluation, counted from 0 before and again after the restart.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    shown: Mapping[Key, Mapping[int, str]]
    active: Mapping[Key, Mapping[int, int]]
    held: Mapping[tuple[int, int], Mapping[Key, str]] = field(default_factory=dict)
    failed: Mapping[tuple[int, int], frozenset[str]] = field(default_factory=dict)


def observe(version: str, data: Path) -> Observed:
    """The whole run on one version; `data` is a folder for its storage."""
    ask = given()
    held: dict[tuple[int, int], Mapping[Key, str]] = {}
    failed: dict[tuple[int, int], frozenset[str]] = {}
    with _server(version, data) as server:
        first = _wait_for_clock(server) + _whole_seconds(AHEAD_MS)
        if first - time.time() * 1000 < 500:
            raise MissedEvaluationError("the server was too slow to take its samples in time")
        last = first + (ask.before - 1) * 1000
        remote_write.push(server.url, [(each.labels, _samples(each, first)) for each in ask.series])
        for number in range(ask.before):
            _read_api(server, first + number * 1000, (0, number), held, failed)
        # Past the middle between two evaluations: nobody is evaluating now.
        _sleep_until(last + 600)
    with _server(version, data) as server:
        restarted = _wait_for_clock(server, after=last)
        for number in range(ask.after):
            _read_api(server, restarted + number * 1000, (1, number), held, failed)
        _sleep_until(restarted + ask.after * 1000)
        times = [at for at, _ in _raw(server, _CLOCK)[0][1] if at >= first]
        before = tuple(at for at in times if at < restarted)
        after = tuple(at for at in times if at >= restarted)[: ask.after]
        shown: dict[Key, dict[int, str]] = {}
        for labels, samples in _raw(server, "ALERTS"):
            state = labels.pop("alertstate")
            shown.setdefault(_key(labels), {}).update((at, state) for at, _ in samples)
        active = {
            _key(labels): {at: int(value) for at, value in samples}
            for labels, samples in _raw(server, "ALERTS_FOR_STATE")
        }
    _complete(before, first, ask.before)
    _complete(after, restarted, ask.after)
    if len(held) <= (ask.before + ask.after) // 2:
        raise MissedEvaluationError(f"the rules API answered in time after {len(held)} evaluations only")
    return Observed(before=before, after=after, shown=shown, active=active, held=held, failed=failed)


@contextmanager
def _server(version: str, data: Path) -> Iterator[Server]:
    ask = given()
    flags = [
        "--web.enable-remote-write-receiver",
        f"--query.lookback-delta={ask.lookback}s",
        f"--rules.alert.for-grace-period={ask.grace}s",
    ]
    binary = components.prometheus(version)
    files = {"rules.yaml": rule_file()}
    with running_prometheus(binary, _CONFIG, files=files, data=data, flags=flags) as server:
        yield server


def _samples(series: Series, first: int) -> list[remote_write.Sample]:
    """Half a second before each evaluation, the first of which is at `first`."""
    samples: list[remote_write.Sample] = []
    for number, token in enumerate(series.tokens):
        if token is not None:
            value = remote_write.STALE_MARKER if isinstance(token, str) else token
            samples.append((first - 500 + number * 1000, value))
    end = first - 500 + given().before * 1000
    if series.on:
        return samples + [(end + number * 1000, samples[-1][1]) for number in range(ON_FOR)]
    return [*samples, (end, remote_write.STALE_MARKER)]


def _wait_for_clock(server: Server, after: int = 0) -> int:
    """The time of the first evaluation after `after`; without it, of the newest there is."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for _, samples in _raw(server, _CLOCK):
            times = [at for at, _ in samples if at > after]
            if times:
                return times[0] if after else times[-1]
        time.sleep(0.1)
    raise MissedEvaluationError("no evaluation in a minute")


def _raw(server: Server, name: str) -> list[tuple[dict[str, str], list[tuple[int, float]]]]:
    found = []
    for each in server.query(f"{name}[10m]"):
        labels = {label: value for label, value in each["metric"].items() if label != "__name__"}
        found.append((labels, [(round(at * 1000), float(value)) for at, value in each["values"]]))
    return found


def _read_api(
    server: Server,
    at: int,
    number: tuple[int, int],
    held: dict[tuple[int, int], Mapping[Key, str]],
    failed: dict[tuple[int, int], frozenset[str]],
) -> None:
    """What the rules API says between the evaluation at `at` and the next, if the answer is certainly of then."""
    _sleep_until(at + 400)
    groups = server.get("/api/v1/rules")["data"]["groups"]
    done = time.time() * 1000
    (group,) = groups
    evaluated = _milliseconds(group["lastEvaluation"])
    if not at <= evaluated < at + 1000 or done >= at + 1000:
        return
    alerts = [each for rule in group["rules"] for each in rule.get("alerts", ())]
    held[number] = {
        _key(dict(each["labels"])): each["state"] for each in alerts if each["state"] != "inactive"
    }
    failed[number] = frozenset(rule["name"] for rule in group["rules"] if rule["health"] == "err")


def _key(labels: dict[str, str]) -> Key:
    rest = {name: value for name, value in labels.items() if name not in ("alertname", "rule_id")}
    return labels["alertname"], tuple(sorted(rest.items()))


def _milliseconds(text: str) -> float:
    # Go prints as many digits as there are, Python reads six.
    head, _, tail = text.partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    zone = tail[len(digits) :] if tail else ""
    fraction = f".{digits[:6]:0<6}" if digits else ""
    return datetime.fromisoformat(f"{head}{fraction}{zone}").timestamp() * 1000


def _sleep_until(at: float) -> None:
    time.sleep(max(0.0, at / 1000 - time.time()))


def _whole_seconds(milliseconds: int) -> int:
    return -(-milliseconds // 1000) * 1000


def _complete(times: tuple[int, ...], first: int, count: int) -> None:
    wanted = tuple(first + number * 1000 for number in range(count))
    if times != wanted:
        missing = [number for number, at in enumerate(wanted) if at not in times]
        more = [at - wanted[-1] for at in times if at not in wanted]
        raise MissedEvaluationError(f"left out: {missing}; too many, in ms after the last: {more}")
