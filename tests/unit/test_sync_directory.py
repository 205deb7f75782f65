"""A folder of provisioning files as a target: the files that `build` writes, what left named to Grafana, and nothing of anybody else's touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.syncing import NOW, Book, compiled, fine, number, rule_file

from tocsin.disk.rule_folder import RuleFolder
from tocsin.emit import grafana
from tocsin.errors import MachineError
from tocsin.sync.apply import Outcome, apply, undo
from tocsin.sync.directory import desired_directory
from tocsin.sync.directory_target import DirectoryTarget
from tocsin.sync.guard import Guard
from tocsin.sync.order import in_order
from tocsin.sync.plan import Admit, Asked, make_plan
from tocsin.sync.values import Desired, Plan, Refusal

WEB, SHOP, OURS = "alert-template-web-prod.json", "alert-template-shop-prod.json", "tocsin.shop.prod.json"
LABELLED = {"labels": {"where": "{{ $labels.instance }}"}, "expr": "sum by (instance) (up) == 0"}


class Folder(RuleFolder):
    """A folder that counts what is written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.written: list[str] = []

    def write(self, name: str, text: str) -> None:
        self.written.append(name)
        super().write(name, text)

    def remove(self, name: str) -> None:
        self.written.append(f"-{name}")
        super().remove(name)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "alerting"
    path.mkdir()
    return Folder(path)


def target_on(folder: Folder, reload: Callable[[], None] | None = None) -> DirectoryTarget:
    return DirectoryTarget(folder, owner="shop/prod", reload=reload)


def wanted(*services: tuple[str, dict[str, dict[str, object]]], group: str = "main") -> Desired:
    made, project = compiled(*(rule_file(name, alerts, group) for name, alerts in services))
    errors = [each.message for each in made.diagnostics if each.severity.name == "error"]
    assert errors == []
    every = [each for service in made.services for each in service.resolved]
    environment = project.environment("prod")
    assert environment is not None
    return desired_directory(every, project, environment, "grafana", made.frozen, number("12.0"))


def planned(desired: Desired, target: DirectoryTarget, admit: Admit = fine) -> Plan:
    guard = Guard(version=number("12.0"), max_deletes=100, max_delete_percent=0)
    return make_plan(desired, target.read(), guard, admit, NOW)


def synced(desired: Desired, target: DirectoryTarget) -> Outcome:
    plan = planned(desired, target)
    assert [why for each in plan.groups for why in each.refusals] == [] and plan.stops == ()
    outcome = apply(plan, target, Book(), "stop", NOW, "tester")
    assert outcome.clean, outcome.results
    return outcome


def deleted(folder: Folder) -> list[str]:
    """The uids that Grafana is told to delete."""
    document = json.loads((folder.path / OURS).read_text())
    assert document["apiVersion"] == 1
    return [each["uid"] for each in document["deleteRules"]]


def test_the_files_are_those_that_build_writes(folder: Folder) -> None:
    alerts = {"down": LABELLED, "late": {"summary": "costs $5 and $HOME"}}
    made, project = compiled(rule_file("web", alerts))
    environment = project.environment("prod")
    assert environment is not None
    every = [each for service in made.services for each in service.resolved if each.env == "prod"]
    built = {
        Path(each.path).name: each.text
        for each in (
            *grafana.emit(every[0], project, environment),
            *grafana.emit_together(every, project, environment),
        )
    }
    synced(wanted(("web", alerts)), target_on(folder))
    assert {name: (folder.path / name).read_text() for name in folder.names() if name != OURS} == built
    assert "{{ $$labels.instance }}" in built[WEB] and "costs $5 and $HOME" in built[WEB]


def test_a_second_sync_writes_nothing_and_a_change_one_file(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": LABELLED}), ("shop", {"late": {}})), target)
    folder.written.clear()
    assert synced(wanted(("web", {"down": LABELLED}), ("shop", {"late": {}})), target).results == ()
    assert folder.written == []
    (folder.path / WEB).write_text(json.dumps(json.loads((folder.path / WEB).read_text())))
    assert synced(wanted(("web", {"down": LABELLED}), ("shop", {"late": {}})), target).results == ()
    synced(wanted(("web", {"down": LABELLED}), ("shop", {"late": {"for": "9m"}})), target)
    assert folder.written == [OURS, SHOP]


def test_what_left_is_named_to_grafana_until_it_is_back(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": {}, "late": {}}), ("shop", {"gone": {}})), target)
    assert deleted(folder) == []
    synced(wanted(("web", {"down": {}})), target)
    assert len(deleted(folder)) == 2 and all(uid.startswith(("late", "gone")) for uid in deleted(folder))
    assert not (folder.path / SHOP).exists()
    synced(wanted(("web", {"down": {}, "late": {}})), target)
    assert [uid.partition("-")[0] for uid in deleted(folder)] == ["gone"]


def test_a_rule_that_moves_is_never_in_two_places(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": {}, "late": {}})), target)
    seen: list[int] = []
    write = folder.write

    def watched(name: str, text: str) -> None:
        write(name, text)
        seen.append(
            sum(
                (folder.path / each).read_text().count('"uid": "down')
                for each in folder.names()
                if each != OURS
            )
        )

    folder.write = watched  # type: ignore[method-assign]
    synced(wanted(("web", {"down": {}, "late": {}}), group="other"), target)
    assert max(seen) == 1 and deleted(folder) == []
    assert [each.place.group for each in target.read().groups if each.place.folder == WEB] == ["other"]


def grouped(groups: dict[str, dict[str, dict[str, object]]]) -> Desired:
    made, project = compiled(*(rule_file("web", alerts, group) for group, alerts in groups.items()))
    every = [each for service in made.services for each in service.resolved]
    environment = project.environment("prod")
    assert environment is not None
    return desired_directory(every, project, environment, "grafana", made.frozen, number("12.0"))


def test_a_rule_whose_new_group_is_refused_stays_in_its_old_one(folder: Folder) -> None:
    target = target_on(folder)
    synced(grouped({"a": {"moves": {}, "goes": {}, "stays": {}}}), target)
    after = grouped({"a": {"stays": {"for": "9m"}}, "b": {"moves": {}, "new": {}}})

    def admit(asked: Asked) -> Refusal | None:
        return Refusal(code="verdict-missing", message="no") if asked.rule.key == "new" else None

    plan = planned(after, target, admit)
    assert apply(plan, target, Book(), "stop", NOW, "tester").clean
    (group,) = (each for each in target.read().groups if each.place.folder == WEB)
    assert (group.place.group, sorted(each.key for each in group.rules)) == ("a", ["moves", "stays"])
    assert [uid.partition("-")[0] for uid in deleted(folder)] == ["goes"]
    synced(after, target)
    assert {rule.key: each.place.group for each in target.read().groups for rule in each.rules if rule.key} == {
        "stays": "a", "moves": "b", "new": "b",
    }  # fmt: skip


def test_what_takes_a_rule_is_written_before_what_gives_it(folder: Folder) -> None:
    target = target_on(folder)
    synced(grouped({"a": {"one": {}, "x": {}}, "b": {"two": {}, "y": {}}, "c": {"z": {}}}), target)
    plan = planned(
        grouped({"a": {"x": {"for": "9m"}}, "b": {"one": {}, "y": {}}, "c": {"two": {}, "z": {}}}), target
    )
    assert [each.place.group for each in in_order(plan.groups)] == ["c", "b", "a"]
    circle = planned(grouped({"a": {"two": {}, "x": {}}, "b": {"one": {}, "y": {}}, "c": {"z": {}}}), target)
    assert [each.place.group for each in in_order(circle.groups)] == ["a", "b"]


def test_files_of_others_stay_as_they_are(folder: Folder) -> None:
    theirs = '{"apiVersion": 1, "groups": []}\n'
    (folder.path / "theirs.yaml").write_text(theirs)
    (folder.path / WEB).write_text(theirs)
    target = target_on(folder)
    plan = planned(wanted(("web", {"down": {}}), ("shop", {"late": {}})), target)
    refused = {
        each.place.folder: [why.code for why in each.refusals] for each in plan.groups if each.refusals
    }
    assert refused == {WEB: ["managed-folder"]}
    assert apply(plan, target, Book(), "stop", NOW, "tester").clean
    group = next(each.after for each in plan.groups if each.place.folder == WEB)
    assert group is not None
    with pytest.raises(MachineError, match="did not write it"):
        target.write_group(group, frozenset())
    assert (folder.path / "theirs.yaml").read_text() == (folder.path / WEB).read_text() == theirs


def test_a_file_that_a_hand_broke_freezes_its_own_rules(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": {}}), ("shop", {"late": {}})), target)
    (folder.path / WEB).write_text("{")
    plan = planned(wanted(("web", {"down": {}}), ("shop", {"late": {"for": "9m"}})), target)
    refused = {each.place.folder: each.refusals[0].message for each in plan.groups if each.refusals}
    assert list(refused) == [WEB] and "a hand that broke it" in refused[WEB]
    assert apply(plan, target, Book(), "stop", NOW, "tester").clean
    assert deleted(folder) == [] and (folder.path / WEB).read_text() == "{"


def test_a_memory_that_cannot_be_read_stops_everything(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": {}})), target)
    for text in ("{", "{}", '{"tocsin": {"owner": "shop/prod"}}', '{"tocsin": {"owner": "other/prod"}}'):
        (folder.path / OURS).write_text(text)
        with pytest.raises(MachineError, match=OURS):
            target.read()


def test_a_run_is_taken_back(folder: Folder) -> None:
    target = target_on(folder)
    synced(wanted(("web", {"down": {}, "late": {}}), ("shop", {"gone": {}})), target)
    before = {name: (folder.path / name).read_text() for name in folder.names()}
    book = Book()
    plan = planned(wanted(("web", {"down": {"for": "7m"}}), ("new", {"fresh": {}})), target)
    assert apply(plan, target, book, "stop", NOW, "tester").clean
    assert undo(target, book).clean
    after = {name: (folder.path / name).read_text() for name in folder.names()}
    fresh = deleted(folder)
    assert len(fresh) == 1 and fresh[0].startswith("fresh")  # Grafana may have read it in between
    assert {name: text for name, text in after.items() if name != OURS} == {
        name: text for name, text in before.items() if name != OURS
    }


def test_grafana_is_told_once_and_again_where_it_did_not_listen(folder: Folder) -> None:
    told: list[str] = []

    def reload() -> None:
        told.append("reload")
        if len(told) == 1:
            raise MachineError("no")

    target = target_on(folder, reload)
    target.finish()
    assert told == []
    desired = wanted(("web", {"down": {}}), ("shop", {"late": {}}))
    synced(desired, target)
    with pytest.raises(MachineError):
        target.finish()
    assert synced(desired, target).results == ()
    target.finish()
    target.finish()
    assert told == ["reload", "reload"] and deleted(folder) == []


def test_a_half_written_file_has_no_name_in_the_folder(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the file gets its name: the folder holds what it held, and the next run cleans up beside it."""
    seen: list[list[str]] = []

    def killed(self: Path, _target: Path) -> None:
        seen.append([each.name for each in folder.path.iterdir()])
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_a, **_k: None)
        with pytest.raises(SystemExit):
            folder.write(WEB, "{}")
    assert seen == [[]] and [each.name for each in folder.path.parent.glob(".tocsin-*")]
    folder.write(WEB, "{}")
    assert folder.names() == (WEB,) and list(folder.path.parent.glob(".tocsin-*")) == []


def test_links_and_folders_are_nobodys(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    (folder.path / WEB).symlink_to(secret)
    (folder.path / "inner").mkdir()
    assert folder.names() == ()
    for act in (lambda: folder.read(WEB), lambda: folder.write(WEB, "x"), lambda: folder.remove(WEB)):
        with pytest.raises(MachineError, match="not a plain file"):
            act()
    assert secret.read_text() == "mine" and (folder.path / WEB).is_symlink()
    with pytest.raises(ValueError, match="not the name"):
        folder.read("../secret")
    with pytest.raises(MachineError, match="there is no folder"):
        RuleFolder(tmp_path / "none")
    with pytest.raises(RuntimeError, match="opened for reading"):
        RuleFolder(folder.path, read_only=True).write("a.json", "")


def test_a_paused_rule_stays_paused(folder: Folder) -> None:
    target = target_on(folder)
    desired = wanted(("web", {"down": {}}))
    held = replace(desired, groups=tuple(replace(each, rules=tuple(replace(rule, paused=True) for rule in each.rules)) for each in desired.groups))  # fmt: skip
    synced(held, target)
    assert '"isPaused": true' in (folder.path / WEB).read_text()
    plan = planned(desired, target)
    assert {each.action for group in plan.groups for each in group.changes} == {"none"}
