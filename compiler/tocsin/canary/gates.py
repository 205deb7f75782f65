"""The gates of stage 0: a function each, from a comparison and its limits to one `GateResult`.

`fail` and `warn` are distances from a limit; `insufficient` says that the history holds too little to judge by, `vacuous` that there is nothing to
compare. A gate that is not critical never fails, it warns. Messages are whole sentences for whoever reviews the change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

from tocsin.canary.bootstrap import more_than_chance
from tocsin.canary.comparison import Comparison, Metrics, Page
from tocsin.ir.canary import GateLimits, GateName
from tocsin.verdict.record import GateResult, GateVerdict

_NONE: Final = float("inf")


def _result(
    gate: GateName,
    limits: GateLimits,
    *,
    tripped: bool = False,
    warned: bool = False,
    insufficient: bool = False,
    old: float | None = None,
    new: float | None = None,
    ci: tuple[float, ...] = (),
    message: str = "",
) -> GateResult:
    verdict: GateVerdict = "ok"
    if tripped and limits.critical:
        verdict = "fail"
    elif insufficient:
        verdict = "insufficient"
    elif tripped or warned:
        verdict = "warn"
    return GateResult(id=gate, verdict=verdict, old=old, new=new, ci=ci, message=message)


def vacuous(gate: GateName, message: str) -> GateResult:
    """Nothing to compare."""
    return GateResult(id=gate, verdict="vacuous", message=message)


def errors(found: Comparison, limits: GateLimits) -> GateResult:
    """Evaluations that fail, as a share of all: the new version's may exceed the old one's by `share`."""
    run = found.new_run
    if run is None or not run.evaluations:
        return vacuous("errors", "the rule is removed" if run is None else "nothing was evaluated")
    new = run.failed / run.evaluations
    old = found.old_run
    before = old.failed / old.evaluations if old is not None and old.evaluations else None
    tripped = new > (before or 0) + limits.at_most.get("share", _NONE)
    message = f"{run.failed} of {run.evaluations} evaluations fail" if run.failed else ""
    if not run.failed and run.stride > 1:
        message = f"none of those that were looked at: one in {run.stride}, and all around what fires"
    return _result("errors", limits, tripped=tripped, old=before, new=new, message=message)


def pages(found: Comparison, limits: GateLimits) -> GateResult:
    """How often it pages. Below `expected` old pages nothing is known about frequency, unless the new ones are far too many anyway."""
    old, new, weeks = found.old, found.new, found.days / 7
    most = limits.at_most
    if new is None:
        right = old.pages - old.unmatched if old is not None else 0
        paged = f"it paged {old.pages if old is not None else 0} times, {right} of them about an incident"
        return vacuous("pages", f"the rule is removed; {paged}")
    if old is None:
        return _new_pages(found, new, limits)
    limit = max(most.get("ratio", _NONE) * old.pages, old.pages + most.get("extra_per_week", _NONE) * weeks)
    enough = limits.at_least.get("expected", 0)
    tripped, thin = new.pages > limit, old.pages < enough
    warned = new.pages > most.get("warn_ratio", _NONE) * old.pages
    message = f"{old.pages} -> {new.pages} pages in {found.days:.3g} d"
    if tripped:
        message += f", and at most {int(limit)} are allowed"
    elif thin:
        message += f": fewer than {enough:g} before, so how often it will page is not known"
    elif warned:
        chance = more_than_chance(old.pages, new.pages)
        message += f": {'more than chance explains' if chance else 'chance alone explains as much'}"
    ratio = found.page_ratio
    return _result(
        "pages",
        limits,
        tripped=tripped,
        warned=warned,
        insufficient=thin and not tripped,
        old=old.pages,
        new=new.pages,
        ci=(ratio.low, ratio.high) if ratio is not None else (),
        message=message,
    )


def _new_pages(found: Comparison, new: Metrics, limits: GateLimits) -> GateResult:
    cap = limits.at_most.get("new_per_day", _NONE)
    days, enough = found.days, limits.at_least.get("expected", 0)
    # A single page in the hour that the history holds says little of how many a day has.
    tripped = new.pages > max(cap * days, min(cap, 1))
    if not new.episodes and not new.carried_in:
        message = f"a new rule that never fired in {days:.3g} d: untested"
    elif tripped:
        message = (
            f"a new rule that pages {new.pages_per_day:.2g} times a day, and at most {cap:g} are allowed"
        )
    else:
        message = f"a new rule: {new.pages} pages in {days:.3g} d"
    thin = (not new.episodes and not new.carried_in) or cap * days < enough
    return _result(
        "pages", limits, tripped=tripped, insufficient=thin and not tripped, new=new.pages, message=message
    )


def recall(found: Comparison, limits: GateLimits) -> GateResult:
    """What the old version was right about and the new one misses: incidents, and pages that people called right."""
    old, new = found.old, found.new
    if new is None:
        return vacuous("recall", "the rule is removed: see `sole-detector`")
    right = [page for page in found.old_pages if _called_right(found, page)]
    if old is None or not (old.detected or right):
        caught = f"the new version catches {len(new.detected)} of {len(new.detections)} incidents"
        return vacuous("recall", caught if new.detections else "no incident of this service in the window")
    missed = [each for each in old.detected if each not in new.detected]
    lost = sum(page.kind == "lost" and not set(page.incidents) & set(missed) for page in right)
    said = [f"no longer caught: {', '.join(missed)}"] if missed else []
    if lost:
        said.append(f"{lost} of {len(right)} pages that people called right would be lost")
    return _result(
        "recall",
        limits,
        tripped=len(missed) + lost > limits.at_most.get("missed", _NONE),
        warned=bool(said),
        old=old.recall,
        new=new.recall,
        message="; ".join(said),
    )


def _called_right(found: Comparison, page: Page) -> bool:
    return not page.carried_in and any(found.old_spells[each].verdict == "true" for each in page.spells)


def went_silent(found: Comparison, limits: GateLimits) -> GateResult:
    """A rule that used to page and no longer does: suspicious, and wrong where one of its pages was right."""
    old, new = found.old, found.new
    if old is None or new is None:
        return vacuous("went-silent", "there is one version only")
    silent = old.pages > limits.at_most.get("old_pages", _NONE) and not new.pages and not new.firing_hours
    right = sorted({each for page in found.old_pages if not page.carried_in for each in page.incidents})
    judged = old.judged.get("true", 0)
    message = f"it paged {old.pages} times, and never would again" if silent else ""
    if silent and right:
        message += f"; among them {', '.join(right)}"
    elif silent and judged:
        message += f"; people called {judged} of its firings right"
    return _result(
        "went-silent",
        limits,
        tripped=silent and bool(right or judged),
        warned=silent,
        old=old.pages,
        new=new.pages,
        message=message,
    )


def unmatched(found: Comparison, limits: GateLimits) -> GateResult:
    """Pages that belong to no incident. Without incidents, a complete log or anybody's verdict the rate would say nothing."""
    old, new = found.old, found.new
    if new is None:
        return vacuous("unmatched", "the rule is removed")
    if not found.incidents and not found.complete and not new.judged and not (old and old.judged):
        return vacuous(
            "unmatched", "no incident of this service in the window, and nobody judged its firings"
        )
    if new.unmatched_rate is None:
        return vacuous("unmatched", "the new version never pages")
    before = None if old is None else old.unmatched_rate or 0.0
    if before is None:
        over = new.unmatched_rate > limits.at_most.get("new_rate", _NONE)
    else:
        # Not a hair's breadth: 0.3 - 0.2 is not 0.1 for a computer.
        over = new.unmatched_rate - before > limits.at_most.get("rise", _NONE) + 1e-9
    enough = new.pages >= limits.at_most.get("judged_from", 0)
    name = "false positives" if found.complete else "without an incident"
    message = f"{new.unmatched} of {new.pages} pages are {name}"
    if over and not enough:
        message += ": too few to judge by"
    return _result(
        "unmatched",
        limits,
        tripped=over and enough,
        warned=over,
        old=None if old is None else old.unmatched_rate,
        new=new.unmatched_rate,
        ci=new.unmatched_interval or (),
        message=message,
    )


def detection_delay(found: Comparison, limits: GateLimits) -> GateResult:
    """How much later the incidents that both catch are caught. Without any, the episodes that both have speak, and can only warn."""
    old, new = found.old, found.new
    if old is None or new is None or found.new_run is None:
        return vacuous("detection-delay", "there is one version only")
    after = {each.incident: each.delay_s for each in new.detections}
    both = [
        (each.delay_s, later)
        for each in old.detections
        if each.delay_s is not None and (later := after.get(each.incident)) is not None
    ]
    slack = limits.at_most.get("warn_intervals", _NONE) * found.new_run.interval_ms / 1000
    if both:
        before, now = (float(median(side)) for side in zip(*both, strict=True))
        rise = now - before
        return _result(
            "detection-delay",
            limits,
            tripped=rise > limits.at_most.get("rise", _NONE),
            warned=rise > slack,
            old=before,
            new=now,
            message=f"incidents are caught {_later(rise)}" if rise else "",
        )
    if found.shift_s is None:
        return vacuous("detection-delay", "no incident and no episode that both versions have")
    return _result(
        "detection-delay",
        limits,
        warned=found.shift_s > min(slack, limits.at_most.get("rise", _NONE)),
        old=0,
        new=found.shift_s,
        message=f"episodes begin {_later(found.shift_s)}; no incident says whether that matters"
        if found.shift_s
        else "",
    )


def _later(seconds: float) -> str:
    return f"{abs(seconds):g} s {'later' if seconds > 0 else 'sooner'}"


def duration(found: Comparison, limits: GateLimits) -> GateResult:
    """How long it fires: of matched episodes, because the plain mean rises when short noise goes. A limit on the mean holds where one is set."""
    new, ratio = found.new, found.matched_duration_ratio
    if new is None:
        return vacuous("duration", "the rule is removed")
    longest = limits.at_most.get("mean")
    tripped = longest is not None and new.mean_s is not None and new.mean_s > longest
    if ratio is None and longest is None:
        return vacuous("duration", "no episode that both versions have")
    odd = ratio is not None and not (
        limits.at_least.get("warn_below", 0) <= ratio <= limits.at_most.get("warn_above", _NONE)
    )
    message = ""
    if tripped and new.mean_s is not None:
        message = f"it fires {new.mean_s:.0f} s on average, and at most {longest:g} are allowed"
    elif odd:
        message = f"episodes that both have last {ratio:.2g} times as long"
    old = found.old.mean_s if found.old is not None else None
    return _result("duration", limits, tripped=tripped, warned=odd, old=old, new=new.mean_s, message=message)


def flaps(found: Comparison, limits: GateLimits) -> GateResult:
    """Alerts that come back right after they resolved."""
    new = found.new
    if new is None or new.flap_rate is None:
        return vacuous("flaps", "the rule is removed" if new is None else "the new version never fires")
    old = found.old.flap_rate if found.old is not None else None
    over = new.flap_rate > max(
        (old or 0) + limits.at_most.get("rise", _NONE), limits.at_most.get("rate", _NONE)
    )
    message = f"{new.flaps} of {new.episodes} episodes come back within 15 minutes" if over else ""
    return _result("flaps", limits, tripped=over, old=old, new=new.flap_rate, message=message)


def peak(found: Comparison, limits: GateLimits) -> GateResult:
    """How many alerts fire at once: one storm is hundreds of notifications."""
    new = found.new
    if new is None:
        return vacuous("peak", "the rule is removed")
    old = found.old.peak if found.old is not None else None
    limit = max(limits.at_most.get("ratio", _NONE) * (old or 0), limits.at_most.get("identities", _NONE))
    tripped = new.peak > limit
    message = f"{new.peak} alerts at once, and at most {limit:g} are allowed" if tripped else ""
    return _result("peak", limits, tripped=tripped, old=old, new=new.peak, message=message)


def sole_detector(found: Comparison, limits: GateLimits) -> GateResult:
    """Incidents that only the removed rule caught. What other rules caught must be known: not knowing is no reason to remove it."""
    old = found.old
    if found.change != "removed" or old is None:
        return vacuous("sole-detector", "the rule stays")
    alone = [each.incident for each in old.detections if each.detected and each.others is not True]
    unknown = any(each.detected and each.others is None for each in old.detections)
    message = ""
    if alone:
        who = "and no other rule was replayed" if unknown else "and no other rule did"
        message = f"it caught {', '.join(alone)}, {who}"
    elif old.detected:
        message = f"other rules catch {', '.join(old.detected)} too"
    tripped = len(alone) > limits.at_most.get("incidents", _NONE)
    return _result("sole-detector", limits, tripped=tripped, old=len(alone), message=message)


def calibration(found: Comparison, limits: GateLimits) -> GateResult:
    """Whether the replay of the old version is what really fired."""
    known = found.calibration
    if known is None or not known.n:
        return vacuous("calibration", "what really fired is not known" if known is None else "nothing fired")
    low = known.agreement < limits.at_least.get("agreement", 0)
    message = ""
    if low:
        message = f"the replay and what really fired agree to {known.agreement:.1%}"
        message += f": {'; '.join(known.causes)}" if known.causes else ""
    return _result("calibration", limits, tripped=low, new=known.agreement, message=message)


STAGE_0: Final[Mapping[GateName, Callable[[Comparison, GateLimits], GateResult]]] = {
    "errors": errors,
    "pages": pages,
    "recall": recall,
    "went-silent": went_silent,
    "unmatched": unmatched,
    "detection-delay": detection_delay,
    "duration": duration,
    "flaps": flaps,
    "peak": peak,
    "sole-detector": sole_detector,
    "calibration": calibration,
}
"""Every gate of stage 0 but `unit-test`, which depends on how the others ended."""
