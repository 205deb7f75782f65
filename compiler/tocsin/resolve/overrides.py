"""Overrides: which settings hold for which series of one alert in one environment.

Every override that matches merges; one setting given twice by overrides of which neither is narrower is a finding. A `where` splits the alert
into disjoint rules: for each combination of `where`s that a series can meet at once, one variant; the base keeps what none of them takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from tocsin.diag import Diagnostic, Related, diagnostic
from tocsin.ir.rule import AlertSource, OverrideSource, ParamValue

MAX_WHERE = 4
"""Combinations double with each `where`; more than four of them is a second alert."""
_LITERALS = re.compile(r"[A-Za-z0-9_ /:@%,=-]+(?:\|[A-Za-z0-9_ /:@%,=-]+)*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One disjoint part of an alert: `taken` are the matchers it adds (label, operator, value), `settings` path -> (value, override)."""

    key: str
    taken: tuple[tuple[str, str, str], ...]
    settings: Mapping[str, tuple[ParamValue, OverrideSource]]


def variants(alert: AlertSource, env: str) -> tuple[tuple[Variant, ...], tuple[Diagnostic, ...]]:
    """The parts of `alert` in `env`, the base first, and the conflicts among its overrides."""
    matching = [each for each in alert.overrides if not each.environments or env in each.environments]
    everywhere = [each for each in matching if each.where is None]
    somewhere = [each for each in matching if each.where is not None]
    found: list[Diagnostic] = []
    if len(somewhere) > MAX_WHERE:
        extra = somewhere[MAX_WHERE]
        found.append(
            diagnostic(
                "TOC411",
                alert.origin.key("overrides", extra.key),
                f"more than {MAX_WHERE} overrides with `where` hold in `{env}`",
                help="write a second alert instead",
                subject=f"{alert.id}/overrides.{extra.key}",
            )
        )
        somewhere = somewhere[:MAX_WHERE]
    by_where: dict[tuple[str, str], list[OverrideSource]] = {}
    for each in somewhere:
        assert each.where is not None
        by_where.setdefault(each.where, []).append(each)
    made: list[Variant] = []
    for taken in _combinations(tuple(by_where)):
        hit = [*everywhere, *(override for where in taken for override in by_where[where])]
        settings, conflicts = _merge(alert, hit)
        found.extend(conflicts)
        made.append(
            Variant(
                key="+".join(override.key for where in taken for override in by_where[where]),
                taken=(
                    *((label, "=~", regex) for label, regex in taken),
                    *((label, "!~", regex) for label, regex in by_where if (label, regex) not in taken),
                ),
                settings=settings,
            )
        )
    return tuple(made), tuple(dict.fromkeys(found))


def _combinations(wheres: tuple[tuple[str, str], ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    for size in range(len(wheres) + 1):
        for chosen in combinations(wheres, size):
            if all(_can_meet(a, b) for a, b in combinations(chosen, 2)):
                yield chosen


def _can_meet(a: tuple[str, str], b: tuple[str, str]) -> bool:
    """Whether one series can match both; lists of plain words are compared, anything else may."""
    if a[0] != b[0] or not (_LITERALS.match(a[1]) and _LITERALS.match(b[1])):
        return True
    return bool(set(a[1].split("|")) & set(b[1].split("|")))


def _merge(
    alert: AlertSource, overrides: list[OverrideSource]
) -> tuple[dict[str, tuple[ParamValue, OverrideSource]], list[Diagnostic]]:
    settings: dict[str, tuple[ParamValue, OverrideSource]] = {}
    found: list[Diagnostic] = []
    for override in overrides:
        for path, value in override.set.items():
            before = settings.get(path)
            if before is None or _narrower(override, before[1]):
                settings[path] = (value, override)
            elif not _narrower(before[1], override) and before[0] != value:
                found.append(
                    diagnostic(
                        "TOC410",
                        alert.origin.key("overrides", override.key, "set", path),
                        f"`{override.key}` and `{before[1].key}` both set `{path}`, and neither is narrower",
                        help="let one of them name both the environment and the label",
                        subject=f"{alert.id}/overrides.{override.key}.{path}",
                        related=[
                            Related(
                                message=f"`{before[1].key}` sets it here",
                                span=alert.origin.key("overrides", before[1].key, "set", path),
                            )
                        ],
                    )
                )
    return settings, found


def _narrower(a: OverrideSource, b: OverrideSource) -> bool:
    """Whether `a` holds for strictly less than `b`."""
    environments = not b.environments or (bool(a.environments) and set(a.environments) <= set(b.environments))
    where = b.where is None or a.where == b.where
    return environments and where and (set(a.environments), a.where) != (set(b.environments), b.where)
