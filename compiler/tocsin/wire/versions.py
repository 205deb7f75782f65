"""What each version of each server understands: one literal table, asked by the emitters, by sync and by the
release notes.

A row says from which version on a field is read, and where that fact comes from. `surface` tells apart the
doors of one product, because they learn a field at different times: `file` (a rule or provisioning file),
`http` (the provisioning API), `ruler` (Mimir's configuration API). `api` is for what a server does rather than
what it reads: how it treats a request that is the same in every version. A field that is in no row is no question
of versions; asking for it is our bug.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

Product = Literal["prometheus", "mimir", "grafana"]
Surface = Literal["file", "http", "ruler", "api"]
Version = tuple[int, int, int]
TRIED: dict[Product, tuple[Version, ...]] = {
    "prometheus": ((2, 42, 0), (2, 53, 0), (3, 5, 0)),
    "mimir": ((2, 13, 0), (3, 0, 0)),
    "grafana": ((9, 4, 0), (10, 4, 0), (11, 6, 0), (12, 0, 0), (13, 0, 0)),
}
"""The versions that a release says it compiles for or not: those on either side of what changed between them."""
NEVER: Version = (9999, 0, 0)
"""No version yet."""


class Row(NamedTuple):
    """`field` is read by `product` at `surface` from `since` on, and no longer from `until` on."""

    product: Product
    surface: Surface
    field: str
    since: Version
    source: str
    until: Version | None = None


TABLE: tuple[Row, ...] = (
    # Prometheus: rule files. Measured with promtool 2.42, 2.53 and 3.5 where the boundary lies between them.
    Row("prometheus", "file", "limit", (2, 31, 0), "model/rulefmt at v2.31.0; absent at v2.30.0"),
    Row("prometheus", "file", "keep_firing_for", (2, 42, 0), "CHANGELOG 2.42.0, #11827"),
    Row("prometheus", "file", "query_offset", (2, 53, 0), "CHANGELOG 2.53.0, #14061"),
    Row("prometheus", "file", "group_labels", (3, 0, 0), "CHANGELOG 3.0.0, #11474"),
    Row("prometheus", "file", "utf8_names", (3, 0, 0), "CHANGELOG 3.0.0, #14705"),
    # Prometheus: PromQL. promql/parser/functions.go of the tags around each boundary.
    *(
        Row(
            "prometheus",
            "file",
            f"function:{name}",
            since,
            f"promql/parser/functions.go at v{since[0]}.{since[1]}.0",
        )
        for since, names in {
            (2, 26, 0): ("clamp", "last_over_time", "sgn"),
            (2, 29, 0): ("present_over_time",),
            (2, 31, 0): (
                *("acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh"),
                *("deg", "pi", "rad", "sin", "sinh", "tan", "tanh"),
            ),
            (2, 37, 0): ("day_of_year",),
            (2, 40, 0): ("histogram_count", "histogram_fraction", "histogram_sum"),
            (2, 47, 0): ("histogram_stddev", "histogram_stdvar"),
            (2, 49, 0): ("mad_over_time", "sort_by_label", "sort_by_label_desc"),
            (2, 51, 0): ("histogram_avg",),
            (2, 54, 0): ("limitk", "limit_ratio"),
            (2, 55, 0): ("info",),
            (3, 0, 0): ("double_exponential_smoothing",),
            (3, 5, 0): ("ts_of_last_over_time", "ts_of_max_over_time", "ts_of_min_over_time"),
            (3, 7, 0): ("first_over_time", "ts_of_first_over_time"),
        }.items()
        for name in names
    ),
    Row(
        "prometheus", "file", "function:holt_winters", (0, 0, 0), "renamed in 3.0.0, #14930", until=(3, 0, 0)
    ),
    # Mimir: the ruler's configuration API. It takes an unknown field and forgets it, so a refusal of ours is
    # the only warning there is.
    Row(
        "mimir",
        "ruler",
        "limit",
        NEVER,
        "grafana/mimir #3316; RuleGroupDesc has no such field, the tenant limit of #12832 is another thing",
    ),
    Row("mimir", "ruler", "keep_firing_for", (2, 7, 0), "CHANGELOG 2.7.0, #4099"),
    Row("mimir", "ruler", "query_offset", (2, 13, 0), "CHANGELOG 2.13.0, #8295; evaluation_delay before"),
    Row(
        "mimir",
        "ruler",
        "group_labels",
        (3, 0, 0),
        "grafana/mimir #12397; group labels are dropped before 3.0",
    ),
    Row("mimir", "ruler", "utf8_names", (3, 0, 0), "name validation is legacy before 3.0"),
    # Grafana: the provisioning API and the provisioning folder. Where a change reached a patch release that
    # is not known, the release after it stands here: sending a state a server does not know refuses the whole
    # group, or stops it at start.
    Row("grafana", "http", "alert_rules", (9, 4, 0), "9.3 cannot list rules and knows no isPaused"),
    Row("grafana", "file", "alert_rules", (9, 4, 0), "isPaused is read since 9.4, #62492"),
    Row("grafana", "http", "keep_last", (11, 0, 0), "#83940; its backport #84406 is in some 10.4.x"),
    Row("grafana", "file", "keep_last", (11, 0, 0), "#83940; its backport #84406 is in some 10.4.x"),
    Row("grafana", "http", "missing_series", (11, 6, 0), "missingSeriesEvalsToResolve, #101184"),
    Row("grafana", "file", "missing_series", (12, 1, 2), "missing_series_evals_to_resolve, #109699"),
    Row("grafana", "http", "keep_firing_for", (12, 0, 0), "keep_firing_for, #100750"),
    Row(
        "grafana",
        "file",
        "keep_firing_for",
        (12, 1, 2),
        "keepFiringFor, #109699; ignored before without a word",
    ),
    Row("grafana", "http", "equal_titles", (12, 0, 0), "the unique index on titles went with #102067"),
    Row("grafana", "file", "equal_titles", (12, 0, 0), "the unique index on titles went with #102067"),
    Row(
        "grafana",
        "http",
        "inclusive_thresholds",
        (11, 6, 0),
        "gte, lte, eq and ne of a threshold node, #99516",
    ),
    Row(
        "grafana",
        "file",
        "inclusive_thresholds",
        (11, 6, 0),
        "gte, lte, eq and ne of a threshold node, #99516",
    ),
    # Grafana: what its interfaces do. A `~` version of a merge date stands as the release after it.
    Row("grafana", "api", "group_provenance", (10, 0, 0), "X-Disable-Provenance on a group PUT, #63650"),
    Row("grafana", "api", "missing_rule_is_404", (10, 0, 0), "500 for a rule that is not there in 9.x"),
    Row("grafana", "api", "notification_settings", (10, 4, 0), "a rule's own receiver, released with 10.4.0"),
    Row("grafana", "api", "group_delete", (11, 0, 0), "DELETE of a rule group, asked for in #81860"),
    Row("grafana", "api", "folder_check", (11, 0, 0), "a rule POST into no folder is refused, #83938"),
    Row("grafana", "api", "nested_folders", (11, 0, 0), "behind a flag in 10.x, on since 11.0.0"),
    Row("grafana", "api", "uid_in_group", (11, 5, 2), "a group PUT creates a rule of a chosen uid, #99858"),
    Row("grafana", "api", "group_order", (11, 5, 2), "a change of order alone is kept, #99858"),
    Row("grafana", "api", "record", (12, 0, 0), "recording rules, behind a flag from 11.2"),
    Row(
        "grafana",
        "api",
        "active_time_intervals",
        (12, 1, 0),
        "in notification settings, released with 12.1.0",
    ),
    Row("grafana", "api", "mismatch_is_409", (12, 4, 0), "provenance on a rule DELETE, #117484; 500 before"),
)


@lru_cache(maxsize=1)
def _index() -> dict[tuple[str, str, str], Row]:
    return {(row.product, row.surface, row.field): row for row in TABLE}


def row(product: Product, surface: Surface, field: str) -> Row | None:
    """The row of that field; None where the table has none."""
    return _index().get((product, surface, field))


def supports(product: Product, surface: Surface, field: str, version: Version) -> bool:
    """Whether `version` of `product` reads `field` at `surface`. No row for it is our bug: KeyError."""
    found = _index()[product, surface, field]
    return found.since <= version and (found.until is None or version < found.until)


def version_text(version: Version) -> str:
    """`(2, 53, 0)` -> `2.53`; the patch is shown where it is not 0."""
    major, minor, patch = version
    return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"
