"""A sync against real Prometheus servers that read a folder: the oldest and the newest that are supported.

What is asserted is what the servers evaluate and which bytes lie in the folder, not what the target says of itself.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from tests.loopback import FakeClock
from tests.patience import eventually
from tests.real.components import NEWEST, promtool
from tests.real.servers import Server
from tests.ruling import Deadly, files_target, plan_of, rules, synced, wanted
from tests.syncing import NOW, Book

from tocsin.disk.journal import FileJournal
from tocsin.disk.promtool import refusal
from tocsin.disk.rule_folder import RuleFolder
from tocsin.ir.duration import Duration
from tocsin.remote.http import Door
from tocsin.remote.prometheus import Prometheus
from tocsin.sync.apply import apply, resume, undo
from tocsin.sync.journal import plan_of as planned
from tocsin.sync.prometheus_target import PrometheusTarget
from tocsin.sync.rule_check import complaint
from tocsin.sync.values import Desired, Place

VERSIONS = ("2.42", NEWEST)
WEB = "tocsin.shop.prod.web.rules.yaml"
UP = {"record": "web:up", "expr": "vector(1)"}
DOWN = {"alert": "Down", "expr": "web:up == 1"}
SLOW = {"alert": "Slow", "expr": "vector(2)  >  1", "for": "1h"}
Start = Callable[..., Server]


class Replica(Prometheus):
    """A client that counts how often it told its server to read again."""

    reloads = 0

    def reload(self) -> None:
        self.reloads += 1
        super().reload()


@pytest.fixture
def rules_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


@pytest.fixture
def replica(prometheus_server: Start, rules_dir: Path) -> Iterator[Callable[[str], Replica]]:
    """Start a server that reads the folder."""
    config = f"global: {{evaluation_interval: 1s}}\nrule_files: ['{rules_dir}/*.yaml']\n"
    with ExitStack() as stack:

        def started(version: str = NEWEST) -> Replica:
            server = prometheus_server(config, version=version)
            door = stack.enter_context(Door(server.url, clock=FakeClock(), metrics=True))
            return Replica(door)

        yield started


def evaluated(server: Prometheus) -> dict[str, list[str]]:
    """Group -> names of its rules, as the server says."""
    return {group.name: [rule.name for rule in group.rules] for group in server.rules()}


def states(outcome: object) -> list[str]:
    return [each.state for each in outcome.results]  # type: ignore[attr-defined]


@pytest.mark.parametrize("version", VERSIONS)
def test_from_nothing_to_nothing(replica: Callable[[str], Replica], rules_dir: Path, version: str) -> None:
    server = replica(version)
    target = files_target(rules_dir, server)
    first = wanted(rules("web", {"main": [UP, DOWN], "other": [SLOW]}))
    assert states(synced(first, target)) == ["written", "written"]
    assert evaluated(server) == {"main": ["web:up", "Down"], "other": ["Slow"]}
    text = (rules_dir / WEB).read_text()

    reloads = server.reloads
    again = synced(first, target)
    assert again.results == () and server.reloads == reloads and (rules_dir / WEB).read_text() == text

    changed = wanted(rules("web", {"main": [UP, {**DOWN, "expr": "web:up > 0"}], "other": [SLOW]}))
    plan = plan_of(changed, target)
    actions = [(each.action, each.reason) for group in plan.groups for each in group.changes]
    assert actions == [("none", ""), ("update", "expr"), ("none", "")]
    assert states(synced(changed, target)) == ["written"]
    assert [each.query for each in server.rules()[0].rules][1] == "web:up > 0"

    for turned in ([UP, SLOW, DOWN], [SLOW, UP, DOWN]):
        assert states(synced(wanted(rules("web", {"main": turned})), target))[0] == "written"
        assert evaluated(server)["main"] == [each.get("record") or each["alert"] for each in turned]

    fewer = wanted(rules("web", {"main": [UP]}))
    assert states(synced(fewer, target)) == ["written"]
    assert evaluated(server) == {"main": ["web:up"]}
    target.delete_group(Place(WEB, "main"))
    assert evaluated(server) == {} and not (rules_dir / WEB).exists()


@pytest.mark.parametrize("version", VERSIONS)
def test_group_settings_and_every_field_come_back(
    replica: Callable[[str], Replica], rules_dir: Path, version: str
) -> None:
    newer = {} if version == "2.42" else {"query_offset": "30s", "labels": "{tier: '{{ 1 }}'}"}
    listed = [
        {"record": "web:up", "expr": "sum by (job) (rate(up{job=~'a|b'}[90s]) or vector(1e3))", "labels": {"a": "b"}},
        {"alert": "Down", "expr": "absent(up offset 1h30m) == on () group_left () (-1)", "keep_firing_for": "90s", "for": "90m",
         "description": "{{ $value }} 'quoted' \"twice\"\nand: more"},
    ]  # fmt: skip
    desired = wanted(rules("web", {"grüße / {1}": listed}, limit="7", **newer), version=version)
    target = files_target(rules_dir, replica(version))
    outcome = synced(desired, target)
    assert states(outcome) == ["written"], outcome.results
    assert synced(desired, target).results == ()


@pytest.mark.parametrize("check", ["own", "promtool"])
def test_a_broken_file_is_refused_before_the_reload(
    replica: Callable[[str], Replica], rules_dir: Path, check: str
) -> None:
    server = replica(NEWEST)
    judge = complaint if check == "own" else lambda text: refusal(promtool(), text)
    target = files_target(rules_dir, server, check=judge)
    synced(wanted(rules("web", {"main": [UP]})), target)
    text, reloads = (rules_dir / WEB).read_bytes(), server.reloads
    broken = _with_expr(wanted(rules("web", {"main": [UP, DOWN], "zeta": [SLOW]})), "Down", "rate(")
    outcome = apply(plan_of(broken, target), target, Book(), "stop", NOW, "tester")
    assert states(outcome) == ["failed", "not-tried"] and "was not written" in outcome.results[0].say
    assert (rules_dir / WEB).read_bytes() == text and server.reloads == reloads
    assert evaluated(server) == {"main": ["web:up"]} and [each.name for each in rules_dir.iterdir()] == [WEB]


def test_a_file_the_server_refuses_is_put_back(replica: Callable[[str], Replica], rules_dir: Path) -> None:
    """The checks know a newer version than the server that reads the folder."""
    old, new = replica("2.42"), replica(NEWEST)
    target = files_target(rules_dir, new, old, check=lambda text: refusal(promtool(), text))
    synced(wanted(rules("web", {"main": [UP]})), target)
    text = (rules_dir / WEB).read_bytes()
    desired = wanted(rules("web", {"main": [UP, DOWN]}, query_offset="30s"))
    outcome = apply(plan_of(desired, target), target, Book(), "stop", NOW, "tester")
    assert states(outcome) == ["failed"] and old.address in outcome.results[0].say
    assert (rules_dir / WEB).read_bytes() == text
    assert evaluated(old) == evaluated(new) == {"main": ["web:up"]}
    synced(wanted(rules("web", {"main": [UP, DOWN]})), target)
    assert evaluated(old) == evaluated(new) == {"main": ["web:up", "Down"]}


def test_a_replica_that_is_behind_is_named_and_brought_up(
    replica: Callable[[str], Replica], rules_dir: Path
) -> None:
    one, two = replica(NEWEST), replica("2.42")
    desired = wanted(rules("web", {"main": [UP, DOWN]}))
    synced(desired, files_target(rules_dir, one))
    assert evaluated(one) != evaluated(two) == {}
    pair = files_target(rules_dir, one, two)
    (group,) = plan_of(desired, pair).groups
    assert {each.action for each in group.changes} == {"update"}
    (field,) = group.changes[0].fields
    assert field.path == "group.loaded" and field.old == f"{two.address} does not have it"
    before = (rules_dir / WEB).stat().st_mtime_ns
    assert states(synced(desired, pair)) == ["written"]
    assert evaluated(one) == evaluated(two) and (rules_dir / WEB).stat().st_mtime_ns == before
    assert synced(desired, pair).results == ()


def test_a_replica_that_reads_another_folder_fails_the_group(
    replica: Callable[[str], Replica], prometheus_server: Start, rules_dir: Path
) -> None:
    elsewhere = prometheus_server("global: {evaluation_interval: 1s}\n")
    with Door(elsewhere.url, clock=FakeClock()) as door:
        target = files_target(rules_dir, replica(NEWEST), Prometheus(door))
        plan = plan_of(wanted(rules("web", {"main": [UP]})), target)
        outcome = apply(plan, target, Book(), "stop", NOW, "tester")
    (result,) = outcome.results
    assert result.state == "failed" and f"{elsewhere.url} does not have it" in result.say


def test_what_is_not_ours_is_not_touched(replica: Callable[[str], Replica], rules_dir: Path) -> None:
    theirs = "groups:\n- name: main\n  rules: [{record: 'web:up', expr: vector(9)}]\n"
    (rules_dir / "theirs.yaml").write_text(theirs)
    (rules_dir / WEB).write_text(theirs)  # our name, without our mark
    server = replica(NEWEST)
    target = files_target(rules_dir, server)
    desired = wanted(rules("web", {"main": [UP]}), rules("shop", {"main": [DOWN]}))
    plan = plan_of(desired, target)
    refused = {each.place.folder: [why.code for why in each.refusals] for each in plan.groups}
    assert refused == {"tocsin.shop.prod.shop.rules.yaml": [], WEB: ["managed-folder"]}
    assert states(apply(plan, target, Book(), "stop", NOW, "tester")) == ["written"]
    other = wanted(rules("web", {"main": [UP]}), env="staging")
    synced(other, files_target(rules_dir, server, owner="shop/staging"))
    synced(wanted(rules("shop", {"main": [DOWN]})), target)
    assert (rules_dir / "theirs.yaml").read_text() == (rules_dir / WEB).read_text() == theirs
    assert len(server.rules()) == 4


@pytest.mark.parametrize("version", VERSIONS)
def test_the_alerts_of_a_rule_are_counted(
    replica: Callable[[str], Replica], rules_dir: Path, version: str
) -> None:
    target = files_target(rules_dir, replica(version), replica(NEWEST))
    fires = {"alert": "Fires", "expr": "label_replace(vector(1), 'a', 'x', '', '') or vector(2)"}
    broken = {
        "alert": "Broken",
        "expr": "vector(1) * on () group_left () (label_replace(vector(1), 'a', 'x', '', '') or vector(2))",
    }
    synced(wanted(rules("web", {"main": [fires, SLOW, broken]})), target)

    def counted() -> bool:
        found = {uid.rpartition("|")[2]: state for uid, state in target.states().items()}
        seen = [(name, each.health, each.pending, each.firing) for name, each in sorted(found.items())]
        return seen == [("broken", "error", 0, 0), ("fires", "ok", 0, 2), ("slow", "ok", 1, 0)]

    eventually(counted, "two firing, one pending, one in error")
    plan = plan_of(wanted(rules("web", {"main": [{**fires, "expr": "vector(3)"}, SLOW]})), target)
    told = {each.rule.title: (each.action, each.firing, each.pending) for each in plan.groups[0].changes}
    assert told == {"Fires": ("update", 2, 0), "Slow": ("none", 0, 1), "Broken": ("delete", 0, 0)}


def test_alerts_wait_for_their_records(replica: Callable[[str], Replica], rules_dir: Path) -> None:
    server = replica(NEWEST)
    target = files_target(rules_dir, server)
    long = {"alert": "Long", "expr": "avg_over_time(web:up[1h]) < 1"}
    desired = wanted(
        rules("web", {"alerts": [DOWN], "longer": [long], "records": [UP, {**DOWN, "alert": "Beside"}]})
    )
    plan = plan_of(desired, target, covered=target.covered)
    refused = {each.place.group: [why.code for why in each.refusals] for each in plan.groups}
    assert refused == {"alerts": ["records-not-ready"], "longer": ["records-not-ready"], "records": []}
    apply(plan, target, Book(), "stop", NOW, "tester")
    assert evaluated(server) == {"records": ["web:up", "Beside"]}

    eventually(lambda: bool(server.query("web:up")), "the record's series")
    plan = plan_of(desired, target, covered=target.covered)
    assert [each.place.group for each in plan.groups if each.writes] == ["alerts"]
    hour = Duration(3_600_000)
    plan = plan_of(desired, target, covered=target.covered, blind=Duration(hour - 1))
    assert [each.place.group for each in plan.groups if each.writes] == ["alerts"]
    plan = plan_of(desired, target, covered=target.covered, blind=hour)
    assert states(apply(plan, target, Book(), "stop", NOW, "tester")) == ["written", "written"]
    assert len(evaluated(server)) == 3


# A process killed around every write and every reload --------------------------------------------------------------------------


def _killed(url: str, folder: Path, journal: Path, desired: Desired, at: int, talk: Connection) -> None:
    """A sync that dies at step `at`; one that has fewer steps says so."""
    deadly = Deadly(at)
    with Door(url, clock=FakeClock(), metrics=True) as door:
        server = Prometheus(door)
        server.reload = deadly.around(server.reload)  # type: ignore[method-assign]
        files = RuleFolder(folder)
        files.write = deadly.around(files.write)  # type: ignore[method-assign]
        files.remove = deadly.around(files.remove)  # type: ignore[method-assign]
        target = PrometheusTarget(files, [server], complaint, owner="shop/prod")
        apply(plan_of(desired, target), target, FileJournal(journal), "stop", NOW, "tester")
    talk.send("alive")


OLD = (
    rules("web", {"gone": [SLOW], "main": [UP, {**UP, "record": "web:less"}, DOWN]}),
    rules("zero", {"all": [{**SLOW, "alert": "Bye"}]}),
)
NEW = (
    rules("web", {"fresh": [{**SLOW, "alert": "Fresh"}], "main": [{**UP, "record": "web:more"}, UP]}),
    rules("new", {"all": [{**SLOW, "alert": "Hello"}]}),
)
ENDS = {
    "undo": {"gone": ["Slow"], "main": ["web:up", "web:less", "Down"], "all": ["Bye"]},
    "resume": {"fresh": ["Fresh"], "main": ["web:more", "web:up"], "all": ["Hello"]},
}


@pytest.mark.parametrize("way", ["resume", "undo"])
def test_killed_around_every_write_and_reload(
    replica: Callable[[str], Replica], rules_dir: Path, tmp_path: Path, way: str
) -> None:
    server = replica(NEWEST)
    target = files_target(rules_dir, server)
    old, new = wanted(*OLD), wanted(*NEW)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.ruling"])
    behind, at = 0, 0
    while True:
        at += 1
        synced(old, target)
        journal = tmp_path / f"{at}.jsonl"
        here, there = context.Pipe()
        process = context.Process(target=_killed, args=(server.address, rules_dir, journal, new, at, there))
        process.start()
        there.close()
        process.join(300)
        here.close()
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        # Where the files are ahead of the server, a new plan sees it from these two alone.
        behind += any(each.settings["loaded"] != "everywhere" for each in target.read().groups)
        book = FileJournal(journal)
        assert planned(book).server.identity == server.address
        outcome = resume(target, book, "stop") if way == "resume" else undo(target, book)
        assert outcome.clean, (at, outcome.results)
        assert evaluated(server) == ENDS[way], at
        assert synced(new if way == "resume" else old, target).results == (), at
    # Four phases with one reload each (records, alerts, deletions, the record that goes), and six writes of a file in them (two files in the second
    # and in the third): each with a moment before and one after. From the first write of a phase to its reload the files are ahead.
    assert at == 2 * (4 + 6) + 1 and behind == 2 + 4 + 4 + 2


def _with_expr(desired: Desired, title: str, expr: str) -> Desired:
    return replace(
        desired,
        groups=tuple(
            replace(
                group,
                rules=tuple(
                    replace(each, body={**each.body, "expr": expr}) if each.title == title else each
                    for each in group.rules
                ),
            )
            for group in desired.groups
        ),
    )


def test_groups_of_a_phase_are_written_together(replica: Callable[[str], Replica], rules_dir: Path) -> None:
    """One reload for all records, one for all alerts, one for all that goes, whatever their number and their files."""
    one, two = replica(NEWEST), replica("2.42")
    target = files_target(rules_dir, one, two)
    listed = [
        rules(
            f"s{each}",
            {
                f"g{number}": [
                    {**UP, "record": f"s{each}:up{number}"}
                    if number < 2
                    else {"alert": f"A{each}{number}", "expr": "up > 1"}
                ]
                for number in range(4)
            },
        )
        for each in range(5)
    ]
    outcome = synced(wanted(*listed), target)
    assert states(outcome) == ["written"] * 20 and one.reloads == two.reloads == 2
    assert evaluated(one) == evaluated(two) and len(one.rules()) == 20
    outcome = synced(wanted(listed[0]), target)
    assert states(outcome) == ["written"] * 16 and one.reloads == two.reloads == 4
    assert len(one.rules()) == 4 and len(list(rules_dir.iterdir())) == 1


def test_one_bad_group_of_many_is_told_by_itself(replica: Callable[[str], Replica], rules_dir: Path) -> None:
    """The check that is done here knows nothing of the server's version, so the server refuses the batch."""
    server = replica("2.42")
    target = files_target(rules_dir, server, check=lambda text: "")
    fine = [rules(f"s{each}", {"g": [{"alert": f"A{each}", "expr": "up > 1"}]}) for each in range(4)]
    bad = rules("s9", {"g": [{"alert": "A9", "expr": "up > 1"}]}, query_offset="30s")
    plan = plan_of(wanted(*fine, bad), target)
    outcome = apply(plan, target, Book(), "continue", NOW, "tester")
    assert states(outcome) == ["written"] * 4 + ["failed"]
    assert len(server.rules()) == 4 and len(list(rules_dir.iterdir())) == 4
