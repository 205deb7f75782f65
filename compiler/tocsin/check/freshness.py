"""What grew old: procedures nobody tried, rules changed since their SOP was read, translations of an older text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.check.view import AlertFacts, CatalogView, PageView
from tocsin.diag import Diagnostic, Related, diagnostic
from tocsin.ir.history import Change


def exercised(view: PageView) -> Iterator[Diagnostic]:
    """TOC632: a SOP for a severity that wakes somebody, which nobody ever tried."""
    sop = view.sop
    if sop is None or sop.stub or sop.status != "active" or sop.translation_of is not None:
        return
    severity = view.project.severity(sop.severity)
    if severity is None or not severity.pages:
        return
    tried = sop.meta.get("exercised")
    if isinstance(tried, Mapping) and tried.get("last"):
        return
    yield diagnostic(
        "TOC632",
        sop.origin.value("id"),
        f"nobody ever tried `{sop.id}`, and {severity.name} wakes people to follow it",
        help="follow it once in a drill, then write `exercised: {last: YYYY-MM-DD, result: pass}`",
        subject=f"{sop.id}/exercised",
    )


def reviewed_alerts(view: CatalogView) -> Mapping[str, str]:
    """Alert id -> the day its SOP was last read: what Git is asked about. Empty where no active SOP says one."""
    days = {
        sop.id: sop.reviewed.name
        for sop in view.index.originals.values()
        if sop.reviewed is not None and sop.status == "active" and not sop.stub
    }
    return {alert.id: days[sop] for sop, alert in _leading(view) if sop in days}


def _leading(view: CatalogView) -> Iterator[tuple[str, AlertFacts]]:
    for service in view.services:
        for alert in service.alerts:
            if alert.sop_ref is not None:
                yield alert.sop_ref.partition("#")[0], alert


def changed_since_review(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC633: rules that mean something else than when their SOP was last read. What Git does not know is not reported."""
    if not view.history.alerts:
        return
    asked = reviewed_alerts(view)
    changed: dict[str, list[tuple[Change, AlertFacts]]] = {}
    for id, alert in _leading(view):
        change = view.history.alerts.get(alert.id)
        if change is not None and change.at[:10] > asked.get(alert.id, "9999"):
            changed.setdefault(id, []).append((change, alert))
    for id, rows in sorted(changed.items()):
        sop = view.index.originals[id]
        if sop.reviewed is None:
            continue
        rows.sort(key=lambda each: (each[0].at, each[1].id), reverse=True)
        newest, alert = rows[0]
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        yield diagnostic(
            "TOC633",
            sop.reviewed.at,
            f"`{alert.id}`{more} changed on {newest.at[:10]} ({newest.commit[:8]}), after `{id}` was last read on {sop.reviewed.name}",
            help="read the page against the rule as it is now, then set `review.last`",
            subject=f"{id}/changed",
            related=[Related(message=f"`{each.id}`", span=each.at) for _, each in rows[:5]],
        )


def stale_translations(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC635: a translation of another text than the original's now: by the hash it carries, else by the dates Git knows."""
    for sop in view.sops:
        original = view.index.originals.get(sop.translation_of or "")
        if original is None or sop.status in ("retired", "draft") or sop.stub:
            continue
        if sop.translated is not None:
            if sop.translated.name == original.hash:
                continue
            message = f"{original.path} has changed since this was translated"
            help = f"translate what changed, then write `source_hash: {original.hash}`"
        else:
            before, after = view.history.files.get(sop.path), view.history.files.get(original.path)
            if before is None or after is None or before.at >= after.at:
                continue
            message = (
                f"{original.path} changed on {after.at[:10]}, and this translation last on {before.at[:10]}"
            )
            help = f"translate what changed, then write `source_hash: {original.hash}`, which is surer than a date"
        yield diagnostic(
            "TOC635",
            sop.translated.at if sop.translated is not None else sop.at,
            message,
            help=help,
            subject=f"{sop.id}.{sop.language}/source_hash",
            related=[Related(message="the original", span=original.at)],
        )
