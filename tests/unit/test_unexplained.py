"""`tocsin check --base`: who must say why, where it is said, and that a pull request cannot excuse itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.release_history import PROJECT, History, make_history

from tocsin.cli import main

BROKERS = "rules/kafka/brokers.yaml"


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> History:
    return make_history(tmp_path_factory.mktemp("history") / "shop")


@pytest.fixture
def topic(past: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> History:
    """A branch that has just left main."""
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    past.git("clone", "-q", str(past.root), str(tmp_path / "shop"))
    history = History(tmp_path / "shop", hour=100)
    history.git("checkout", "-q", "-b", "topic")
    return history


def asked(history: History, capsys: pytest.CaptureFixture[str], *words: str) -> list[tuple[str, str, int]]:
    """(code, file, line) of what is said about reasons."""
    capsys.readouterr()
    main(["check", str(history.root), "--format", "json", "--today", "2026-11-21", *words])
    found = json.loads(capsys.readouterr().out)["findings"]
    return [(each["code"], each["file"], each["line"]) for each in found if each["code"].startswith("TOC83")]


def slower(history: History) -> dict[str, str | None]:
    return {BROKERS: (history.root / BROKERS).read_text().replace("for: 2m", "for: 4m")}


BOTH = [("TOC831", BROKERS, 12), ("TOC832", BROKERS, 12)]


def test_what_nobody_explains_is_found_on_its_line(
    topic: History, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(topic, capsys, "--base", "main") == []
    topic.write(slower(topic))
    assert asked(topic, capsys, "--base", "main") == BOTH  # not even committed
    topic.commit("slow", {}, "Wait longer")
    assert asked(topic, capsys, "--base", "main") == BOTH
    assert asked(topic, capsys) == []  # a plain check asks nobody
    again = {BROKERS: (topic.root / BROKERS).read_text().replace("for: 4m", "for: 5m")}
    topic.commit("said", again, "A little more\n\nTicket: INFRA-3000")
    assert asked(topic, capsys, "--base", "main") == BOTH[:1]


def test_the_pull_requests_text_speaks_for_everything(
    topic: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    topic.commit("slow", slower(topic), "Wait longer")
    text = tmp_path / "text.md"
    text.write_text("Wait longer\r\n\r\nReason: rollouts take three minutes\r\nTicket: INFRA-3000\r\n")
    assert asked(topic, capsys, "--base", "main", "--message", str(text)) == []
    assert main(["check", str(topic.root), "--message", str(text)]) == 2


def test_words_and_layout_need_no_reason(topic: History, capsys: pytest.CaptureFixture[str]) -> None:
    text = (topic.root / BROKERS).read_text()
    topic.commit("words", {BROKERS: text.replace("has partitions", "has some partitions") + "# x\n"}, "Words")
    assert asked(topic, capsys, "--base", "main") == []


def test_a_removed_and_a_new_rule_need_one(topic: History, capsys: pytest.CaptureFixture[str]) -> None:
    topic.commit("gone", {BROKERS: None}, "Gone")
    assert asked(topic, capsys, "--base", "main") == [("TOC831", BROKERS, 1), ("TOC832", BROKERS, 1)]
    topic.git("checkout", "-q", "--detach", "main~3")
    assert asked(topic, capsys, "--base", "main~4") == []  # the commit that squashes a branch says it for all


def test_a_pull_request_cannot_turn_the_question_off_for_itself(
    topic: History, capsys: pytest.CaptureFixture[str]
) -> None:
    off = (topic.root / "tocsin.yaml").read_text() + "checks: {TOC831: off, TOC832: note}\n"
    topic.commit("off", {**slower(topic), "tocsin.yaml": off}, "Quiet")
    assert asked(topic, capsys, "--base", "main") == BOTH
    topic.commit("later", {BROKERS: (topic.root / BROKERS).read_text().replace("for: 4m", "for: 6m")}, "More")
    assert asked(topic, capsys, "--base", "HEAD~1") == BOTH[1:]


def test_what_main_did_meanwhile_is_not_asked_of_the_branch(
    topic: History, capsys: pytest.CaptureFixture[str]
) -> None:
    topic.git("checkout", "-q", "main")
    topic.commit("main", slower(topic), "Wait longer")
    topic.git("checkout", "-q", "topic")
    topic.commit(
        "project", {"tocsin.yaml": PROJECT.replace("{offline: 0}", "{offline: 1}") + "# x\n"}, "Comment"
    )
    assert asked(topic, capsys, "--base", "main") == []
