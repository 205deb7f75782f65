"""Two revisions, compiled only as far as they may differ: the diff of that is the diff of everything."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given
from tests.properties.strategies import plain, repositories, seed, sources
from tests.properties.test_laws import some

from tocsin.diff import compare, compare_sops
from tocsin.pipeline import compile_sources
from tocsin.pipeline.standing import Standing, both_standing

TODAY = date(2026, 11, 21)
SHOP, QUEUE, TRAFFIC = "rules/shop/errors.yaml", "rules/queue/depth.yaml", "rules/traffic/totals.yaml"


def standing(old: dict[str, Any], new: dict[str, Any]) -> tuple[Standing, Standing]:
    return both_standing(sources(plain(old)), sources(plain(new)), TODAY)


@some
@given(repositories(), repositories())
def test_nothing_that_differs_is_left_out(one: dict[str, Any], other: dict[str, Any]) -> None:
    before, after = standing(one, other)
    whole = [compile_sources(sources(plain(each)), TODAY) for each in (one, other)]
    rules = [[each for service in made.services for each in service.resolved] for made in whole]
    sops = [[page.sop for page in made.pages if page.sop is not None] for made in whole]
    assert compare(before.resolved, after.resolved) == compare(*rules)
    assert compare_sops(before.sops, after.sops) == compare_sops(*sops)


def test_what_is_the_same_is_not_compiled() -> None:
    edited = seed()
    edited[QUEUE]["groups"][0]["rules"][0]["for"] = "20m"
    before, after = standing(seed(), edited)
    assert {each.service for each in after.resolved} == {"queue"}
    assert before.sops == after.sops == ()
    assert standing(seed(), seed())[0].resolved == ()


def test_a_broken_service_is_frozen_and_its_records_stay_for_their_readers() -> None:
    edited = seed()
    edited[TRAFFIC]["groups"][0]["rules"][0]["expr"] = "sum by ("
    before, after = standing(seed(), edited)
    assert (before.frozen, after.frozen) == (frozenset(), frozenset({"traffic"}))
    assert compare(before.resolved, after.resolved) == ()
    assert [each.code for each in after.diagnostics] == ["TOC401"]
    texts = plain(seed())
    torn = both_standing(sources(texts), sources({**texts, TRAFFIC: "version: 1\nservice: ["}), TODAY)
    assert torn[1].frozen == {"traffic"}
    assert compare(torn[0].resolved, torn[1].resolved) == ()


def test_a_broken_base_is_frozen_too_and_the_others_are_compared() -> None:
    base, edited = plain(seed()), seed()
    base[QUEUE] = "not: [a rule file"
    edited[SHOP]["groups"][0]["rules"][1]["levels"]["page"]["for"] = "7m"
    before, after = both_standing(sources(base), sources(plain(edited)), TODAY)
    assert before.frozen == {"queue"}
    found = compare(before.resolved, after.resolved)
    assert {each.key.text for each in found} == {"shop-errors/page"}


def test_a_sop_that_cannot_be_read_is_not_a_removed_one() -> None:
    base, path = plain(seed()), "sops/shop/SOP-SHOP-001.md"
    before, after = both_standing(sources(base), sources({**base, path: "---\nid: [\n"}), TODAY)
    assert after.unread == {path}
    assert compare_sops(before.sops, after.sops) == ()


def test_a_project_that_is_not_there_yet_has_no_rules() -> None:
    before, after = both_standing(sources({}), sources(plain(seed())), TODAY)
    assert (before.project, before.resolved) == (None, ())
    assert {each.class_ for each in compare(before.resolved, after.resolved)} == {"added"}
