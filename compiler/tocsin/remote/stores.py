"""Which stores a Thanos reads, as it says itself.

It leaves out a store that it has not reached for some seconds, and then answers 200 without a word of it, with `partial_response=false` as without:
this page alone says so, for five minutes (`--store.unhealthy-timeout`). And where two stores hold replicas of one Prometheus, it puts together each
series of both, changing over where one has a gap; to which one it keeps depends on where a query begins. Measured with Thanos 0.42.4: of two
Prometheis that scrape at moments of their own, a fifth of the values were others in a query that began elsewhere.

Sources: Thanos pkg/query/endpointset.go, pkg/dedup, docs/components/query.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tocsin.remote.answer import Reader

_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """`failing` says why, for each that was not reached the last time; `labels` are the external ones of what the stores hold."""

    names: frozenset[str]
    failing: tuple[str, ...]
    labels: frozenset[frozenset[tuple[str, str]]]

    def missing(self, before: Stores) -> str:
        """What an answer given now may lack that was there `before`, in words; `""` for nothing."""
        gone = sorted(before.names - self.names)
        return "; ".join((*self.failing, *(f"{name} is gone" for name in gone)))

    def replicas(self, flag: str) -> bool:
        """Whether some hold the same but for the labels that the flag `query.replica-label` names."""
        own = frozenset(_LABEL.findall(flag))
        left = {frozenset(pair for pair in labels if pair[0] not in own) for labels in self.labels}
        return len(left) < len(self.labels)


def stores_of(data: Reader) -> Stores:
    """What `/api/v1/stores` says: lists of stores, by their kind. WrongShape."""
    names, failing, labels = [], [], set()
    for kind in data.object():
        for store in data[kind].each():
            name, error = store.text("name"), store.text("lastError", "")
            names.append(name)
            if error:
                failing.append(f"{name}: {' '.join(error.split())[:160]}")
            for each in store["labelSets"].each():
                labels.add(frozenset((label, each.text(label)) for label in each.object()))
    return Stores(names=frozenset(names), failing=tuple(failing), labels=frozenset(labels))
