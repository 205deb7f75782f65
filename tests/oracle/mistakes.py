"""The machine with one line of it written wrong: whatever judges the machine has to notice each of these."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tocsin.canary import grafana_machine, spells
from tocsin.canary import machine as prometheus_machine

Mistake = tuple[str, str, str]
"""The room, what stands there, what is written instead."""
_ROOMS = {"spells": spells, "grafana_machine": grafana_machine, "machine": prometheus_machine}
PROMETHEUS_MISTAKES: list[Mistake] = [
    ("spells", "times[start] + for_ms)", "times[start] + for_ms, side='right')"),
    ("spells", "fires = fire < gone", "fires = fire <= gone"),
    ("spells", "fires = fire < gone", "fires = fire < gone - 1"),
    ("spells", "times[gone[inside]] + keep_ms)", "times[gone[inside]] + keep_ms, side='right')"),
    ("spells", "times[gone[inside]] + keep_ms)", "times[gone[inside] - 1] + keep_ms)"),
    ("spells", "start[1:] <= over[:-1]", "start[1:] < over[:-1]"),
    ("spells", "(runs[1:] == runs[:-1]) & ", ""),
    ("spells", "(row[1:] != row[:-1]) | ", ""),
    ("spells", "np.where(fires, over[last], gone)", "np.where(fires, over, gone)"),
    ("spells", "np.where(fires, over[last], gone)", "over[last]"),
    ("spells", "(fires & (last > number))", "(last > number)"),
    ("spells", "good[grid.missed] = False", "pass"),
    ("spells", "good[failed] = False", "pass"),
    ("spells", "there = good[presence.at]", "there = presence.at >= 0"),
    ("machine", "minlength=count) > version.limit", "minlength=count) >= version.limit"),
    ("machine", "np.cumsum(change) > version.limit", "np.cumsum(change) >= version.limit"),
    ("machine", "start = first + 1", "start = first"),
    ("machine", "times, before + 1, stop, version", "times, before + 2, stop, version"),
    ("machine", "if version.limit > 0:", "if version.limit > 1:"),
    ("machine", "shown[timeline.failed] = False", "pass"),
]
GRAFANA_MISTAKES: list[Mistake] = [
    ("grafana_machine", "found = np.where(wanted, ", "found = np.where(~wanted, "),
    ("grafana_machine", "row, at = _repeated(row, at, broken)", "pass"),
    ("grafana_machine", "_next(~broken)[behind] - behind", "np.minimum(1, _next(~broken)[behind] - behind)"),
    ("grafana_machine", 'None if version.shape == "split" else ', ""),
    ("grafana_machine", "no_data = _Result.NORMAL", "pass"),
    ("grafana_machine", "and not _apart(version)", ""),
    ("grafana_machine", "if instance.seen != number", "if instance.seen == number"),
    ("grafana_machine", "version.keep_ms, ends)", "version.keep_ms)"),
    ("grafana_machine", "number - it.seen >= self.missing_evals", "number - it.seen > self.missing_evals"),
    ("grafana_machine", "it.state in (_State.PENDING, _State.ALERTING)", "it.state is not _State.NORMAL"),
    ("grafana_machine", "self.step_ms >= wait_ms", "self.step_ms > wait_ms"),
    ("grafana_machine", "it.state, it.since = _State.RECOVERING, number", "it.state = _State.RECOVERING"),
    ("grafana_machine", "error if fails else no_data", "no_data"),
    ("grafana_machine", "        it.seen = number\n", "        it.seen = max(it.seen, it.begun)\n"),
    ("grafana_machine", "if _apart(version) else", "if not _apart(version) else"),
]


def mistaken(mistake: Mistake, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The room's own code with one line of it written wrong. Its place must be there once, so that a mistake that no longer is one is noticed."""
    room, right, wrong = mistake
    made: dict[str, ModuleType] = {}
    for name, module in _ROOMS.items():
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        if name == room:
            assert text.count(right) == 1, f"{right!r} is in {name} {text.count(right)} times"
            text = text.replace(right, wrong)
        made[name] = ModuleType(module.__name__)
        monkeypatch.setitem(sys.modules, module.__name__, made[name])
        exec(compile(text, name, "exec"), made[name].__dict__)
    return made["machine"]
