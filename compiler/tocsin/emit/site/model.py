"""What the site's pages are about: every link held once and read in both directions.

In: what compiled (`catalog.Contents`), tocsin.yaml, the ledger, Git's history. Out: `SiteModel`, frozen; each page module turns a part of it
into Markdown. An alert names its SOP in `sop_ref`; the list on the SOP's page is the same links read backwards, so neither can be wrong alone.
For a public site everything marked internal is left out here, once, and no page has to think of it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.emit import grafana
from tocsin.emit.catalog import Contents
from tocsin.ir.compiled import CompiledAlert, CompiledGroup
from tocsin.ir.history import NO_HISTORY, Change, History
from tocsin.ir.project import Environment, Ledger, Project
from tocsin.ir.rule import AlertSource
from tocsin.ir.sop import Incident, Sop


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One compiled form of an alert: one environment, level and override; mirrors are left out."""

    alert: CompiledAlert
    group: CompiledGroup
    environment: Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A generated alert (`emit.grafana_watch`): it has no source and no SOP names it, so the environment does."""

    name: str
    environment: str
    severity: str | None
    sop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """One authored alert with everything it becomes. `sop` and `anchor` are what `sop_ref` names, `""` where it names none (or, on a
    public site, an internal page)."""

    source: AlertSource
    tiers: tuple[Tier, ...]
    sop: str
    anchor: str
    incidents: tuple[str, ...]
    changed: Change | None = None
    """The change of its meaning since the SOP was last reviewed, where there is one."""

    @property
    def id(self) -> str:
        """Its identity."""
        return self.source.id

    @property
    def names(self) -> tuple[str, ...]:
        """Every alertname it fires under, sorted; the authored one where it is deployed nowhere."""
        return tuple(sorted({each.alert.name for each in self.tiers})) or (self.source.name,)

    @property
    def worst(self) -> CompiledAlert | None:
        """Its most urgent form."""
        return min((each.alert for each in self.tiers), key=lambda each: each.urgency, default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SopView:
    """One SOP: `sop` in the language it was written in, its translations, and what leads here."""

    sop: Sop
    languages: Mapping[str, Sop]
    """Language -> text, the original's among them."""
    alerts: tuple[AlertView, ...]
    incidents: tuple[str, ...]
    related: tuple[str, ...]
    """SOPs its text links to, that link to it, or that replace each other."""

    def text(self, language: str) -> Sop:
        """The text to show in `language`: the translation, else the original."""
        return self.languages.get(language, self.sop)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteModel:
    """Everything the pages are made from. Mappings are in the order pages list them."""

    project: Project
    ledger: Ledger
    history: History
    public: bool
    sops: Mapping[str, SopView]
    alerts: Mapping[str, AlertView]
    incidents: Mapping[str, Incident]
    services: tuple[str, ...]
    error_codes: Mapping[str, tuple[str, ...]]
    """Code -> SOPs that name it."""
    frozen: frozenset[str] = field(default_factory=frozenset)
    """Services whose sources did not compile: their pages say so."""
    by_service: Mapping[str, tuple[AlertView, ...]] = field(default_factory=dict)
    """Service -> its alerts, the most urgent first."""
    watches: tuple[Watch, ...] = ()
    """The generated alerts, by name and environment."""
    files: bool = False
    """Whether the site opens from disk, where the address of a folder opens nothing: links name files."""

    @property
    def by_name(self) -> Mapping[str, tuple[AlertView, ...]]:
        """Alertname -> the alerts that fire under it: several where a name is shared."""
        found: dict[str, list[AlertView]] = {}
        for alert in self.alerts.values():
            for name in alert.names:
                found.setdefault(name, []).append(alert)
        return {name: tuple(found[name]) for name in sorted(found)}

    def alerts_of(self, service: str) -> tuple[AlertView, ...]:
        """The alerts of one service, the most urgent first."""
        return self.by_service.get(service, ())

    def sops_of(self, service: str) -> tuple[SopView, ...]:
        """The SOPs a service is named in, or that its alerts lead to."""
        led = {each.sop for each in self.alerts_of(service)}
        return tuple(each for id, each in self.sops.items() if service in each.sop.services or id in led)


def build_model(
    contents: Contents,
    project: Project,
    ledger: Ledger,
    history: History = NO_HISTORY,
    *,
    public: bool = False,
    files: bool = False,
) -> SiteModel:
    """The model of one site. `public` leaves out every SOP and incident marked internal, and every link to one."""
    sops = [each for each in contents.sops if not (public and _internal(each))]
    hidden = {each.id for each in contents.sops if each.translation_of is None and public and _internal(each)}
    sops = [each for each in sops if each.id not in hidden]
    incidents = {each.id: each for each in contents.incidents if not (public and _internal(each))}
    originals = {each.id: each for each in sops if each.translation_of is None}
    tiers = _tiers(contents, project)
    sources = [
        rule
        for file in contents.files
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, AlertSource)
    ]
    by_incident = _reversed(
        (alert, each.id) for each in incidents.values() for alert in (*each.alerts, *each.missed)
    )
    views = [
        _alert(each, tiers.get(each.id, ()), originals, by_incident.get(each.id, ()), history)
        for each in sources
    ]
    views.sort(key=_urgent_first)
    by_service: dict[str, list[AlertView]] = {}
    for view in views:
        by_service.setdefault(view.source.service, []).append(view)
    return SiteModel(
        project=project,
        ledger=ledger,
        history=history,
        public=public,
        sops=_sops(originals, sops, views, incidents),
        alerts={each.id: each for each in views},
        incidents=dict(sorted(incidents.items(), reverse=True)),
        services=tuple(
            sorted(
                {each.source.service for each in views}
                | {service for each in originals.values() for service in each.services}
                | contents.frozen
            )
        ),
        error_codes=dict(
            sorted(
                _reversed((code, id) for id, each in originals.items() for code in each.error_codes).items()
            )
        ),
        frozen=contents.frozen,
        by_service={service: tuple(each) for service, each in by_service.items()},
        watches=tuple(_watches(contents, project, originals)),
        files=files,
    )


def _watches(contents: Contents, project: Project, sops: Mapping[str, Sop]) -> Iterator[Watch]:
    found = []
    for env in project.environments:
        every = [each for each in contents.every if each.env == env.name]
        sop = env.evaluation_failing_sop or ""
        for evaluator in grafana.evaluators_of(every):
            for group in grafana.desired_together(every, project, env, evaluator.name):
                for rule in group.rules:
                    severity = next(
                        (each.name for each in project.severities if each.label in rule.labels.items()), None
                    )
                    found.append(
                        Watch(
                            name=rule.title,
                            environment=env.name,
                            severity=severity,
                            sop=sop if sop in sops else "",
                        )
                    )
    yield from sorted(dict.fromkeys(found), key=lambda each: (each.name, each.environment))


def _internal(page: Sop | Incident) -> bool:
    return page.meta.get("internal") is True


def _tiers(contents: Contents, project: Project) -> Mapping[str, tuple[Tier, ...]]:
    environments = {each.name: each for each in project.environments}
    found: dict[str, list[Tier]] = {}
    for resolved in contents.every:
        for group in resolved.groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert) and not rule.mirror:
                    tier = Tier(alert=rule, group=group, environment=environments[resolved.env])
                    found.setdefault(rule.key.id, []).append(tier)
    order = {name: index for index, name in enumerate(environments)}
    return {
        id: tuple(
            sorted(
                rows, key=lambda each: (order[each.alert.key.env], each.alert.urgency, each.alert.key.text)
            )
        )
        for id, rows in found.items()
    }


def _alert(
    source: AlertSource,
    tiers: Sequence[Tier],
    originals: Mapping[str, Sop],
    incidents: Sequence[str],
    history: History,
) -> AlertView:
    sop, _, anchor = (source.sop_ref or "").partition("#")
    known = sop in originals
    return AlertView(
        source=source,
        tiers=tuple(tiers),
        sop=sop if known else "",
        anchor=anchor if known else "",
        incidents=tuple(incidents),
        changed=history.alerts.get(source.id),
    )


def _urgent_first(view: AlertView) -> tuple[int, str]:
    worst = view.worst
    return (worst.urgency if worst is not None else 1_000, view.id)


def _sops(
    originals: Mapping[str, Sop],
    every: Sequence[Sop],
    alerts: Sequence[AlertView],
    incidents: Mapping[str, Incident],
) -> dict[str, SopView]:
    languages: dict[str, dict[str, Sop]] = {}
    for each in every:
        languages.setdefault(each.id, {}).setdefault(each.language, each)
    leading: dict[str, list[AlertView]] = {}
    for view in alerts:
        leading.setdefault(view.sop, []).append(view)
    used = _reversed((sop, each.id) for each in incidents.values() for sop in each.sops)
    related = _related(originals)
    return {
        id: SopView(
            sop=sop,
            languages=languages[id],
            alerts=tuple(leading.get(id, ())),
            incidents=tuple(
                sorted(
                    {*used.get(id, ()), *(each for each in sop.incidents if each in incidents)}, reverse=True
                )
            ),
            related=related.get(id, ()),
        )
        for id, sop in sorted(originals.items())
    }


def _related(originals: Mapping[str, Sop]) -> Mapping[str, tuple[str, ...]]:
    def pairs() -> Iterator[tuple[str, str]]:
        for id, sop in originals.items():
            named = {_named(each.target) for each in sop.body.links} | {sop.replaced_by or ""}
            for other in named & originals.keys():
                if other != id:
                    yield id, other
                    yield other, id

    return _reversed(pairs())


def _named(target: str) -> str:
    """The SOP a link in prose names by its file: `../kafka/SOP-KAFKA-007.md#verify` -> `SOP-KAFKA-007`."""
    name = target.partition("#")[0].rpartition("/")[2]
    return name.partition(".")[0] if name.endswith(".md") else ""


def _reversed(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return {key: tuple(sorted(values)) for key, values in found.items()}
