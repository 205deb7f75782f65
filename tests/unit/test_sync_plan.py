"""The plan, on small worlds: what becomes of each rule, what is refused, what stops the run."""

from __future__ import annotations

from dataclasses import replace

from tocsin.ir.duration import Duration
from tocsin.sync.guard import Guard
from tocsin.sync.order import in_order
from tocsin.sync.plan import Asked, Scope, fingerprint, make_plan
from tocsin.sync.values import Desired, Folder, Group, Hold, Live, Place, Plan, Refusal, Rule, Server, State
from tocsin.wire.live import Matcher, Silence

NOW = "2026-11-21T10:00:00+00:00"
SERVER = Server(kind="grafana", identity="http://g#1", version="12.0.0", organisation="1")
OURS = "shop/prod"
NEW = Guard(version=(12, 0, 0))


def rule(uid: str, *, owner: str = OURS, **more: object) -> Rule:
    body = {"for": 300_000, "labels": {"severity": "warning"}, "annotations": {}, **(more.pop("body", {}))}  # type: ignore[dict-item]
    given = {
        "uid": uid,
        "title": f"T-{uid}",
        "kind": "alert",
        "body": body,
        "owner": owner,
        "key": uid,
        "service": "db",
        "digest": f"d-{uid}",
        "labels": {"alertname": f"T-{uid}", "severity": "warning"},
        "datasources": frozenset({"prom"}),
        **more,
    }
    return Rule(**given)  # type: ignore[arg-type]


def group(*rules: Rule, name: str = "g", folder: str = "f", interval: int = 60_000) -> Group:
    return Group(place=Place(folder, name), interval=Duration(interval), rules=rules, service="db")


def live(*groups: Group, **more: object) -> Live:
    given = {
        "server": SERVER,
        "groups": groups,
        "folders": (Folder(uid="f", title="F"),),
        "datasources": {"prom": "prometheus"},
        **more,
    }
    return Live(**given)  # type: ignore[arg-type]


def wanted(*groups: Group, frozen: frozenset[str] = frozenset()) -> Desired:
    return Desired(
        owner=OURS,
        environment="prod",
        groups=groups,
        folders=(Folder(uid="f", title="F"),),
        frozen=frozen,
        organisation="1",
    )


def admit(asked: Asked) -> Refusal | None:
    return None


def plan(desired: Desired, world: Live, guard: Guard = NEW, scope: Scope | None = None) -> Plan:
    return make_plan(desired, world, guard, admit, NOW, scope)


def actions(made: Plan) -> dict[str, str]:
    return {each.rule.uid: each.action for one in made.groups for each in one.changes}


def refused(made: Plan) -> list[str]:
    return [each.code for one in made.groups for each in one.refusals]


def test_create_update_delete_and_none() -> None:
    here = live(group(rule("a"), rule("b"), rule("c")))
    made = plan(wanted(group(rule("a"), rule("b", body={"for": 0}), rule("d"))), here)
    assert actions(made) == {"a": "none", "b": "update", "d": "create", "c": "delete"}
    (update,) = [each for one in made.groups for each in one.changes if each.action == "update"]
    assert [(each.path, each.old, each.new) for each in update.fields] == [("for", 300_000, 0)]
    assert made.groups[0].after is not None
    assert [each.uid for each in made.groups[0].after.rules] == ["a", "b", "d"]


def test_a_rule_that_changes_its_group_is_moved_and_not_deleted() -> None:
    here = live(group(rule("a"), rule("b"), name="old"))
    made = plan(wanted(group(rule("b"), name="old"), group(rule("a"), name="new")), here)
    assert actions(made) == {"a": "move", "b": "none"}
    leaving = {each.place.group: each.leaving for each in made.groups}
    assert leaving == {"new": (), "old": ("a",)}
    assert [each.place.group for each in in_order(made.groups)] == ["new"]


def test_a_group_whose_rules_all_moved_is_in_the_plan_for_the_way_back() -> None:
    made = plan(wanted(group(rule("a"), name="new")), live(group(rule("a"), name="old")))
    assert {each.place.group: each.leaving for each in made.groups} == {"new": (), "old": ("a",)}
    assert made.stops == ()


def test_an_unmarked_rule_of_our_uid_is_adopted_and_anothers_is_refused() -> None:
    assert actions(plan(wanted(group(rule("a"))), live(group(rule("a", owner=""))))) == {"a": "adopt"}
    made = plan(wanted(group(rule("a"))), live(group(rule("a", owner="other/prod"))))
    assert refused(made) == ["owned-by-another"]
    assert in_order(made.groups) == ()


def test_a_foreign_rule_in_our_group_refuses_that_group_alone() -> None:
    here = live(group(rule("a"), rule("x", owner="")), group(rule("b"), name="h"))
    change = wanted(group(rule("a", body={"for": 0})), group(rule("b", body={"for": 0}), name="h"))
    made = plan(change, here)
    assert refused(made) == ["foreign-members"]
    assert [each.place.group for each in in_order(made.groups)] == ["h"]
    assert made.groups[0].foreign == 1
    skipped = plan(change, here, replace(NEW, foreign="skip"))
    assert [each.skipped for one in skipped.groups for each in one.refusals] == [True]
    # Nothing to write there: nothing to refuse.
    assert refused(plan(wanted(group(rule("a")), group(rule("b"), name="h")), here)) == []


def test_what_a_group_cannot_have() -> None:
    assert refused(plan(wanted(group(rule("a"))), live(datasources={}))) == ["unknown-datasource"]
    assert refused(
        plan(wanted(group(rule("a"))), live(group(rule("a", body={"for": 0}, provenance="file"))))
    ) == ["provisioned-by-file"]
    managed = live(folders=(Folder(uid="f", title="F", managed="Git Sync"),))
    assert refused(plan(wanted(group(rule("a"))), managed)) == ["managed-folder"]
    blocked = live(folders=(), server=replace(SERVER, can_create_folders=False))
    assert refused(plan(wanted(group(rule("a"))), blocked)) == ["folder-missing"]
    same = live(group(rule("x", owner="", title="T-a"), name="theirs"))
    assert refused(plan(wanted(group(rule("a"))), same, replace(NEW, version=(11, 6, 0)))) == ["title-taken"]
    assert refused(plan(wanted(group(rule("a"))), same)) == []


def test_a_verdict_is_asked_for_what_changes_in_meaning() -> None:
    asked: list[tuple[str, str, str]] = []

    def gate(change: Asked) -> Refusal | None:
        asked.append((change.rule.key, change.digest, change.live.uid if change.live is not None else ""))
        return Refusal(code="no-verdict", message="m") if change.rule.key == "b" else None

    here = live(group(rule("a"), rule("b"), rule("t"), rule("gone")), group(rule("z"), name="h"))
    change = wanted(
        group(
            rule("a", body={"for": 0}),
            rule("b", body={"for": 0}),
            rule("t", body={"annotations": {"summary": "new"}}),
            rule("new"),
        ),
        group(rule("z"), name="h"),
    )
    made = make_plan(change, here, NEW, gate, NOW)
    assert sorted(asked) == [("a", "d-a", "a"), ("b", "d-b", "b"), ("gone", "", "gone"), ("new", "d-new", "")]
    assert refused(made) == ["no-verdict"]


def test_stops() -> None:
    many = live(group(*(rule(f"r{index}") for index in range(20))))
    assert [each.code for each in plan(wanted(), many).stops] == ["empty-desired", "mass-delete"]
    assert [each.code for each in plan(wanted(group(rule("r0"))), many).stops] == ["mass-delete"]
    (stop,) = plan(wanted(group(rule("r0"))), many).stops
    assert stop.help.endswith("say --max-deletes 19 (now 10) and --max-delete-percent 95 (now 20)")
    said = replace(NEW, max_deletes=19, max_delete_percent=95)
    assert plan(wanted(group(rule("r0"))), many, said).stops == ()
    few = replace(NEW, max_deletes=30, max_delete_percent=0)
    assert plan(wanted(group(rule("r0"))), many, few).stops == ()
    assert plan(wanted(), live()).stops == ()
    other = live(server=replace(SERVER, organisation="7"))
    assert [each.code for each in plan(wanted(group(rule("a"))), other).stops] == ["wrong-organisation"]


def test_a_frozen_service_keeps_what_it_has() -> None:
    here = live(group(rule("a"), rule("b")), group(rule("z", service="web"), name="h"))
    made = plan(wanted(group(rule("a"), rule("b")), frozen=frozenset({"web"})), here)
    assert actions(made) == {"a": "none", "b": "none"} and made.stops == ()


def test_a_scope_leaves_the_rest_as_it_is_live() -> None:
    here = live(group(rule("a"), rule("b"), rule("old")))
    change = wanted(group(rule("a", body={"for": 0}), rule("b", body={"for": 0}), rule("new")))
    made = plan(change, here, scope=Scope(rules=frozenset({"b"})))
    assert actions(made) == {"b": "update"}
    after = made.groups[0].after
    assert after is not None
    assert {each.uid: each.body["for"] for each in after.rules} == {"a": 300_000, "b": 0, "old": 300_000}


def test_holds_last_end_and_are_told() -> None:
    held = rule("a", paused=True, hold=Hold(by="ann", until="2026-11-21T12:00:00+00:00", reason="deploy"))
    made = plan(wanted(group(rule("a"))), live(group(held)))
    (change,) = made.groups[0].changes
    assert change.action == "none" and "held by ann" in change.notes[0]
    ended = replace(held, hold=Hold(by="ann", until="2026-11-21T09:00:00+00:00", reason="deploy"))
    (change,) = plan(wanted(group(rule("a"))), live(group(ended))).groups[0].changes
    assert change.action == "update" and not change.rule.paused and change.effect == "starts"


def test_effect_counts_and_silences() -> None:
    quiet = Silence(
        id="s1",
        matchers=(Matcher(name="severity", value="warning"), Matcher(name="cluster", value="x")),
        starts_at="",
        ends_at="",
        created_by="",
        comment="",
        state="active",
    )
    other = replace(quiet, id="s2", matchers=(Matcher(name="severity", value="critical"),))
    here = live(
        group(rule("a")), states={"a": State(health="ok", firing=3, pending=1)}, silences=(quiet, other)
    )
    loud = rule(
        "a", body={"labels": {"severity": "critical"}}, labels={"alertname": "T-a", "severity": "critical"}
    )
    (change,) = plan(wanted(group(loud)), here).groups[0].changes
    assert (change.effect, change.firing, change.pending) == ("resolves-and-refires", 3, 1)
    assert [each.id for each in change.silences_lost] == ["s1"]


def test_a_prometheus_keeps_state_where_name_and_labels_stay() -> None:
    prometheus = replace(SERVER, kind="prometheus")
    here = live(group(rule("a", body={"expr": "x"})), server=prometheus)

    def effect(changed: Rule) -> str:
        return plan(wanted(group(changed)), here).groups[0].changes[0].effect

    assert effect(rule("a", body={"expr": "x", "annotations": {"summary": "s"}})) == "none"
    assert effect(rule("a", body={"expr": "y"})) == "resolves-and-refires"
    assert effect(rule("a", body={"expr": "x"}, title="Other")) == "resolves-and-refires"


def test_the_fingerprint_sees_rules_and_not_states() -> None:
    one = live(group(rule("a")))
    assert fingerprint(one) == fingerprint(replace(one, states={"a": State(health="error")}))
    for other in (
        live(group(rule("a", paused=True))),
        live(group(rule("a", body={"for": 0}))),
        live(group(rule("a"), interval=30_000)),
        live(group(rule("a", owner=""))),
        live(group(rule("a"), name="h")),
    ):
        assert fingerprint(one) != fingerprint(other)


def test_a_rule_under_another_uid_is_a_change_of_what_it_was() -> None:
    """One question, about what it takes the place of; the deletion is its other half."""
    asked: list[tuple[str, str, str]] = []

    def gate(change: Asked) -> Refusal | None:
        asked.append((change.rule.key, change.digest, change.live.uid if change.live is not None else ""))
        return None

    here = live(group(rule("a"), rule("old", key="k")))
    make_plan(wanted(group(rule("a"), rule("new", key="k"))), here, NEW, gate, NOW)
    assert asked == [("k", "d-new", "old")]


def test_a_rule_of_no_service_is_asked_about_by_nobody() -> None:
    def gate(change: Asked) -> Refusal | None:
        raise AssertionError(change)

    here = live(group(rule("w", service="")))
    make_plan(wanted(group(rule("w", service="", body={"for": 0}))), here, NEW, gate, NOW)
