"""Foreign rules through the whole compiler, judged by the comparator of `make corpora`, which knows nothing of tocsin.

And the comparator itself: each way in which a compiled rule could differ from its original is tried on it, because a judge that never condemns
proves nothing.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.corpora.originals import origins
from tests.corpora.run import Result, account_for, carried_groups

ROOT = Path(__file__).resolve().parents[2]
COMPILED = "dist/prometheus/prod/payments.rules.yaml"
ORIGINALS = Path(__file__).parent / "adopt_originals"


def judge(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tests" / "corpora" / "run.py"), str(ORIGINALS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def row(output: str, origin: str) -> list[str]:
    (line,) = [each for each in output.splitlines() if each.split()[:1] == [origin]]
    return line.split()


def test_every_original_is_carried_or_refused_and_unit_tests_still_pass() -> None:
    done = judge()

    assert done.returncode == 0, done.stdout + done.stderr
    assert row(done.stdout, "total")[1:3] == ["24", "16"]
    assert " ".join(row(done.stdout, "dialects")[3:9]) == "dialect 4, template 1, mistake 3"
    assert "2/2 -> 2/2" in " ".join(row(done.stdout, "plain"))


TAMPERED = {
    "an expression": ("> 0.05", "> 0.06"),
    "a for": ("for: 5m", "for: 6m"),
    "a keep_firing_for": ("keep_firing_for: 10m", "keep_firing_for: 11m"),
    "a label": ("team: Payments", "team: Other"),
    "another label": ("team: Payments", "team: Payments\n          added: x"),
    "an annotation": ("loses", "wins"),
    "an alert's name": ("alert: Heartbeat", "alert: HeartBeat"),
    "a record's name": ("record: job:payment_requests:rate5m", "record: job:payments:rate5m"),
    "an interval": ("interval: 30s", "interval: 31s"),
    "a limit": ("limit: 1000", "limit: 999"),
}


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The payment rules, adopted and compiled by the real command line."""
    folder = tmp_path_factory.mktemp("adopted")
    done = judge("--only", "plain", "--keep", str(folder))
    assert done.returncode == 0, done.stdout
    return folder / "plain"


def problems(place: Path) -> list[str]:
    """What the judge says of a compiled folder."""
    (origin,) = [each for each in origins(ORIGINALS) if each.name == "plain"]
    result = Result(name="plain", rules=origin.rules)
    account_for(origin, carried_groups(origin, place, result), {}, result)
    return result.problems


def test_the_judge_has_nothing_to_say_of_what_was_not_touched(adopted: Path) -> None:
    assert problems(adopted) == []


@pytest.mark.parametrize("what", TAMPERED)
def test_the_judge_sees_a_change_of(what: str, adopted: Path) -> None:
    old, new = TAMPERED[what]
    path = adopted / COMPILED
    text = path.read_text(encoding="utf-8")
    assert old in text
    try:
        path.write_text(text.replace(old, new), encoding="utf-8")
        assert problems(adopted)
    finally:
        path.write_text(text, encoding="utf-8")


def test_the_judge_sees_a_rule_that_disappears_and_one_that_moves(adopted: Path) -> None:
    path = adopted / COMPILED
    text = path.read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    rules = data["groups"][1]["rules"]
    try:
        data["groups"][1]["rules"] = rules[:-1]
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        assert problems(adopted) == [
            "payments.rules.yml: the alert `Heartbeat` of group `payments.alerts` is lost: no finding names it"
        ]
        data["groups"][1]["rules"] = rules[::-1]
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        assert problems(adopted)
        data["groups"] = data["groups"][::-1]
        data["groups"][0]["rules"] = rules
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        assert problems(adopted) == ["payments.rules.yml: its groups are evaluated in another order"]
    finally:
        path.write_text(text, encoding="utf-8")


def test_the_judge_imports_nothing_of_what_it_judges() -> None:
    for path in sorted((ROOT / "tests" / "corpora").glob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.strip().startswith(("import tocsin", "from tocsin"))], path
