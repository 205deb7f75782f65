"""Several folders written at once, and somebody else who writes meanwhile: every order of the two, on the stand-in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.standin import Fault, Settings, StandIn
from tests.syncing import NOW, Book, plan_of, rule_file, synced, target_on, wanted
from tests.tocsin_process import Repository

from tocsin.cli.run_plan import beside
from tocsin.sync.apply import Outcome, apply, undo
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.values import Desired, Group, Place

FOLDERS = 12


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with StandIn("12.0") as made:
        with made.edit() as edit:
            edit.datasource("prom-main")
        yield made


def files(**fields: object) -> Desired:
    one = [rule_file(f"s{index:02}", {f"r{index:02}-down": fields}) for index in range(FOLDERS)]
    return wanted(*one, rule_file("s00", {"r00-more": fields}, "extra"))


def at_once(desired: Desired, target: GrafanaTarget) -> tuple[Outcome, Book]:
    plan, book = plan_of(desired, target), Book()
    return apply(plan, target, book, "stop", NOW, "tester", beside=beside(plan.server)), book


class Meddled(GrafanaTarget):
    """Somebody else acts once, before or after the first write of a group."""

    def meddle(self, place: Place, when: str, act: Callable[[], None]) -> None:
        self.where, self.when, self.act = place, when, act
        self.acted = False

    def _now(self, place: Place, when: str) -> None:
        if (place, when) == (self.where, self.when) and not self.acted:
            self.acted = True
            self.act()

    def read_group(self, place: Place) -> Group | None:
        self._now(place, "before-reading")
        return super().read_group(place)

    def write_group(self, group: Group, known: frozenset[str]) -> None:
        super().write_group(group, known)
        self._now(group.place, "after-writing")


def meddled(target: GrafanaTarget) -> Meddled:
    return Meddled(target._client, target._by_uid)


def test_folders_beside_each_other_groups_of_one_after_another(grafana: StandIn) -> None:
    """Every request is slow; the most that were under way at once, and never two of one folder."""
    under, most, twice, lock = [], 0, False, threading.Lock()
    met = threading.Event()
    desired = files()
    with target_on(grafana) as target:
        plan = plan_of(desired, target)
        write = target.write_group

        def slowly(group: Group, known: frozenset[str]) -> None:
            nonlocal most, twice
            with lock:
                twice |= group.place.folder in under
                under.append(group.place.folder)
                most = max(most, len(under))
                if most > 1:
                    met.set()
            met.wait(60)
            threading.Event().wait(0.05)
            write(group, known)
            with lock:
                under.remove(group.place.folder)

        target.write_group = slowly  # type: ignore[method-assign]
        outcome = apply(plan, target, Book(), "stop", NOW, "tester", beside=beside(plan.server))
    assert [each.state for each in outcome.results] == ["written"] * len(plan.groups)
    assert most > 1 and not twice
    assert synced(desired, grafana)[1].results == ()


def test_the_same_end_as_one_after_another(grafana: StandIn) -> None:
    synced(files(), grafana)
    start = grafana.snapshot()
    changed = wanted(
        *(
            rule_file(f"s{index:02}", {f"r{index:02}-down": {"for": "9m"}, f"r{index:02}-new": {}})
            for index in range(8)
        )
    )
    ends = []
    for many in (True, False):
        grafana.restore(start)
        with target_on(grafana) as target:
            from tocsin.sync.guard import Guard

            plan = plan_of(
                changed, target, guard=Guard(max_deletes=99, max_delete_percent=0, version=(12, 0, 0))
            )
            extra = {"beside": beside(plan.server)} if many else {}
            assert apply(plan, target, Book(), "stop", NOW, "tester", **extra).clean  # type: ignore[arg-type]
        ends.append(grafana.content())
    assert ends[0] == ends[1]


def test_a_failure_stops_the_other_lanes_and_undo_takes_all_back(grafana: StandIn) -> None:
    synced(files(), grafana)
    start = grafana.content()
    grafana.plan(Fault(kind="answer", method="PUT", nth=3, times=1000))
    with target_on(grafana) as target:
        outcome, book = at_once(files(**{"for": "9m"}), target)
        states = [each.state for each in outcome.results]
        assert "failed" in states and "not-tried" in states
        grafana.faults.clear()
        assert undo(target, book, beside=beside(target.read().server)).clean
    assert grafana.content() == start


@pytest.mark.parametrize("when", ["before-reading", "after-writing"])
def test_somebody_else_edits_a_group_meanwhile(grafana: StandIn, when: str) -> None:
    """Noticed by the next reading, told, and never written over; the other groups go out."""
    synced(files(), grafana)
    desired = files(**{"for": "9m"})
    (group,) = [each for each in desired.groups if each.rules[0].key == "r03-down"]

    def edit() -> None:
        with grafana.edit() as edit:
            edit.rule(group.rules[0].uid, title="Edited meanwhile")

    with target_on(grafana) as plain:
        target = meddled(plain)
        target.meddle(group.place, when, edit)
        outcome, _ = at_once(desired, target)
    (theirs,) = [each for each in outcome.results if each.place == group.place]
    assert theirs.state == ("changed-meanwhile" if when == "before-reading" else "failed")
    assert "Edited meanwhile" in theirs.say or group.rules[0].title in theirs.say
    assert grafana.org().rules[group.rules[0].uid].title == "Edited meanwhile"
    others = [each.state for each in outcome.results if each.place != group.place]
    assert set(others) <= {"written", "not-tried"} and "written" in others


def test_a_rule_added_to_a_group_meanwhile_stays(grafana: StandIn) -> None:
    synced(files(), grafana)
    desired = files(**{"for": "9m"})
    place = desired.groups[0].place

    def add() -> None:
        with grafana.edit() as edit:
            edit.rule("foreign-1", folder=place.folder, group=place.group)

    with target_on(grafana) as plain:
        target = meddled(plain)
        target.meddle(place, "before-reading", add)
        outcome, _ = at_once(desired, target)
    (theirs,) = [each for each in outcome.results if each.place == place]
    assert theirs.state == "changed-meanwhile" and "foreign-1" in theirs.say
    assert "foreign-1" in grafana.org().rules


def test_a_rule_deleted_meanwhile_is_not_brought_back(grafana: StandIn) -> None:
    synced(files(), grafana)
    desired = files(**{"for": "9m"})
    (group,) = [each for each in desired.groups if each.rules[0].key == "r03-down"]

    def delete() -> None:
        with grafana.edit() as edit:
            edit.delete_rule(group.rules[0].uid)

    with target_on(grafana) as plain:
        target = meddled(plain)
        target.meddle(group.place, "before-reading", delete)
        outcome, _ = at_once(desired, target)
    (theirs,) = [each for each in outcome.results if each.place == group.place]
    assert theirs.state == "changed-meanwhile" and group.rules[0].uid in theirs.say
    assert group.rules[0].uid not in grafana.org().rules


def test_a_no_op_plan_reads_lists_and_not_rules() -> None:
    """As many requests for forty groups as for four."""
    asked = []
    for count in (4, 40):
        desired = wanted(*(rule_file("db", {f"r{i}-a": {}, f"r{i}-b": {}}, f"g{i}") for i in range(count)))
        with StandIn("12.0") as grafana:
            with grafana.edit() as edit:
                edit.datasource("prom-main")
            synced(desired, grafana)
            grafana.log.clear()
            with target_on(grafana, read_only=True) as target:
                plan = plan_of(desired, target)
            assert all(each.action == "none" for group in plan.groups for each in group.changes)
            asked.append(sorted({entry.path for entry in grafana.log.entries}))
            assert len(grafana.log.entries) < 15
    assert asked[0] == asked[1]


@pytest.mark.parametrize("on_error", ["stop", "undo"])
def test_health_is_watched_and_told(tmp_path: Path, on_error: str) -> None:
    """A server that evaluates every half second; one changed rule turns ill, another stays well."""
    with StandIn("12.0", settings=Settings(evaluates=0.5)) as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        repo = Repository(
            tmp_path / "repo", grafana, rule_file("db", {"db-down": {}}), rule_file("web", {"web-down": {}})
        )
        first = repo.run("sync", "--yes")
        assert first.code == 0 and "3 of 3 changed rules were seen healthy" in first.err, first.said
        repo.write(rule_file("db", {"db-down": {"for": "9m"}}), rule_file("web", {"web-down": {"for": "9m"}}))
        rules = {each.title: each.uid for each in grafana.org().rules.values()}

        def falls_ill() -> None:
            threading.Timer(0.2, pin).start()

        def pin() -> None:
            with grafana.edit() as edit:
                edit.set_state(rules["DbDown"], health="error", last_error="no such metric", pinned=True)

        grafana.forget_writes()
        grafana.on_write(2, "after", falls_ill)
        ended = repo.run("sync", "--yes", "--on-error", on_error)
        assert ended.code == 4, ended.said
        assert "became-error: DbDown [db-down]: no such metric (it was well before)" in ended.err
        assert "1 of 2 changed rules were seen healthy" in ended.err
        lengths = {each.title: each.for_ for each in grafana.org().rules.values()}
        assert lengths["WebDown"] == 540_000
        assert lengths["DbDown"] == (300_000 if on_error == "undo" else 540_000)
        kinds = [json.loads(row)["kind"] for row in repo.journal.read_text().splitlines()]
        assert ("undone" in kinds) == (on_error == "undo")
