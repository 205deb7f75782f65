"""Releases where things are not as usual: sub-folders, detached heads, odd tags, hostile words, changelogs that people edit, an upgrade of tocsin itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt
from tests.release_history import BROKERS, LAG, PROJECT, SOP, History
from tests.unit.test_migrate import PAIRS

from tocsin.cli import app, main

NOW = "2026-11-21"
QUIET = "checks: {TOC634: warning}\n"
FILES = {
    "tocsin.yaml": PROJECT + QUIET,
    "rules/kafka/lag.yaml": LAG,
    "rules/kafka/brokers.yaml": BROKERS,
    "sops/kafka/SOP-KAFKA-007.md": SOP,
}
SOONER = {"rules/kafka/brokers.yaml": BROKERS.replace("for: 2m", "for: 1m")}


def run(*words: str) -> Result:
    done = CliRunner().invoke(app, [*words, "--today", NOW], standalone_mode=False)
    assert done.exception is None, done.exception
    return done


def ended(*words: str) -> int:
    return main([*words, "--today", NOW])


def repository(top: Path, folder: str = "", *, released: bool = True) -> History:
    """A repository whose project lies in `folder`, released as v1.0.0 unless `released` is false."""
    top.mkdir(parents=True)
    history = History(top)
    history.git("init", "-q")
    history.commit("start", under(folder, FILES), "Alerts for Kafka")
    if released:
        release(history, folder)
    return history


def under(folder: str, files: dict[str, str]) -> dict[str, str | None]:
    return {f"{folder}{path}": text for path, text in files.items()}


def release(history: History, folder: str = "") -> str:
    """What the work tree is, released, committed and tagged."""
    root = str(history.root / folder)
    run("release", root, "--write")
    history.git("add", "-A")
    history.git("commit", "-q", "-m", "Release")
    history.named("release")
    assert "is made" in run("release", root, "--tag").stdout
    return str(ledger(history, folder)["release"])


def ledger(history: History, folder: str = "") -> dict[str, object]:
    read: dict[str, object] = json.loads((history.root / folder / "releases.json").read_text())
    return read


def changelog(history: History, folder: str = "") -> str:
    return (history.root / folder / "CHANGELOG.md").read_bytes().decode()


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo", "teams/alerts/")
    root, bare = str(history.root / "teams/alerts"), tmp_path / "bare.git"
    assert not (history.root / "releases.json").exists()
    stored = history.git("ls-tree", "-r", "--name-only", "deploy/prod/v1.0.0").split()
    assert "prometheus/prod/kafka.rules.yaml" in stored
    history.git("init", "-q", "--bare", str(bare))
    history.git("remote", "add", "origin", str(bare))
    history.commit("sooner", under("teams/alerts/", SOONER), "Sooner\n\nReason: late\nTicket: A-1")
    history.write({"README.md": "beside"})
    said = run("release", root, "--branch", "release/next", "--push", "origin")
    assert "release/next is pushed" in said.stderr
    listed = subprocess.run(
        ["git", f"--git-dir={bare}", "diff", "--name-only", history.commits["sooner"], "release/next"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert listed.stdout.split() == ["teams/alerts/CHANGELOG.md", "teams/alerts/releases.json"]
    shown = subprocess.run(
        ["git", f"--git-dir={bare}", "show", "release/next:teams/alerts/CHANGELOG.md"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "## v1.1.0" in shown and "late; A-1" in shown and "## v1.0.0" in shown
    assert "one commit more" in run("release", root, "--manifests", "deploy", "--push", "origin").stdout
    assert "late" in run("diff", "v1.0.0..HEAD", "-C", root, "--format", "markdown").stdout
    assert release(history, "teams/alerts/") == "v1.1.0"


def test_a_code_host_is_told_of_paths_from_the_top_of_the_repository(tmp_path: Path) -> None:
    folder = "ops/alert rules/"
    history = repository(tmp_path / "repo", folder)
    root = history.root / folder
    history.commit("sooner", under(folder, SOONER), "Sooner")
    path = "ops/alert rules/rules/kafka/brokers.yaml"
    words = ("diff", "HEAD~1..HEAD", "-C", str(root), "--format")
    assert f"::notice file={path},line=" in run(*words, "github").output
    assert json.loads(run(*words, "json").output)["rules"][0]["place"]["file"] == "rules/kafka/brokers.yaml"
    base = ("check", str(root), "--base", "HEAD~1", "--format")
    assert f"::error file={path},line=" in run(*base, "github").output
    (found, *_) = json.loads(run(*base, "sarif").output)["runs"][0]["results"]
    place = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place["uri"] == path.replace(" ", "%20")


@pytest.mark.parametrize("option", ["--branch", "--manifests"])
def test_a_branch_that_holds_sources_is_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    history, bare = repository(tmp_path / "repo"), tmp_path / "bare.git"
    history.git("init", "-q", "--bare", str(bare))
    history.git("remote", "add", "origin", str(bare))
    history.commit("sooner", dict(SOONER), "Sooner")
    history.git("push", "-q", "origin", "HEAD:refs/heads/main", "HEAD:refs/heads/feature")
    history.git("checkout", "-q", "-b", "work")
    before = history.git("ls-remote", "origin")
    for name in ("main", "refs/heads/main", "work"):
        assert ended("release", str(history.root), option, name, "--push", "origin") == 2
        assert "holds the sources" in capsys.readouterr().err
    if option == "--manifests":
        assert ended("release", str(history.root), option, "feature", "--push", "origin") == 3
        assert "compiled files would take their place" in capsys.readouterr().err
    for name in ("a b", "x:main", "../main", "-x", "a..b", "@{-1}", "feature~1"):
        assert ended("release", str(history.root), f"{option}={name}", "--push", "origin") == 2, name
    assert history.git("ls-remote", "origin") == before


def test_a_detached_head_is_released_as_any_other(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.git("checkout", "-q", "--detach")
    history.commit("sooner", dict(SOONER), "Sooner")
    assert release(history) == "v1.1.0"
    assert "was there" in run("release", str(history.root), "--tag").stdout


def test_a_repository_without_a_commit_and_a_folder_without_a_repository(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = History(tmp_path)
    history.write(dict(FILES))
    for words in (["--dry-run"], ["--tag"], ["--manifests", "x", "--push", "origin"]):
        assert ended("release", str(tmp_path), *words) == 3
    assert "Git knows nothing" in capsys.readouterr().err
    history.git("init", "-q")
    for words in (["--dry-run"], ["--tag"], ["--manifests", "x", "--push", "origin"]):
        assert ended("release", str(tmp_path), *words) == 3
        assert "no commit yet" in capsys.readouterr().err


def test_tags_that_are_no_versions_are_left_out(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    for name in ("v2", "vNext", "v1.2.0-rc.1", "v01.2.3", "v1.2", "2.0.0", "v3.0.0.1", "valid"):
        history.git("tag", name)
    blob = history.git("hash-object", "-w", "tocsin.yaml")
    history.git("tag", "v9.9.9", blob)
    history.commit("sooner", dict(SOONER), "Sooner")
    assert "v1.0.0 -> v1.1.0" in run("release", str(history.root), "--dry-run").stderr


def test_a_version_that_another_branch_took_is_not_made_again(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.git("checkout", "-q", "-b", "hotfix")
    history.commit("other", {"note.txt": "x"}, "Elsewhere")
    history.git("tag", "-a", "-m", "by hand", "v1.1.0")
    history.git("checkout", "-q", "-")
    history.git("checkout", "-q", "-B", "line", history.commits["release"])
    history.commit("sooner", dict(SOONER), "Sooner")
    assert release(history) == "v1.2.0"
    assert "v1.0.0" in history.git("tag", "--merged", "HEAD") and "v1.1.0" not in history.git(
        "tag", "--merged", "HEAD"
    )


def test_a_prepared_release_whose_tag_is_elsewhere_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", dict(SOONER), "Sooner")
    run("release", str(history.root), "--write")
    history.git("add", "-A")
    history.git("commit", "-q", "-m", "Release")
    history.git("checkout", "-q", "-b", "other", history.commits["release"])
    history.commit("other", {"note.txt": "x"}, "Elsewhere")
    history.git("tag", "v1.1.0")
    history.git("checkout", "-q", "-")
    assert ended("release", str(history.root), "--tag") == 3
    assert "the tag v1.1.0 is on" in capsys.readouterr().err


def test_a_clone_without_tags_says_what_to_fetch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", dict(SOONER), "Sooner")
    release(history)
    history.commit("later", {"rules/kafka/brokers.yaml": BROKERS}, "Later")
    clone = tmp_path / "clone"
    history.git("clone", "-q", "--no-tags", str(history.root), str(clone))
    assert ended("release", str(clone), "--dry-run") == 3
    said = capsys.readouterr().err
    assert "v1.0.0" in said and "git fetch --tags" in said


@pytest.mark.parametrize(
    "later",
    [
        {"rules/kafka/lag.yaml": LAG.replace("limit: 5000", "limit: 4500")},
        {"rules/kafka/brokers.yaml": BROKERS.replace("for: 2m", "for: 3m")},
        {"sops/kafka/SOP-KAFKA-007.md": SOP + "\nAsk the team first.\n"},
    ],
    ids=["another rule", "the same rule", "a page"],
)
def test_what_was_merged_after_a_release_was_prepared_is_in_the_release(
    tmp_path: Path, later: dict[str, str]
) -> None:
    history = repository(tmp_path / "repo")
    root = str(history.root)
    history.commit("sooner", SOONER, "Sooner\n\nReason: two minutes is late\nTicket: OPS-1")
    run("release", root, "--write")
    history.commit("later", later, "Later\n\nReason: asked for\nTicket: OPS-2")
    assert "prepared for other sources" in run("release", root, "--tag").output
    assert history.git("tag", "--list", "v*").split() == ["v1.0.0"]
    run("release", root, "--write")
    history.git("add", "-A")
    history.git("commit", "-q", "-m", "Release, anew")
    assert "refs/tags/v1.1.0 is made" in run("release", root, "--tag").output
    changelog = (history.root / "CHANGELOG.md").read_text()
    assert changelog.count("## v1.1.0") == 1
    if "sops" not in next(iter(later)):
        assert "OPS-2" in changelog
    assert "was there" in run("release", root, "--tag").output


def test_sources_that_do_not_compile_release_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    history = repository(tmp_path / "repo")
    history.commit("broken", {"rules/kafka/brokers.yaml": BROKERS.replace("sum by", "summ by")}, "Broken")
    before = changelog(history)
    for words in (["--write"], ["--tag"], ["--manifests", "x", "--push", "origin"]):
        assert ended("release", str(history.root), *words) == 1
        assert "TOC401" in capsys.readouterr().out
    assert changelog(history) == before and not history.git("status", "--porcelain")


HOSTILE = "<img src=x onerror=alert(1)> `a` ``b` **c** [x](javascript:alert(1)) | @everyone ![p](http://127.0.0.1/x) &lt; \x1b[31m \u202eevil"


def test_words_of_commits_stay_words(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.write(dict(SOONER))
    history.git("add", "-A")
    message = f"Sooner\n\nReason: {HOSTILE}\nReason: {'long ' * 2000}\nTicket: `T-1`, <b>, @team/ops\nReason:\n## v9.9.9\n"
    history.git("commit", "-q", "-m", message)
    assert release(history) == "v1.1.0"
    text = changelog(history)
    assert "\x1b" not in text and "\u202e" not in text and len(text) < 5_000
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert not [tag for tag in ("<img", "<b>", "<a ", "<strong", "<table") if tag in rendered]
    assert "&lt;img src=x onerror=alert(1)&gt;" in rendered and "&amp;lt;" in rendered
    assert "<code>@everyone</code>" in rendered and "<code>@team/ops</code>" in rendered
    assert rendered.count("<h2>") == 2
    said = history.git("for-each-ref", "--format=%(contents)", "refs/tags/v1.1.0")
    assert "## v1.1.0" in said and "\x1b" not in said
    report = run("diff", "v1.0.0..v1.1.0", "-C", str(history.root), "--format", "markdown").stdout
    assert "\x1b" not in report and "<img" not in report


def test_what_nobody_sees_is_seen_in_a_changelog(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    hidden = LAG.replace("records behind", "records \\e[31m behind \\u202e\\u200b")
    assert hidden != LAG
    history.commit("hidden", {"rules/kafka/lag.yaml": hidden}, "Words")
    run("release", str(history.root), "--write")
    for name in ("CHANGELOG.md", "releases.json"):
        made = (history.root / name).read_text(encoding="utf-8")
        assert "records \N{REPLACEMENT CHARACTER}[31m behind" in made
        assert not {each for each in made if not each.isprintable()} - {"\n"} and "u001b" not in made


def test_of_what_does_not_compile_nobody_says_that_nothing_changes(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    broken = {"rules/kafka/lag.yaml": LAG.replace("severity: P2", "severity: P9")}
    history.commit("broken", broken, "Broken")
    root = str(history.root)
    said = run("diff", "HEAD~1..HEAD", "-C", root).output
    assert said.startswith("nothing known to change, 1 service not compared; ")
    report = run("diff", "HEAD~1..HEAD", "--format", "markdown", "-C", root).output
    assert "1 service not compared" in report.split("\n")[0]


def test_a_commit_that_is_not_utf8_and_a_message_with_windows_line_ends(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.write(dict(SOONER))
    history.git("add", "-A")
    message = tmp_path / "message"
    message.write_bytes("Früher\r\n\r\nReason: zu spät bemerkt\r\nTicket: A-1\r\n".encode("latin-1"))
    history.git("-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", str(message))
    pull = tmp_path / "pull.md"
    pull.write_bytes(b"Reason: asked\r\nTicket: B-2, B-3\r\n" + b"Reason: caf\xe9\r\n")
    run("release", str(history.root), "--write", "--message", str(pull))
    change = ledger(history)["releases"][0]["changes"][0]  # type: ignore[index]
    assert change["reasons"] == ["zu spät bemerkt", "asked", "caf\ufffd"]
    assert change["tickets"] == ["A-1", "B-2", "B-3"]


def test_a_change_that_is_taken_back_before_it_was_released_is_none(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", dict(SOONER), "Sooner\n\nReason: late\nTicket: A-1")
    history.git("revert", "--no-edit", "HEAD")
    assert "nothing to release since v1.0.0" in run("release", str(history.root), "--write").stderr
    history.commit("again", dict(SOONER), "Sooner after all\n\nReason: really\nTicket: A-2")
    assert release(history) == "v1.1.0"
    assert "really" in changelog(history)


def whys_of(history: History, revisions: str) -> dict[str, tuple[list[str], list[str]]]:
    """Rule id -> reasons and tickets, as the diff tells them."""
    document = json.loads(run("diff", revisions, "--format", "json", "-C", str(history.root)).output)
    return {each["rule"]["id"]: (each["reasons"], each["tickets"]) for each in document["rules"]}


@pytest.mark.parametrize("octopus", [False, True], ids=["one branch", "an octopus of two"])
def test_of_a_merge_each_rule_has_the_words_of_the_commits_that_changed_it(
    tmp_path: Path, octopus: bool
) -> None:
    history = repository(tmp_path / "repo")
    main = history.git("symbolic-ref", "--short", "HEAD").strip()
    lag = {"rules/kafka/lag.yaml": LAG.replace("limit: 5000", "limit: 4500")}
    history.git("checkout", "-q", "-b", "one")
    history.commit("sooner", SOONER, "Sooner\n\nReason: two minutes is late\nTicket: OPS-1")
    if octopus:
        history.git("checkout", "-q", "-b", "two", main)
    history.commit("lag", lag, "Lag\n\nReason: consumers got slower\nTicket: OPS-2")
    history.git("checkout", "-q", main)
    history.commit("aside", {"README.md": "Rules\n"}, "Words")
    branches = ["one", "two"] if octopus else ["one"]
    history.git("merge", "-q", "--no-ff", *branches, "-m", "Merge\n\nTicket: PULL-7")
    found = whys_of(history, "v1.0.0..HEAD")
    assert found["kafka-partitions-offline"] == (["two minutes is late"], ["PULL-7", "OPS-1"])
    assert found["kafka-consumer-lag"] == (["consumers got slower"], ["PULL-7", "OPS-2"])


def test_what_one_commit_of_a_merge_leaves_open_another_may_say(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    main = history.git("symbolic-ref", "--short", "HEAD").strip()
    history.git("checkout", "-q", "-b", "one")
    history.commit("sooner", SOONER, "Sooner\n\nReason: two minutes is late")
    history.commit("words", {"README.md": "Rules\n"}, "Words\n\nReason: nobody found it\nTicket: OPS-3")
    history.git("checkout", "-q", main)
    history.git("merge", "-q", "--no-ff", "one", "-m", "Merge")
    assert whys_of(history, "v1.0.0..HEAD") == {
        "kafka-partitions-offline": (["two minutes is late"], ["OPS-3"])
    }


def test_what_changed_alike_pages_in_one_environment_alone(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    urgent = BROKERS.replace("severity: P2", "severity: P1")
    history.commit("urgent", {"rules/kafka/brokers.yaml": urgent}, "Urgent")
    history.commit("sooner", {"rules/kafka/brokers.yaml": urgent.replace("for: 2m", "for: 1m")}, "Sooner")
    config = tmp_path / "alertmanager.yml"
    config.write_text(
        """\
route: {receiver: mail, routes: [{receiver: phone, matchers: ['severity="critical"']}]}
receivers: [{name: mail}, {name: phone}]
"""
    )
    words = (
        "diff",
        "HEAD~1..HEAD",
        "-C",
        str(history.root),
        "--alertmanager-config",
        str(config),
        "--format",
    )
    report = run(*words, "markdown").output
    assert "- prod: P1, wakes somebody\n- prod: notified by day: phone\n" in report
    assert "staging: P2, wakes nobody" in report and "staging: notified at night: mail" in report
    told = {
        each["rule"]["env"]: each["impact"]["receivers"]["night"]["new"]
        for each in json.loads(run(*words, "json").output)["rules"]
    }
    assert told == {"prod": "phone", "staging": "mail"}


def test_what_an_earlier_merge_brought_is_not_the_later_ones(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    main = history.git("symbolic-ref", "--short", "HEAD").strip()
    lag = {"rules/kafka/lag.yaml": LAG.replace("limit: 5000", "limit: 4500")}
    history.git("checkout", "-q", "-b", "one")
    history.commit("sooner", SOONER, "Sooner\n\nReason: two minutes is late\nTicket: OPS-1")
    history.git("checkout", "-q", "-b", "two")
    history.commit("lag", lag, "Lag\n\nReason: consumers got slower")
    history.git("checkout", "-q", main)
    for name in ("one", "two"):
        history.git("merge", "-q", "--no-ff", name, "-m", f"Merge {name}")
    found = whys_of(history, "v1.0.0..HEAD")
    assert found["kafka-partitions-offline"] == (["two minutes is late"], ["OPS-1"])
    assert found["kafka-consumer-lag"] == (["consumers got slower"], [])


def test_where_a_shallow_clone_ends_nobody_is_named(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", SOONER, "Sooner\n\nReason: two minutes is late\nTicket: OPS-1")
    history.commit("words", {"README.md": "Rules\n"}, "Words\n\nReason: nobody found it\nTicket: OPS-3")
    clone = History(tmp_path / "clone")
    clone.root.mkdir()
    clone.git("init", "-q")
    clone.git("remote", "add", "origin", history.root.as_uri())
    clone.git("fetch", "-q", "--depth", "1", "origin", "HEAD")
    clone.git("checkout", "-q", "FETCH_HEAD")
    clone.git("fetch", "-q", "--depth", "1", "origin", "tag", "v1.0.0")
    assert whys_of(clone, "v1.0.0..HEAD") == {"kafka-partitions-offline": ([], [])}


def test_a_reason_that_two_thousand_commits_ago_was_given_is_found(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", dict(SOONER), "Sooner\n\nReason: late\nTicket: A-1")
    branch = history.git("symbolic-ref", "HEAD")
    # Machines whose clocks are a year behind made them.
    row = f"commit {branch}\ncommitter A <a@example.org> 1760000000 +0000\ndata 5\nother\n"
    stream = f"{row}from {history.commits['sooner']}\n\n" + row * 2_000
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=history.root, input=stream.encode(), check=True
    )
    said = json.loads(run("release", str(history.root), "--dry-run", "--format", "json").stdout)
    assert said["changes"][0]["reasons"] == ["late"]


def test_what_people_write_around_the_sections_stays(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo", released=False)
    by_hand = (
        "# Ours\r\n\r\nAbout ``` this:\r\n\r\n```\r\n## v1.0.0 is how a section begins\r\n```\r\n\r\n## [Unreleased]\r\n\r\n- soon\r\n\r\n"
        "## v1.0.0-rc.1 - by hand\r\n\r\n- tried\r\n\r\n[Unreleased]: https://example.org/compare\r\n[old]: https://example.org/old\r\n"
    )
    (history.root / "CHANGELOG.md").write_bytes(by_hand.encode())
    history.commit("notes", {}, "Notes")
    run("release", str(history.root), "--write")
    once = changelog(history)
    run("release", str(history.root), "--write")
    assert changelog(history) == once
    assert once.replace("\r\n", "").count("\n") == 0
    kept = [line for line in by_hand.split("\r\n") if line]
    assert [line for line in once.split("\r\n") if line in kept and line] == kept
    heads = [line for line in once.split("\r\n") if line.startswith("## ")]
    assert [line.split()[1] for line in heads[1:]] == ["[Unreleased]", "v1.0.0", "v1.0.0-rc.1"]
    (history.root / "CHANGELOG.md").write_bytes(b"caf\xe9\n")
    assert ended("release", str(history.root), "--write") == 3


def test_two_environments_of_which_one_changed(tmp_path: Path) -> None:
    history = repository(tmp_path / "repo")
    history.commit("prod", {"tocsin.yaml": (PROJECT + QUIET).replace("{offline: 0}", "{offline: 3}")}, "Prod")
    run("release", str(history.root), "--write")
    rows = ledger(history)["releases"][0]["changes"]  # type: ignore[index]
    assert [(row["rule"], row["envs"]) for row in rows] == [("kafka-partitions-offline", ["prod"])]
    versions = {key: row["version"] for key, row in ledger(history)["rules"].items() if "offline" in key}  # type: ignore[attr-defined]
    assert versions == {
        "prod/kafka-partitions-offline": "v1.1.0",
        "staging/kafka-partitions-offline": "v1.0.0",
    }


@pytest.mark.parametrize(
    ("bumps", "version"),
    [("{sensitivity: major}", "v2.0.0"), ("{sensitivity: patch}", "v1.0.1"), ("{sensitivity: none}", None)],
)
def test_a_project_counts_in_its_own_way(tmp_path: Path, bumps: str, version: str | None) -> None:
    history = repository(tmp_path / "repo")
    history.commit("sooner", {**SOONER, "tocsin.yaml": f"{PROJECT}{QUIET}release: {{bumps: {bumps}}}\n"}, "x")
    said = run("release", str(history.root), "--format", "json", "--dry-run").stdout
    assert json.loads(said)["version"] == version


def test_another_tocsin_finds_no_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = repository(tmp_path / "repo")
    root = str(history.root)
    assert ended("build", root, "--no-site", "--out", str(tmp_path / "old")) == 0
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] == "tocsin" and hasattr(module, "__version__"):
            monkeypatch.setattr(module, "__version__", "9.9.9")
    assert "nothing to release since v1.0.0" in run("release", root, "--dry-run").stderr
    assert "nothing changes" in run("diff", "v1.0.0", "-C", root, "--format", "markdown").stdout
    assert ended("build", root, "--no-site", "--out", str(tmp_path / "new")) == 0
    paths = [each.relative_to(tmp_path / "old") for each in (tmp_path / "old").rglob("*.rules.yaml")]
    assert paths
    for path in paths:
        assert (tmp_path / "old" / path).read_bytes() == (tmp_path / "new" / path).read_bytes()
        assert "unreleased" not in (tmp_path / "new" / path).read_text()


def test_a_migration_changes_nothing_that_could_fire(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.git("init", "-q")
    history.commit("draft", {path: old for path, old, _ in PAIRS.values()}, "Draft")
    history.git("tag", "v1.0.0")
    assert main(["migrate", str(tmp_path)]) == 0
    history.commit("migrated", {}, "The present format")
    said = run("diff", "v1.0.0..HEAD", "-C", str(tmp_path)).stdout
    assert "nothing changes" in said, said
    lag = tmp_path / "rules/kafka/lag.yaml"
    lag.write_text(lag.read_text().replace("threshold: 10000", "threshold: 20000"))
    assert "10000 -> 20000" in run("release", str(tmp_path), "--dry-run").stdout
