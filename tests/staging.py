"""A repository whose changed rule goes through stages, and the command run in this process: what the tests of canaries on servers share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copy, copytree
from typing import Any

from click.testing import CliRunner

from tocsin.canary.comparison import Judged
from tocsin.canary.record import Job, Subject, gate_json, record_of
from tocsin.cli import app
from tocsin.cli.records import file_name
from tocsin.cli.workspace import read_sources
from tocsin.errors import TocsinError
from tocsin.ir.compiled import CompiledAlert
from tocsin.pipeline import compile_sources
from tocsin.verdict import GateResult, Record, read_record, sign

KEY = "the protected job's key"
PROJECT = """\
version: 1
project: shop
severities:
  P2: {{label: {{severity: warning}}, canary: {{stages: [0, 1, 2, 3], soak: {soak}}}}}
teams: {{ops: {{name: Ops}}}}
canary:
  scope: {{cluster: canary-1}}
  rollback: {{peak: {rollback}, errors: auto, other: ask}}
environments:
  prod:
    evaluators: [{{name: main, kind: {kind}, version: "{version}"{url}}}]
    notifier: {notifier}
    verdict: {verdict}
{more}"""
GRAFANA = """\
    datasources: {metrics: {uid: prom-main, type: prometheus}}
    folder: "{service} {env}"
    history: {kind: prometheus, url_env: TOCSIN_HISTORY_URL}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a command ended, and everything it said."""

    code: int
    text: str


class Staged:
    """A repository of one service `web` with one group `main`, and its environment variables."""

    def __init__(self, top: Path, env: Mapping[str, str], **project: str) -> None:
        self.top = top
        self.env = {"TOCSIN_VERDICT_KEY": KEY, **env}
        self.settings = {
            "kind": "prometheus",
            "version": "3.5",
            "notifier": "alertmanager",
            "rollback": "auto",
            "soak": "24h",
            "url": "",
            "more": "",
            **project,
        }
        self.project(verdict="advised")

    def project(self, *, verdict: str) -> None:
        self.top.mkdir(parents=True, exist_ok=True)
        text = PROJECT.format(verdict=verdict, **self.settings)
        (self.top / "tocsin.yaml").write_text(text)

    def rules(self, *alerts: Mapping[str, Any], interval: str = "1s") -> None:
        lines = ["version: 1", "service: web", "owner: ops", "groups:", "  - name: main"]
        lines += [f"    interval: {interval}", "    rules:"]
        for each in alerts:
            body = {"severity": "P2", "summary": "it is down", "for": "2s", **each}
            given = {key: value for key, value in body.items() if value is not None}
            for index, (key, value) in enumerate(given.items()):
                lines.append(f"      {'- ' if index == 0 else '  '}{key}: {json.dumps(value)}")
        path = self.top / "rules/web/main.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")

    def run(self, command: str, *words: str) -> Said:
        """`tocsin canary COMMAND`, or a command of sync, in this process."""
        plain = ("sync", "plan", "drift", "build")
        words = (
            (command, *words, str(self.top))
            if command in plain
            else ("canary", command, *words, "-C", str(self.top))
        )
        runner = CliRunner()
        done = runner.invoke(
            app, [*words, "--env", "prod"], env=self.env, standalone_mode=False, catch_exceptions=True
        )
        wrong = done.exception
        if isinstance(wrong, TocsinError):
            return Said(code=wrong.exit_code, text=f"{done.output}{wrong.message}\n{wrong.help}")
        if wrong is not None:
            raise wrong
        return Said(code=int(done.return_value or 0), text=done.output)

    def elsewhere(self, top: Path) -> Staged:
        """Another machine: the same sources and records, and nothing else."""
        made = Staged(top, self.env, **self.settings)
        for name in ("tocsin.yaml", "rules", "records"):
            source = self.top / name
            copytree(source, top / name, dirs_exist_ok=True) if source.is_dir() else copy(source, top / name)
        return made

    def sync(self) -> Said:
        return self.run("sync", "--yes", "--no-wait")

    def alert(self, key: str) -> CompiledAlert:
        """A compiled alert of the work tree."""
        made = compile_sources(read_sources(self.top), date(2026, 11, 21))
        errors = [each.message for each in made.diagnostics if each.severity.name == "error"]
        assert errors == []
        alerts = [alert for service in made.services for each in service.resolved for alert in each.alerts]
        return next(each for each in alerts if each.key.text == key)

    def judged(self, key: str, old_digest: str = "", *, peak: int = 50, verdict: str = "pass") -> Record:
        """A signed record of stage 0 for what the work tree has, as a backtest would have written it."""
        alert = self.alert(key)
        made = compile_sources(read_sources(self.top), date(2026, 11, 21))
        assert made.settings is not None
        policy = made.settings.project.canary
        limits = policy.demanded(alert.severity)
        job = Job(tool="0.4.0", created=datetime.now(tz=UTC) - timedelta(seconds=5), policy=policy)
        judged = Judged(key=alert.key, comparison=None, verdict="pass", limits=limits)
        document: dict[str, Any] = record_of(
            judged, Subject(old_digest=old_digest, new_digest=alert.digest, uid=alert.uid), job
        )
        gates = [gate_json(GateResult(id=name, verdict="ok")) for name in limits]
        document["stages"] = [
            {"stage": 0, "verdict": verdict, "gates": gates, "metrics": {"old": {}, "new": {"peak": peak}}}
        ]
        document["verdict"] = verdict
        document["signature"] = sign(document, KEY.encode())
        folder = self.top / "records"
        folder.mkdir(exist_ok=True)
        (folder / file_name(document)).write_text(json.dumps(document))
        return self.record(key)

    def record(self, key: str) -> Record:
        """The newest record of a rule."""
        found = [read_record(path.read_text()) for path in sorted((self.top / "records").glob("*.json"))]
        mine = [each for each in found if isinstance(each, Record) and each.key.text == key]
        return max(mine, key=lambda each: each.made)
