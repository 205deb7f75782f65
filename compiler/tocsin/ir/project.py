"""What one repository is configured to do: tocsin.yaml and the release ledger as values. `tocsin.project` reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tocsin.diag.diagnostic import Severity
from tocsin.diag.origin import Origin
from tocsin.ir.canary import CanaryPolicy, CanaryStages, HistorySource
from tocsin.ir.compiled import Datasource, Evaluator
from tocsin.ir.duration import Duration
from tocsin.ir.rule import ParamValue

LabelToInject = Literal["rule_id", "service", "owner", "env", "level"]
AnnotationToInject = Literal["sop_ref", "runbook_url", "rule_version", "service", "owner"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityPolicy:
    """One severity. `urgency` is its place in the policy, 0 the most urgent; `label` is the label an alert of it carries."""

    name: str
    urgency: int
    label: tuple[str, str]
    pages: bool
    requires: frozenset[str]
    sop_sections: tuple[str, ...]
    respond_within: Duration | None = None
    rto: Duration | None = None
    trigger: str = ""
    who: str = ""
    canary: CanaryStages = field(default_factory=CanaryStages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Who answers; `id` is what rules and SOPs name as owner."""

    id: str
    name: str
    chat: str = ""
    email: str = ""
    rota: str = ""
    escalation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where rules run. `services` maps a service to its evaluator's name where that is not the default."""

    name: str
    params: Mapping[str, ParamValue]
    evaluators: tuple[Evaluator, ...]
    default_evaluator: str
    services: Mapping[str, str]
    records: str | None
    datasources: tuple[Datasource, ...]
    default_datasource: str | None
    folder: str
    org_id: int
    notifier: Literal["alertmanager", "grafana"]
    provenance: Literal["locked", "editable"]
    verdict: Literal["required", "advised"]
    max_severity: str | None = None
    evaluation_failing_sop: str | None = None
    history: HistorySource | None = None
    """Where the canary reads what was; None for the environment's first Prometheus or Mimir."""

    def evaluator(self, name: str) -> Evaluator | None:
        """The evaluator of that name."""
        return next((each for each in self.evaluators if each.name == name), None)

    def evaluator_of(self, service: str) -> Evaluator:
        """The evaluator a service uses unless an alert names another."""
        return self.evaluator(self.services.get(service, self.default_evaluator)) or self.evaluators[0]

    def datasource(self, name: str | None) -> Datasource | None:
        """The data source of that logical name; the default for None."""
        wanted = name or self.default_datasource
        return next((each for each in self.datasources if each.name == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The runbook site: `url` has no slash at its end, `""` where none is configured."""

    url: str = ""
    name: str = "Runbooks"
    languages: tuple[str, ...] = ("en",)
    sections: tuple[str, ...] = ()
    repository: str = ""
    branch: str = "main"
    """The branch that edit links open."""
    alerts_per_link: int = 15
    """How many alerts may share one link before it says nothing."""
    description: str = ""
    primary: str = "indigo"
    accent: str = "indigo"
    logo: str = ""
    """A path below `site/`, as `favicon` is; `""` for the theme's own."""
    favicon: str = ""
    copyright: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Something that goes away: what, after which day (ISO text), and what to use instead."""

    what: str
    until: str
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePolicy:
    """How versions are counted. `bumps` says for each class of change which part of `major.minor.patch` it raises; `first` is the version of the
    first release, `changelog` the file that tells people."""

    bumps: Mapping[str, str] = field(
        default_factory=lambda: {
            "text": "patch",
            "routing": "minor",
            "sensitivity": "minor",
            "added": "minor",
            "meaning": "major",
            "removal": "major",
        }
    )
    first: str = "1.0.0"
    changelog: str = "CHANGELOG.md"
    deprecations: tuple[Deprecation, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """tocsin.yaml, checked and with its defaults filled in."""

    name: str
    severities: tuple[SeverityPolicy, ...]
    unranked: bool
    teams: tuple[Team, ...]
    params: Mapping[str, ParamValue]
    inject_labels: tuple[LabelToInject, ...]
    inject_annotations: tuple[AnnotationToInject, ...]
    site: Site
    checks: Mapping[str, Severity | None]
    """Code -> severity; None is `off`."""
    fail_on: Severity
    environments: tuple[Environment, ...]
    origin: Origin = field(compare=False, repr=False)
    release: ReleasePolicy = field(default_factory=ReleasePolicy)
    canary: CanaryPolicy = field(default_factory=CanaryPolicy)

    def severity(self, name: str | None) -> SeverityPolicy | None:
        """The severity of that name."""
        return next((each for each in self.severities if each.name == name), None)

    def environment(self, name: str) -> Environment | None:
        """The environment of that name."""
        return next((each for each in self.environments if each.name == name), None)

    def team(self, id: str | None) -> Team | None:
        """The team of that id."""
        return next((each for each in self.teams if each.id == id), None)


UNRELEASED = "unreleased"
"""The version of what changed since the last release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedChange:
    """One change of one release, the same in every environment of `envs`. `rule` is the text of the rule's key (`kafka-consumer-lag/page`), for a
    record `service/series`; `what` are the fields that changed, as people read them (`params.limit: 5000 -> 10000`)."""

    rule: str
    envs: tuple[str, ...]
    class_: str
    what: tuple[str, ...] = ()
    direction: str = ""
    reasons: tuple[str, ...] = ()
    tickets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What one release changed. `date` is ISO text, of the commit it was made from; `sops` are the ids of the SOPs that changed."""

    version: str
    date: str
    changes: tuple[ReleasedChange, ...] = ()
    sops: tuple[str, ...] = ()
    compiles: Mapping[str, Mapping[str, bool]] = field(default_factory=dict)
    """Product -> version -> whether everything compiled for it, as it was tried for the release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The release ledger (`releases.json`): what each compiled rule's digest was at its last release, and the version it got then."""

    release: str = UNRELEASED
    rules: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """`env/rule-key` -> (semantic digest, version)."""
    sops: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """SOP id, with its language behind a dot for a translation -> (content digest, version)."""
    site: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Every address ever released, below the site's root (`/sop/SOP-KAFKA-007/`) -> the anchors released on it."""
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)
    """Address -> the line (from 1) of the ledger it stands on."""
    releases: tuple[Release, ...] = ()
    """Every release, the newest first."""

    def version_of(self, key: str, digest: str) -> str:
        """The release in which this rule last changed; `unreleased` until the change is released."""
        recorded = self.rules.get(key)
        return recorded[1] if recorded is not None and recorded[0] == digest else UNRELEASED
