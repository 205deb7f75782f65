"""Two versions of one expression: what differs between them, and of which class that is.

In: two parsed expressions. Out: `ExprChange`s, none where they differ in writing alone. Trees of one shape are compared node by node: another
constant under a comparison, another window or another filter is sensitivity, with the way it works where that is certain; everything else is another
meaning. A filter put around the whole (`... and on() up`) or taken away is sensitivity, too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tocsin.diff.changes import ChangeClass, Direction
from tocsin.diff.effects import Effect, Sign, effect_at_root, longer_window, parents_of
from tocsin.promql import Expr, canonical
from tocsin.promql.tree import (
    COMPARISONS,
    NAME,
    Binary,
    Matcher,
    Negate,
    Node,
    Number,
    Range,
    Selector,
    Subquery,
    Tree,
)

_ALTERNATIVES = re.compile(r"[\w :/@,=-]+(?:\|[\w :/@,=-]+)*", re.ASCII)
_ARITHMETIC = frozenset({"+", "-", "*", "/"})
_STRICTER: dict[tuple[str, str], Sign] = {(">", ">="): 1, ("<", "<="): 1, (">=", ">"): -1, ("<=", "<"): -1}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExprChange:
    """One difference. `old` and `new` are the number, the window in milliseconds or the filter's text, for whoever asks which parameter made it."""

    kind: Literal["number", "window", "filter", "other"]
    class_: ChangeClass
    direction: Direction = ""
    old: float | str = ""
    new: float | str = ""


OTHER = ExprChange(kind="other", class_="meaning")


def compare_expressions(old: Expr, new: Expr) -> tuple[ExprChange, ...]:
    """Every difference between two expressions; empty where both are written differently at most."""
    if canonical(old) == canonical(new):
        return ()
    before, after, filters = _unfiltered(old.tree, new.tree)
    if len(before) != len(after) or any(
        type(one) is not type(other) or one.kids != other.kids
        for one, other in zip(before, after, strict=True)
    ):
        return (OTHER,)
    parents = parents_of(before)
    found = list(filters)
    for at, (one, other) in enumerate(zip(before, after, strict=True)):
        if one != other:
            found.extend(_node_changes(before, after, at, parents))
    # The trees may be equal where the texts are not: `foo` once with a matcher twice.
    return tuple(found) or (OTHER,)


def _unfiltered(old: Tree, new: Tree) -> tuple[Tree, Tree, tuple[ExprChange, ...]]:
    """Both trees without the filters that only one of them has around the whole, and these."""
    found: list[ExprChange] = []
    while len(old) != len(new):
        longer, shorter = (old, new) if len(old) > len(new) else (new, old)
        root = longer[-1]
        inner = root.kids[0] + 1 if isinstance(root, Binary) and root.op in ("and", "unless") else 0
        if inner < len(shorter):
            break
        added = longer is new
        found.append(ExprChange(kind="filter", class_="sensitivity", direction="down" if added else "up"))
        old, new = (old, new[:inner]) if added else (old[:inner], new)
    return (old, new, tuple(found)) if len(old) == len(new) else (old, new, ())


def _node_changes(old: Tree, new: Tree, at: int, parents: Sequence[int]) -> Sequence[ExprChange]:
    one, other = old[at], new[at]
    if isinstance(one, Number) and isinstance(other, Number):
        return [_number_change(old, at, one, other, parents)]
    if isinstance(one, Range) and isinstance(other, Range):
        return [_window_change(old, at, one.range, other.range, parents)]
    if isinstance(one, Subquery) and isinstance(other, Subquery):
        return _subquery_changes(old, at, one, other, parents)
    if isinstance(one, Selector) and isinstance(other, Selector):
        return _selector_changes(old, at, one, other, parents)
    if isinstance(one, Binary) and isinstance(other, Binary):
        sign = _STRICTER.get((one.op, other.op))
        if sign is not None and (one.bool_, one.matching) == (other.bool_, other.matching):
            if any(isinstance(old[kid], Number) and old[kid] != new[kid] for kid in one.kids):
                # From `> 0` to `>= 1`: the number decides, whatever becomes of the one value in between.
                return []
            effect = Effect(0, sign) if one.bool_ else Effect(sign, 0)
            return [_sensitivity("other", old, at, effect, parents)]
    return [OTHER]


def _number_change(tree: Tree, at: int, old: Number, new: Number, parents: Sequence[int]) -> ExprChange:
    if not _is_threshold(tree, at, parents):
        return ExprChange(kind="number", class_="meaning", old=old.value, new=new.value)
    sign: Sign = None
    above = tree[parents[at]]
    divides = isinstance(above, Binary) and above.op == "/" and above.kids[1] == at
    if not math.isnan(old.value) and not math.isnan(new.value) and (not divides or new.value > 0):
        sign = 1 if new.value > old.value else -1
    return _sensitivity("number", tree, at, Effect(0, sign), parents, old.value, new.value)


def _is_threshold(tree: Tree, at: int, parents: Sequence[int]) -> bool:
    """Whether a number is compared with something, as it stands or after plain arithmetic."""
    while (above := parents[at]) >= 0:
        node: Node = tree[above]
        if isinstance(node, Binary) and node.op in COMPARISONS:
            return True
        if not isinstance(node, Negate) and not (isinstance(node, Binary) and node.op in _ARITHMETIC):
            return False
        at = above
    return False


def _window_change(tree: Tree, at: int, old: float, new: float, parents: Sequence[int]) -> ExprChange:
    above, effect = longer_window(tree, at, parents)
    if new < old:
        effect = Effect(_turned(effect.series), _turned(effect.values))
    return _sensitivity("window", tree, above, effect, parents, old, new)


def _subquery_changes(
    tree: Tree, at: int, old: Subquery, new: Subquery, parents: Sequence[int]
) -> list[ExprChange]:
    if old.at != new.at:
        return [OTHER]
    found: list[ExprChange] = []
    if old.range != new.range:
        found.append(_window_change(tree, at, old.range, new.range, parents))
    for one, other in ((old.step, new.step), (old.offset, new.offset)):
        if one != other:
            unknown = ExprChange(kind="window", class_="sensitivity", old=one or 0, new=other or 0)
            found.append(unknown)
    return found


def _selector_changes(
    tree: Tree, at: int, old: Selector, new: Selector, parents: Sequence[int]
) -> list[ExprChange]:
    if old.at != new.at or _of(old, NAME) != _of(new, NAME):
        return [OTHER]
    found: list[ExprChange] = []
    if old.offset != new.offset:
        found.append(ExprChange(kind="window", class_="sensitivity", old=old.offset, new=new.offset))
    for label in sorted({each.label for each in (*old.matchers, *new.matchers)} - {NAME}):
        before, after = _of(old, label), _of(new, label)
        if before == after:
            continue
        texts = (_written(before), _written(after))
        relation = _relation(before, after)
        if relation == "other":
            found.append(ExprChange(kind="filter", class_="meaning", old=texts[0], new=texts[1]))
        else:
            found.append(_sensitivity("filter", tree, at, Effect(relation, 0), parents, *texts))
    return found


def _of(selector: Selector, label: str) -> frozenset[Matcher]:
    return frozenset(each for each in selector.matchers if each.label == label)


def _written(matchers: frozenset[Matcher]) -> str:
    return ",".join(sorted(f'{each.label}{each.op}"{each.value}"' for each in matchers))


def _relation(old: frozenset[Matcher], new: frozenset[Matcher]) -> Sign | Literal["other"]:
    """What the new filters of one label let through: more, less, unknown, or altogether other series."""
    if old < new:
        return -1
    if new < old:
        return 1
    if len(old) != 1 or len(new) != 1:
        return None
    (one,), (other,) = old, new
    before, after = _values(one), _values(other)
    if before is None or after is None:
        return None
    wanted = one.op in ("=", "=~")
    if wanted != (other.op in ("=", "=~")):
        return None
    if before == after:
        return 0
    if before < after or after < before:
        return 1 if (before < after) == wanted else -1
    return "other" if wanted and not before & after else None


def _values(matcher: Matcher) -> frozenset[str] | None:
    """The texts it names; None where a pattern names them otherwise than one by one."""
    if matcher.op in ("=", "!="):
        return frozenset({matcher.value})
    if _ALTERNATIVES.fullmatch(matcher.value):
        return frozenset(matcher.value.split("|"))
    return None


def _sensitivity(
    kind: Literal["number", "window", "filter", "other"],
    tree: Tree,
    at: int,
    effect: Effect,
    parents: Sequence[int],
    old: float | str = "",
    new: float | str = "",
) -> ExprChange:
    series = effect_at_root(tree, at, effect, parents).series
    direction: Direction = "up" if series == 1 else "down" if series == -1 else ""
    return ExprChange(kind=kind, class_="sensitivity", direction=direction, old=old, new=new)


def _turned(sign: Sign) -> Sign:
    return None if sign is None else -1 if sign == 1 else 1 if sign == -1 else 0
