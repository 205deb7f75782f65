"""History over HTTP: where each kind of server is asked, with what, and what its ways to say no mean. Against a server that says it on the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.history_source import matrix
from tests.loopback import FakeClock, Loopback, Reply, Seen, reply, serving

from tocsin.canary.source import Flavour, TooMuch, Unanswerable, Unfit
from tocsin.errors import Refused, Unreachable, UsageError
from tocsin.remote.history import History
from tocsin.remote.http import Door, Limits, WriteInReadOnly

EMPTY = matrix([])
BUILD = {"status": "success", "data": {"version": "3.5.3"}}
FLAGS = {"status": "success", "data": {"query.lookback-delta": "1m30s"}}
PLAIN = {"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}}
STATS = {**PLAIN, "stats": {"seriesFetched": "0"}}
ANALYSED = {
    "status": "success",
    "data": {"resultType": "scalar", "result": [1795284754.362, "1"], "analysis": {}},
}
"""As a Thanos 0.42.4 answers."""
Pages = Mapping[str, Reply | Callable[[int], Reply]]


@contextmanager
def history(
    pages: Pages | None = None,
    flavour: Flavour | None = None,
    *,
    below: str = "",
    clock: FakeClock | None = None,
    limits: Limits | None = None,
    **more: Any,
) -> Iterator[tuple[History, Loopback]]:
    """A History of a server that answers by the end of the path; what no page is for is 404."""
    asked: dict[str, int] = {}
    known: Pages = {
        "/query_range": reply(200, EMPTY),
        "/query": reply(200, PLAIN),
        "/buildinfo": reply(200, BUILD),
        "/flags": reply(200, FLAGS),
        **(pages or {}),
    }

    def handler(seen: Seen, _number: int) -> Reply:
        path = urlsplit(seen.target).path
        end = "/" + path.rpartition("/")[2]
        page = known.get(end, reply(404))
        asked[end] = asked.get(end, 0) + 1
        return page(asked[end]) if callable(page) else page

    with serving(handler) as server:
        door = Door(
            server.url + below, clock=clock or FakeClock(), read_only=True, metrics=True, limits=limits
        )
        with door:
            yield History(door, flavour, **more), server


def form(seen: Seen) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(seen.body.decode()).items()}


def test_a_range_goes_out_as_a_form_in_milliseconds() -> None:
    with history() as (source, server):
        body = source.range("up == 0", 1_700_000_000_123, 1_700_000_060_123, 30_000)
    assert body == EMPTY
    last = server.seen[-1]
    assert (last.method, last.target) == ("POST", "/api/v1/query_range")
    assert form(last) == {
        "query": "up == 0",
        "start": "1700000000.123",
        "end": "1700000060.123",
        "step": "30",
        "timeout": "50s",
    }
    assert last.headers["accept-encoding"] == "identity"
    assert last.headers["user-agent"].startswith("tocsin-backtest/")


def test_a_raw_look_back_is_an_instant_query() -> None:
    with history() as (source, server):
        source.raw('ALERTS{alertname="A"}', 1_700_000_000_001, 3_600_001)
    assert server.seen[-1].target == "/api/v1/query"
    said = form(server.seen[-1])
    assert said["query"] == 'ALERTS{alertname="A"}[3600001ms]'
    assert said["time"] == "1700000000.001"


def test_who_it_is_is_asked_once() -> None:
    with history() as (source, server):
        for _ in range(3):
            source.range("up", 0, 60_000, 30_000)
        info = source.info()
    assert (info.flavour, info.build, info.lookback_ms, info.id) == (
        "prometheus",
        "3.5.3",
        90_000,
        server.url,
    )
    assert len(server.seen) == 3 + 3


@pytest.mark.parametrize(
    ("pages", "flavour", "params"),
    [
        ({"/query": reply(200, STATS)}, "victoriametrics", {"nocache": "1"}),
        (
            {"/buildinfo": reply(200, {"data": {"application": "Grafana Mimir", "version": "2.14"}})},
            "mimir",
            {},
        ),
        (
            {"/query": reply(200, ANALYSED)},
            "thanos",
            {"dedup": "true", "partial_response": "false", "max_source_resolution": "0s"},
        ),
        ({"/buildinfo": reply(404)}, "prometheus", {}),
    ],
)
def test_who_says_who_it_is(pages: Pages, flavour: str, params: dict[str, str]) -> None:
    with history(pages) as (source, server):
        source.range("up", 0, 60_000, 30_000)
        assert source.info().flavour == flavour
    said = form(server.seen[-1])
    assert {
        name: said[name] for name in said if name not in ("query", "start", "end", "step", "timeout")
    } == params


def test_a_victoriametrics_is_not_the_prometheus_whose_interface_it_has() -> None:
    metrics = b'vm_app_version{version="victoria-metrics-v1.145.0", short_version="v1.145.0"} 1\n'
    pages = {"/query": reply(200, STATS), "/metrics": reply(200, metrics)}
    with history(pages) as (source, _):
        assert source.info().build == "v1.145.0"
        assert (source.caps.points, source.caps.exact, source.caps.coarse) == (12_000, False, "long windows")


@pytest.mark.parametrize(
    ("flavour", "below", "more", "path"),
    [
        ("mimir", "", {"tenant": "t1"}, "/prometheus/api/v1/query_range"),
        ("mimir", "/prometheus", {"tenant": "t1"}, "/prometheus/api/v1/query_range"),
        ("thanos", "", {}, "/api/v1/query_range"),
        ("prometheus", "/metrics/prom", {}, "/metrics/prom/api/v1/query_range"),
        (
            "grafana",
            "/grafana",
            {"datasource_uid": "main/1"},
            "/grafana/api/datasources/proxy/uid/main%2F1/api/v1/query_range",
        ),
    ],
)
def test_each_kind_has_its_place(flavour: Flavour, below: str, more: dict[str, str], path: str) -> None:
    with history(flavour=flavour, below=below, **more) as (source, server):
        source.range("up", 0, 60_000, 30_000)
        assert source.info().flavour == source.caps.flavour == flavour
    assert server.seen[-1].target == path
    assert server.seen[-1].headers.get("x-scope-orgid") == more.get("tenant")
    if flavour == "thanos":
        said = form(server.seen[-1])
        assert (said["dedup"], said["partial_response"], said["max_source_resolution"]) == (
            "true",
            "false",
            "0s",
        )


def test_tenants_are_two_sources() -> None:
    with (
        history(flavour="mimir", tenant="t1") as (one, _),
        history(flavour="mimir", tenant="t2") as (other, _),
    ):
        assert one.info().id.rpartition(":")[2] != other.info().id.rpartition(":")[2]


def test_a_data_source_of_victoriametrics_has_its_limits() -> None:
    with history({"/query": reply(200, STATS)}, "grafana", datasource_uid="vm") as (source, _):
        assert (source.caps.flavour, source.caps.points, source.caps.exact) == ("grafana", 12_000, False)


def test_grafana_needs_to_be_told_the_data_source() -> None:
    with pytest.raises(UsageError, match="uid"), history(flavour="grafana"):
        pass


def no(status: int, kind: str, error: str, **headers: str) -> Reply:
    return reply(status, {"status": "error", "errorType": kind, "error": error}, **headers)


@pytest.mark.parametrize(
    "answer",
    [
        no(422, "execution", "query processing would load too many samples into memory in query execution"),
        no(400, "bad_data", "exceeded maximum resolution of 11,000 points per timeseries"),
        no(503, "timeout", "query timed out in expression evaluation"),
        no(
            422,
            "422",
            "too many points for the given start=1, end=2 and step=1; the maximum number of points is 30000",
        ),
        no(422, "422", "timeout exceeded while fetching data block"),
        no(422, "execution", "the query hit the max number of series limit (limit: 100000 series)"),
        no(422, "bad_data", "the total query time range (query length: 32d, limit: 31d) exceeds the limit"),
        reply(413, b"<html><title>413 Request Entity Too Large</title></html>"),
        # A Mimir's `querier.timeout`.
        no(500, "internal", "context deadline exceeded"),
        # Grafana's proxy after its own time-out, and any other gateway.
        reply(504),
        reply(504, b"<html><title>504 Gateway Time-out</title></html>"),
    ],
)
def test_too_much_is_known_for_it_at_once(answer: Reply) -> None:
    clock = FakeClock()
    with history({"/query_range": answer}, clock=clock) as (source, server):
        source.info()
        before = len(server.seen)
        with pytest.raises(TooMuch):
            source.range("up", 0, 60_000, 30_000)
        assert len(server.seen) == before + 1
    assert clock.slept == []


def test_an_answer_too_long_for_the_door_is_too_much() -> None:
    with history({"/query_range": reply(200, b"x" * 5_000)}, limits=Limits(body=4_000)) as (source, server):
        with pytest.raises(TooMuch):
            source.range("up", 0, 60_000, 30_000)
        assert server.lines.count("POST /api/v1/query_range") == 1


SERIES = {"metric": {"a": "x", "path": "/{id"}, "values": [[0, "1"], [30, "2"]]}
LONG = matrix([SERIES, {**SERIES, "metric": {"a": "y", "path": "{{"}}])
"""Braces in texts that do not pair."""


@pytest.mark.parametrize("end", [b"", b"\n"])
@pytest.mark.parametrize(
    "more", [{}, {"warnings": ["w"]}, {"stats": {"seriesFetched": "2"}}, {"infos": ["}"]}]
)
def test_a_whole_answer_is_not_taken_for_a_cut_one(more: dict[str, Any], end: bytes) -> None:
    whole = matrix([SERIES, SERIES], **more) + end
    with history({"/query_range": reply(200, whole)}) as (source, server):
        assert source.range("up", 0, 60_000, 30_000) == whole
    assert server.lines.count("POST /api/v1/query_range") == 1


def test_an_answer_cut_off_by_a_proxy_is_asked_for_again() -> None:
    """As Grafana passes it on when its way to the data source breaks: 200, the length of what there was, and no end. Wherever that is."""
    lengths = range(2, len(LONG))

    def page(number: int) -> Reply:
        return reply(200, LONG if number % 2 == 0 else LONG[: lengths[number // 2]])

    with history({"/query_range": page}) as (source, server):
        for length in lengths:
            assert source.range("up", 0, 60_000, 30_000) == LONG, length
    assert server.lines.count("POST /api/v1/query_range") == source.asked == 2 * len(lengths)


def test_what_a_proxy_always_cuts_off_is_too_much() -> None:
    """Grafana's `response_limit`: so many bytes, and the rest is not there."""
    with (
        history({"/query_range": reply(200, LONG[:100])}, "grafana", datasource_uid="m") as (source, server),
        pytest.raises(TooMuch, match="cut off after 100 bytes"),
    ):
        source.range("up", 0, 60_000, 30_000)
    assert len([each for each in server.lines if each.endswith("query_range")]) == 2


@pytest.mark.parametrize(
    "said",
    [
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
        "found duplicate series for the match group {} on the right hand-side of the operation",
        "vector cannot contain metrics with the same labelset",
    ],
)
def test_a_query_that_fails_there_and_then_is_told_from_that(said: str) -> None:
    with (
        history({"/query_range": no(422, "execution", said)}) as (source, _),
        pytest.raises(Unanswerable) as raised,
    ):
        source.range("up", 0, 60_000, 30_000)
    assert raised.value.said == said


@pytest.mark.parametrize(
    "answer",
    [
        no(400, "bad_data", 'invalid parameter "query": 1:4: parse error: unclosed left parenthesis'),
        no(
            422,
            "422",
            'error when executing query="foo(": singleExpr: unexpected token ""; unparsed data: ""',
        ),
    ],
)
def test_what_is_no_query_there_is_not_halved(answer: Reply) -> None:
    with history({"/query_range": answer}) as (source, _), pytest.raises(Unfit, match="does not take"):
        source.range("foo(", 0, 60_000, 30_000)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_waited_for(status: int) -> None:
    busy = no(status, "", "too many outstanding requests", Retry_After="7")

    def page(number: int) -> Reply:
        return busy if number < 3 else reply(200, EMPTY)

    clock = FakeClock()
    with history({"/query_range": page}, clock=clock) as (source, _):
        assert source.range("up", 0, 60_000, 30_000) == EMPTY
    assert clock.slept == [7.0, 7.0]


def test_a_server_that_stays_busy_is_an_error_of_the_run() -> None:
    with history({"/query_range": reply(503)}) as (source, _), pytest.raises(Unreachable):
        source.range("up", 0, 60_000, 30_000)
    with history({"/query_range": reply(429)}) as (source, _), pytest.raises(Refused):
        source.range("up", 0, 60_000, 30_000)


def test_nothing_is_written() -> None:
    with history() as (source, server):
        source.range("up", 0, 60_000, 30_000)
        with pytest.raises(WriteInReadOnly):
            source._door.send("POST", "-", "reload")
    assert {each.method for each in server.seen} == {"GET", "POST"}
    assert all(
        each.target.endswith(("/query", "/query_range")) for each in server.seen if each.method == "POST"
    )


RULES = {
    "status": "success",
    "data": {
        "groups": [
            {
                "name": "g",
                "file": "/etc/r.yml",
                "interval": 30,
                "lastEvaluation": "2023-11-14T22:13:20.123999999Z",
                "rules": [
                    {
                        "type": "alerting",
                        "name": "A",
                        "health": "ok",
                        "lastEvaluation": "2023-11-14T22:13:20.2Z",
                    },
                    {"type": "recording", "name": "r", "health": "ok"},
                ],
            },
            {
                "name": "never",
                "file": "",
                "interval": 0.5,
                "lastEvaluation": "0001-01-01T00:00:00Z",
                "rules": [],
            },
        ]
    },
}


def test_groups_are_what_it_evaluates() -> None:
    with history({"/rules": reply(200, RULES)}) as (source, server):
        first, never = source.groups()
    assert (first.group, first.file, first.interval_ms, first.alerts) == ("g", "/etc/r.yml", 30_000, {"A"})
    assert first.evaluated_ms == 1_700_000_000_123
    assert (never.interval_ms, never.evaluated_ms) == (500, 0)
    assert server.lines == ["GET /api/v1/rules?type=alert"]


def test_a_server_without_a_ruler_has_no_groups() -> None:
    with history() as (source, _):
        assert list(source.groups()) == []


def test_through_grafana_its_own_groups_are_seen() -> None:
    with history({"/rules": reply(200, RULES)}, "grafana", datasource_uid="m") as (source, server):
        assert len(list(source.groups())) == 2
    assert server.lines == ["GET /api/prometheus/grafana/api/v1/rules?type=alert"]
