"""Recording rules across the whole repository, per environment: their labels, and the digests of what rules read.

A rule's digest contains the digests of the records it reads, which contain those of the records they read. A record that reads itself (through
others or directly, `x = x offset 1h`) contributes its own text once: the chain is cut where it closes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce

from tocsin.ir.digest import record_digest
from tocsin.ir.duration import Duration
from tocsin.promql import Expr, Labels, canonical, labels_out, metrics, parse

_REMEMBERED = 1_024
"""Label flows kept: more expressions than a service has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFacts:
    """One recording rule as text, parameters written in: all that other services need to know of it."""

    service: str
    group: str
    file: str
    id: str
    record: str
    expr: str
    labels: Mapping[str, str]
    interval: Duration | None = None
    query_offset: Duration | None = None
    limit: int = 0


@dataclass(slots=True)
class Records:
    """Every record of one environment by the name of the series it writes. Answers are remembered: one value lives as long as one compilation."""

    by_name: Mapping[str, tuple[RecordFacts, ...]]
    _digests: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _labels: dict[str, Labels | None] = field(default_factory=dict)
    _flows: dict[str, Labels | None] = field(default_factory=dict)

    def digests(self, expr: Expr) -> tuple[str, ...]:
        """The digests of the records `expr` reads."""
        if not self.by_name:
            return ()
        return tuple(digest for name in metrics(expr) for digest in self._of(name, frozenset()))

    def digest(self, facts: RecordFacts) -> str:
        """The digest of one record."""
        return self._one(facts, frozenset())

    def flow(self, text: str) -> Labels | None:
        """The labels the expression `text` can produce; None where it does not parse."""
        if text not in self._flows:
            if len(self._flows) > _REMEMBERED:
                # Services are asked about one after another: what the last one wanted, nobody wants again.
                self._flows.clear()
            expr = parse(text)
            self._flows[text] = labels_out(expr, self.labels) if isinstance(expr, Expr) else None
        return self._flows[text]

    def labels(self, name: str) -> Labels | None:
        """The labels series of that name carry; None where no rule of this repository writes it, or where it feeds itself."""
        if name not in self.by_name:
            return None
        if name not in self._labels:
            self._labels[name] = None
            outs = [self._labels_of(each) for each in self.by_name[name]]
            known = [each for each in outs if each is not None]
            self._labels[name] = reduce(Labels.either, known) if len(known) == len(outs) else None
        return self._labels[name]

    def _labels_of(self, facts: RecordFacts) -> Labels | None:
        expr = parse(facts.expr)
        if not isinstance(expr, Expr):
            return None
        out = labels_out(expr, self.labels)
        added = frozenset(name for name, value in facts.labels.items() if value)
        return out.plus(*added)

    def _of(self, name: str, open_names: frozenset[str]) -> tuple[str, ...]:
        if name not in self.by_name or name in open_names:
            return ()
        known = self._digests.get(name)
        if known is None:
            known = tuple(self._one(each, open_names) for each in self.by_name[name])
            if not open_names:
                self._digests[name] = known
        return known

    def _one(self, facts: RecordFacts, open_names: frozenset[str]) -> str:
        expr = parse(facts.expr)
        inner = open_names | {facts.record}
        parsed = isinstance(expr, Expr)
        return record_digest(
            expr=canonical(expr) if isinstance(expr, Expr) else facts.expr,
            record=facts.record,
            labels=facts.labels,
            interval=facts.interval,
            query_offset=facts.query_offset,
            limit=facts.limit,
            reads=[digest for name in metrics(expr) for digest in self._of(name, inner)]
            if parsed and isinstance(expr, Expr)
            else [],
        )
