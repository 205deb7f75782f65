"""What the other services, and the checks over all of them, need to know of one that is compiled."""

from __future__ import annotations

from collections.abc import Sequence

from tocsin.check import AlertFacts, ServiceFacts, ServiceView, written_links
from tocsin.check.prose import numbers_of
from tocsin.ir.compiled import CompiledAlert
from tocsin.ir.rule import AlertSource
from tocsin.resolve import file_uses


def facts_of(view: ServiceView) -> ServiceFacts:
    """The facts of one service: small, because they cross processes and are remembered."""
    compiled: dict[str, list[CompiledAlert]] = {}
    for resolved in view.resolved:
        for alert in resolved.alerts:
            compiled.setdefault(alert.key.id, []).append(alert)
    alerts = tuple(_alert_facts(view, rule, compiled.get(rule.id, ())) for _, rule in view.alerts)
    places = {each.id: each.at for each in alerts}
    orgs = {env.name: env.org_id for env in view.project.environments}
    return ServiceFacts(
        service=view.service,
        alerts=alerts,
        uids=tuple(
            (
                # Two environments share a server where they name the same variable for its address.
                f"{alert.evaluator.url_env or f'{each.env}/{alert.evaluator.name}'} {orgs[each.env]}",
                alert.uid,
                f"{alert.key.env}/{alert.key.text}{'+mirror' if alert.mirror else ''}",
                places[alert.key.id],
            )
            for each in view.resolved
            for alert in each.alerts
            if alert.evaluator.kind == "grafana"
        ),
        params=frozenset(name for file in view.files for name in file_uses(file)),
    )


def _alert_facts(view: ServiceView, rule: AlertSource, compiled: Sequence[CompiledAlert]) -> AlertFacts:
    sop = view.sops.originals.get((rule.sop_ref or "").partition("#")[0])
    numbers = None
    if sop is not None and sop.id in view.sops.quoted:
        expr = "\n".join({each.expr for each in compiled})
        numbers = numbers_of(expr, [wait for each in compiled for wait in (each.for_, each.keep_firing_for)])
    return AlertFacts(
        id=rule.id,
        name=rule.name,
        service=view.service,
        at=rule.origin.value("id"),
        sop_ref=rule.sop_ref,
        names=tuple(sorted({each.name for each in compiled if not each.mirror})) or (rule.name,),
        links=written_links(rule) if rule.annotations else (),
        numbers=numbers,
    )
