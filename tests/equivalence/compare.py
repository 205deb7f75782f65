"""Where what was observed differs from what was written down: a list of sentences, empty where nothing does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.equivalence.live import Key, Observed
from tests.equivalence.table import Row

_SHOWN = {"pending": "P", "firing": "F"}
_HELD = {"P": "pending", "p": "pending", "F": "firing", "f": "firing"}


def differences(rows: Sequence[Row], observed: Observed) -> list[str]:
    """ALERTS at every evaluation, ALERTS_FOR_STATE where something is active, the rules API where it was read."""
    table = {(row.alert, row.labels): row for row in rows}
    found = [f"{_name(key)}: no row of the table" for key in sorted(set(observed.shown) - set(table))]
    for key, row in table.items():
        found.extend(_of_alerts(key, row, observed))
        found.extend(_of_active(key, row, observed))
    return [*found, *_of_api(table, observed)]


def _of_alerts(key: Key, row: Row, observed: Observed) -> Iterator[str]:
    for half, times in enumerate((observed.before, observed.after)):
        states = observed.shown.get(key, {})
        seen = "".join(_SHOWN.get(states.get(at, ""), ".") for at in times)
        wanted = row.prometheus[half].replace("p", ".").replace("f", ".")
        if seen != wanted:
            yield f"{_name(key)} {_when(half)}: ALERTS\n  expected {wanted}\n  observed {seen}"


def _of_active(key: Key, row: Row, observed: Observed) -> Iterator[str]:
    """ALERTS_FOR_STATE is there exactly when ALERTS is, and holds the second in which the alert became active."""
    active = observed.active.get(key, {})
    for half, times in enumerate((observed.before, observed.after)):
        since = None
        for number, (state, at) in enumerate(zip(row.prometheus[half], times, strict=True)):
            since = None if state == "." else since if since is not None else at
            if (state in "PF") != (at in active):
                yield f"{_name(key)} {_when(half)}: ALERTS_FOR_STATE at {number} is {active.get(at)}, state {state}"
            elif since is not None and at in active:
                wanted = _since(row, half, since, observed)
                if wanted is not None and active[at] != wanted // 1000:
                    yield f"{_name(key)} {_when(half)}: active at {number} since {active[at]}, not {wanted // 1000}"


def _since(row: Row, half: int, since: int, observed: Observed) -> int | None:
    """When an alert that is active became so; None where a restart moved it by the time it took."""
    if half == 0 or row.since == "restart":
        return since
    if row.since == "before":
        start = len(row.prometheus[0].rstrip("PFpf"))
        return observed.before[start] if start < len(observed.before) else None
    return None


def _of_api(table: dict[Key, Row], observed: Observed) -> Iterator[str]:
    for (half, number), held in sorted(observed.held.items()):
        wanted = {
            key: _HELD[row.prometheus[half][number]]
            for key, row in table.items()
            if row.prometheus[half][number] != "."
        }
        for key in sorted(set(wanted) | set(held)):
            if wanted.get(key) != held.get(key):
                said = f"the rules API says {held.get(key)}, not {wanted.get(key)}"
                yield f"{_name(key)} {_when(half)}: at {number} {said}"


def _when(half: int) -> str:
    return "after the restart" if half else "before the restart"


def _name(key: Key) -> str:
    return f"{key[0]}{{{', '.join(f'{name}={value}' for name, value in key[1])}}}"
