"""Canary records at the gate of `tocsin sync`: what admits a change, what refuses its group, and what an override leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.standin import StandIn
from tests.syncing import rule_file
from tests.tocsin_process import Repository

from tocsin.verdict import sign

KEY = "the protected job's key"
NOW = datetime.now(tz=UTC)
RULES = {"db-down": {}, "db-slow": {"expr": "latency > 5"}}


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with StandIn("12.0") as made:
        with made.edit() as edit:
            edit.datasource("prom-main")
        yield made


@pytest.fixture
def repo(grafana: StandIn, tmp_path: Path) -> Repository:
    """Everything synced as it is; from then on verdicts are required."""
    made = Repository(tmp_path / "repo", grafana, rule_file("db", RULES), rule_file("web", {"web-down": {}}))
    assert made.sync().code == 0
    made.project(verdict="required")
    made.env["TOCSIN_VERDICT_KEY"] = KEY
    grafana.log.clear()
    return made


def digests(repo: Repository) -> dict[str, str]:
    """Key -> semantic digest as it shall be, as the plan tells it to machines."""
    plan = json.loads(repo.run("plan", "--format", "json").out)["plan"]
    changes = [each for group in plan["groups"] for each in group["changes"]]
    return {each["rule"]["key"]: each["rule"]["digest"] for each in changes}


def record(
    repo: Repository, id: str, digest: str, *, key: str = KEY, folder: str = "records", **changes: Any
) -> None:
    """A signed record that admits `id` -> `digest`, but for `changes`."""
    gates = [{"id": "pages", "verdict": changes.pop("gate", "ok"), "old": 12, "new": 9}]
    verdict = changes.get("verdict", "pass")
    body: dict[str, Any] = {
        "schema": "tocsin/canary/1",
        "id": f"c-{id}",
        "created": NOW.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires": (NOW + timedelta(days=7)).date().isoformat(),
        "tool": "0.4.0",
        "rule": {
            "env": changes.pop("env", "prod"),
            "id": id,
            "uid": id,
            "old_digest": "0" * 24,
            "new_digest": digest,
            "old_object": None,
        },
        "policy": {"pages": {"critical": True, "at_most": {"ratio": 1.5}, "at_least": {}}},
        "stages": [{"stage": 0, "verdict": verdict, "metrics": {}, "gates": gates}],
        "waivers": [],
        "verdict": verdict,
        **changes,
    }
    if key:
        body["signature"] = sign(body, key.encode())
    path = repo.top / folder / f"{id}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(body))


def change(repo: Repository) -> str:
    """A longer `for` of web-down; its digest."""
    repo.write(rule_file("web", {"web-down": {"for": "9m"}}))
    return digests(repo)["web-down"]


def test_what_is_unchanged_needs_none(repo: Repository, grafana: StandIn) -> None:
    ended = repo.sync()
    assert (ended.code, grafana.log.writes()) == (0, []), ended.said


def test_a_good_record_admits_and_the_rest_is_refused(repo: Repository, grafana: StandIn) -> None:
    digest = change(repo)
    repo.write(rule_file("db", {**RULES, "db-down": {"for": "9m"}}))
    record(repo, "web-down", digest)
    ended = repo.sync()
    assert ended.code == 4, ended.said
    assert "verdict-missing: `db-down` has no canary record" in ended.out
    lengths = {each.title: each.for_ for each in grafana.org().rules.values()}
    assert (lengths["WebDown"], lengths["DbDown"]) == (540_000, 300_000)
    assert repo.sync().code == 7, "what is left waits for the canary alone"


def test_a_removal_needs_one_too(repo: Repository) -> None:
    repo.write(rule_file("db", {"db-down": {}}))
    assert repo.sync().code == 7
    record(repo, "db-slow", "")
    assert repo.sync().code == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": ""}, "unsigned"),
        ({"key": "another key"}, "bad-signature"),
        ({"expires": (NOW - timedelta(days=1)).date().isoformat()}, "expired"),
        ({"verdict": "fail", "gate": "fail"}, "failed"),
        ({"env": "staging"}, "missing"),
        ({"digest": "f" * 24}, "digest"),
    ],
)
def test_records_that_admit_nothing(
    repo: Repository, grafana: StandIn, changes: dict[str, Any], reason: str
) -> None:
    digest = change(repo)
    record(repo, "web-down", changes.pop("digest", digest), **changes)
    for command in (("plan",), ("sync", "--yes")):
        ended = repo.run(*command)
        assert (ended.code, grafana.log.writes()) == (7, []), ended.said
        assert f"verdict-{reason}: " in ended.out and "--override-canary" in ended.out
        assert KEY not in ended.said


def test_without_the_key_nothing_is_believed(repo: Repository) -> None:
    record(repo, "web-down", change(repo))
    ended = repo.sync(TOCSIN_VERDICT_KEY="")
    assert ended.code == 7 and "verdict-no-key" in ended.out


def test_another_folder_and_a_broken_file(repo: Repository) -> None:
    record(repo, "web-down", change(repo), folder="elsewhere")
    (repo.top / "elsewhere" / "broken.json").write_text("{")
    assert repo.run("plan").code == 7
    ended = repo.run("plan", "--records", str(repo.top / "elsewhere"))
    assert ended.code == 0 and "broken.json is no canary record" in ended.out
    assert repo.run("plan", "--records", str(repo.top / "nowhere")).code == 3


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
    digest = change(repo)
    ended = repo.run("plan")
    assert ended.code == 0 and "note: verdicts are advised here: `web-down` has no canary record" in ended.out
    record(repo, "web-down", digest, key="")
    assert "verdicts are advised" not in repo.run("plan").out


def test_a_saved_plan_is_no_proof(repo: Repository, grafana: StandIn, tmp_path: Path) -> None:
    """Made with an override, and applied without one: the verdicts are those of the run that writes."""
    change(repo)
    saved = tmp_path / "plan.json"
    assert repo.run("plan", "--out", str(saved), "--override-canary", "--reason", "x").code == 0
    ended = repo.sync("--plan", str(saved))
    assert (ended.code, grafana.log.writes()) == (9, [])
