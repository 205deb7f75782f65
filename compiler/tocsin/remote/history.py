"""History for the canary: whoever answers PromQL over time, as `canary.source.MetricSource`.

Bytes go out, for `canary.decode` alone knows how they are read. What differs between servers is their place below the address (`_prefix`), the
header of a tenant, and `canary.capabilities`. What a server means by no is read here: a Prometheus says 422 both for a query of too many
samples, which halves answer, and for one that fails at some times, which no smaller question mends; a VictoriaMetrics says 422 to everything.

A query that takes too long is the server's to end (`timeout`), so that it stops working on it; the door's own patience is longer. Sources:
Prometheus web/api/v1/api.go (status per kind of error), promql/engine.go; VictoriaMetrics app/vmselect/prometheus; Grafana's HTTP API, data
source proxy. How they fail was seen at a Grafana 9.4.0-pre, a Thanos 0.42.4 and a Mimir of April 2026.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from tocsin import __version__
from tocsin.canary.capabilities import CAPS
from tocsin.canary.source import Flavour, Seen, SourceCaps, SourceInfo, TooMuch, Unanswerable, Unfit
from tocsin.errors import TooLong, UsageError, WrongShape
from tocsin.remote.answer import Answer, Reader
from tocsin.remote.http import Door
from tocsin.remote.rule_states import group_state
from tocsin.remote.stores import Stores, stores_of

_API: Final = ("api", "v1")
_TIMEOUT: Final = "50s"
"""Below the 60 s after which the door gives up on an answer that does not come."""
_NO: Final = (400, 413, 422)
_TOO_MUCH: Final = re.compile(
    r"too many (?:samples|points|series|chunks|timeseries)|maximum resolution|max(?:imum)? number of|timed out|time ?out"
    r"|exceeds the (?:limit|maximum)|the query (?:hit|exceeded)|maxQueryDuration|deadline exceeded|not enough memory"
    r"|cannot select more than|would load too many|resource_?exhausted",
    re.IGNORECASE,
)
_NO_QUERY: Final = re.compile(
    r"unparsed data|unexpected token|(?:unknown|unsupported) func|cannot parse|parse error|bad_data",
    re.IGNORECASE,
)
_UNREAD: Final = re.compile(r"expanding series|proxy Series\(\)|rpc error: code =")
"""A store that could not be read, which is no answer to the query. A Thanos says 422 `execution` to it, as to one that fails, while it has not yet
noticed that a store is gone (7 s, measured); the second text is that of its other engine."""
_TENANT: Final[Mapping[str, str]] = {"thanos": "THANOS-TENANT"}
"""Where it is another header than `X-Scope-OrgID`."""
_GO_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|h|m|s|d)")
_UNIT_MS: Final[Mapping[str, int]] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_ABSENT: Final = (400, 403, 404, 405, 500, 501)
"""How servers and proxies answer for a page of the interface that they do not have."""


class History:
    """One server's history. `flavour` None is found out: a VictoriaMetrics, a Mimir and a Thanos are known, anybody else counts as a Prometheus.
    `door` must be read-only and take queries by POST (`metrics=True`)."""

    def __init__(
        self,
        door: Door,
        flavour: Flavour | None = None,
        *,
        tenant: str | None = None,
        datasource_uid: str | None = None,
    ) -> None:
        if flavour == "grafana" and not datasource_uid:
            raise UsageError(
                "history through Grafana needs the data source's uid",
                help="name it under `history: datasource:`",
            )
        self._door = door
        self._asked = flavour
        self._uid = datasource_uid
        # Whoever runs the server is to see who asks so much, and to be able to limit it.
        self._headers = {
            "User-Agent": f"tocsin-backtest/{__version__}",
            **({_TENANT.get(flavour or "", "X-Scope-OrgID"): tenant} if tenant else {}),
        }
        host = urlsplit(door.base_url).hostname or ""
        # Packing and unpacking costs more than the loopback does.
        self._query_headers = {
            **self._headers,
            **({"Accept-Encoding": "identity"} if host in ("127.0.0.1", "localhost", "::1") else {}),
        }
        self._tenant = tenant
        self.asked = 0
        """Queries sent so far, answered or not."""
        self._lock = threading.Lock()
        self._known: tuple[SourceInfo, SourceCaps] | None = None
        self._stores: Stores | None = None
        """Of a Thanos: what it read at first."""

    @property
    def caps(self) -> SourceCaps:
        """What it can be asked; asks the server who it is where nobody said."""
        return self._who()[1]

    def info(self) -> SourceInfo:
        """Who it is, asked once."""
        return self._who()[0]

    def range(self, expr: str, start_ms: int, end_ms: int, step_ms: int) -> bytes:
        """The body of a range query. TooMuch, Unanswerable, Unfit; a `RemoteError` where it cannot be reached."""
        form = [
            ("query", expr),
            ("start", _seconds(start_ms)),
            ("end", _seconds(end_ms)),
            ("step", _seconds(step_ms)),
        ]
        return self._ask("query_range", form)

    def raw(self, selector: str, at_ms: int, back_ms: int) -> bytes:
        """The body of an instant query for `selector[back]`: every stored sample."""
        return self._ask("query", [("query", f"{selector}[{back_ms}ms]"), ("time", _seconds(at_ms))])

    def groups(self) -> Iterable[Seen]:
        """What it evaluates. Through Grafana: what Grafana evaluates, for the rules of the data source's server are not to be seen there."""
        if self._asked == "grafana":
            path: tuple[str, ...] = ("api", "prometheus", "grafana", *_API)
        else:
            path = (*self._prefix, *_API)
        answer = self._door.get(
            *path, "rules", params=(("type", "alert"),), headers=self._headers, accept=(200, *_ABSENT)
        )
        if answer.status != 200:
            return ()
        found = []
        for read in _data(answer)["groups"].each():
            group = group_state(read)
            alerts = frozenset(rule.name for rule in group.rules if rule.type == "alerting")
            # Grafana says nothing for the group; each of its rules is evaluated at the same tick.
            said = [group.last_evaluation, *(rule.last_evaluation for rule in group.rules)]
            latest = next((ms for ms in map(_instant, said) if ms > 0), 0)
            found.append(
                Seen(
                    group=group.name,
                    file=group.file,
                    interval_ms=int(group.interval),
                    evaluated_ms=latest,
                    alerts=alerts,
                )
            )
        return found

    @property
    def _prefix(self) -> tuple[str, ...]:
        if self._asked == "grafana":
            return ("api", "datasources", "proxy", "uid", self._uid or "")
        if self._asked == "mimir" and not self._door.base_url.endswith("/prometheus"):
            return ("prometheus",)
        return ()

    def _ask(self, what: str, form: list[tuple[str, str]]) -> bytes:
        parameters = [*form, *self.caps.params, ("timeout", _TIMEOUT)]
        answer = self._sent(what, parameters)
        if _is_cut(answer):
            # Once more, for a connection that broke behind a proxy; a proxy's limit of bytes cuts every time.
            answer = self._sent(what, parameters)
            if _is_cut(answer):
                raise TooMuch(f"the answer is cut off after {len(answer.body)} bytes")
        if answer.status == 200:
            lacks = self._lacks()
            if lacks:
                raise Unfit(f"the server answers without a store: {lacks}")
            return answer.body
        kind, said = self._door.words(answer)
        if answer.status in (413, 503, 504) or kind == "timeout" or _TOO_MUCH.search(said):
            raise TooMuch(said or f"status {answer.status}")
        if kind == "bad_data" or answer.status == 400 or _NO_QUERY.search(said):
            raise Unfit(f"the server does not take the query: {said}")
        if _UNREAD.search(said):
            raise Unfit(f"the server cannot read all of its history: {said}")
        raise Unanswerable(said)

    def _sent(self, what: str, parameters: list[tuple[str, str]]) -> Answer:
        with self._lock:
            self.asked += 1
        try:
            return self._door.ask(
                *self._prefix, *_API, what, form=parameters, headers=self._query_headers, takes=self._is_said
            )
        except TooLong as error:
            raise TooMuch(error.message) from None

    def _is_said(self, answer: Answer) -> bool:
        """Whether this no is about the query. A 503 is a server that is busy, unless it is one whose query took too long; so says a Mimir's
        querier with 500. A 504 is a proxy that waited long enough, and would again (Grafana's after 30 s, without a word)."""
        if answer.status in _NO or answer.status == 504:
            return True
        if answer.status not in (500, 503):
            return False
        kind, said = self._door.words(answer)
        return kind == "timeout" or "deadline exceeded" in said

    def _who(self) -> tuple[SourceInfo, SourceCaps]:
        with self._lock:
            if self._known is None:
                self._known = self._find()
            return self._known

    def _find(self) -> tuple[SourceInfo, SourceCaps]:
        build, behind = "", self._asked if self._asked not in (None, "grafana") else None
        answer = self._get("status", "buildinfo")
        if answer is not None:
            read = _data(answer)
            build = read.text("version", "")
            if behind is None and "mimir" in read.text("application", "").lower():
                behind = "mimir"
        if behind is None:
            behind = self._answers_as()
        if behind == "victoriametrics" and self._asked != "grafana":
            # To buildinfo it answers the version of the Prometheus whose interface it has.
            build = self._version_of_victoriametrics() or ""
        flavour: Flavour = "grafana" if self._asked == "grafana" else behind
        caps = replace(CAPS[behind], flavour=flavour)
        if behind == "thanos":
            self._stores = self._stores_now()
            if self._stores is not None and self._stores.replicas(self._flag("query.replica-label")):
                caps = replace(caps, exact=False, why="replicas")
        place = "/".join((self._door.base_url, *self._prefix)) + (f"#{self._tenant}" if self._tenant else "")
        lookback = self._lookback() if behind in ("prometheus", "thanos") else 300_000
        return SourceInfo(id=place, flavour=flavour, build=build, lookback_ms=lookback), caps

    def _answers_as(self) -> Flavour:
        """Who answers a query in this way: how many series it took is said by a VictoriaMetrics, of one process or a cluster, and an empty analysis
        is sent along by a Thanos (measured; no other server does either)."""
        answer = self._door.ask(*self._prefix, *_API, "query", form=[("query", "1")], headers=self._headers)
        stats = answer.json()["stats"]
        if isinstance(stats.value, Mapping) and "seriesFetched" in stats.value:
            return "victoriametrics"
        return "thanos" if "analysis" in _data(answer).object() else "prometheus"

    def _stores_now(self) -> Stores | None:
        answer = self._get("stores")
        return stores_of(_data(answer)) if answer is not None else None

    def _lacks(self) -> str:
        """Why the answer that just came may be partial, though its server does not say so."""
        before = self._stores
        now = self._stores_now() if before is not None else None
        return now.missing(before) if now is not None and before is not None else ""

    def _version_of_victoriametrics(self) -> str | None:
        answer = self._door.get("metrics", headers=self._headers, accept=(200, 401, *_ABSENT))
        found = re.search(r'^vm_app_version\{.*?short_version="([^"]+)"', answer.text, re.MULTILINE)
        return found[1] if answer.status == 200 and found else None

    def _lookback(self) -> int:
        said = self._flag("query.lookback-delta")
        total = sum(float(number) * _UNIT_MS[unit] for number, unit in _GO_DURATION.findall(said))
        return round(total) or 300_000

    def _flag(self, name: str) -> str:
        """One of the server's own flags; `""` where it does not say."""
        answer = self._get("status", "flags")
        return _data(answer).text(name, "") if answer is not None else ""

    def _get(self, *path: str) -> Answer | None:
        answer = self._door.get(*self._prefix, *_API, *path, headers=self._headers, accept=(200, *_ABSENT))
        return answer if answer.status == 200 else None


def _data(answer: Answer) -> Reader:
    return answer.json()["data"]


def _is_cut(answer: Answer) -> bool:
    """Whether the end of a metrics server's 200 is missing. A Grafana whose way to the data source breaks, or that reached its limit of bytes for one
    answer, ends what it has passed on as if it were whole."""
    body = answer.body
    if answer.status != 200 or not body.startswith(b'{"'):
        return False
    end = body[-16:].rstrip()
    if not end.endswith(b"}"):
        return True
    # `}}` stands at the end of an answer and nowhere inside of one, but in texts.
    if end.endswith(b"}}") or body.count(b"{") == body.count(b"}"):
        return False
    try:
        answer.json()
    except WrongShape:
        return True
    return False


def _seconds(ms: int) -> str:
    """Milliseconds as seconds, exactly."""
    whole, rest = divmod(ms, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)


def _instant(text: str) -> int:
    """RFC 3339, with nanoseconds or none, as milliseconds; 0 for none, and for the year 0001 of what never happened."""
    trimmed = re.sub(r"(\.[0-9]{1,6})[0-9]*", r"\1", text)
    try:
        ms = int(datetime.fromisoformat(trimmed).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0
    return max(ms, 0)
