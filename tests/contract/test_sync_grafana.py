"""Plan and apply against the stand-in, on every version: what is written, what is left alone, and that a second run writes nothing."""

from __future__ import annotations

import pytest
from tests.standin import PROFILES, Fault, StandIn
from tests.standin.errors import plain
from tests.standin.faults import conflict
from tests.syncing import plan_of, rule_file, synced, target_on, wanted

from tocsin.cli.run_plan import tell

VERSIONS = tuple(PROFILES)
TWO = {"db-down": {}, "db-slow": {"expr": "latency > 5"}}


def standin(version: str) -> StandIn:
    made = StandIn(version)
    with made.edit() as edit:
        edit.datasource("prom-main")
    return made


@pytest.mark.parametrize("version", VERSIONS)
def test_first_sync_then_nothing(version: str) -> None:
    desired = wanted(rule_file("db", TWO), rule_file("web", {"web-down": {}}), version=version)
    with standin(version) as grafana:
        plan, outcome = synced(desired, grafana, version=version)
        assert [each.state for each in outcome.results] == ["written"] * len(desired.groups)
        assert {each.action for group in plan.groups for each in group.changes} == {"create"}
        grafana.log.clear()
        again, outcome = synced(desired, grafana, version=version)
        assert [
            each.action for group in again.groups for each in group.changes if each.action != "none"
        ] == []
        assert outcome.results == ()
        assert grafana.log.writes() == []


@pytest.mark.parametrize("version", VERSIONS)
def test_an_edited_a_removed_and_a_new_rule(version: str) -> None:
    with standin(version) as grafana:
        synced(wanted(rule_file("db", TWO), version=version), grafana, version=version)
        changed = wanted(
            rule_file("db", {"db-slow": {"expr": "latency > 9"}, "db-full": {}}), version=version
        )
        plan, outcome = synced(changed, grafana, version=version)
        done = {
            each.rule.key: each.action for group in plan.groups for each in group.changes if each.rule.service
        }
        assert done == {"db-slow": "update", "db-full": "create", "db-down": "delete"}
        assert outcome.clean
        assert synced(changed, grafana, version=version)[1].results == ()


def test_three_syncs_of_two_environments_in_one_organisation() -> None:
    files = (rule_file("db", TWO),)
    with standin("12.0") as grafana:
        for env in ("prod", "staging"):
            synced(wanted(*files, env=env), grafana)
        grafana.log.clear()
        plan, _ = synced(wanted(*files, env="prod"), grafana)
        assert grafana.log.writes() == []
        assert all(each.action == "none" for group in plan.groups for each in group.changes)


def test_a_rule_edited_by_hand_is_divergent_and_a_foreign_one_untouched() -> None:
    desired = wanted(rule_file("db", TWO))
    with standin("12.0") as grafana:
        synced(desired, grafana)
        uid = desired.groups[0].rules[0].uid
        with grafana.edit() as edit:
            edit.rule(uid, title="Renamed by hand")
            edit.folder("theirs")
            edit.rule("foreign-1", folder="theirs", group="g")
        with target_on(grafana) as target:
            plan = plan_of(desired, target)
        (change,) = [each for group in plan.groups for each in group.changes if each.action != "none"]
        assert (change.action, [each.path for each in change.fields]) == ("update", ["title"])
        synced(desired, grafana)
        with target_on(grafana) as target:
            live = target.read()
        assert {"foreign-1"} < {rule.uid for group in live.groups for rule in group.rules}


def test_a_paused_rule_stays_paused_and_is_told() -> None:
    desired = wanted(rule_file("db", {"db-down": {}}))
    with standin("12.0") as grafana:
        synced(desired, grafana)
        uid = desired.groups[0].rules[0].uid
        with grafana.edit() as edit:
            edit.pause(uid)
        changed = wanted(rule_file("db", {"db-down": {"for": "10m"}}))
        plan, _ = synced(changed, grafana)
        (change,) = [each for group in plan.groups for each in group.changes if each.rule.uid == uid]
        assert change.rule.paused and "by hand" in change.notes[0]
        with target_on(grafana) as target:
            live = {rule.uid: rule for group in target.read().groups for rule in group.rules}
        assert live[uid].paused and live[uid].body["for"] == 600_000


def test_read_only_cannot_write() -> None:
    desired = wanted(rule_file("db", TWO))
    with standin("12.0") as grafana, target_on(grafana, read_only=True) as target:
        plan = plan_of(desired, target)
        assert plan.groups and grafana.log.writes() == []
        with pytest.raises(RuntimeError):
            target.write_group(desired.groups[0], frozenset())
        assert grafana.log.writes() == []


def test_a_service_that_does_not_compile_is_frozen_and_not_deleted() -> None:
    with standin("12.0") as grafana:
        synced(wanted(rule_file("db", TWO), rule_file("web", {"web-down": {}})), grafana)
        broken = rule_file("web", {"web-down": {"expr": "sum("}})
        from tests.syncing import compiled, number

        from tocsin.sync.grafana import desired_grafana

        made, project = compiled(rule_file("db", {"db-down": {}}), broken)
        assert made.frozen == {"web"}
        every = [each for service in made.services for each in service.resolved]
        desired = desired_grafana(
            every, project, project.environments[0], "grafana", made.frozen, number("12.0")
        )
        plan, outcome = synced(desired, grafana)
        gone = [each.rule.key for group in plan.groups for each in group.changes if each.action == "delete"]
        assert gone == ["db-slow"] and outcome.clean
        with target_on(grafana) as target:
            live = {rule.key for group in target.read().groups for rule in group.rules}
        assert {"web-down", "db-down"} <= live


def test_why_a_server_failed_is_told() -> None:
    """A refusal may come as a 500 (9.x does so): no clear answer, but the reason is in it."""
    with standin("12.0") as grafana:
        synced(wanted(rule_file("db", TWO)), grafana)
        refused = plain(500, "the quota is used up").reply
        grafana.plan(Fault(kind="answer", method="PUT", path=".*/rule-groups/main", times=100, reply=refused))
        _, outcome = synced(wanted(rule_file("db", TWO | {"db-down": {"for": "9m"}})), grafana)
        (failed,) = [each for each in outcome.results if each.state == "failed"]
        assert "the quota is used up" in failed.say and failed.say.endswith("read back: it is as it was")


@pytest.mark.parametrize(("times", "state"), [(1, "written"), (100, "failed")])
def test_another_writer_at_the_same_moment_is_read_back_and_met_once_more(times: int, state: str) -> None:
    """409 of two writers: what is there then is what the plan saw, so the group is written again, once."""
    with standin("12.0") as grafana:
        synced(wanted(rule_file("db", TWO)), grafana)
        grafana.plan(conflict(path=".*/rule-groups/main", times=times))
        grafana.log.clear()
        _, outcome = synced(wanted(rule_file("db", TWO | {"db-down": {"for": "9m"}})), grafana)
        (done,) = outcome.results
        assert (done.state, "409" in done.say) == (state, state == "failed"), done
        assert len(grafana.log.select(method="PUT")) == 2


def test_why_a_run_was_taken_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with standin("12.0") as grafana:
        synced(wanted(rule_file("db", TWO)), grafana)
        refused = plain(403, "not in this folder").reply
        grafana.plan(Fault(kind="answer", method="PUT", path=".*/rule-groups/main", reply=refused))
        changed = wanted(rule_file("db", TWO | {"db-down": {"for": "9m"}}))
        _, outcome = synced(changed, grafana, on_error="undo")
        assert (tell(outcome), [each.state for each in outcome.results]) == (4, ["undone"])
        said = capsys.readouterr().err
        assert said.startswith("failed: ") and "not in this folder" in said.splitlines()[0]
