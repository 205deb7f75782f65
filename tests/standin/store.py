"""The state of the stand-in, its transactions, and its snapshots.

A transaction works on a copy and is committed by one assignment, so a reader never sees half of a write; a
half-applied group is a fault that a test has to ask for (faults.py).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.standin import records
from tests.standin.records import Datasource, Org, Rule, State

_VOLATILE = ("id", "version", "updated", "created")


def fresh() -> State:
    """A new server: organisation 1 with one data source and the default contact point."""
    email = {
        "uid": "",
        "name": "grafana-default-email",
        "type": "email",
        "settings": {"addresses": "<example@email.com>"},
        "disableResolveMessage": False,
        "provenance": "",
    }
    org = Org(
        id=1,
        name="Main Org.",
        datasources={"prom-main": Datasource(id=1, uid="prom-main", name="Prometheus", default=True)},
        contact_points={"grafana-default-email": email | {"uid": "grafana-default-email"}},
        policies={"receiver": "grafana-default-email", "group_by": ["grafana_folder", "alertname"]},
    )
    return State(orgs={1: org}, last_id=1)


class Store:
    """Holds the committed State. Hooks run inside the write lock, before and after a commit."""

    def __init__(self, state: State | None = None, *, path: Path | None = None) -> None:
        self.state = state or fresh()
        self.lock = threading.RLock()
        self.path = path
        self.commits = 0
        self.before: Callable[[int], None] = lambda number: None
        self.after: Callable[[int], None] = lambda number: None

    def commit(self, state: State, *, counted: bool = True) -> None:
        """Makes `state` the state. A write of the API is counted, from 1; a test's own edit is not."""
        with self.lock:
            if not counted:
                self._set(state)
                return
            number = self.commits + 1
            self.before(number)
            self._set(state)
            self.commits = number
            self.after(number)

    def _set(self, state: State) -> None:
        self.state = state
        if self.path is not None:
            written = self.path.with_suffix(f"{self.path.suffix}.new")
            written.write_bytes(self.snapshot())
            written.replace(self.path)

    def snapshot(self) -> bytes:
        """All of the state as canonical JSON: equal bytes mean equal states."""
        return _canonical(records.to_json(self.state))

    def restore(self, snapshot: bytes) -> None:
        """The state that `snapshot` gave."""
        with self.lock:
            self._set(records.from_json(json.loads(snapshot)))

    def content(self) -> bytes:
        """The state without ids, versions, times and what evaluation made: what `final state equals old or new` compares."""
        value = records.to_json(self.state)
        del value["last_id"]
        for org in value["orgs"].values():
            del org["states"], org["annotations"], org["id"]
            for kind in ("folders", "rules"):
                for item in org[kind].values():
                    for name in _VOLATILE:
                        item.pop(name, None)
        return _canonical(value)


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def half_of(old: State, new: State, org: int) -> State:
    """A write of which only the first half of its rules arrived, in the order of their uids."""
    before, after = old.orgs[org].rules, new.orgs[org].rules
    touched = sorted(uid for uid in before.keys() | after.keys() if before.get(uid) != after.get(uid))
    state = old.copy(org)
    state.last_id = new.last_id
    rules = state.orgs[org].rules
    for uid in touched[: (len(touched) + 1) // 2]:
        rule: Rule | None = after.get(uid)
        if rule is None:
            del rules[uid]
        else:
            rules[uid] = rule
    return state
