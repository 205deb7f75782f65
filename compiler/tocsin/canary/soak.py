"""Stage 2: what a soak has to last, and what it showed, question by question in a fixed order. Pure.

Health and errors come first, for a rule that cannot be evaluated shows nothing; then its cost; then whether the model that judged stage 0 agrees with
reality on this server; only then old against new on the same scope. A day on a twentieth of the series is too little for the counts of most rules:
where a gate has too little to judge by, it is said, and fidelity with stage 0 decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from tocsin.canary.comparison import Judged
from tocsin.canary.fidelity import Fidelity
from tocsin.canary.stage_record import Check
from tocsin.canary.values import RuleVersion, Window
from tocsin.ir.canary import CanaryPolicy, GateLimits, WaivedGate
from tocsin.promql import Expr, parse
from tocsin.promql.tree import Range, Subquery
from tocsin.sync.values import State
from tocsin.verdict import GateResult, Record
from tocsin.verdict.record import Verdict

_TIMES: Final = 4
_SLOWER: Final = 2.0
_UNLIKELY: Final = 0.05
_MEASURABLE: Final = 0.05
"""Seconds below which an evaluation's time says more about the machine than about the rule."""
_LOOKS: Final = 5
"""Evaluations of which not one may be fast, before a rule is slow."""
NOT_EVALUATED: Final = "it is not evaluated"


def soak_ms(version: RuleVersion, policy_ms: int) -> int:
    """How long a canary has to run: as the severity says, and four times the longest of `for` and every range."""
    parsed = parse(version.expr)
    ranges = [
        int(node.range)
        for node in (parsed.tree if isinstance(parsed, Expr) else ())
        if isinstance(node, Range | Subquery)
    ]
    return max(policy_ms, _TIMES * max([version.for_ms, *ranges]))


def window_of(version: RuleVersion, applied_ms: int, end_ms: int) -> Window:
    """What is compared: from when a rule that began at `applied_ms` no longer remembers that it began, to two evaluations before the end."""
    interval = version.interval_ms
    start = applied_ms + version.for_ms + version.keep_ms + 2 * interval
    return Window(start_ms=start, end_ms=end_ms - 2 * interval)


def health(state: State | None) -> Check:
    """Whether the canary is evaluated and well."""
    if state is None or not state.evaluated:
        return Check(id="health", state="fail", say=NOT_EVALUATED)
    if state.health == "error":
        return Check(
            id="health", state="fail", say=f"its evaluation fails: {state.error or 'without a reason'}"
        )
    return Check(id="health", state="ok", say=f"it is evaluated, and its health is {state.health}")


def errors(said: Sequence[str], *, known: bool) -> Check:
    """Whether evaluations failed or were missed during the soak."""
    if said:
        return Check(id="errors", state="fail", say="; ".join(said))
    if not known:
        return Check(
            id="errors",
            state="unknown",
            say="the server does not count its failures; the last evaluation was well",
        )
    return Check(id="errors", state="ok", say="no evaluation failed")


def cost(new: State | None, old: State | None) -> Check:
    """Whether it takes more than twice the old one's time."""
    if new is None or old is None or not old.took:
        return Check(id="evaluation-time", state="unknown", say="there is no old rule to compare with")
    say = f"{new.took:.3f} s, the old rule's {old.took:.3f} s"
    slow = new.took > _SLOWER * old.took and new.took > _MEASURABLE
    return Check(id="evaluation-time", state="fail" if slow else "ok", say=say)


def cost_of_several(first: Check, look: Callable[[], Check], wait: Callable[[], None]) -> Check:
    """The cost of one evaluation after another, as long as it is too much: any of them may have waited for a busy machine, and a slow rule is slow at
    each."""
    found = first
    for _ in range(_LOOKS - 1):
        if found.state != "fail":
            break
        wait()
        found = look()
    return found


def faithful(found: Fidelity, limits: GateLimits, *, exact: bool) -> tuple[Check, GateResult]:
    """Whether the live canary did what the simulated one did; `exact` is what the source can be held to. A single evaluation that differs is what a
    busy server skips now and then: where it alone is more than the limit allows, there was too little to judge by."""
    if found.agreement is None:
        gone = f"its server left out {found.left_out} evaluations, and else " if found.left_out else ""
        say = f"{gone}nothing was pending or firing on either side: stage 0 carries the verdict"
        return (
            Check(id="fidelity", state="vacuous", say=say),
            GateResult(id="fidelity", verdict="vacuous", message=say),
        )
    wanted = limits.at_least.get("agreement" if exact else "agreement_approx", 0.0)
    say = (
        f"{found.agreement:.4f} of {found.n} evaluations agree ({found.live} live, {found.simulated} simulated; "
        f"{wanted:g} is wanted)"
        + (f"; its server left out {found.left_out} more, which show nothing" if found.left_out else "")
    )
    well = found.agreement >= wanted
    if not well and round((1 - found.agreement) * found.n) <= 1:
        say = f"{say}: one evaluation, too little to judge by"
        return (
            Check(id="fidelity", state="insufficient", say=say),
            GateResult(id="fidelity", verdict="vacuous", message=f"insufficient: {say}"),
        )
    gate = GateResult(
        id="fidelity",
        verdict="ok" if well else "fail" if limits.critical else "warn",
        old=wanted,
        new=found.agreement,
        message=say,
    )
    return Check(id="fidelity", state="ok" if well else "fail", say=say), gate


def compared(judged: Judged | None, why: str = "") -> tuple[Check, tuple[GateResult, ...]]:
    """What the gates say of old against new on the same scope. A gate with too little to judge by is left to fidelity and stage 0, and says so."""
    if judged is None or judged.verdict == "not-backtestable":
        reason = why or (judged.reason if judged is not None else "")
        return Check(id="comparison", state="unknown", say=reason or "there is nothing to compare with"), ()
    results = tuple(_chance(each, judged) for each in judged.gates)
    gates = tuple(
        replace(each, verdict="vacuous", message=f"insufficient: {each.message}".removesuffix(": "))
        if each.verdict == "insufficient"
        else each
        for each in results
    )
    thin = [each.id for each in results if each.verdict == "insufficient"]
    accepted = {each.gate for each in judged.waivers}
    failed = [each for each in results if each.verdict == "fail" and each.id not in accepted]
    if failed:
        say = "; ".join(f"{each.id}: {each.message or 'failed'}" for each in failed)
        return Check(id="comparison", state="fail", say=say), gates
    if thin:
        say = f"too little happened for {', '.join(thin)}: fidelity and stage 0 decide"
        return Check(id="comparison", state="insufficient", say=say), gates
    return Check(id="comparison", state="ok", say="no gate tripped"), gates


def _chance(gate: GateResult, judged: Judged) -> GateResult:
    """More pages in a day that chance alone explains are none: the limit a week allows is a part of one in a day. With as much exposure on both
    sides, k of n pages are the new version's as heads are of coins."""
    found = judged.comparison
    if gate.id != "pages" or gate.verdict != "fail" or found is None or found.new is None:
        return gate
    old, new = found.old.pages if found.old is not None else 0, found.new.pages
    tosses = old + new
    likely = sum(math.comb(tosses, heads) for heads in range(new, tosses + 1)) / 2**tosses
    if likely < _UNLIKELY:
        return gate
    return replace(gate, verdict="insufficient", message=f"{old} -> {new} pages: chance does that too")


def verdict_of(checks: Iterable[Check], record: Record) -> Verdict:
    """The verdict of stage 2: what failed fails; else stage 0's, which nothing here contradicts."""
    if any(each.state == "fail" for each in checks):
        return "fail"
    first = record.stage(0)
    return first.verdict if first is not None else "quiet"


def judged_by(
    policy: CanaryPolicy, record: Record, severity: str | None, *others: str | None
) -> CanaryPolicy:
    """The base revision's policy with the limits and waivers that the record was made with. Where the record has none, the stricter of all these
    severities counts: the rule's own, and what it had before."""
    own = dict(policy.limits(severity, *others))
    for name, limits in record.policy.items():
        own[name] = limits  # type: ignore[index]  # a gate this version does not know is judged by nobody
    return replace(
        policy,
        gates={**policy.gates, severity or "": own},
        waivers=tuple(
            WaivedGate(
                rule=record.key.text, gate=each.gate, by=each.by, reason=each.reason, expires=each.expires
            )
            for each in record.waivers
        ),
    )


def limits_of(gates: Iterable[GateResult], limits: Mapping[str, GateLimits]) -> dict[str, GateLimits]:
    """The limits of the gates that have a result."""
    return {each.id: limits[each.id] for each in gates if each.id in limits}
