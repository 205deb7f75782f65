"""The diff, rule by rule, on one small repository that is edited as people edit: what is said, and what is not said twice."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from tests.properties.strategies import plain, seed, sources

from tocsin.diff import compare, compare_sops
from tocsin.diff.changes import RuleChange
from tocsin.diff.places import field_place, place_of
from tocsin.pipeline import Compilation, compile_sources

SHOP, QUEUE, TRAFFIC = "rules/shop/errors.yaml", "rules/queue/depth.yaml", "rules/traffic/totals.yaml"
DEPTH, LIMIT = "sum by (zone) (queue_depth)", "2 * shop:requests:rate5m:total"
PAGE = "prod shop-errors/page"


def compiled(repository: dict[str, Any]) -> Compilation:
    made = compile_sources(sources(plain(repository)), date(2026, 11, 21))
    assert not made.frozen, made.diagnostics
    return made


def changes(edited: dict[str, Any], base: dict[str, Any] | None = None) -> dict[str, RuleChange]:
    """`ENV KEY` -> the change that turns `base` (the seed) into `edited`."""
    sides = [
        [each for service in compiled(side).services for each in service.resolved]
        for side in (base or seed(), edited)
    ]
    return {f"{each.key.env} {each.key.text}": each for each in compare(*sides)}


def said(change: RuleChange) -> list[tuple[str, str, str, str]]:
    return [
        (each.field, each.old, each.new, f"{each.class_} {each.direction}".strip()) for each in change.fields
    ]


def shop(repository: dict[str, Any]) -> dict[str, Any]:
    alert: dict[str, Any] = repository[SHOP]["groups"][0]["rules"][1]
    return alert


def queue(repository: dict[str, Any]) -> dict[str, Any]:
    alert: dict[str, Any] = repository[QUEUE]["groups"][0]["rules"][0]
    return alert


def test_a_threshold_is_one_change_though_expression_and_summary_render_from_it() -> None:
    edited = seed()
    shop(edited)["levels"]["page"]["limit"] = 0.97
    found = changes(edited)
    assert set(found) == {PAGE, "staging shop-errors/page"}
    change = found[PAGE]
    assert said(change) == [("params.limit", "0.95", "0.97", "sensitivity down")]
    assert (change.class_, change.direction) == ("sensitivity", "down")


def test_an_environments_parameter_changes_the_levels_that_use_it_there() -> None:
    edited = seed()
    edited["tocsin.yaml"]["environments"]["prod"]["params"]["limit"] = 0.4
    found = changes(edited)
    assert set(found) == {"prod shop-errors/ticket", "prod shop-errors/ticket/batch"}
    assert {each.direction for each in found.values()} == {"up"}


def test_another_severity_is_said_once_and_not_again_by_its_label() -> None:
    edited = seed()
    shop(edited)["levels"]["page"]["severity"] = "P2"
    found = changes(edited)
    assert said(found[PAGE]) == [("severity", "P1", "P2", "routing")]
    assert set(found) == {PAGE}  # staging had P2 already: its highest


def test_what_a_severitys_label_is_called_is_routing() -> None:
    edited = seed()
    edited["tocsin.yaml"]["severities"]["P1"]["label"] = {"severity": "page"}
    [(key, change)] = changes(edited).items()
    assert (key, said(change)) == (PAGE, [("labels.severity", "critical", "page", "routing")])


@pytest.mark.parametrize(
    ("edit", "fields"),
    [
        ({"for": "20m"}, [("for", "10m", "20m", "sensitivity down")]),
        ({"keep_firing_for": "5m"}, [("keep_firing_for", "", "5m", "sensitivity up")]),
        ({"labels": {"tier": "front"}}, [("labels.tier", "back", "front", "routing")]),
        ({"summary": "{{ $value }}"}, [("annotations.summary", "{{ $labels.zone }} holds {{ $value }}", "{{ $value }}", "text")]),
        ({"sop_ref": "SOP-QUEUE-001"}, [("sop_ref", "SOP-QUEUE-001#mitigate", "SOP-QUEUE-001", "text")]),
        ({"alert": "QueueTooDeep"}, [("name", "QueueDeep", "QueueTooDeep", "routing")]),
        ({"signal": "saturation", "sli": "freshness"}, [("signal", "", "saturation", "none"), ("sli", "", "freshness", "none")]),
        ({"expr": f"{DEPTH} > bool {LIMIT.replace('2', '${factor}')}"}, [("expr", f"{DEPTH} > {LIMIT}", f"{DEPTH} > bool {LIMIT}", "meaning")]),
        ({"expr": f"{DEPTH} >= {LIMIT.replace('2', '${factor}')}"}, [("expr", f"{DEPTH} > {LIMIT}", f"{DEPTH} >= {LIMIT}", "sensitivity up")]),
        ({"annotations": {"chat": "#queue"}}, [("annotations.chat", "", "#queue", "text")]),
        ({"identity": []}, [("identity", "zone", "", "text")]),
    ],
)  # fmt: skip
def test_each_field_has_its_name_and_class(edit: dict[str, Any], fields: list[tuple[str, ...]]) -> None:
    edited = seed()
    queue(edited).update(edit)
    found = changes(edited)
    assert set(found) == {"prod queue-deep", "staging queue-deep"}
    assert said(found["staging queue-deep"]) == fields


def test_a_rule_is_the_same_rule_in_another_file_group_and_under_another_name() -> None:
    edited = seed()
    rule = queue(edited)
    del edited[QUEUE]
    edited["rules/queue/other.yaml"] = {
        "version": 1, "service": "queue", "owner": "team-queue",
        "groups": [{"name": "deep", "interval": "1m", "rules": [{**rule, "alert": "QueueFull"}]}],
    }  # fmt: skip
    change = changes(edited)["staging queue-deep"]
    assert (change.class_, change.renamed, change.moved) == ("routing", True, True)
    assert [each.field for each in change.fields] == ["name", "group", "file"]


def test_the_groups_settings_are_each_of_its_rules() -> None:
    edited = seed()
    edited[SHOP]["groups"][0].update(interval="1m", limit=5)
    change = changes(edited)["staging shop-errors/ticket"]
    assert said(change) == [
        ("group.interval", "30s", "1m", "sensitivity"),
        ("group.limit", "", "5", "sensitivity down"),
    ]


def test_a_grafanas_default_interval_written_out_is_no_change() -> None:
    base, edited = seed(), seed()
    del base[QUEUE]["groups"][0]["interval"]
    assert "prod queue-deep" not in changes(edited, base)
    assert "staging queue-deep" in changes(edited, base)  # a Prometheus has a default of its own


def test_a_changed_record_changes_what_reads_it_through_other_records_and_services() -> None:
    edited = seed()
    edited[TRAFFIC]["groups"][0]["rules"][0]["expr"] = "sum by (job, zone) (rate(requests_total[10m]))"
    found = changes(edited)
    assert {each.class_ for each in found.values()} == {"sensitivity"}
    assert set(found) == {
        "prod shop:requests:rate5m", "prod shop:requests:rate5m:total", "prod queue-deep", "prod shop-errors/page", "prod shop-errors/ticket",
        "prod shop-errors/ticket/batch", "staging shop:requests:rate5m", "staging shop:requests:rate5m:total", "staging queue-deep",
        "staging shop-errors/page", "staging shop-errors/ticket",
    }  # fmt: skip
    [field] = found["prod shop-errors/page"].fields
    assert (field.field, field.old) == (
        "reads.shop:requests:rate5m",
        "sum by (job, zone) (rate(requests_total[5m]))",
    )
    # queue-deep reads the total, whose own text is the same: what differs there is what it reads.
    [field] = found["prod queue-deep"].fields
    assert field.field == "reads.shop:requests:rate5m:total"


def test_another_record_is_another_meaning_for_its_readers() -> None:
    edited = seed()
    edited[TRAFFIC]["groups"][0]["rules"][0]["expr"] = "sum by (job, zone) (rate(replies_total[5m]))"
    assert {each.class_ for each in changes(edited).values()} == {"meaning"}


def test_a_record_that_moves_to_another_service_is_moved() -> None:
    edited = seed()
    edited["rules/other/totals.yaml"] = {**edited.pop(TRAFFIC), "service": "other"}
    found = changes(edited)
    assert {(each.class_, each.moved) for each in found.values()} == {("none", True)}
    assert len(found) == 4


def test_added_and_removed_levels_rename_what_stays() -> None:
    edited = seed()
    del shop(edited)["levels"]["page"]
    shop(edited)["overrides"] = {}
    edited[SHOP]["tests"] = []
    shop(edited)["levels"]["ticket"]["severity"] = "P2"
    found = changes(edited)
    assert found[PAGE].class_ == "removal"
    assert found["prod shop-errors/ticket"].renamed
    assert ("name", "ShopErrorsTicket", "ShopErrors", "routing") in said(found["prod shop-errors/ticket"])
    back = changes(seed(), edited)
    assert back[PAGE].class_ == "added" and back[PAGE].fields == ()
    place = place_of(back[PAGE])
    assert plain(seed())[place.file].split("\n")[place.line - 1].strip().startswith("page:")


def test_a_filter_that_an_override_injects_is_a_filter() -> None:
    base = seed()
    shop(base)["overrides"] = {}
    found = changes(seed(), base)
    assert found["prod shop-errors/ticket/batch"].class_ == "added"
    place = place_of(found["prod shop-errors/ticket/batch"])
    assert plain(seed())[place.file].split("\n")[place.line - 1].strip().startswith("batch:")
    assert (found[PAGE].class_, found[PAGE].direction) == ("sensitivity", "down")


def test_another_evaluator_is_a_move_and_another_kind_another_meaning() -> None:
    edited = seed()
    edited["tocsin.yaml"]["environments"]["prod"]["services"] = {}
    change = changes(edited)["prod queue-deep"]
    assert (change.class_, change.moved) == ("meaning", True)
    edited = seed()
    edited["tocsin.yaml"]["environments"]["staging"]["evaluators"][0]["name"] = "second"
    change = changes(edited)["staging queue-deep"]
    assert (change.class_, change.moved) == ("none", True)


def test_a_mirror_is_said_of_its_original_and_does_nothing() -> None:
    edited = seed()
    shop(edited)["mirror"] = True
    edited["tocsin.yaml"]["environments"].pop("staging")
    edited[SHOP]["groups"][0]["interval"] = "1m"
    base = seed()
    base["tocsin.yaml"]["environments"].pop("staging")
    base[SHOP]["groups"][0]["interval"] = "1m"
    found = changes(edited, base)
    assert said(found[PAGE]) == [("mirror", "", "grafana", "none")]
    assert {each.class_ for each in found.values()} == {"none"}


def test_the_ledger_alone_changes_nothing() -> None:
    edited = seed()
    made = compiled(seed())
    rules = {
        f"{each.env}/{rule.key.text}": {"digest": rule.digest, "version": "v1.2.3"}
        for service in made.services
        for each in service.resolved
        for rule in each.alerts
    }
    edited["releases.json"] = json.dumps({"version": 1, "release": "v1.2.3", "rules": rules})
    released = compiled(edited)
    assert any(rule.version == "v1.2.3" for each in released.services[0].resolved for rule in each.alerts)
    assert changes(edited) == {}


def test_sops_differ_by_text_language_and_place() -> None:
    edited = seed()
    edited["sops/shop/SOP-SHOP-001.md"] += "\nOne more line.\n"
    edited["sops/moved/SOP-QUEUE-001.md"] = edited.pop("sops/queue/SOP-QUEUE-001.md")
    edited["sops/shop/SOP-SHOP-001.md"] = edited["sops/shop/SOP-SHOP-001.md"].replace("queue/SOP-QUEUE", "moved/SOP-QUEUE")  # fmt: skip
    del edited["sops/shop/SOP-SHOP-001.zh.md"]
    sops = [[page.sop for page in compiled(side).pages if page.sop is not None] for side in (seed(), edited)]
    assert compare_sops(sops[0], sops[0]) == ()
    assert [(each.id, each.language, each.kind) for each in compare_sops(*sops)] == [
        ("SOP-QUEUE-001", "en", "renamed"),
        ("SOP-SHOP-001", "en", "changed"),
        ("SOP-SHOP-001", "zh", "removed"),
    ]
    assert [each.kind for each in compare_sops(sops[1], sops[0])] == ["renamed", "changed", "added"]


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("params of the file", "window: 7m"),
        ("params of the environment", "limit: 0.123"),
        ("params of the project", "factor: 77"),
        ("labels of the group", "tier: front"),
        ("level", "for: 17m"),
        ("alert", "summary: told otherwise"),
    ],
)
def test_a_change_stands_on_the_line_that_makes_it(where: str, line: str) -> None:
    base, edited = seed(), seed()
    for repository in (base, edited):
        new = repository is edited
        repository[SHOP]["params"] = {"window": "7m" if new and where == "params of the file" else "5m"}
        shop(repository)["expr"] = "max_over_time(shop:errors:rate5m[${window}]) > ${limit}"
        repository["tocsin.yaml"]["environments"].pop("staging")
        prod = repository["tocsin.yaml"]["environments"]["prod"]
        prod["params"]["limit"] = 0.123 if new and where == "params of the environment" else 0.5
        repository["tocsin.yaml"]["params"]["factor"] = 77 if new and where == "params of the project" else 2
        repository[SHOP]["groups"][0]["labels"] = {
            "tier": "front" if new and where == "labels of the group" else "back"
        }
        if new and where == "level":
            shop(repository)["levels"]["page"]["for"] = "17m"
        if new and where == "alert":
            shop(repository)["summary"] = "told otherwise"
    made = compiled(edited)
    assert made.settings is not None
    texts = plain(edited)
    found = [each for each in changes(edited, base).values() if each.is_alert and each.key.env == "prod"]
    assert found
    for change in found:
        label = next((each for each in change.fields if each.field == "labels.tier"), None)
        # The group's label is its record's, too, and that its readers see another series weighs more than their own label.
        place = place_of(change, made.settings.project) if label is None else field_place(change.side, label)
        assert line in texts[place.file].split("\n")[place.line - 1], (change.key, place)
