"""What sync, plan and drift say of rules whose evaluation errors an old Grafana cannot show: on the stand-in's profiles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn
from tests.syncing import PROJECT, rule_file

from tocsin.cli import main

SAY = "cannot show an evaluation error of these rules; the generated evaluation rule does"
OLD = ("9.4", "10.4")


@pytest.mark.parametrize("version", PROFILES)
def test_it_is_said_of_those_versions_and_no_other(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tocsin.yaml").write_text(PROJECT.replace("VERSION", version).replace("FOLDER", "{service}"))
    file = rule_file("db", {"db-down": {}})
    (tmp_path / file.path).parent.mkdir(parents=True)
    (tmp_path / file.path).write_text(file.text.replace("interval: 1m", "interval: 10s"))
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    where = [str(tmp_path), "--env", "prod"]
    hidden = version in OLD
    with StandIn(version) as grafana:
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        assert main(["plan", *where, "--format", "json"]) == 0
        notes = json.loads(capsys.readouterr().out)["plan"]["notes"]
        assert sum(SAY in each for each in notes) == hidden
        assert main(["sync", *where, "--yes", "--no-wait"]) == 0
        assert (SAY in capsys.readouterr().out) == hidden
        assert main(["plan", *where]) == 0
        assert SAY not in capsys.readouterr().out
        assert main(["drift", *where]) == 0
        assert (SAY in capsys.readouterr().out) == hidden
        assert main(["drift", *where, "--format", "json"]) == 0
        drift = json.loads(capsys.readouterr().out)["drift"]
        assert bool(drift["notes"]) == hidden and drift["failing"] == []


def test_a_rule_that_fails_is_shown_by_drift_and_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tocsin.yaml").write_text(PROJECT.replace("VERSION", "12.0").replace("FOLDER", "{service}"))
    for service in ("db", "web"):
        file = rule_file(service, {f"{service}-down": {}})
        (tmp_path / file.path).parent.mkdir(parents=True)
        (tmp_path / file.path).write_text(file.text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    where = ["drift", str(tmp_path), "--env", "prod", "--detailed-exitcode"]
    with StandIn("12.0") as grafana:
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        assert main(["sync", *where[1:4], "--yes", "--no-wait"]) == 0
        uid = next(uid for uid, each in grafana.org().rules.items() if each.title == "DbDown")
        with grafana.edit() as edit:
            edit.set_state(uid, pinned=True, health="error", last_error="no such host")
        capsys.readouterr()
        assert main(where) == 0
        assert "failing   DbDown [db-down]: no such host" in capsys.readouterr().out
        assert main([*where, "--format", "metrics"]) == 0
        assert 'tocsin_failing_rules{env="prod"} 1' in capsys.readouterr().out
        assert main([*where, "--service", "web"]) == 0
        assert "failing" not in capsys.readouterr().out
