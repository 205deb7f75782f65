"""Which server a command is about, and what may say where it is: flags and variables, for folders as well as for addresses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.loopback import Seen, reply, serving

from tocsin.cli import main
from tocsin.cli.rule_servers import checker, replica_ways
from tocsin.errors import MachineError, UsageError
from tocsin.remote.access import Bearer

Run = Callable[..., tuple[int, str]]
PROJECT = """\
version: 1
project: shop
severities: {P2: {label: {severity: warning}}}
teams: {ops: {name: Ops}}
environments:
  prod:
    evaluators:
      - {name: main, kind: prometheus, version: "3.5"}
      - {name: tenant, kind: mimir, version: "2.15", tenant: team-a}
      - {name: graf, kind: grafana, version: "12.0", url_env: GRAFANA_EU_URL}
    services: {web: main, shop: graf}
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    notifier: alertmanager
    verdict: advised
"""
RULES = """\
version: 1
service: SERVICE
owner: ops
groups:
  - name: main
    interval: 1m
    rules:
      - {alert: Down, id: SERVICE-down, expr: up == 0, severity: P2, summary: it is down}
"""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "PROMETHEUS_URL",
        "GRAFANA_EU_URL",
        "GRAFANA_URL",
        "TOCSIN_RULES_DIR",
        "ALERTMANAGER_URL",
        "CI",
    ):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "tocsin.yaml").write_text(PROJECT)
    for service in ("web", "shop"):
        (tmp_path / "rules" / service).mkdir(parents=True)
        (tmp_path / "rules" / service / "a.yaml").write_text(RULES.replace("SERVICE", service))
    for name in ("files", "alerting"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, and everything it said."""

    def ran(*words: str | Path) -> tuple[int, str]:
        capsys.readouterr()
        code = main([str(each) for each in words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return ran


def prometheus(seen: Seen, _number: int) -> bytes:
    """A Prometheus without a rule."""
    data: dict[str, object] = {"rules": {"groups": []}, "status/buildinfo": {"version": "3.5.0"}}
    found = data.get(seen.target.removeprefix("/api/v1/"))
    return reply(200, {"status": "success", "data": found}) if found else reply(404, b"")


@pytest.mark.parametrize(
    ("environment", "url", "url_env", "found"),
    [
        ({}, "http://a:1,http://b:2", None, ["http://a:1", "http://b:2"]),
        ({"PROMETHEUS_URL": "http://a:1, http://b:2"}, None, None, ["http://a:1", "http://b:2"]),
        ({"PROMETHEUS_URL": "http://a:1"}, None, None, ["http://a:1"]),
        ({"TOCSIN_EU_URL": "http://a:1,http://b:2,"}, None, "TOCSIN_EU_URL", ["http://a:1", "http://b:2"]),
    ],
)
def test_replicas_are_addresses_with_commas(
    environment: Mapping[str, str], url: str | None, url_env: str | None, found: list[str]
) -> None:
    assert [each.url for each in replica_ways(environment, url, url_env)] == found


def test_a_token_of_a_file_s_variable_goes_to_its_own_replicas() -> None:
    environment = {
        "TOCSIN_EU_URL": "http://a:1,http://b:2", "TOCSIN_EU_TOKEN": "eu", "PROMETHEUS_TOKEN": "general",
    }  # fmt: skip
    ways = replica_ways(environment, None, "TOCSIN_EU_URL")
    assert [each.auth.secrets for each in ways if isinstance(each.auth, Bearer)] == [("eu",), ("eu",)]
    stranger = {
        "TOCSIN_EU_URL": "http://a:1,http://evil:2",
        "PROMETHEUS_URL": "http://a:1",
        "PROMETHEUS_TOKEN": "t",
    }
    assert [each.auth is not None for each in replica_ways(stranger, None, "TOCSIN_EU_URL")] == [True, False]
    with pytest.raises(UsageError, match="different numbers"):
        replica_ways(
            {"TOCSIN_EU_URL": "http://a:1,http://b:2", "PROMETHEUS_URL": "http://a:1,http://b:2,http://c:3"},
            None,
            "TOCSIN_EU_URL",
        )
    with pytest.raises(MachineError, match="no address"):
        replica_ways({}, None, None)


def test_the_folder_comes_from_the_command_line_or_the_environment(
    repository: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    with serving(prometheus) as server:
        words = ("plan", repository, "--target", "prometheus", "--url", server.url)
        code, said = run(*words)
        assert code == 2 and "TOCSIN_RULES_DIR" in said
        code, said = run(*words, "--rules-dir", repository / "files")
        assert code == 0 and "create Down" in said
        monkeypatch.setenv("TOCSIN_RULES_DIR", str(repository / "files"))
        assert run(*words) == (code, said)
        assert list((repository / "files").iterdir()) == []
        assert {each.split()[0] for each in server.lines} == {"GET"}


def test_a_plan_of_a_folder_writes_nothing_and_a_sync_reloads(repository: Path, run: Run) -> None:
    with serving(lambda _seen, _number: reply(200, {"message": "Alerting config reloaded"})) as server:
        words = (
            repository,
            "--target",
            "directory",
            "--rules-dir",
            repository / "alerting",
            "--url",
            server.url,
        )
        code, said = run("plan", *words)
        assert code == 0 and "create Down" in said and server.lines == []
        assert list((repository / "alerting").iterdir()) == []
        assert run("sync", *words, "--yes")[0] == 0
        assert server.lines == ["POST /api/admin/provisioning/alerting/reload"]
        assert run("sync", *words, "--yes")[0] == 0 and len(server.lines) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--evaluator", "tenat"), "did you mean `tenant`"),
        (("--target", "mimir", "--evaluator", "main"), "has no Mimir called `main`"),
        (("--target", "mimir", "--rules-dir", "files"), "--rules-dir is for"),
        (("--target", "prometheus", "--accept-blind", "long"), "is no duration"),
        (("--target", "folder"), "is not one of"),
    ],
)
def test_what_does_not_fit_together(repository: Path, run: Run, words: tuple[str, ...], said: str) -> None:
    code, output = run("plan", repository, *words)
    assert code == 2 and said in output, output


def test_the_check_is_ours_where_promtool_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOCSIN_PROMTOOL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    check = checker()
    group = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'up == 0'}\n"
    assert check(group) == ""
    for text, said in (
        (group.replace("up == 0", "rate("), "A: "),
        (group.replace("alert: A", "record: 'a b'"), "no name of a metric"),
        (group.replace("alert: A", "alert: ''"), "name"),
        (group.replace("up == 0'", "up', for: 5"), "no duration"),
        (group + group.removeprefix("groups:\n"), "there twice"),
        ("groups: {}", "no list"),
        ("a: [", "the file"),
    ):
        assert said in check(text), (text, check(text))
    monkeypatch.setenv("TOCSIN_PROMTOOL", "nowhere")
    with pytest.raises(MachineError, match="TOCSIN_PROMTOOL"):
        checker()
