"""tocsin's own plan, apply, drift and undo on the server, in folders of this run's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.grafana.site import OFF, Place
from tests.grafana.starter import desired as compiled
from tests.syncing import NOW, PROJECT, Book, fine, rule_file

from tocsin.diag import SourceFile
from tocsin.pipeline import Sources, compile_sources
from tocsin.sync.apply import Outcome, apply, undo
from tocsin.sync.drift import drift_of
from tocsin.sync.forms import same
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.guard import Guard
from tocsin.sync.plan import make_plan
from tocsin.sync.values import Desired, Plan

TWO: dict[str, dict[str, str]] = {"db-down": {}, "db-slow": {"expr": "latency > 5"}}


class Syncer:
    """Compiles small projects for one site and syncs them; all it makes carries the site's mark."""

    def __init__(self, place: Place) -> None:
        self.place, self.site = place, place.site
        self.datasource = place.uid("ds")
        made = self.site.call(
            "POST",
            "/api/datasources",
            {
                "uid": self.datasource,
                "name": self.datasource,
                "type": "prometheus",
                "access": "proxy",
                "url": "http://127.0.0.1:1",
            },
        )
        assert made.status == 200, made.body

    def wanted(self, *files: SourceFile, env: str = "prod") -> Desired:
        """What the server should hold of these files."""
        text = PROJECT.replace("VERSION", ".".join(map(str, self.site.version)))
        text = text.replace("FOLDER", f"{{service}} {{env}} {self.place.mark}")
        text = text.replace("project: shop", f"project: shop-{self.place.mark}")
        text = text.replace("uid: prom-main", f"uid: {self.datasource}")
        project = SourceFile(path="tocsin.yaml", text=text)
        from tests.grafana.starter import TODAY

        made = compile_sources(
            Sources(project=project, ledger=None, rules=files, sops=(), incidents=()), TODAY
        )
        assert made.settings is not None
        assert [each.message for each in made.diagnostics if each.severity.name == "error"] == []
        environment = made.settings.project.environment(env)
        assert environment is not None
        every = [each for service in made.services for each in service.resolved]
        return desired_grafana(
            every, made.settings.project, environment, "grafana", made.frozen, self.site.version
        )

    def plan(self, desired: Desired, target: GrafanaTarget) -> Plan:
        return make_plan(desired, target.read(), Guard(version=self.site.version), fine, NOW)

    def sync(self, desired: Desired, book: Book | None = None) -> tuple[Plan, Outcome]:
        """Read, plan, apply; everything has to be written."""
        with self.site.target() as target:
            plan = self.plan(desired, target)
            assert plan.stops == () and all(not each.refusals for each in plan.groups), plan
            outcome = apply(plan, target, book or Book(), "stop", NOW, "contract")
        assert outcome.clean, outcome
        return plan, outcome

    def nothing_left(self, desired: Desired) -> None:
        """A second sync in a row: over a door that cannot write, and with nothing to do."""
        before = {each["uid"]: each.get("updated") for each in self.site.rules()}
        with self.site.target(read_only=True) as target:
            plan = self.plan(desired, target)
            assert actions(plan) == {}
            assert apply(plan, target, Book(), "stop", NOW, "contract").results == ()
        assert {each["uid"]: each.get("updated") for each in self.site.rules()} == before

    def holds(self, desired: Desired) -> None:
        """Every group on the server is, in canonical form, the wanted one."""
        with self.site.target(read_only=True) as target:
            for group in desired.groups:
                found = target.read_group(group.place)
                assert same(found, group), (found, group)


def actions(plan: Plan) -> dict[str, str]:
    """uid -> what is to be done, where something is."""
    changes = [change for group in plan.groups for change in group.changes]
    return {each.rule.uid: each.action for each in changes if each.action != "none"}


def keys(plan: Plan) -> dict[str, str]:
    changes = [change for group in plan.groups for change in group.changes]
    return {each.rule.key: each.action for each in changes if each.action != "none"}


@pytest.fixture
def syncer(place: Place) -> Iterator[Syncer]:
    yield Syncer(place)


@pytest.mark.parametrize("service", ["orders-api", "shop"])
def test_what_we_emit_is_stored_and_read_back_equal(syncer: Syncer, service: str) -> None:
    """The starter's service and the equivalence project, for this very version."""
    wanted = compiled(service, syncer.site.version, syncer.place.mark, syncer.datasource)
    assert sum(len(group.rules) for group in wanted.groups) >= 7
    plan, _ = syncer.sync(wanted)
    assert set(actions(plan).values()) == {"create"}
    syncer.holds(wanted)
    syncer.nothing_left(wanted)


def test_changed_removed_and_new(syncer: Syncer) -> None:
    syncer.sync(syncer.wanted(rule_file("db", TWO), rule_file("web", {"web-down": {}})))
    changed = syncer.wanted(
        rule_file("db", {"db-slow": {"expr": "latency > 9"}, "db-full": {}}),
        rule_file("web", {"web-down": {}}),
    )
    plan, _ = syncer.sync(changed)
    assert keys(plan) == {"db-slow": "update", "db-full": "create", "db-down": "delete"}
    syncer.holds(changed)
    syncer.nothing_left(changed)


def test_a_rule_moves_to_another_group_and_a_group_ends(syncer: Syncer) -> None:
    syncer.sync(syncer.wanted(rule_file("db", TWO), rule_file("db", {"db-full": {}}, "more")))
    moved = syncer.wanted(rule_file("db", {**TWO, "db-full": {}}))
    plan, _ = syncer.sync(moved)
    assert keys(plan) == {"db-full": "move"}
    syncer.holds(moved)
    syncer.nothing_left(moved)
    # And the generated rule that tells of failing evaluations.
    assert len(syncer.site.rules()) == 4


def test_two_titles_change_places(syncer: Syncer) -> None:
    syncer.sync(syncer.wanted(rule_file("db", TWO)))
    swapped = syncer.wanted(
        rule_file(
            "db", {"db-down": {"alert": "DbSlow"}, "db-slow": {"expr": "latency > 5", "alert": "DbDown"}}
        )
    )
    syncer.sync(swapped)
    syncer.holds(swapped)
    syncer.nothing_left(swapped)


def test_a_title_goes_from_a_removed_rule_to_a_new_one(syncer: Syncer) -> None:
    syncer.sync(syncer.wanted(rule_file("db", TWO)))
    renamed = syncer.wanted(
        rule_file("db", {"db-lost": {"alert": "DbDown"}, "db-slow": {"expr": "latency > 5"}})
    )
    plan, _ = syncer.sync(renamed)
    assert keys(plan) == {"db-lost": "create", "db-down": "delete"}
    syncer.holds(renamed)
    syncer.nothing_left(renamed)


def test_three_syncs_of_two_environments(syncer: Syncer) -> None:
    prod, staging = (syncer.wanted(rule_file("db", TWO), env=env) for env in ("prod", "staging"))
    syncer.sync(prod)
    syncer.sync(staging)
    syncer.nothing_left(prod)
    syncer.nothing_left(staging)


def test_a_pause_by_hand_is_carried_on(syncer: Syncer) -> None:
    syncer.site.need("pauses")
    wanted = syncer.wanted(rule_file("db", TWO))
    syncer.sync(wanted)
    uid = next(each.uid for each in wanted.groups[0].rules if each.key == "db-down")
    live = syncer.place.read(uid)
    assert syncer.place.put(uid, live | {"isPaused": True}).status == 200
    syncer.nothing_left(wanted)
    changed = syncer.wanted(rule_file("db", {**TWO, "db-down": {"for": "10m"}}))
    syncer.sync(changed)
    found = syncer.place.read(uid)
    assert (found["isPaused"], found["for"]) == (True, "10m")


def test_every_class_of_drift(syncer: Syncer) -> None:
    wanted = syncer.wanted(rule_file("db", {**TWO, "db-full": {}, "db-old": {}}))
    syncer.sync(wanted)
    uids = {each.key: each.uid for each in wanted.groups[0].rules}
    place, folder = syncer.place, wanted.groups[0].place.folder
    assert place.delete(uids["db-old"]).status == 204
    pauses = syncer.site.can("pauses")
    assert place.put(uids["db-down"], place.read(uids["db-down"]) | {"isPaused": pauses}).status == 200
    assert place.put(uids["db-slow"], place.read(uids["db-slow"]) | {"for": "7m"}).status == 200
    place.seed(place.rule("theirs", folderUID=folder), headers=OFF)
    with syncer.site.target(read_only=True) as target:
        found = drift_of(wanted, target.read(), NOW)
    assert {(each.kind, each.key or each.uid) for each in found.rows} == {
        ("missing", "db-old"),
        ("divergent", "db-slow"),
        ("foreign", place.uid("theirs")),
        *([("paused", "db-down")] if pauses else []),
    }
    (row,) = [each for each in found.rows if each.kind == "divergent"]
    assert [each.path for each in row.fields] == ["for"]


def test_what_is_not_ours_stays(syncer: Syncer) -> None:
    place = syncer.place
    place.seed(place.rule("theirs"), headers=OFF)
    before = place.read(place.uid("theirs"))
    syncer.sync(syncer.wanted(rule_file("db", TWO)))
    plan, _ = syncer.sync(syncer.wanted(rule_file("db", {"db-down": {}})))
    assert keys(plan) == {"db-slow": "delete"}
    assert place.read(place.uid("theirs")) == before


def test_undo_from_nothing_but_the_journal(syncer: Syncer) -> None:
    first = syncer.wanted(rule_file("db", TWO), rule_file("db", {"db-full": {}}, "more"))
    syncer.sync(first)
    book = Book()
    second = syncer.wanted(
        rule_file("db", {"db-slow": {"expr": "latency > 9"}, "db-full": {}}),
        rule_file("web", {"web-down": {}}),
    )
    syncer.sync(second, book)
    with syncer.site.target() as target:
        outcome = undo(target, book)
    assert outcome.clean, outcome
    syncer.holds(first)
    syncer.nothing_left(first)
    # And the generated rule that tells of failing evaluations.
    assert len(syncer.site.rules()) == 4


def test_a_rule_edited_between_plan_and_apply_is_left_alone(syncer: Syncer) -> None:
    wanted = syncer.wanted(rule_file("db", TWO))
    syncer.sync(wanted)
    uid = wanted.groups[0].rules[0].uid
    changed = syncer.wanted(rule_file("db", {**TWO, "db-slow": {"expr": "latency > 9"}}))
    with syncer.site.target() as target:
        plan = syncer.plan(changed, target)
        assert syncer.place.put(uid, syncer.place.read(uid) | {"for": "7m"}).status == 200
        outcome = apply(plan, target, Book(), "stop", NOW, "contract")
    assert [each.state for each in outcome.results] == ["changed-meanwhile"]
    assert syncer.place.read(uid)["for"] == "7m"


def test_an_editable_rule_stays_editable(syncer: Syncer) -> None:
    syncer.site.need("group_header")
    wanted = syncer.wanted(rule_file("db", TWO))
    with syncer.site.target(editable=True) as target:
        assert apply(syncer.plan(wanted, target), target, Book(), "stop", NOW, "contract").clean
    assert {each.get("provenance", "") or "" for each in syncer.site.rules()} == {""}
    changed = syncer.wanted(rule_file("db", {**TWO, "db-slow": {"expr": "latency > 9"}}))
    syncer.sync(changed)
    folder = wanted.groups[0].place.folder
    assert {each["provenance"] for each in syncer.site.rules() if each["folderUID"] == folder} == {"api"}
