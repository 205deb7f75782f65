"""Where a Grafana evaluates: health after a sync by the state API, and the equivalence suite of the compiler, timeline against table.

The data source is a real Prometheus on this machine, so the server has to reach 127.0.0.1 of here (a container: `--network host`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.equivalence.table import expected, given
from tests.grafana.older import lingering, rows_for
from tests.grafana.site import Place, Site
from tests.grafana.starter import desired
from tests.grafana.test_sync import Syncer
from tests.grafana.timeline import Timeline, differences, observe
from tests.real import components
from tests.real.servers import Server, running_prometheus
from tests.standin.driver import query
from tests.syncing import rule_file

_CONFIG = "global: {scrape_interval: 1m, evaluation_interval: 1m}\n"


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Server]:
    """An empty one that takes samples and looks back three intervals of ten seconds."""
    flags = ["--web.enable-remote-write-receiver", f"--query.lookback-delta={given().lookback * 10}s"]
    with running_prometheus(components.prometheus(), _CONFIG, flags=flags) as server:
        yield server


def datasource(place: Place, prometheus: Server) -> str:
    """A data source of the place's own. A step of one second, for Grafana cuts the time of an instant query down to a multiple of it."""
    uid = place.uid("prom")
    body = {
        "uid": uid,
        "name": uid,
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus.url,
        "jsonData": {"timeInterval": "1s", "httpMethod": "POST"},
    }
    assert place.site.call("POST", "/api/datasources", body).status == 200
    query = {"refId": "A", "datasource": {"type": "prometheus", "uid": uid}, "expr": "1", "instant": True}
    asked = {"queries": [query | {"intervalMs": 1000, "maxDataPoints": 10}], "from": "now-5m", "to": "now"}
    answer = place.site.call("POST", "/api/ds/query", asked)
    assert answer.status == 200, (
        f"the server cannot reach {prometheus.url}: {answer.status} {answer.body[:200]!r}"
    )
    return uid


def unreachable(place: Place) -> str:
    """The uid of a rule in the way of tocsin's whose data source nobody can reach."""
    uid = place.uid("gone")
    body = {"uid": uid, "name": uid, "type": "prometheus", "access": "proxy", "url": "http://127.0.0.1:1"}
    assert place.site.call("POST", "/api/datasources", body).status == 200
    goes_on = "KeepLast" if place.site.can("keep_last") else "OK"
    dead = place.rule("dead", data=[query(datasourceUid=uid)], execErrState=goes_on) | {"for": "0s"}
    place.seed(dead)
    assert place.put_group([dead], interval=10).status == 200
    return place.uid("dead")


def test_health_after_a_sync(place: Place, request: pytest.FixtureRequest) -> None:
    place.site.need("evaluates")
    prometheus: Server = request.getfixturevalue("prometheus")
    syncer = Syncer(place)
    syncer.datasource = datasource(place, prometheus)
    both = "label_replace(vector(1), `side`, `a`, ``, ``) or label_replace(vector(1), `side`, `b`, ``, ``)"
    file = rule_file(
        "db",
        {
            "fires": {"expr": "vector(7) > 5", "for": "0s"},
            "waits": {"expr": "vector(7) > 5", "for": "1h"},
            "quiet": {"expr": "vector(7) > 8", "for": "0s"},
            # Two series of equal labels on both sides: Prometheus answers with an error.
            "broken": {"expr": f"vector(1) / on () ({both})", "for": "0s"},
        },
    )
    file = replace(file, text=file.text.replace("interval: 1m", "interval: 10s"))
    wanted = syncer.wanted(file)
    syncer.sync(wanted)
    uids = {rule.key: rule.uid for group in wanted.groups for rule in group.rules if rule.service}
    uids["dead"] = unreachable(place)
    deadline = time.monotonic() + 300
    with syncer.site.target(read_only=True) as target:
        while True:
            states = target.states()
            found = {key: states.get(uid) for key, uid in uids.items()}
            if (
                all(each is not None and each.evaluated for each in found.values())
                or time.monotonic() > deadline
            ):
                break
            time.sleep(2)
    said = {key: (each.health, each.pending, each.firing) for key, each in found.items() if each is not None}
    if place.site.version < (10, 0, 0) and said.get("broken") == ("ok", 0, 0):
        del said["broken"]  # A 9.4 was seen to make no data of what Prometheus refuses.
    else:
        assert said.pop("broken") == ("error", 0, 0), found
    assert said == {
        "fires": ("ok", 0, 1),
        "waits": ("ok", 1, 0),
        "quiet": ("ok", 0, 0),
        # Grafana calls it healthy, for it goes on as it was: the error is in the state of its series.
        "dead": ("error", 0, 0),
    }, found


@pytest.fixture(scope="module")
def timeline(_swept: Site, request: pytest.FixtureRequest) -> Iterator[Timeline]:
    """The equivalence project, compiled for this version, synced and watched for five minutes."""
    _swept.need("floor", "evaluates")
    prometheus: Server = request.getfixturevalue("prometheus")
    place = Place(_swept)
    try:
        wanted = desired("shop", _swept.version, place.mark, datasource(place, prometheus))
        Syncer(place).sync(wanted)
        title = next(each.title for each in wanted.folders if "shop" in each.title)
        yield observe(_swept, prometheus, title)
    finally:
        _swept.sweep()


def test_grafana_shows_every_state_of_the_table(site: Site, timeline: Timeline) -> None:
    """What a version cannot hold is in no row for it (`older` says which and why); the restart is no matter of HTTP."""
    rows, _ = rows_for(site.version)
    found = differences(rows, timeline)
    assert not found, "\n".join([f"Grafana {site.text}:", *found])


def test_a_state_in_the_table_that_is_wrong_is_noticed(site: Site, timeline: Timeline) -> None:
    rows, _ = rows_for(site.version)
    unnoticed = []
    for row in rows:
        for number, state in enumerate(row.grafana[0]):
            if number not in timeline.seen[row.alert]:
                continue
            for other in set("PF.") - {state}:
                line = row.grafana[0][:number] + other + row.grafana[0][number + 1 :]
                planted = replace(row, grafana=(line, row.grafana[1]))
                said = differences([planted], timeline)
                if not any("expected" in each for each in said):
                    unnoticed.append((row.alert, number, other))
    assert unnoticed == []


def test_every_row_that_is_left_out_has_a_reason(site: Site) -> None:
    rows, reasons = rows_for(site.version)
    kept = {(row.alert, row.labels) for row in rows}
    out = [row for row in expected().rows if (row.alert, row.labels) not in kept]
    assert {row.case for row in out} <= set(reasons)
    if site.can("recovering"):
        assert out == []


@pytest.mark.parametrize(
    ("active", "wait", "shown"),
    [
        ("..PPPFF...", 3, "..PPPFFF.."),
        ("..PP.PPF..", 3, "..PPPFFFF."),
        ("..P..PPPF.", 3, "..PP.PPPFF"),
        ("F.F..F....", 0, "FFFF.FF..."),
    ],
)
def test_what_lingers_before_11_6(active: str, wait: int, shown: str) -> None:
    assert lingering(active, wait) == shown
