"""The diffs of a repository with a past, as people read them: `tests/history_expected/STEP.txt` is what a reviewer of that step sees.

`pytest tests/test_release_history.py --update` writes what comes out over what was expected: read the difference.
"""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner
from tests.release_history import STEPS, History, make_history

from tocsin.cli import app, main

EXPECTED = Path(__file__).parent / "history_expected"
PAIRS = tuple(pairwise(STEPS))


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return make_history(tmp_path_factory.mktemp("history") / "shop")


def diff(root: Path, *words: str) -> str:
    done = CliRunner().invoke(
        app, ["diff", *words, "-C", str(root), "--today", "2026-11-21"], standalone_mode=False
    )
    assert done.exception is None, done.exception
    return done.stdout


def between(history: History, old: str, new: str) -> str:
    return f"{history.commits[old]}..{history.commits[new]}"


def test_the_history_is_the_same_everywhere(history: History, tmp_path: Path) -> None:
    assert make_history(tmp_path / "again").commits == history.commits
    assert len(history.commits) == 12
    assert history.commits["move"] == "1316dad4411aeda933b94d1e4bf2cdf7764c765d"


@pytest.mark.parametrize(("old", "new"), [*PAIRS, ("start", "move")])
def test_each_step_reads_as_expected(
    history: History, request: pytest.FixtureRequest, old: str, new: str
) -> None:
    said = diff(history.root, between(history, old, new))
    path = EXPECTED / f"{old}-{new}.txt"
    if request.config.getoption("--update"):
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


def test_what_was_asked_for_is_said(history: History) -> None:
    said = diff(history.root, between(history, "rename", "p1"))
    assert "consumergroup:kafka_lag:sum) > 10000 is now P1, was P2" in said
    assert "ticket INFRA-2891: orders were late before anybody was called" in said
    assert said.startswith("1 rule rerouted to P1, 0 removed;")


def test_layout_is_no_change_and_a_revert_undoes_exactly(history: History) -> None:
    assert "nothing changes" in diff(history.root, between(history, "merge", "layout"))
    assert "nothing changes" in diff(history.root, between(history, "squash", "revert"))


@pytest.mark.parametrize(("old", "new"), [*PAIRS, ("move", "start")])
def test_json_fits_its_schema_and_says_the_same(history: History, old: str, new: str) -> None:
    schema = json.loads(files("tocsin").joinpath("schemas/diff.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads(diff(history.root, between(history, old, new), "--format", "json"))
    jsonschema.Draft202012Validator(schema).validate(document)
    assert diff(history.root, between(history, old, new)).startswith(document["headline"] + ";")
    assert sum(document["summary"]["classes"].values()) == len(document["rules"])


def test_annotations_stand_on_the_changed_lines(history: History) -> None:
    said = diff(history.root, between(history, "rename", "p1"), "--format", "github")
    [notice] = [each for each in said.split("\n") if each.startswith("::")]
    assert notice.startswith("::notice file=rules/kafka/consumers.yaml,line=18,")
    file = history.git("show", f"{history.commits['p1']}:rules/kafka/consumers.yaml")
    assert file.split("\n")[17].strip().startswith("urgent: {severity: P1")
    gone = diff(history.root, between(history, "squash", "removal"), "--format", "github")
    assert gone.startswith("::warning file=rules/kafka/brokers.yaml,line=1,")


def test_one_environment_one_service_and_the_exit_code(history: History) -> None:
    pair = between(history, "start", "merge")
    assert " (staging): " in diff(history.root, pair, "--env", "staging")
    assert "prod" not in diff(history.root, pair, "--env", "staging")
    assert "nothing changes" in diff(history.root, pair, "--service", "consumers")
    where = ["-C", str(history.root), "--detailed-exitcode"]
    assert main(["diff", pair, *where]) == 8
    assert main(["diff", between(history, "merge", "layout"), *where]) == 0
    assert main(["diff", pair, "-C", str(history.root), "--env", "nowhere"]) == 2


@pytest.mark.parametrize(
    "words", [["--output=x..HEAD"], ["no-such"], ["a..b..c"], ["..HEAD"], ["HEAD:rules"]]
)
def test_what_names_no_revision_is_a_mistake_of_usage(history: History, words: list[str]) -> None:
    assert main(["diff", "-C", str(history.root), "--", *words]) == 2
    assert not (history.root / "x..HEAD").exists()


def test_a_folder_without_a_project_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bare = History(tmp_path / "bare")
    bare.root.mkdir()
    bare.git("init", "-q")
    bare.commit("only", {"README.md": "x"}, "nothing here")
    assert main(["diff", "HEAD..HEAD", "-C", str(bare.root)]) == 2
    assert "no tocsin.yaml" in capsys.readouterr().err


def test_the_work_tree_is_compared_with_where_the_branch_left(history: History, tmp_path: Path) -> None:
    history.git("clone", "-q", str(history.root), str(tmp_path / "copy"))
    copy = History(tmp_path / "copy")
    copy.git("checkout", "-q", "-b", "topic", "HEAD~1")
    path = copy.root / "rules/kafka/brokers.yaml"
    path.write_text(path.read_text().replace("for: 2m", "for: 4m"))
    said = diff(copy.root)
    assert "for  2m -> 4m" in said and "1 rule less sensitive" in said and "work tree" in said
    copy.git("checkout", "-q", "--detach")
    assert diff(copy.root, "main") == said
    copy.git("fetch", "-q", "--depth=1", f"file://{history.root}", "main")
    assert "nothing changes" in diff(copy.root, "HEAD..HEAD")


def test_a_shallow_clone_compares_what_it_has_and_says_what_it_lacks(
    history: History, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history.git("clone", "-q", "--depth=2", f"file://{history.root}", str(tmp_path / "copy"))
    assert "kafka-partitions-offline" in diff(tmp_path / "copy", "HEAD~1..HEAD")
    capsys.readouterr()
    assert main(["diff", f"{history.commits['start']}..HEAD", "-C", str(tmp_path / "copy")]) == 3
    assert "git fetch --unshallow" in capsys.readouterr().err


def whys(root: Path, pair: str) -> dict[tuple[str, str], list[str]]:
    """(rule, environment) -> tickets."""
    document = json.loads(diff(root, pair, "--format", "json"))
    return {(each["rule"]["id"], each["rule"]["env"]): each["tickets"] for each in document["rules"]}


def test_a_record_is_explained_by_who_changed_it_whatever_its_file_is_called_now(history: History) -> None:
    found = whys(history.root, between(history, "start", "move"))
    assert "INFRA-2902" in found["consumergroup:kafka_lag:sum", "prod"]
    assert "INFRA-2902" in found["kafka-consumer-lag", "prod"]
    assert (
        "INFRA-2850" not in found["consumergroup:kafka_lag:sum", "prod"]
    )  # renamed the alert in the same file


def test_what_was_taken_back_explains_nothing_and_a_parameter_of_the_project_does(history: History) -> None:
    assert whys(history.root, between(history, "start", "move"))["kafka-partitions-offline", "prod"] == [
        "INFRA-2950"
    ]


def test_text_and_project_speak_together(history: History, tmp_path: Path) -> None:
    history.git("clone", "-q", str(history.root), str(tmp_path / "copy"))
    copy = History(tmp_path / "copy", hour=200)
    rules, project = "rules/kafka/brokers.yaml", (copy.root / "tocsin.yaml").read_text()

    def said(ticket: str) -> str:
        return f"{ticket}\n\nReason: because\nTicket: {ticket}"

    text = (copy.root / rules).read_text()
    copy.commit(
        "other", {"tocsin.yaml": project.replace("{offline: 1}", "{offline: 1, spare: 7}")}, said("SPARE-1")
    )
    copy.commit(
        "staging", {"tocsin.yaml": project.replace("{offline: 2}", "{offline: 4}")}, said("STAGING-1")
    )
    copy.commit("longer", {rules: text.replace("for: 2m", "for: 4m")}, said("TEXT-1"))
    raised = project.replace("{offline: 2}", "{offline: 4}").replace("{offline: 1}", "{offline: 3}")
    copy.commit("raised", {"tocsin.yaml": raised}, said("PROJECT-1"))
    everything = whys(copy.root, "main~4..main")
    assert everything["kafka-partitions-offline", "prod"] == ["PROJECT-1", "TEXT-1", "STAGING-1"]
    own = text.replace("        for: 2m\n", "        for: 4m\n        params: {offline: 3}\n")
    copy.commit("own", {rules: own}, said("OWN-1"))
    copy.commit("later", {"tocsin.yaml": raised.replace("{offline: 3}", "{offline: 9}")}, said("UNUSED-1"))
    copy.commit("wait", {rules: own.replace("for: 4m", "for: 5m")}, said("TEXT-2"))
    assert whys(copy.root, "main~2..main")["kafka-partitions-offline", "prod"] == ["TEXT-2"]


def test_an_override_for_one_environment_is_marked_where_it_is_written(
    history: History, tmp_path: Path
) -> None:
    history.git("clone", "-q", str(history.root), str(tmp_path / "copy"))
    copy = History(tmp_path / "copy", hour=200)
    path = "rules/consumers/lag.yaml"
    text = (copy.root / path).read_text()
    override = (
        "        overrides:\n          quiet: {env: staging, set: {ticket.limit: 50000}}\n        summary:"
    )
    text = text.replace("        summary:", override)
    copy.commit("override", {path: text}, "Quiet")
    copy.commit("louder", {path: text.replace("50000", "40000")}, "Louder")
    [notice] = [
        each
        for each in diff(copy.root, "main~1..main", "--format", "github").split("\n")
        if each.startswith("::")
    ]
    line = next(at for at, each in enumerate(text.split("\n"), 1) if "quiet:" in each)
    assert f"file={path},line={line}," in notice
