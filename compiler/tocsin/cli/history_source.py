"""Where the canary reads what was: the server, and the way to it.

In: what the environment says, what the rule is evaluated by, an address from the command line. Out: a `History` behind a door that can only read. An
address comes from a flag or from the environment of the process, never from a file of the repository.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tocsin.canary.source import Flavour
from tocsin.cli.rule_servers import replica_ways
from tocsin.cli.targets import Now
from tocsin.diff.changes import Side
from tocsin.errors import UsageError
from tocsin.ir.canary import HistorySource
from tocsin.ir.compiled import CompiledAlert, Datasource, Evaluator
from tocsin.ir.project import Environment
from tocsin.remote.environment import Access, access
from tocsin.remote.history import History
from tocsin.remote.http import Door


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceName:
    """Which server answers for a rule: rules of one name are replayed together. `kind` `""` is found out by asking."""

    kind: str
    evaluator: str
    datasource: str = ""
    """The uid, where Grafana passes questions on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The servers that hold the history of an environment. `url` and `kind` are those of the command line, which outrank the project's."""

    environment: Environment
    url: str | None = None
    kind: Flavour | None = None

    def of(self, side: Side) -> SourceName:
        """Which one has what that alert saw: what the environment names, else its own evaluator, else what its Grafana asks. UsageError where
        there is none."""
        own = side.rule.datasource if isinstance(side.rule, CompiledAlert) else None
        return self.asked_by(side.group.evaluator, own)

    def asked_by(self, evaluator: Evaluator, own: Datasource | None = None) -> SourceName:
        """As `of`, for the rules of a server whose alerts are not at hand; `own` is the data source they ask, the environment's default without it."""
        said = self._said
        kind = said.kind if said is not None else "grafana" if evaluator.kind == "grafana" else ""
        if kind != "grafana":
            return SourceName(kind=kind, evaluator="" if said is not None else evaluator.name)
        name = said.datasource if said is not None else None
        datasource = (own if name is None else None) or self.environment.datasource(name)
        if datasource is None:
            raise UsageError(
                f"no data source of {self.environment.name} says where history is",
                help="set `history:` of the environment, or give --source-url",
            )
        return SourceName(kind=kind, evaluator=self._grafana(evaluator).name, datasource=datasource.uid)

    @contextmanager
    def opened(self, name: SourceName) -> Iterator[History]:
        """That server."""
        evaluator = self.environment.evaluator(name.evaluator)
        url_env = self._said.url_env if self._said is not None else None
        tenant = self._said.tenant if self._said is not None else None
        if evaluator is not None:
            url_env, tenant = url_env or evaluator.url_env, tenant or evaluator.tenant
        with _door(self._way(name.kind, url_env)) as door:
            yield History(
                door,
                _flavour(name.kind, evaluator),
                tenant=tenant,
                datasource_uid=name.datasource or None,
            )

    def _way(self, kind: str, url_env: str | None) -> Access:
        if kind == "grafana":
            return access("grafana", os.environ, flag=self.url, url_env=url_env)
        # Replicas hold the same history: the first one is asked.
        return replica_ways(os.environ, self.url, url_env)[0]

    @property
    def _said(self) -> HistorySource | None:
        said = self.environment.history
        if self.kind is not None:
            same = said is not None and said.kind == self.kind
            return said if same else HistorySource(kind=self.kind)
        if self.url is not None and said is None:
            return None
        return said

    def _grafana(self, evaluator: Evaluator) -> Evaluator:
        grafanas = [each for each in self.environment.evaluators if each.kind == "grafana"]
        found = evaluator if evaluator.kind == "grafana" else next(iter(grafanas), None)
        if found is None:
            raise UsageError(
                f"{self.environment.name} has no Grafana to ask through", help="name another kind"
            )
        return found


def _flavour(kind: str, evaluator: Evaluator | None) -> Flavour | None:
    known: dict[str, Flavour] = {
        "prometheus": "prometheus",
        "victoriametrics": "victoriametrics",
        "mimir": "mimir",
        "thanos": "thanos",
        "grafana": "grafana",
    }
    if kind:
        return known[kind]
    return "mimir" if evaluator is not None and evaluator.kind == "mimir" else None


def _door(way: Access) -> Door:
    return Door(
        way.url, clock=Now(), auth=way.auth, tls=way.tls, proxy=way.proxy, read_only=True, metrics=True
    )
