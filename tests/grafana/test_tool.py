"""The commands themselves, exit codes included, on this server; and what they say to one that is too old."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.grafana.site import Place, Site
from tests.grafana.test_sync import Syncer
from tests.loopback import Reply, Seen, reply, serving
from tests.syncing import PROJECT, rule_file

from tocsin.cli import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command with a server's variables: exit code, stdout, stderr."""

    def go(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
        for name in ("GRAFANA_URL", "GRAFANA_TOKEN", "GRAFANA_AUTH", "CI"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = main(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return go


def repository(root: Path, version: str, mark: str, datasource: str) -> Path:
    text = PROJECT.replace("VERSION", version).replace("FOLDER", f"{{service}} {{env}} {mark}")
    text = text.replace("project: shop", f"project: shop-{mark}").replace("prom-main", datasource)
    (root / "tocsin.yaml").write_text(text, encoding="utf-8")
    file = rule_file("db", {"db-down": {}, "db-slow": {"expr": "latency > 5"}})
    (root / file.path).parent.mkdir(parents=True)
    (root / file.path).write_text(file.text, encoding="utf-8")
    return root


def test_plan_sync_drift_undo(place: Place, tmp_path: Path, run: Run) -> None:
    site = place.site
    version = ".".join(map(str, site.version))
    root = repository(tmp_path, version, place.mark, Syncer(place).datasource)
    where = [str(root), "--env", "prod"]
    journal = str(tmp_path / "outside" / "journal.jsonl")
    # Whether rules are healthy after a write is another test's matter: here nobody can reach the data source.
    write = ("sync", *where, "--yes", "--no-wait", "--journal")
    env = dict(site.environment)

    code, out, err = run(env, "plan", *where, "--detailed-exitcode")
    assert (code, site.rules()) == (8, []), out + err
    code, out, err = run(env, *write, journal)
    assert (code, len(site.rules())) == (0, 3), out + err
    before = {each["uid"]: each.get("updated") for each in site.rules()}
    code, out, err = run(env, *write, str(tmp_path / "outside" / "second"))
    assert (code, {each["uid"]: each.get("updated") for each in site.rules()}) == (0, before), out + err
    assert run(env, "plan", *where, "--detailed-exitcode")[0] == 0
    assert run(env, "drift", *where, "--detailed-exitcode")[0] == 0
    uid = next(each["uid"] for each in site.rules() if each["title"] == "DbSlow")
    assert place.put(uid, place.read(uid) | {"for": "7m"}).status == 200
    code, out, err = run(env, "drift", *where, "--detailed-exitcode")
    assert (code, "divergent" in out) == (8, True), out + err
    assert run(env, *write, str(tmp_path / "outside" / "third"))[0] == 0
    code, out, err = run(env, "sync", *where, "--undo", "--journal", journal)
    assert (code, site.rules()) == (0, []), out + err


def test_wrong_credentials_end_with_3_and_are_not_shown(place: Place, tmp_path: Path, run: Run) -> None:
    version = ".".join(map(str, place.site.version))
    root = repository(tmp_path, version, place.mark, "ds")
    env = {"GRAFANA_URL": place.site.url, "GRAFANA_TOKEN": "glsa_wrong_secret"}
    code, out, err = run(env, "plan", str(root), "--env", "prod")
    assert (code, "glsa_wrong_secret" in out + err) == (3, False), out + err


def test_a_server_below_the_floor_is_refused_in_one_sentence(
    any_site: Site, tmp_path: Path, run: Run
) -> None:
    """Where the suite runs on such a server it is asked; everywhere else one that says 9.3.2 of itself."""
    root = repository(tmp_path, "9.4", "floor", "ds")
    if any_site.can("below_floor"):
        found = run(dict(any_site.environment), "plan", str(root), "--env", "prod")
    else:

        def old(seen: Seen, number: int) -> Reply:
            body = {"commit": "x", "database": "ok", "version": "9.3.2"}
            return reply(200, body) if seen.target == "/api/health" else reply(404, {"message": "Not found"})

        with serving(old) as server:
            env = {"GRAFANA_URL": server.url, "GRAFANA_TOKEN": "glsa_any"}
            found = run(env, "plan", str(root), "--env", "prod")
            assert server.lines == ["GET /api/health"]
    code, out, err = found
    assert (code, out, err.count("\n")) == (6, "", 1), err
    assert "cannot list its alert rules" in err and "9.4" in err
