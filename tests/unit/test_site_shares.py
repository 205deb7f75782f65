"""Pages made in shares, or only where something changed: the same pages as made at once."""

from __future__ import annotations

from tests.site_building import KAFKA_SOP, LAG, TEXTS, compiled, contents

from tocsin.emit.site import (
    SiteInput,
    SiteMemory,
    changed_pages,
    emit_site,
    emit_static,
    emit_tree,
    sop_pages,
)


def given(**more: str) -> SiteInput:
    compilation = compiled({**TEXTS, **more})
    assert compilation.settings is not None
    return SiteInput(contents=contents(compilation), project=compilation.settings.project)


def test_two_shares_and_the_rest_are_the_whole_site() -> None:
    site = given()
    shares = [sop_pages(site, part, 2) for part in range(2)]
    assert all(shares) and not shares[0].keys() & shares[1].keys()
    together = [*emit_tree(site, made={**shares[0], **shares[1]}), *emit_static(site)]
    assert sorted(together) == sorted(emit_site(site))


def test_pages_of_a_share_are_taken_as_they_are() -> None:
    made = {("en", "SOP-KAFKA-007"): "# Made elsewhere\n"}
    texts = {each.path: each.text for each in emit_tree(given(), made=made)}
    assert texts["en/docs/sop/SOP-KAFKA-007.md"] == "# Made elsewhere\n"


def test_only_what_changed_is_made_again_and_as_the_whole_site_has_it() -> None:
    memory: SiteMemory = {}
    assert changed_pages(given(), memory) == (), "nothing is known yet"
    list(emit_tree(given(), memory))
    assert changed_pages(given(), memory) == ()
    for path, old, new in (
        ("sops/kafka/SOP-KAFKA-007.md", KAFKA_SOP, KAFKA_SOP.replace("\n## ", "\nMore words.\n\n## ", 1)),
        ("rules/kafka/lag.yaml", LAG, LAG.replace("limit: 5000", "limit: 6000")),
    ):
        assert old != new
        edited = given(**{path: new})
        whole = {each.path: each.text for each in emit_tree(edited)}
        found = changed_pages(edited, memory)
        assert {each.path for each in found} == {f"{each}/docs/sop/SOP-KAFKA-007.md" for each in ("en", "zh")}
        assert all(each.text == whole[each.path] for each in found)
        assert changed_pages(edited, memory) == ()
        assert {each.path: each.text for each in emit_tree(edited, memory)} == whole
        memory.clear()
        list(emit_tree(given(), memory))


def test_where_more_than_sops_changed_nothing_is_hurried() -> None:
    memory: SiteMemory = {}
    list(emit_tree(given(), memory))
    project = TEXTS["tocsin.yaml"].replace("name: Streaming", "name: Streams")
    assert changed_pages(given(**{"tocsin.yaml": project}), memory) == ()
