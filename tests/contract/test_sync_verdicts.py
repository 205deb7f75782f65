"""Canary records at the gate of `tocsin sync`: what admits a change, what refuses its group, and what an override leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.recording import KEY, NOW, document, limits_of, written
from tests.standin import StandIn
from tests.syncing import rule_file
from tests.tocsin_process import Repository
from tests.unit.test_sync_journals import git

from tocsin.cli.workspace import read_sources
from tocsin.ir.canary import DEFAULT_GATES
from tocsin.pipeline import compile_sources
from tocsin.sync.document import from_json
from tocsin.sync.standing import object_of
from tocsin.sync.values import Group

RULES = {"db-down": {}, "db-slow": {"expr": "latency > 5"}}
LATER = (NOW - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with StandIn("12.0") as made:
        with made.edit() as edit:
            edit.datasource("prom-main")
        yield made


@pytest.fixture
def repo(grafana: StandIn, tmp_path: Path) -> Repository:
    """Everything synced as it is and committed, twice, so that there is a base; from then on verdicts are required."""
    made = Repository(tmp_path / "repo", grafana, rule_file("db", RULES), rule_file("web", {"web-down": {}}))
    assert made.sync().code == 0
    made.project(verdict="required")
    made.env["TOCSIN_VERDICT_KEY"] = KEY
    git(made.top, "init", "-q")
    commit(made, "all of it")
    commit(made, "nothing")
    grafana.log.clear()
    return made


def commit(repo: Repository, subject: str) -> str:
    """Everything of the work tree, committed; the commit."""
    git(repo.top, "add", "rules", "tocsin.yaml")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(repo.top, *who, "commit", "-q", "--allow-empty", "-m", subject)
    return git(repo.top, "rev-parse", "HEAD")


def digests(repo: Repository) -> dict[str, str]:
    """Key -> semantic digest as it shall be."""
    made = compile_sources(read_sources(repo.top), NOW.date())
    every = [each for service in made.services for each in service.resolved if each.env == "prod"]
    return {alert.key.text: alert.digest for each in every for alert in each.alerts}


def record(
    repo: Repository, id: str, old: str, new: str, *, key: str = KEY, folder: str = "records", **changes: Any
) -> None:
    """A signed record that admits `id` from `old` to `new`, but for `changes`."""
    written(repo.top / folder, document(id, old, new, **changes), key=key)


def change(repo: Repository, **fields: Any) -> tuple[str, str]:
    """A longer `for` of web-down, or what is given; its digests, before and after."""
    old = digests(repo)["web-down"]
    repo.write(rule_file("web", {"web-down": fields or {"for": "9m"}}))
    commit(repo, "another web-down")
    return old, digests(repo)["web-down"]


def test_what_is_unchanged_needs_none(repo: Repository, grafana: StandIn) -> None:
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (0, []), ended.said
    assert "gates" not in ended.said, "nobody was asked, so nobody compiled a base"


def test_texts_need_none(repo: Repository, grafana: StandIn) -> None:
    repo.write(rule_file("web", {"web-down": {"summary": "other words"}}))
    ended = repo.sync()
    assert ended.code == 0 and grafana.log.writes(), ended.said


def test_a_good_record_admits_and_the_rest_is_refused(repo: Repository, grafana: StandIn) -> None:
    old, new = change(repo)
    repo.write(rule_file("db", {**RULES, "db-down": {"for": "9m"}}))
    record(repo, "web-down", old, new)
    ended = repo.sync()
    assert ended.code == 4, ended.said
    assert "verdict-missing: `db-down` has no canary record" in ended.out
    lengths = {each.title: each.for_ for each in grafana.org().rules.values()}
    assert (lengths["WebDown"], lengths["DbDown"]) == (540_000, 300_000)
    assert repo.sync().code == 7, "what is left waits for the canary alone"


def test_a_removal_and_an_addition_need_one_too(repo: Repository) -> None:
    old = digests(repo)["db-slow"]
    repo.write(rule_file("db", {"db-down": {}, "db-new": {"expr": "x > 1"}}))
    assert repo.sync().code == 7
    record(repo, "db-slow", old, "")
    assert repo.sync().code == 7
    record(repo, "db-new", "", digests(repo)["db-new"])
    assert repo.sync().code == 0


DAYS_AGO = (NOW - timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("unsigned", {"key": ""}),
    ("bad-signature", {"key": "another key"}),
    ("expired", {"expires": (NOW - timedelta(days=1)).date().isoformat()}),
    ("failed", {"verdict": "fail", "gate": "fail"}),
    ("missing", {"rule": {"env": "staging"}}),
    ("digest", {"rule": {"new_digest": "f" * 24}}),
    ("live", {"rule": {"old_digest": "e" * 24}}),
    ("live", {"rule": {"old_digest": ""}}),
    ("live", {"rule": {"old_digest": "e" * 24, "old_object": {"title": "WebDown"}}}),
    ("loosened", {"limits": limits_of({"pages": DEFAULT_GATES["peak"]})}),
    ("not-backtestable", {"verdict": "not-backtestable"}),
    ("not-backtestable", {"verdict": "not-backtestable", "author": "ada", "approver": "ada"}),
    ("not-needed", {"verdict": "not-needed"}),
    ("stage", {"stages": [{"stage": 0, "verdict": "pass", "gates": []}]}),
    ("rolled-back", {"rolled_back": LATER}),
    (
        "waiver",
        {
            "stages": [{"stage": 0, "verdict": "pass", "gates": [
                {"id": name, "verdict": "fail" if name == "pages" else "ok"} for name in DEFAULT_GATES]}],
            "limits": limits_of(DEFAULT_GATES),
            "waivers": [{"gate": "pages", "by": "ada", "reason": "r", "expires": DAYS_AGO[:10]}],
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("reason", "changes"), REFUSED, ids=[f"{each[0]}-{at}" for at, each in enumerate(REFUSED)]
)
def test_records_that_admit_nothing(
    repo: Repository, grafana: StandIn, changes: dict[str, Any], reason: str
) -> None:
    record(repo, "web-down", *change(repo), **changes)
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (7, []), ended.said
    assert f"verdict-{reason}: " in ended.out and "--override-canary" in ended.out
    assert KEY not in ended.said


def test_without_the_key_nothing_is_believed(repo: Repository) -> None:
    record(repo, "web-down", *change(repo))
    ended = repo.sync(TOCSIN_VERDICT_KEY="")
    assert ended.code == 7 and "verdict-no-key" in ended.out


def test_what_cannot_be_replayed_goes_out_with_a_second_persons_word(repo: Repository) -> None:
    record(repo, "web-down", *change(repo), verdict="not-backtestable", author="ada", approver="ben")
    assert repo.sync().code == 0


def test_quiet_is_enough_but_where_the_severity_wants_a_test(repo: Repository) -> None:
    quiet = {"verdict": "quiet", "gate": "insufficient"}
    record(repo, "web-down", *change(repo), **quiet)
    assert repo.sync().code == 0
    old, new = change(repo, severity="P1")
    settings = compile_sources(read_sources(repo.top), NOW.date()).settings
    assert settings is not None
    limits = limits_of(settings.project.canary.demanded("P1", "P2"))
    record(repo, "web-down", old, new, **quiet, limits=limits)
    ended = repo.sync()
    assert ended.code == 7 and "verdict-untested" in ended.out
    path = repo.top / "rules/web/main.yaml"
    path.write_text(
        path.read_text()
        + """\
tests:
  - name: it is down for long
    env: [prod]
    step: 1m
    series: {'up{job="web"}': 0x20}
    firing: {10m: [firing]}
"""
    )
    ended = repo.sync()
    assert ended.code == 0, ended.said


def test_an_opaque_rule_is_compared_as_an_object(repo: Repository, grafana: StandIn) -> None:
    """Somebody changed the rule in the UI into a form tocsin never writes: the record holds what it was, and it must still be that."""
    old, new = change(repo)
    uid = next(uid for uid, each in grafana.org().rules.items() if each.title == "WebDown")
    with grafana.edit() as edit:
        edit.rule(uid, no_data="Alerting")
    record(repo, "web-down", old, new)
    refused = repo.run("plan", "--format", "json")
    assert refused.code == 7 and "verdict-live" in refused.out
    groups = json.loads(refused.out)["plan"]["groups"]
    before = next(
        from_json(Group, each["before"], "before")
        for each in groups
        if any(change["rule"]["key"] == "web-down" for change in each["changes"])
    )
    here = object_of(before.rules[0], before)
    record(repo, "web-down", old, new, rule={"old_digest": "", "old_object": here})
    assert repo.sync().code == 0


def test_an_older_pass_is_void_once_its_change_was_taken_back(repo: Repository) -> None:
    old, new = change(repo)
    record(repo, "web-down", old, new)
    taken = document("web-down", old, new, id="c-2", rolled_back=LATER)
    written(repo.top / "records", taken, name="taken.json")
    assert "verdict-rolled-back" in repo.sync().out
    now = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    written(repo.top / "records", document("web-down", old, new, id="c-3", created=now), name="new.json")
    assert repo.sync().code == 0


def test_stages_that_the_severity_demands(repo: Repository) -> None:
    text = (repo.top / "tocsin.yaml").read_text()
    staged = text.replace("warning}}", "warning}, canary: {stages: [0, 1, 2, 3]}}")
    staged = staged.replace("environments:", "canary: {scope: {cluster: canary-1}}\nenvironments:")
    (repo.top / "tocsin.yaml").write_text(staged)
    commit(repo, "stages")
    old, new = change(repo)
    record(repo, "web-down", old, new)
    assert "verdict-stage: stage 1 was not run" in repo.sync().out
    limits = limits_of(DEFAULT_GATES)
    gates = [{"id": name, "verdict": "ok"} for name in DEFAULT_GATES if name != "fidelity"]
    stages: list[dict[str, Any]] = [
        {"stage": number, "verdict": "pass", "gates": gates, **({"hours": 24} if number == 2 else {})}
        for number in (0, 1, 2)
    ]
    record(repo, "web-down", old, new, stages=stages)
    assert "verdict-loosened" in repo.sync().out, "it has no limits of fidelity"
    stages[2]["gates"] = [{"id": "fidelity", "verdict": "ok"}]
    record(repo, "web-down", old, new, limits=limits, stages=stages)
    assert repo.sync().code == 0, "stage 3 comes after"


def test_a_soak_that_was_cut_short_is_refused(repo: Repository, grafana: StandIn) -> None:
    """`compare --soak` may look earlier, and the change may ask for less: what counts is the soak that the revision before it demands."""
    text = (repo.top / "tocsin.yaml").read_text()
    staged = text.replace("warning}}", "warning}, canary: {stages: [0, 1, 2], soak: 12h}}")
    staged = staged.replace("environments:", "canary: {scope: {cluster: canary-1}}\nenvironments:")
    (repo.top / "tocsin.yaml").write_text(staged)
    commit(repo, "stages")
    (repo.top / "tocsin.yaml").write_text(staged.replace("12h", "1h"))
    old, new = change(repo)
    gates = [{"id": name, "verdict": "ok"} for name in DEFAULT_GATES]
    limits = limits_of(DEFAULT_GATES)

    def soaked(**hours: float) -> str:
        stages = [{"stage": 0, "verdict": "pass", "gates": gates}, {"stage": 1, "verdict": "pass"}]
        stages.append({"stage": 2, "verdict": "pass", **hours})
        record(repo, "web-down", old, new, limits=limits, stages=stages)
        return repo.run("plan").out

    assert "verdict-soak: stage 2 does not say how long `web-down` was tried" in soaked()
    said = "verdict-soak: `web-down` was tried for 11h30m, and its severity demands 12h"
    assert said in soaked(hours=11.5)
    assert (repo.sync().code, grafana.log.writes()) == (7, [])
    assert "verdict-soak" not in soaked(hours=12) and repo.run("plan").code == 0
    assert said in soaked(hours=11.5)
    assert repo.sync("--override-canary", "--reason", "the storm is now").code == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("verdict: required", "verdict: advised"),
        ("environments:", "canary: {gates: {default: {pages: {ratio: 9}}}}\nenvironments:"),
    ],
)
def test_a_pull_request_that_loosens_its_own_gate_is_refused(
    repo: Repository, grafana: StandIn, was: str, becomes: str
) -> None:
    """It brings looser gates, the change, and a record that says pass by them; it has no key of the trusted job."""
    text = (repo.top / "tocsin.yaml").read_text()
    (repo.top / "tocsin.yaml").write_text(text.replace(was, becomes))
    old = digests(repo)["web-down"]
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    looser = DEFAULT_GATES["pages"]
    limits = limits_of({"pages": looser})
    limits["pages"]["at_most"]["ratio"] = 9
    new = digests(repo)["web-down"]
    record(repo, "web-down", old, new, limits=limits, key="")
    commit(repo, "everything at once")
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (7, []) and "verdict-unsigned" in ended.out, ended.said
    record(repo, "web-down", old, new, limits=limits)
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (7, []) and "verdict-loosened" in ended.out, ended.said
    base = git(repo.top, "rev-parse", "HEAD^")
    assert f"gates, waivers and stages are those of {base[:12]}" in ended.out


def test_what_was_merged_before_counts(repo: Repository) -> None:
    text = (repo.top / "tocsin.yaml").read_text()
    (repo.top / "tocsin.yaml").write_text(
        text.replace("environments:", "canary: {gates: {default: {pages: {ratio: 9}}}}\nenvironments:")
    )
    before = commit(repo, "looser gates")
    old, new = change(repo)
    limits = limits_of({"pages": DEFAULT_GATES["pages"]})
    limits["pages"]["at_most"]["ratio"] = 9
    record(repo, "web-down", old, new, limits=limits)
    assert repo.run("plan").code == 0
    assert "verdict-loosened" in repo.run("plan", "--policy-base", f"{before}^").out


def test_a_base_that_a_shallow_clone_hides_stops_the_run(repo: Repository, tmp_path: Path) -> None:
    record(repo, "web-down", *change(repo))
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repo.top}", "shallow")
    ended = Repository.at(tmp_path / "shallow", repo.env).sync()
    assert ended.code == 3 and "shallow clone" in ended.err


def test_a_base_from_before_the_first_tocsin_yaml(repo: Repository, tmp_path: Path) -> None:
    """Nothing was demanded then, so the work tree's own word counts, and the plan says so. One that is broken is not one that is not there."""
    change(repo)
    git(repo.top, "checkout", "-q", "--orphan", "beginning")
    git(repo.top, "rm", "-q", "-r", "--cached", ".")
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    git(repo.top, *who, "commit", "-q", "--allow-empty", "-m", "nothing yet")
    commit(repo, "tocsin comes")
    ended = repo.run("plan")
    assert ended.code == 7 and "verdict-missing" in ended.out and "has no tocsin.yaml" in ended.out
    text = (repo.top / "tocsin.yaml").read_text()
    (repo.top / "tocsin.yaml").write_text("version: [")
    commit(repo, "broken")
    (repo.top / "tocsin.yaml").write_text(text)
    commit(repo, "mended")
    ended = repo.run("plan")
    assert ended.code == 3 and "by which gates" in ended.err


def test_another_folder_and_a_broken_file(repo: Repository) -> None:
    record(repo, "web-down", *change(repo), folder="elsewhere")
    (repo.top / "elsewhere" / "broken.json").write_text("{")
    assert repo.run("plan").code == 7
    ended = repo.run("plan", "--records", str(repo.top / "elsewhere"))
    assert ended.code == 0 and "broken.json is no canary record" in ended.out
    assert repo.run("plan", "--records", str(repo.top / "nowhere")).code == 3


def test_a_branch_of_records(repo: Repository, tmp_path: Path) -> None:
    """Written by one job, read by another one that only has the clone."""
    from tocsin.disk.git_records import GitRecords

    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repo.top, "remote", "add", "origin", str(tmp_path / "origin.git"))
    record(repo, "web-down", *change(repo), folder="../made")
    content = (tmp_path / "made" / "web-down.json").read_bytes()
    GitRecords("git:origin:tocsin-canary", repo.top).write({"web-down.json": content}, "records")
    assert repo.run("plan").code == 7
    assert repo.run("plan", "--records", "git:origin:tocsin-canary").code == 0
    assert repo.run("plan", "--records", "git:nowhere:tocsin-canary").code == 3


def test_an_override_is_recorded_with_who(repo: Repository, grafana: StandIn) -> None:
    change(repo)
    assert repo.sync("--override-canary").code == 2
    ended = repo.sync("--override-canary", "--reason", "disk is full")
    assert ended.code == 0, ended.said
    assert "note: overridden: `web-down` has no canary record" in ended.out
    begin = json.loads(repo.journal.read_text().splitlines()[0])
    assert begin["override"] == "disk is full"
    assert begin["by"].endswith("(login of the token)")


def test_where_verdicts_are_advised_they_are_notes(repo: Repository) -> None:
    repo.project(verdict="advised")
    commit(repo, "advised")
    old, new = change(repo)
    ended = repo.run("plan")
    assert ended.code == 0 and "note: verdicts are advised here: `web-down` has no canary record" in ended.out
    record(repo, "web-down", old, new, key="")
    assert "verdicts are advised" not in repo.run("plan").out


def test_a_saved_plan_is_no_proof(repo: Repository, grafana: StandIn, tmp_path: Path) -> None:
    """Made with an override, and applied without one: the verdicts are those of the run that writes."""
    change(repo)
    saved = tmp_path / "plan.json"
    assert repo.run("plan", "--out", str(saved), "--override-canary", "--reason", "x").code == 0
    ended = repo.sync("--plan", str(saved))
    assert (ended.code, grafana.log.writes()) == (9, [])


def test_overrides_are_counted_until_a_verdict_comes(repo: Repository) -> None:
    old, new = change(repo)
    ended = repo.sync("--override-canary", "--reason", "disk is full")
    assert "1 override in force (web-down by " in ended.err and ": disk is full), 1 ever used" in ended.err
    metrics = repo.run("drift", "--format", "metrics").out
    assert 'tocsin_overrides_in_force{env="prod"} 1' in metrics
    assert 'tocsin_overrides_used_total{env="prod"} 1' in metrics
    repo.write(rule_file("web", {"web-down": {"for": "9m", "summary": "other words"}}))
    assert "1 override in force" in repo.sync().err, "texts are no verdict"
    assert "1 override in force (web-down by " in repo.run("drift").out
    old, new = change(repo, **{"for": "7m"})
    record(repo, "web-down", old, new)
    ended = repo.sync()
    assert ended.code == 0 and "override" not in ended.err, ended.said
    metrics = repo.run("drift", "--format", "metrics").out
    assert 'tocsin_overrides_in_force{env="prod"} 0' in metrics
    assert 'tocsin_overrides_used_total{env="prod"} 1' in metrics


def test_an_override_that_was_taken_back_is_not_in_force(repo: Repository, grafana: StandIn) -> None:
    change(repo)
    assert repo.sync("--override-canary", "--reason", "x").code == 0
    text = repo.journal.read_text()
    repo.journal.write_text("".join(f"{line}\n" for line in text.splitlines() if '"kind":"end"' not in line))
    assert repo.sync("--undo").code == 0
    assert 'in_force{env="prod"} 0' in repo.run("drift", "--format", "metrics").out
    nowhere = repo.run("drift", "--format", "metrics", "--journal", str(repo.top / "none.jsonl"))
    assert "overrides" not in nowhere.out


def test_the_report_of_a_pull_request_names_overrides(repo: Repository) -> None:
    change(repo)
    assert repo.sync("--override-canary", "--reason", "disk is `full`").code == 0
    ended = repo.run_bare("diff", "HEAD^..HEAD", "--format", "markdown", "-C", str(repo.top))
    assert "1 rule runs on somebody's word alone" in ended.out and "web-down" in ended.out, ended.said
    ended = repo.run_bare("diff", "HEAD^..HEAD", "--format", "json", "-C", str(repo.top))
    (told,) = json.loads(ended.out)["overrides"]
    assert (told["rule"], told["reason"]) == ("web-down", "disk is `full`") and told["by"]
    words = ("--journal", str(repo.top / "none.jsonl"), "-C", str(repo.top))
    assert json.loads(repo.run_bare("diff", "HEAD^..HEAD", "--format", "json", *words).out)["overrides"] == []
