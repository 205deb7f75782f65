"""History from a Thanos: stores that it does not read, and replicas that it puts together. Against a server that says what a Thanos 0.42.4 said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.loopback import Reply, reply
from tests.unit.test_remote_history import ANALYSED, EMPTY, history, no

from tocsin.canary.source import Flavour, Unfit


@pytest.mark.parametrize(
    "said",
    [
        'expanding series: proxy Series(): fetch series for {replica="d"} Addr: 127.0.0.1:19423 MinTime: 1 MaxTime: 9: rpc error: code = Unavailable'
        ' desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:19423: connect: connection refused"',
        "expanding series: proxy Series(): No StoreAPIs available",
        "proxy Series(): rpc error: code = Aborted desc = receive series from Addr: 127.0.0.1:19424 MinTime: 1 MaxTime: 9: rpc error:"
        " code = Unavailable desc = error reading from server: connection reset by peer",
    ],
)
def test_a_store_that_is_not_read_is_no_query_that_fails(said: str) -> None:
    """What a Thanos whose store was killed says: were it counted as an evaluation that fails, the rule would be taken to have failed there, too."""
    with (
        history({"/query_range": no(422, "execution", said)}, "thanos") as (source, _),
        pytest.raises(Unfit, match="cannot read all of its history"),
    ):
        source.range("up", 0, 60_000, 30_000)


def store(name: str, error: str | None = None, **labels: str) -> dict[str, Any]:
    return {"name": name, "lastError": error, "labelSets": [labels], "minTime": 1, "maxTime": 9}


def stores(*each: dict[str, Any], kind: str = "sidecar") -> Reply:
    return reply(200, {"status": "success", "data": {kind: each} if each else {}})


A, B = store("a:1", replica="a", cluster="x"), store("b:1", replica="b", cluster="x")


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (
            stores(A, {**B, "lastError": "rpc error: connect:\n connection refused"}),
            "b:1: rpc error: connect: conn",
        ),
        (stores(A), "b:1 is gone"),
        (stores(), "a:1 is gone; b:1 is gone"),
    ],
)
@pytest.mark.parametrize(
    ("flavour", "more"), [("thanos", {}), (None, {}), ("grafana", {"datasource_uid": "t"})]
)
def test_an_answer_without_a_store_that_was_there_is_not_used(
    then: Reply, why: str, flavour: Flavour | None, more: dict[str, str]
) -> None:
    """A Thanos that has noticed that a store is gone answers 200 without it, and no warning, whatever `partial_response` says."""
    whole = stores(A, B)
    # Who it is, before and after the first answer; then the store is gone.
    pages = {"/query": reply(200, ANALYSED), "/stores": lambda number: whole if number <= 2 else then}
    with history(pages, flavour, **more) as (source, _):
        assert source.range("up", 0, 60_000, 30_000) == EMPTY
        with pytest.raises(Unfit, match=f"without a store: {why}"):
            source.range("up", 0, 60_000, 30_000)


def test_a_store_that_failed_from_the_beginning_is_no_whole_history() -> None:
    failing = stores(A, store("b:1", "context deadline exceeded"))
    with history({"/stores": failing}, "thanos") as (source, _), pytest.raises(Unfit, match="b:1: context"):
        source.range("up", 0, 60_000, 30_000)


@pytest.mark.parametrize(
    ("there", "flag", "exact"),
    [
        (stores(A, B), "replica", False),
        (stores(A, B), "prometheus_replica\nreplica", False),
        # The blocks of a sidecar and those of its bucket are one replica's.
        (reply(200, {"data": {"sidecar": [A], "store": [{**A, "name": "c:1"}]}}), "replica", True),
        (stores(A, store("b:1", replica="b", cluster="y")), "replica", True),
        (stores(A, B), "", True),
        (stores(A, B), "other", True),
        # Put together when they were compacted.
        (reply(200, {"data": {"sidecar": [A], "store": [store("c:1", cluster="x")]}}), "replica", False),
        (reply(404), "replica", True),
    ],
)
def test_replicas_put_together_are_not_what_a_prometheus_saw(there: Reply, flag: str, exact: bool) -> None:
    flags = reply(200, {"data": {"query.replica-label": flag, "query.lookback-delta": "0s"}})
    with history({"/stores": there, "/flags": flags}, "thanos") as (source, _):
        assert (source.caps.exact, source.caps.why) == (exact, "" if exact else "replicas")
        assert source.caps.params
        assert source.info().lookback_ms == 300_000


def test_a_prometheus_is_not_asked_for_stores() -> None:
    with history() as (source, server):
        source.range("up", 0, 60_000, 30_000)
    assert not [each for each in server.lines if "stores" in each]


def test_the_header_of_a_tenant_is_thanos_own_there() -> None:
    with history(flavour="thanos", tenant="t1") as (source, server):
        source.range("up", 0, 60_000, 30_000)
    assert {each.headers.get("thanos-tenant") for each in server.seen} == {"t1"}
