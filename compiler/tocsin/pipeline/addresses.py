"""The addresses the present sources publish, with their anchors, without making a page.

In: the facts that cross services. Out: address below the site's root (`/sop/SOP-KAFKA-007/`) -> anchors that a link may name for ever. The ledger
keeps them at a release, and `check.addresses` compares. Report pages and lists of pages are left out: nobody is paged with a link to one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tocsin.check import IncidentFacts, ServiceFacts, SopFacts
from tocsin.ir.project import Project


def addresses(
    services: Iterable[ServiceFacts],
    sops: Iterable[SopFacts],
    incidents: Iterable[IncidentFacts],
    project: Project,
) -> Mapping[str, tuple[str, ...]]:
    """Address -> anchors, sorted. The anchors of a SOP are those of its original, as translations keep them."""
    # Imported where somebody asks: most checks of most repositories don't.
    from tocsin.emit.site import paths

    services, originals = list(services), [each for each in sops if each.translation_of is None]
    found: dict[str, tuple[str, ...]] = {}
    for sop in originals:
        found.setdefault(paths.address(paths.sop(sop.id)), tuple(sorted(sop.anchors)))
    for incident in incidents:
        found[paths.address(paths.incident(incident.id))] = tuple(sorted(incident.anchors))
    named = {alert.service for service in services for alert in service.alerts}
    pages = [
        *(paths.alert(name) for service in services for alert in service.alerts for name in alert.names),
        *(paths.service(name) for name in named.union(*(each.services for each in originals))),
        *(paths.team(each.id) for each in project.teams),
        *(paths.error(code) for each in originals for code in each.error_codes),
    ]
    found.update((paths.address(page), ()) for page in pages)
    return dict(sorted(found.items()))
