"""What a repository demands of a changed rule: gates, waivers, stages, and where history is read. `tocsin.project` fills these from tocsin.yaml.

A judgement always uses the policy of the *base* revision: a pull request cannot loosen the gates it is judged by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Final, Literal, get_args

from tocsin.ir.duration import Duration

GateName = Literal[
    "errors",
    "pages",
    "recall",
    "went-silent",
    "unmatched",
    "detection-delay",
    "duration",
    "flaps",
    "peak",
    "sole-detector",
    "calibration",
    "unit-test",
    "fidelity",
]
GATES: Final[tuple[GateName, ...]] = get_args(GateName)
"""Every gate, in the order people read them. `fidelity` is judged by stage 2, all others by stage 0."""
HistoryKind = Literal["prometheus", "victoriametrics", "mimir", "thanos", "grafana"]
Rollback = Literal["auto", "ask"]
DAY: Final = Duration(86_400_000)
QUARTER_DAY: Final = Duration(DAY // 4)
_TWO_WEEKS: Final = Duration(14 * DAY)
_TEN_MINUTES: Final = Duration(600_000)
_NONE: Final = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """What one gate was told to allow. `at_most` loosens as its numbers grow, `at_least` as they shrink.

    A limit whose name begins with `warn` only warns; any other fails a critical gate and warns at one that is not.
    """

    critical: bool
    at_most: Mapping[str, float] = field(default_factory=dict)
    at_least: Mapping[str, float] = field(default_factory=dict)

    def looser_than(self, other: GateLimits) -> bool:
        """Whether something passes here that would not pass `other`."""
        return (
            (other.critical and not self.critical)
            or any(self.at_most.get(name, _NONE) > limit for name, limit in other.at_most.items())
            or any(self.at_least.get(name, -_NONE) < limit for name, limit in other.at_least.items())
        )

    def and_(self, other: GateLimits) -> GateLimits:
        """The stricter of the two in everything: looser than neither."""
        return GateLimits(
            critical=self.critical or other.critical,
            at_most={
                name: min(self.at_most.get(name, _NONE), other.at_most.get(name, _NONE))
                for name in {**self.at_most, **other.at_most}
            },
            at_least={
                name: max(self.at_least.get(name, -_NONE), other.at_least.get(name, -_NONE))
                for name in {**self.at_least, **other.at_least}
            },
        )


DEFAULT_GATES: Final[Mapping[GateName, GateLimits]] = {
    "errors": GateLimits(critical=True, at_most={"share": 0.0}),
    "pages": GateLimits(
        critical=True,
        at_most={"ratio": 1.5, "extra_per_week": 3.0, "warn_ratio": 1.2, "new_per_day": 5.0},
        at_least={"expected": 5.0},
    ),
    "recall": GateLimits(critical=True, at_most={"missed": 0.0}),
    "went-silent": GateLimits(critical=True, at_most={"old_pages": 2.0}),
    "unmatched": GateLimits(critical=True, at_most={"rise": 0.10, "new_rate": 0.5, "judged_from": 10.0}),
    "detection-delay": GateLimits(critical=True, at_most={"rise": 300.0, "warn_intervals": 2.0}),
    "duration": GateLimits(critical=True, at_most={"warn_above": 2.0}, at_least={"warn_below": 0.5}),
    "flaps": GateLimits(critical=False, at_most={"rise": 0.05, "rate": 0.1}),
    "peak": GateLimits(critical=True, at_most={"ratio": 3.0, "identities": 50.0}),
    "sole-detector": GateLimits(critical=True, at_most={"incidents": 0.0}),
    "calibration": GateLimits(critical=False, at_least={"agreement": 0.98}),
    "unit-test": GateLimits(critical=False),
    "fidelity": GateLimits(critical=True, at_least={"agreement": 0.98, "agreement_approx": 0.95}),
}
"""Units: `rise` of the delay in seconds, rates and shares between 0 and 1, `identities`, `incidents`, `pages` counts. `new_*` bind rules that
are added; `duration` also takes `mean`, an absolute limit in seconds, which has no default."""
PAGED_PER_DAY: Final = 1.0
"""`pages.new_per_day` of a severity that pages somebody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaivedGate:
    """Somebody's decision, in tocsin.yaml, that one gate may fail for one rule through the day `expires`. `rule` is a rule's id, or
    `id/level/override` as far as it goes."""

    rule: str
    gate: str
    by: str
    reason: str
    expires: date

    def covers(self, key: str) -> bool:
        """Whether it is about the rule of that key (`id`, `id/level`, `id/level/override`)."""
        return key == self.rule or key.startswith(f"{self.rule}/")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBudget:
    """The most a backtest may ask of a server."""

    requests: int = 2_000
    time: Duration = _TEN_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySource:
    """Where an environment's history is read: the address by the name of an environment variable. `datasource` is the logical name of a Grafana
    data source, for kind `grafana`."""

    kind: HistoryKind
    url_env: str | None = None
    tenant: str | None = None
    datasource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryStages:
    """What a change of one severity goes through: 0 replay, 1 deployment to a scope, 2 comparison after `soak`, 3 watch for `watch`."""

    stages: tuple[int, ...] = (0,)
    soak: Duration = DAY
    watch: Duration = QUARTER_DAY
    """A day where the severity pages somebody, if tocsin.yaml says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryPolicy:
    """The `canary:` section of tocsin.yaml, with its defaults."""

    window: Duration = _TWO_WEEKS
    expires: Duration = _TWO_WEEKS
    """How long a record admits its change."""
    group_by: tuple[str, ...] = ("alertname", "cluster")
    """What the notification policy groups by: one group, one page."""
    scope: Mapping[str, str] = field(default_factory=dict)
    """The matchers of the canary scope; none where stages 1 to 3 have nowhere to go."""
    budget: QueryBudget = field(default_factory=QueryBudget)
    complete: frozenset[str] = frozenset()
    """Services whose incident log is declared complete: there an unmatched page is a false one."""
    gates: Mapping[str, Mapping[GateName, GateLimits]] = field(default_factory=dict)
    """Severity -> every gate, defaults filled in; `""` for alerts without one."""
    waivers: tuple[WaivedGate, ...] = ()
    rollback: Mapping[str, Rollback] = field(
        default_factory=lambda: {"peak": "auto", "errors": "auto", "other": "ask"}
    )
    """What a tripped alarm of stage 3 does, by its kind; `other` for those not named."""

    def limits(self, *severities: str | None) -> Mapping[GateName, GateLimits]:
        """Every gate's limits for alerts of a severity; of several, the stricter in everything."""
        found = [self.gates.get(each or "", self.gates.get("", DEFAULT_GATES)) for each in severities]
        found = found or [self.gates.get("", DEFAULT_GATES)]
        return {
            name: reduce(
                GateLimits.and_, (gates.get(name, limits) for gates in found[1:]), found[0].get(name, limits)
            )
            for name, limits in DEFAULT_GATES.items()
        }

    def demanded(
        self, *severities: str | None, stages: frozenset[int] = frozenset({0})
    ) -> Mapping[str, GateLimits]:
        """The limits that a record must have been judged by, where these stages are required: what `verdict.Policy.gates` takes."""
        limits = self.limits(*severities)
        return {name: limits[name] for name in GATES if name != "fidelity" or 2 in stages}
