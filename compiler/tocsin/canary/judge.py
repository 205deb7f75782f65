"""A comparison and the base revision's policy in, a verdict out.

    pass               no gate tripped, and there was enough to judge by
    quiet              no gate tripped, and some gate had too little to judge by: a unit test must speak where the severity demands one
    fail               a critical gate failed, and nobody had waived it
    not-backtestable   one of the versions could not be replayed: a second person must approve
    not-needed         nothing changed that a server evaluates

Every gate of the policy has a result in each of these, `vacuous` where it has nothing to say, so that `verdict.admit` can ask for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from tocsin.canary.comparison import Comparison, Judged
from tocsin.canary.gates import STAGE_0, vacuous
from tocsin.ir.canary import CanaryPolicy, GateLimits, WaivedGate
from tocsin.ir.compiled import RuleKey
from tocsin.verdict.record import GateResult, Waiver


def judge(found: Comparison, policy: CanaryPolicy, today: date, *, tested: bool) -> Judged:
    """The verdict on one changed rule. `policy` is the base revision's; `tested` says whether the rule has a unit test."""
    limits = policy.demanded(*found.severities)
    waived = tuple(each for each in policy.waivers if each.covers(found.key.text) and today <= each.expires)
    reason = _not_replayed(found)
    if reason:
        gates = _unjudged(reason)
        return Judged(
            key=found.key,
            comparison=found,
            verdict="not-backtestable",
            gates=gates,
            limits=limits,
            needs_approver=True,
            reason=reason,
        )
    results = [gate(found, limits[name]) for name, gate in STAGE_0.items()]
    quiet = any(each.verdict == "insufficient" for each in results)
    results.append(_unit_test(found, limits["unit-test"], quiet=quiet, tested=tested))
    used = _used(results, waived)
    accepted = {each.gate for each in used}
    failed = any(each.verdict == "fail" and each.id not in accepted for each in results)
    return Judged(
        key=found.key,
        comparison=found,
        verdict="fail" if failed else "quiet" if quiet else "pass",
        gates=tuple(results),
        limits=limits,
        waivers=used,
        needs_test=quiet and not tested and found.change != "removed",
    )


def not_needed(key: RuleKey) -> Judged:
    """The verdict on a rule whose texts alone changed."""
    return Judged(key=key, comparison=None, verdict="not-needed", reason="only its texts changed")


def _not_replayed(found: Comparison) -> str:
    """Why a version could not be replayed; `""` where all could."""
    for name, run, metrics in (("old", found.old_run, found.old), ("new", found.new_run, found.new)):
        if run is not None and (metrics is None or run.exactness.level == "not-backtestable"):
            why = ", ".join(run.exactness.why) if run.exactness.level == "not-backtestable" else ""
            if why:
                return f"the {name} version cannot be replayed: {why}"
    runs = [(found.old_run, found.old), (found.new_run, found.new)]
    return "it was not replayed" if any(run is not None and metrics is None for run, metrics in runs) else ""


def _unjudged(reason: str) -> tuple[GateResult, ...]:
    results = [vacuous(name, "not replayed") for name in (*STAGE_0, "unit-test")]
    return tuple(
        replace(each, verdict="fail", message=reason) if each.id == "errors" else each for each in results
    )


def _unit_test(found: Comparison, limits: GateLimits, *, quiet: bool, tested: bool) -> GateResult:
    if found.change == "removed":
        return vacuous("unit-test", "the rule is removed")
    if tested:
        return GateResult(id="unit-test", verdict="ok")
    if not quiet:
        return vacuous("unit-test", "history says enough")
    message = "history says too little about this change, and no unit test makes the rule fire"
    return GateResult(id="unit-test", verdict="fail" if limits.critical else "warn", message=message)


def _used(results: Sequence[GateResult], waived: Sequence[WaivedGate]) -> tuple[Waiver, ...]:
    """The waivers of gates that failed; of several for one gate the one that lasts longest."""
    found: dict[str, Waiver] = {}
    failed = {each.id for each in results if each.verdict == "fail"}
    for each in sorted(waived, key=lambda each: (each.expires, each.by, each.reason)):
        if each.gate in failed:
            found[each.gate] = Waiver(gate=each.gate, by=each.by, reason=each.reason, expires=each.expires)
    return tuple(found[gate] for gate in sorted(found))
