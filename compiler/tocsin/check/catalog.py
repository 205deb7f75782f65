"""What only shows when all services are seen together: ids, uids, parameters nobody uses, SOPs nobody names."""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.check.view import AlertFacts, CatalogView
from tocsin.diag import Diagnostic, Related, Span, diagnostic
from tocsin.diag.nearest import did_you_mean


def _alerts(view: CatalogView) -> list[AlertFacts]:
    return sorted(
        (each for service in view.services for each in service.alerts), key=lambda each: (each.at, each.id)
    )


def ids(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC301, TOC302: an id used twice, or two that differ only by case."""
    seen: dict[str, AlertFacts] = {}
    folded: dict[str, AlertFacts] = {}
    for alert in _alerts(view):
        first = seen.get(alert.id)
        if first is not None:
            related = [Related(message="first used here", span=first.at)]
            yield diagnostic(
                "TOC301",
                alert.at,
                f"the id `{alert.id}` is already taken by `{first.name}`",
                help="give this alert an id of its own",
                subject=alert.id,
                related=related,
            )
            continue
        seen[alert.id] = alert
        twin = folded.setdefault(alert.id.lower(), alert)
        if twin.id != alert.id:
            related = [Related(message="the other one", span=twin.at)]
            yield diagnostic(
                "TOC302",
                alert.at,
                f"`{alert.id}` and `{twin.id}` differ only by case",
                help="rename one of the two",
                subject=alert.id,
                related=related,
            )


def uids(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC305: two compiled rules with one uid on one Grafana."""
    seen: dict[tuple[str, str], tuple[str, Span]] = {}
    for service in view.services:
        for server, uid, key, span in service.uids:
            first = seen.setdefault((server, uid), (key, span))
            if first[0] != key:
                related = [Related(message="the other one", span=first[1])]
                yield diagnostic(
                    "TOC305",
                    span,
                    f"the uid `{uid}` belongs to `{key}` and to `{first[0]}`",
                    help="give one an own `grafana: {uid: ...}`",
                    subject=key,
                    related=related,
                )


def unused_parameters(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC405: a parameter of the project or an environment that no rule uses."""
    if view.frozen:
        return
    used = frozenset[str]().union(*(each.params for each in view.services))
    origin = view.project.origin
    places = [
        (("params",), view.project.params),
        *((("environments", each.name, "params"), each.params) for each in view.project.environments),
    ]
    for path, params in places:
        for name in params:
            if name not in used:
                yield diagnostic(
                    "TOC405",
                    origin.key(*path, name),
                    f"nothing uses the parameter `{name}`",
                    help="remove it, or use it",
                    subject=f"tocsin.yaml/{name}",
                )


def services_of_project(view: CatalogView) -> Iterator[Diagnostic]:
    """TOC213: tocsin.yaml gives an evaluator to a service that does not exist."""
    known = {each.service for each in view.services} | view.frozen
    for environment in view.project.environments:
        for service in environment.services:
            if service not in known:
                span = view.project.origin.key("environments", environment.name, "services", service)
                yield diagnostic(
                    "TOC213",
                    span,
                    f"there is no service `{service}`",
                    help=did_you_mean(service, known),
                    subject=f"{environment.name}/{service}",
                )
        sop = environment.evaluation_failing_sop
        if sop is not None and sop not in view.index.originals:
            span = view.project.origin.value("environments", environment.name, "evaluation_failing_sop")
            yield diagnostic(
                "TOC601",
                span,
                f"there is no SOP `{sop}`",
                help=did_you_mean(sop, view.index.originals),
                subject=f"{environment.name}/evaluation_failing_sop",
            )
