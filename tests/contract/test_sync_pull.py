"""`tocsin pull` against the stand-in: edits in the UI become patches of the source that compile to exactly them, or are said with the reason."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.standin import DEFAULT_TOKEN, StandIn
from tests.syncing import PROJECT

from tocsin.cli import main

SOURCE = """\
# The rules of the database.
version: 1
service: db
owner: ops
params: {shared: 7}
groups:
  - name: main
    interval: 1m  # as the scrape
    rules:
      # Paged at night.
      - alert: DbSlow
        id: db-slow
        expr: sum by (db) (latency) > ${limit}  # seconds
        identity: [db]
        labels: {area: storage}
        levels:
          ticket: {severity: P2, limit: 5, for: 10m}
          page:
            severity: P1
            limit: 10  # agreed with the team
            for: 5m
        overrides:
          batch: {where: {db: batch.+}, set: {ticket.limit: 50, page.enabled: false}}
        summary: "{{ $labels.db }} takes {{ $value | humanize }} s"
      - alert: DbDown
        id: db-down
        expr: |
          up{job="db"}
            == 0
        severity: P2
        for: 5m
        # what a reader should know
        description: 'it is down'
        annotations:
          dashboard: http://example.org/d/1
          extra: x
        summary: |
          It is down.
          Look at it.
      - alert: DbShared
        id: db-shared
        expr: errors > ${shared} or drops > ${shared}
        severity: P2
        summary: over ${shared}
      - alert: DbRatio
        id: db-ratio
        expr: ratio > ${low} and load > ${high}
        params: {low: 3, high: 3}
        severity: P2
        summary: bad
"""


class World:
    """A repository that was synced to a stand-in."""

    def __init__(self, top: Path, grafana: StandIn) -> None:
        self.top, self.grafana = top, grafana
        self.file = top / "rules" / "db" / "main.yaml"
        self.file.parent.mkdir(parents=True)
        self.file.write_text(SOURCE)
        (top / "tocsin.yaml").write_text(
            PROJECT.replace("VERSION", "13.3").replace("FOLDER", "{service} {env}")
        )
        assert main(["sync", str(top), "--env", "prod", "--yes", "--no-wait"]) == 0
        self.uids = {
            each.annotations["tocsin_rule"].partition(" ")[2]: uid
            for uid, each in grafana.org().rules.items()
            if "tocsin_rule" in each.annotations
        }

    def edit(self, key: str, **changes: Any) -> None:
        with self.grafana.edit() as edit:
            edit.rule(self.uids[key], **changes)

    def expr(self, key: str, text: str) -> None:
        data = [dict(each) for each in self.grafana.org().rules[self.uids[key]].data]
        data[0]["model"] = {**data[0]["model"], "expr": text}
        self.edit(key, data=data)

    def annotations(self, key: str, **texts: str | None) -> None:
        old = {**self.grafana.org().rules[self.uids[key]].annotations, **texts}
        self.edit(key, annotations={name: text for name, text in old.items() if text is not None})

    def labels(self, key: str, **texts: str | None) -> None:
        old = {**self.grafana.org().rules[self.uids[key]].labels, **texts}
        self.edit(key, labels={name: text for name, text in old.items() if text is not None})

    def pull(self, *more: str) -> int:
        return main(["pull", str(self.top), "--env", "prod", *more])

    def changed(self) -> list[tuple[str, str]]:
        """(old line, new line) of the file; the number of lines is the same."""
        pairs = zip(SOURCE.split("\n"), self.file.read_text().split("\n"), strict=True)
        return [(old.strip(), new.strip()) for old, new in pairs if old != new]

    def drift(self) -> int:
        return main(["drift", str(self.top), "--env", "prod", "--detailed-exitcode"])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("GRAFANA_TOKEN", DEFAULT_TOKEN)
    with StandIn("13.3") as grafana:
        with grafana.edit() as edit:
            edit.datasource("prom-main")
        monkeypatch.setenv("GRAFANA_URL", grafana.url)
        made = World(tmp_path, grafana)
        grafana.log.clear()
        yield made


EXPR = 'sum by (db) (latency{db!~"batch.+"}) > '
CASES: dict[str, tuple[Callable[[World], None], list[tuple[str, str]]]] = {
    "the threshold of a level": (
        lambda world: world.expr("db-slow/page", "sum by (db) (latency{db!~\"batch.+\"}) > 12"),
        [("limit: 10  # agreed with the team", "limit: 12  # agreed with the team")],
    ),
    "the threshold of a level in brackets, another kind of number": (
        lambda world: world.expr("db-slow/ticket", EXPR + "5.5"),
        [("ticket: {severity: P2, limit: 5, for: 10m}", "ticket: {severity: P2, limit: 5.5, for: 10m}")],
    ),
    "the threshold of an override": (
        lambda world: world.expr("db-slow/ticket/batch", 'sum by (db) (latency{db=~"batch.+"}) > 70'),
        [(
            "batch: {where: {db: batch.+}, set: {ticket.limit: 50, page.enabled: false}}",
            "batch: {where: {db: batch.+}, set: {ticket.limit: 70, page.enabled: false}}",
        )],
    ),
    "for": (lambda world: world.edit("db-down", for_=120_000), [("for: 5m", "for: 2m")]),
    "a summary with a value": (
        lambda world: [
            world.annotations(key, summary="{{ $labels.db }}: {{ $values.A.Value | humanize }} seconds")
            for key in ("db-slow/page", "db-slow/ticket", "db-slow/ticket/batch")
        ] and None,
        [('summary: "{{ $labels.db }} takes {{ $value | humanize }} s"', 'summary: "{{ $labels.db }}: {{ $value | humanize }} seconds"')],
    ),
    "quotes stay": (
        lambda world: world.annotations("db-down", description="it isn't up"),
        [("description: 'it is down'", "description: 'it isn''t up'")],
    ),
    "an annotation": (
        lambda world: world.annotations("db-down", dashboard="http://example.org/d/2"),
        [("dashboard: http://example.org/d/1", "dashboard: http://example.org/d/2")],
    ),
    "the severity by its label": (
        lambda world: world.labels("db-down", severity="critical"),
        [("severity: P2", "severity: P1")],
    ),
    "the interval": (
        lambda world: [world.edit(key, interval=30) for key in world.uids if key.startswith("db-")] and None,
        [("interval: 1m  # as the scrape", "interval: 30s  # as the scrape")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_one_edit(name: str, world: World, capsys: pytest.CaptureFixture[str]) -> None:
    change, expected = CASES[name]
    change(world)
    assert world.drift() == 8
    assert world.pull() == 0
    patch = capsys.readouterr().out
    assert world.file.read_text() == SOURCE
    assert world.pull("--write") == 0
    assert world.changed() == expected
    assert world.drift() == 0
    assert world.grafana.log.writes() == []
    written = world.file.read_text()
    world.file.write_text(SOURCE)
    (world.top / "p.diff").write_text(patch[patch.index("--- a/") :])
    subprocess.run(
        ["git", "apply", "--unsafe-paths", f"--directory={world.top}", str(world.top / "p.diff")],
        cwd="/",
        check=True,
    )
    assert world.file.read_text() == written


def test_an_expression_in_a_block_keeps_its_block(world: World) -> None:
    world.expr("db-down", 'up{job="db"}\n  < 1\n')
    assert world.pull("--write") == 0
    assert [each[1] for each in world.changed()] == ["< 1"]
    assert world.drift() == 0


def test_new_and_removed_texts(world: World) -> None:
    world.annotations("db-down", extra=None, hint="look {{ $labels.job }}")
    world.labels("db-down", shift="night")
    assert world.pull("--write") == 0
    text = world.file.read_text()
    assert "          hint: look {{ $labels.job }}\n" in text and "extra:" not in text
    assert "shift: night" in text and "# what a reader should know" in text
    assert world.drift() == 0


def test_several_at_once(world: World) -> None:
    world.expr("db-slow/page", EXPR + "12")
    for key in ("db-slow/ticket", "db-slow/ticket/batch"):
        world.edit(key, for_=60_000)
    world.edit("db-down", title="DbGone", keep_firing_for=60_000)
    assert world.pull("--write") == 0
    text = world.file.read_text()
    assert all(
        each in text
        for each in ("limit: 12  # agreed", "limit: 5, for: 1m}", "alert: DbGone", "keep_firing_for: 1m")
    )
    assert world.drift() == 0


def test_a_for_that_an_override_shares_is_not_pulled_for_one_of_them(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit("db-slow/ticket", for_=60_000)
    assert world.pull("--write") == 4
    assert "db-slow/ticket/batch would change with it" in capsys.readouterr().err
    assert world.file.read_text() == SOURCE


LEFT: dict[str, tuple[Callable[[World], None], str]] = {
    "a parameter of the file": (lambda world: world.expr("db-shared", "errors > 8 or drops > 8"), "`shared` is set for the file"),
    "one of two uses": (lambda world: world.expr("db-shared", "errors > 8 or drops > 7"), "`shared` is set for the file"),
    "two parameters of one value": (lambda world: world.expr("db-ratio", "ratio > 4 and load > 3"), "is the value of high and of low"),
    "another expression of all levels": (lambda world: world.expr("db-slow/page", EXPR.replace("sum", "max") + "10"), "is the value of no parameter"),
    "a summary that other levels share": (
        lambda world: world.annotations("db-slow/page", summary="slow"),
        "would change with it",
    ),
    "a text with parameters": (lambda world: world.annotations("db-shared", summary="over 8"), "has parameters in it"),
    "what tocsin writes": (lambda world: world.edit("db-down", no_data="Alerting"), "every rule"),
    "an injected label": (lambda world: world.labels("db-down", rule_id="other"), "comes from the project"),
    "a severity nobody has": (lambda world: world.labels("db-down", severity="fatal"), "0 severities"),
    "a value Prometheus cannot say": (lambda world: world.annotations("db-down", description="{{ $values.B.Value }}"), "no exact form"),
    "a pause": (lambda world: world.edit("db-down", paused=True), "enabled: false"),
}  # fmt: skip


@pytest.mark.parametrize("name", LEFT)
def test_what_no_source_can_say_is_said_and_not_guessed(
    name: str, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    change, reason = LEFT[name]
    change(world)
    capsys.readouterr()
    assert world.pull("--write") == 4
    said = capsys.readouterr()
    assert reason in said.err, said.err
    assert world.file.read_text() == SOURCE


def test_what_can_be_said_is_pulled_beside_what_cannot(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.edit("db-down", for_=60_000, no_data="Alerting")
    assert world.pull("--write") == 4
    assert world.changed() == [("for: 5m", "for: 1m")]


def test_only_what_was_asked_for(world: World) -> None:
    world.edit("db-down", for_=60_000)
    assert world.pull("--write", "--rule", "db-slow") == 0
    assert world.pull("--write", "--service", "web") == 0
    assert world.file.read_text() == SOURCE


def test_other_environments_are_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.edit("db-down", for_=60_000)
    assert world.pull() == 0
    assert "changes db-down in staging, too" in capsys.readouterr().err


def test_a_file_that_is_not_what_was_promised_is_put_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tocsin.cli.pull as module

    write = module.write_file

    def broken(path: Path, text: str) -> None:
        write(path, text if text == SOURCE else text.replace("for: 1m", "for: 3m"))

    world.edit("db-down", for_=60_000)
    monkeypatch.setattr(module, "write_file", broken)
    assert world.pull("--write") == 3
    assert world.file.read_text() == SOURCE
