"""A rule whose query fails is told as failing, though every Grafana calls a rule healthy that goes on as it was then, as ours do."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn
from tests.syncing import PROJECT, rule_file

from tocsin.cli import main


@pytest.mark.parametrize("version", PROFILES)
def test_a_rule_that_fails_is_shown_by_drift_and_is_none(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = PROJECT.replace("VERSION", version).replace("FOLDER", "{service}")
    (tmp_path / "tocsin.yaml").write_text(text)
    for service in ("db", "web"):
        file = rule_file(service, {f"{service}-down": {}})
        (tmp_path / file.path).parent.mkdir(parents=True)
        (tmp_path / file.path).write_text(file.text)
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    where = [str(tmp_path), "--env", "prod"]
    drift = ["drift", *where, "--detailed-exitcode"]
    with StandIn(version) as grafana:
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        assert main(["sync", *where, "--yes", "--no-wait"]) == 0
        uid = next(uid for uid, each in grafana.org().rules.items() if each.title == "DbDown")
        capsys.readouterr()
        assert main(drift) == 0
        assert "failing" not in capsys.readouterr().out
        with grafana.edit() as edit:
            edit.set_state(uid, pinned=True, health="error", last_error="no such host")
        assert main(drift) == 0
        known = grafana.profile.error_annotated
        said = "no such host" if known else "the server does not say why"
        assert f"failing   DbDown [db-down]: {said}" in capsys.readouterr().out
        assert main([*drift, "--format", "metrics"]) == 0
        assert 'tocsin_failing_rules{env="prod"} 1' in capsys.readouterr().out
        assert main([*drift, "--service", "web"]) == 0
        assert "failing" not in capsys.readouterr().out
