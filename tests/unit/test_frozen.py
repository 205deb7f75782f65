"""A frozen service keeps what it had: its alerts stay deployed, so what mutes them must stay too (law 9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.cli import main

PROJECT = """\
version: 1
project: frozen
severities:
  P1: {label: {severity: critical}}
  P2: {label: {severity: warning}}
teams: {team-a: {}}
site: {url: "https://runbooks.example.com"}
environments:
  prod:
    evaluators: [{name: prometheus, kind: prometheus, version: "2.53"}]
"""
RULES = """\
version: 1
service: {service}
owner: team-a
groups:
  - name: {service}
    rules:
      - alert: {name}
        id: {service}-full
        identity: [instance]
        expr: {service}_used_ratio > ${{limit}}
        levels:
          ticket: {{severity: P2, limit: 0.8}}
          page: {{severity: P1, limit: 0.9}}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "tocsin.yaml").write_text(PROJECT)
    for service in ("disk", "queue"):
        folder = tmp_path / "rules" / service
        folder.mkdir(parents=True)
        (folder / "full.yaml").write_text(RULES.format(service=service, name=f"{service.title()}Full"))
    return tmp_path


def build(root: Path, *words: str) -> int:
    return main(["build", str(root), "--no-site", "--today", "2026-11-21", *words])


def test_a_frozen_service_goes_on_muting_its_tickets(repository: Path) -> None:
    inhibit = repository / "dist/alertmanager/prod/inhibit.yaml"
    deployed = repository / "dist/prometheus/prod/queue.rules.yaml"
    assert build(repository) == 0
    before, rules = inhibit.read_text(), deployed.read_text()
    assert "disk-full" in before and "queue-full" in before
    source = repository / "rules/queue/full.yaml"
    source.write_text(source.read_text().replace("queue_used_ratio >", "queue_used_ratio >>"))
    # Twice, because the second build finds what the first one kept.
    for _ in range(2):
        assert build(repository, "--keep-going") == 1
        assert inhibit.read_text() == before
        assert deployed.read_text() == rules


def test_what_the_others_change_goes_out_meanwhile(repository: Path) -> None:
    inhibit = repository / "dist/alertmanager/prod/inhibit.yaml"
    assert build(repository) == 0
    (repository / "rules/queue/full.yaml").write_text("version: 1\nservice: [\n")
    disk = repository / "rules/disk/full.yaml"
    disk.write_text(disk.read_text().replace("identity: [instance]", "identity: [instance, mountpoint]"))
    assert build(repository, "--keep-going") == 1
    assert inhibit.read_text().count("mountpoint") == 1
    assert "queue-full" in inhibit.read_text()


def test_a_service_that_is_deleted_mutes_nothing(repository: Path) -> None:
    inhibit = repository / "dist/alertmanager/prod/inhibit.yaml"
    assert build(repository) == 0
    (repository / "rules/queue/full.yaml").unlink()
    assert build(repository, "--keep-going") == 0
    assert "queue-full" not in inhibit.read_text()


def test_the_project_file_can_say_what_to_ignore(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project = repository / "tocsin.yaml"
    text = project.read_text().replace("teams:", "params: {unused: 1}\nteams:")
    project.write_text(text)
    main(["check", str(repository), "--today", "2026-11-21"])
    assert "TOC405" in capsys.readouterr().out
    project.write_text(
        text.replace(
            "params:", "# tocsin: ignore[TOC405] until=2027-01-01 -- used from next week on\nparams:"
        )
    )
    main(["check", str(repository), "--today", "2026-11-21"])
    assert "TOC405" not in capsys.readouterr().out
