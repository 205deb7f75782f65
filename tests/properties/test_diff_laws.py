"""Laws of the semantic diff, over pairs of whole repositories."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import laid_out, plain, repositories
from tests.properties.test_laws import compiled, some

from tocsin.diff import compare
from tocsin.diff.changes import RuleChange
from tocsin.ir.compiled import CompiledRule, Resolved

_TURNED = {"up": "down", "down": "up", "both": "both", "": ""}
_ENDS = {"added": "removal", "removal": "added"}


def resolved(repository: Mapping[str, Any]) -> list[Resolved]:
    return [each for service in compiled(plain(repository)).services for each in service.resolved]


def rules(every: list[Resolved]) -> dict[tuple[object, str], CompiledRule]:
    """By key; mirrors follow their original."""
    found: dict[tuple[object, str], CompiledRule] = {}
    for each in every:
        for group in each.groups:
            for rule in group.rules:
                found.setdefault((rule.key, type(rule).__name__), rule)
    return found


def seen_back(change: RuleChange) -> tuple[object, ...]:
    """What the same change must be when the sides are swapped."""
    fields = sorted(
        (each.field, each.new, each.old, each.class_, _TURNED[each.direction]) for each in change.fields
    )
    return (
        change.key,
        _ENDS.get(change.class_, change.class_),
        _TURNED[change.direction],
        fields,
        change.renamed,
        change.moved,
    )


def seen(change: RuleChange) -> tuple[object, ...]:
    fields = sorted((each.field, each.old, each.new, each.class_, each.direction) for each in change.fields)
    return (change.key, change.class_, change.direction, fields, change.renamed, change.moved)


@some
@given(repositories(), st.integers(0, 2**32))
def test_layout_comments_and_key_order_are_no_change(repository: dict[str, Any], number: int) -> None:
    chance, before = random.Random(number), resolved(repository)
    assert compare(before, before) == ()
    for path, data in repository.items():
        if not isinstance(data, str):
            repository[path] = laid_out(data, chance)
    assert compare(before, resolved(repository)) == ()


@some
@given(repositories(), repositories())
def test_a_diff_names_exactly_what_differs(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = resolved(one), resolved(other)
    changes = compare(before, after)
    old, new = rules(before), rules(after)
    said = {(each.key, type(each.side.rule).__name__): each for each in changes}
    assert len(said) == len(changes)
    for name in old.keys() | new.keys():
        change = said.get(name)
        if name not in new or name not in old:
            assert change is not None and change.class_ == ("added" if name in new else "removal")
        elif old[name].digest != new[name].digest:
            assert change is not None and change.class_ in ("routing", "sensitivity", "meaning")
        else:
            assert change is None or change.class_ in ("none", "text")


@some
@given(repositories(), repositories())
def test_swapped_sides_turn_every_arrow(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = resolved(one), resolved(other)
    there, back = compare(before, after), compare(after, before)
    assert sorted(map(seen_back, there), key=repr) == sorted(map(seen, back), key=repr)


@some
@given(repositories(), repositories(), st.randoms())
def test_the_order_of_services_says_nothing(
    one: dict[str, Any], other: dict[str, Any], chance: random.Random
) -> None:
    before, after = resolved(one), resolved(other)
    wanted = compare(before, after)
    chance.shuffle(before)
    chance.shuffle(after)
    assert compare(before, after) == wanted
