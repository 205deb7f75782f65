"""`tocsin diff --format markdown|json` with everything that can stand beside two revisions: a routing tree, a backtest's report, records, plans."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from tests.builders import rule
from tests.comparing import HOUR, backtest, comparison, judged, metrics, spell
from tests.release_history import BROKERS, LAG, PROJECT, SOP, History
from tests.unit.test_impact import CONFIG, plan, planned

from tocsin.cli import app, main
from tocsin.ir.compiled import RuleKey
from tocsin.report.canary_json import as_json as backtest_json
from tocsin.report.plan import as_json as plan_json
from tocsin.wire.live import Silence

NOW = "2026-11-21"
LATER = LAG.replace("urgent: {severity: P2", "urgent: {severity: P1").replace("limit: 10000", "limit: 8000")
TESTED = """\
tests:
  - name: long lag
    alert: kafka-consumer-lag
    series: {'kafka_consumergroup_lag{cluster="a",consumergroup="b"}': 0+1000x60}
    firing: {5m: [], 40m: [ticket, urgent]}
"""
KEY = RuleKey("prod", "kafka-consumer-lag", "urgent")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    root = tmp_path_factory.mktemp("impact") / "repo"
    root.mkdir()
    made = History(root)
    made.git("init", "-q")
    project = PROJECT.replace("    params: {offline: 0}", "    params: {offline: 0}\n    verdict: required")
    sop = SOP.replace(
        "owner: team-streaming\n", "owner: team-streaming\nreview: {last: '2026-01-01', every: 365d}\n"
    )
    lag, page = "rules/kafka/lag.yaml", "sops/kafka/SOP-KAFKA-007.md"
    made.commit(
        "base", {"tocsin.yaml": project, lag: LAG, "rules/kafka/brokers.yaml": BROKERS, page: sop}, "Start"
    )
    made.git("tag", "v1.0.0")
    made.commit(
        "head",
        {
            lag: LATER + TESTED,
            page: sop.replace("2026-01-01", "2026-11-20"),
            "rules/kafka/brokers.yaml": None,
        },
        "Call somebody for a long lag\n\nReason: orders were late before anybody was called\nTicket: INFRA-2891",
    )
    (root / "alertmanager.yml").write_text(json.dumps(CONFIG))
    (root / "backtest.json").write_text(backtest_json(_replayed()))
    silence = Silence(
        matchers=(), starts_at="", ends_at="", created_by="ada", comment="until the disks are in"
    )
    urgent = rule(KEY.id, level=KEY.level)
    (root / "plan.json").write_text(
        plan_json(plan(planned(urgent, pending=2, firing=1, silences_lost=(silence,))))
    )
    return made


def _replayed() -> Any:
    old = [spell(at * 30 * HOUR) for at in range(4)]
    new = [spell(at * 15 * HOUR) for at in range(8)]
    found = comparison(old, new, key=KEY, name="KafkaConsumerLagUrgent")
    found = replace(found, old=metrics(4, recall=0.5), new=metrics(8, recall=1.0))
    return backtest(judged(found, "fail", pages="fail", recall="ok"))


def diff(history: History, *words: str) -> str:
    top = str(history.root)
    done = CliRunner().invoke(
        app, ["diff", "base..head", "-C", top, "--today", NOW, *words], standalone_mode=False
    )
    assert done.exception is None, done.exception
    return done.stdout


@pytest.fixture(scope="module", autouse=True)
def _names(history: History) -> None:
    history.git("tag", "base", history.commits["base"])
    history.git("tag", "head", history.commits["head"])


def beside(history: History) -> list[str]:
    root = history.root
    return [
        "--alertmanager-config", str(root / "alertmanager.yml"), "--canary", str(root / "backtest.json"), "--plan", str(root / "plan.json"),
    ]  # fmt: skip


def impacts(document: Mapping[str, Any]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    return {
        (row["rule"]["env"], row["rule"]["id"], row["rule"]["level"]): row["impact"]
        for row in document["rules"]
    }


def test_everything_that_is_known_is_in_the_report(history: History) -> None:
    said = diff(history, "--format", "markdown", *beside(history))
    assert said.startswith("### ") and "1 rerouted to P1" in said.split("\n")[0]
    for words in (
        "is now P1, was P2",
        "params.limit <code>10000</code> → <code>8000</code>",
        "more sensitive, rerouted to P1: params.limit",
        "notified by day: mail → phone",
        "notified at night: nobody → phone",
        "notified at night: nobody\n",
        "canary in prod: ❌ fail; pages a week 2.0 → 4.0, incidents caught 50 % → 100 %",
        "failed at pages",
        "(2 waiting, 1 firing now)",
        "silence that stops matching: until the disks are in",
        "read again with this change",
        "ticket INFRA-2891&#58; orders were late before anybody was called",
        "tocsin rollback --to v1.0.0 --env prod --rule kafka-consumer-lag",
        "- [ ] the canary said no",
    ):
        assert words in said, words
    assert "  old " in said and "  new " in said, "both versions are drawn"
    urgent = said[said.index("KafkaConsumerLagUrgent") :].split("</details>")[0]
    assert "no unit test" not in urgent and "not read again" not in urgent


def test_the_same_facts_as_json(history: History) -> None:
    document = json.loads(diff(history, "--format", "json", *beside(history)))
    schema = json.loads(files("tocsin").joinpath("schemas/diff.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)
    found = impacts(document)[KEY.env, KEY.id, KEY.level]
    assert (found["pending"], found["firing"], found["tested"], found["sop_read"]) == (2, 1, True, True)
    assert found["canary"]["pages_per_week"] == [2.0, 4.0] and found["canary"]["verdict"] == "fail"
    assert found["receivers"]["night"] == {"old": "", "new": "phone"}
    assert {"verdict-failed", "silences", "refires"} <= set(found["risks"])
    staging = impacts(document)["staging", KEY.id, KEY.level]
    assert staging["canary"] is None and staging["pending"] is None
    assert document["last_release"] == "v1.0.0" and document["overrides"] == []


def test_without_anything_beside_it_says_what_nobody_asked(history: History) -> None:
    document = json.loads(diff(history, "--format", "json"))
    found = impacts(document)[KEY.env, KEY.id, KEY.level]
    assert found["receivers"] is None and found["canary"] is None and "no-verdict" in found["risks"]
    gone = impacts(document)["prod", "kafka-partitions-offline", ""]
    assert gone["effect"] == "resolves" and gone["tested"] is False and gone["sop"] is None


@pytest.mark.parametrize("option", ["--canary", "--plan", "--alertmanager-config"])
@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "nul", '{"rules": [{}]}', '{"rules": [{"verdict": "<b>"}]}', '{"plan": {"groups": 1}}', "[" * 100_000, "\x00\xff"]
)  # fmt: skip
def test_a_file_that_is_something_else_is_said(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, text: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(text.encode("latin-1"))
    words = ["diff", "base..head", "-C", str(history.root), "--format", "markdown", option, str(path)]
    assert main(words) in (2, 3), option
    said = capsys.readouterr()
    assert str(path) in said.err and "bug" not in said.err and not said.out
