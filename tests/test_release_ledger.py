"""The releases of a repository with a past: what each step of `release_history` is called, and what ledger, changelog, tags and reports say.

`pytest tests/test_release_ledger.py --update` writes what comes out over what was expected: read the difference.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.release_history import STEPS, History, make_history

from tocsin.cli import app, main

EXPECTED = Path(__file__).parent / "history_expected"
NOW = "2026-11-21"
ENV = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
}


def git(root: Path, *words: str, day: int = 1) -> str:
    date = f"2026-10-{day:02}T09:00:00Z"
    env = {**ENV, "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    done = subprocess.run(["git", *words], cwd=root, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def tocsin(root: Path, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--today", NOW], standalone_mode=False)
    assert done.exception is None, done.exception
    assert (done.return_value or 0) == code, done.output
    return done.stdout


@dataclass
class Released:
    root: Path
    versions: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def release_all(history: History, root: Path) -> Released:
    """Every step of main as a commit of its own with its own message, each released where there is something to release."""
    git(history.root, "clone", "-q", str(history.root), str(root))
    git(root, "checkout", "-q", "--orphan", "released")
    made = Released(root)
    for day, step in enumerate(STEPS, 1):
        commit = history.commits[step]
        kept = {
            name: (root / name).read_bytes() for name in ("releases.json", "CHANGELOG.md") if made.versions
        }
        git(root, "read-tree", "--reset", "-u", commit)
        for name, content in kept.items():
            (root / name).write_bytes(content)
        # Its alerts are renamed and removed, and nobody wrote aliases for their pages.
        with (root / "tocsin.yaml").open("a") as project:
            project.write("checks: {TOC634: warning}\n")
        git(root, "add", "--all")
        message = git(root, "log", "-1", "--format=%B", commit)
        git(root, "commit", "-q", "--allow-empty", "-m", message, day=day)
        made.said[step] = tocsin(root, "release", str(root), "--write")
        if git(root, "status", "--porcelain"):
            git(root, "add", "--all")
            version = json.loads((root / "releases.json").read_text())["release"]
            git(root, "commit", "-q", "-m", f"Release {version}", day=day)
            made.versions[step] = version
            assert f"refs/tags/{version} is made" in tocsin(root, "release", str(root), "--tag")
    return made


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    top = tmp_path_factory.mktemp("released")
    return release_all(make_history(top / "shop"), top / "clone")


def path_of(root: Path, alert: str) -> str:
    """The rule file that has an alert."""
    found = (path for path in (root / "rules").rglob("*.yaml") if f"alert: {alert}\n" in path.read_text())
    return str(next(found).relative_to(root))


def golden(name: str, said: str, request: pytest.FixtureRequest) -> None:
    said = re.sub(r"\b[0-9a-f]{12}\b", "(commit)", said)
    path = EXPECTED / name
    if request.config.getoption("--update"):
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


def test_versions_follow_what_changed(released: Released) -> None:
    assert released.versions == {
        "start": "v1.0.0",
        "merge": "v1.1.0",
        "rename": "v1.2.0",
        "p1": "v1.3.0",
        "squash": "v1.4.0",
        "removal": "v2.0.0",
        "revert": "v2.1.0",
        "move": "v2.2.0",
    }


def test_the_changelog(released: Released, request: pytest.FixtureRequest) -> None:
    golden("CHANGELOG.md", (released.root / "CHANGELOG.md").read_text(encoding="utf-8"), request)


def test_the_ledger(released: Released, request: pytest.FixtureRequest) -> None:
    golden("releases.json", (released.root / "releases.json").read_text(encoding="utf-8"), request)


def test_the_tags(released: Released, request: pytest.FixtureRequest) -> None:
    rows = git(
        released.root, "for-each-ref", "--format=%(refname) %(objecttype) %(contents:subject)", "refs/tags"
    )
    golden("tags.txt", rows + "\n", request)
    assert git(released.root, "cat-file", "-t", "v1.3.0") == "tag"
    stored = git(released.root, "ls-tree", "-r", "--name-only", "deploy/prod/v1.3.0").split()
    assert "prometheus/prod/kafka.rules.yaml" in stored and not [each for each in stored if "staging" in each]


def test_what_a_release_stored_is_what_a_build_writes(released: Released, tmp_path: Path) -> None:
    version = released.versions["revert"]
    git(released.root, "checkout", "-q", "--detach", version)
    try:
        assert main(["build", str(released.root), "--out", str(tmp_path), "--no-site", "--today", NOW]) == 0
    finally:
        git(released.root, "checkout", "-q", "released")
    for path in git(released.root, "ls-tree", "-r", "--name-only", f"deploy/prod/{version}").split():
        stored = subprocess.run(
            ["git", "show", f"deploy/prod/{version}:{path}"],
            cwd=released.root,
            capture_output=True,
            check=True,
        )
        assert stored.stdout == (tmp_path / path).read_bytes(), path


def test_a_difference_between_two_releases_names_rule_numbers_reason_and_ticket(released: Released) -> None:
    said = tocsin(released.root, "diff", "v1.2.0..v1.3.0", "-C", str(released.root))
    assert "kafka-consumer-lag" in said and "10000" in said and "INFRA-2891" in said


def test_the_version_on_an_alert_is_the_ledgers(released: Released, tmp_path: Path) -> None:
    assert main(["build", str(released.root), "--out", str(tmp_path), "--no-site", "--today", NOW]) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    ledger = json.loads((released.root / "releases.json").read_text())
    text = "".join(path.read_text() for path in (tmp_path / "prometheus/prod").iterdir())
    for key, row in ledger["rules"].items():
        assert json.dumps(row["digest"]) in json.dumps(manifest), key
    assert {row["version"] for row in ledger["rules"].values()} == {"v1.4.0", "v2.1.0", "v2.2.0"}
    alerts = [row for key, row in ledger["rules"].items() if key.startswith("prod/kafka-")]
    said = sorted(line.split()[1] for line in text.split("\n") if "rule_version:" in line)
    assert said == sorted(row["version"] for row in alerts) and len(said) == 3


def test_a_second_run_changes_nothing_and_a_ci_writes_nothing(
    released: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = git(released.root, "rev-parse", "released"), git(released.root, "show-ref")
    assert "nothing" in CliRunner().invoke(app, ["release", str(released.root), "--today", NOW]).stderr
    file = released.root / path_of(released.root, "KafkaPartitionsOffline")
    content = file.read_text()
    assert "for: 2m" in content
    file.write_text(content.replace("for: 2m", "for: 3m"))
    try:
        monkeypatch.setenv("CI", "true")
        assert "kafka-partitions-offline" in tocsin(released.root, "release", str(released.root))
        assert git(released.root, "status", "--porcelain") == f"M {file.relative_to(released.root)}"
        monkeypatch.delenv("CI")
        first = tocsin(released.root, "release", str(released.root))
        written = (
            (released.root / "releases.json").read_bytes(),
            (released.root / "CHANGELOG.md").read_bytes(),
        )
        assert tocsin(released.root, "release", str(released.root)) == first
        assert written == (
            (released.root / "releases.json").read_bytes(),
            (released.root / "CHANGELOG.md").read_bytes(),
        )
    finally:
        git(released.root, "checkout", "-q", "--", ".")
    assert before == (git(released.root, "rev-parse", "released"), git(released.root, "show-ref"))


def test_two_pull_requests_never_conflict_over_a_version(released: Released, tmp_path: Path) -> None:
    """Both are open at once and change no version; after both are merged the release is one, and a proposal that was made in between is replaced."""
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--bare", str(released.root), str(bare))
    git(tmp_path, "clone", "-q", "--branch", "released", str(bare), str(clone))
    files = {
        "one": (path_of(clone, "KafkaPartitionsOffline"), "for: 2m", "for: 3m"),
        "two": (path_of(clone, "KafkaConsumerBehind"), "limit: 4000", "limit: 6000"),
    }
    for name, (path, old, new) in files.items():
        git(clone, "checkout", "-q", "-b", name, "released")
        text = (clone / path).read_text()
        assert old in text
        (clone / path).write_text(text.replace(old, new))
        git(clone, "commit", "-q", "-am", f"{name}\n\nReason: {name}\nTicket: OPS-{len(name)}", day=20)
    git(clone, "checkout", "-q", "released")
    proposals = []
    for name in files:
        git(clone, "merge", "-q", "--no-ff", "-m", f"Merge {name}", name, day=21)
        tocsin(clone, "release", str(clone), "--branch", "release/next", "--push", "origin")
        proposals.append(git(bare, "rev-parse", "release/next"))
        assert git(clone, "status", "--porcelain") == ""
    assert proposals[0] != proposals[1]
    assert git(bare, "rev-list", "--count", "release/next", f"^{git(clone, 'rev-parse', 'HEAD')}") == "1"
    git(clone, "pull", "-q", "--ff-only", "origin", "release/next")
    row = json.loads((clone / "releases.json").read_text())["releases"][0]
    assert row["version"] == "v2.3.0"
    assert {reason for change in row["changes"] for reason in change["reasons"]} == {"one", "two"}
    said = tocsin(clone, "release", str(clone), "--tag", "--push", "origin")
    assert "pushed to origin" in said
    assert git(bare, "tag", "--list", "v2.2.0", "deploy/prod/v2.2.0").split() == [
        "deploy/prod/v2.2.0",
        "v2.2.0",
    ]
    # Again, from another clone: nothing moves.
    again = tmp_path / "again"
    git(tmp_path, "clone", "-q", "--branch", "released", str(clone), str(again))
    git(again, "fetch", "-q", "--tags", str(bare))
    assert "was there" in tocsin(again, "release", str(again), "--tag")


def test_manifests_are_a_branch_with_a_past(released: Released, tmp_path: Path) -> None:
    bare, clone = tmp_path / "bare.git", tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--bare", str(released.root), str(bare))
    git(tmp_path, "clone", "-q", "--branch", "released", str(bare), str(clone))
    words = ("release", str(clone), "--manifests", "deploy", "--push", "origin")
    assert "one commit more" in tocsin(clone, *words)
    assert "already" in tocsin(clone, *words)
    files = git(bare, "ls-tree", "-r", "--name-only", "deploy").split()
    assert (
        "kubernetes/prod/kafka.prometheusrule.yaml" in files
        and "kubernetes/staging/kafka.prometheusrule.yaml" in files
    )
    path = clone / path_of(clone, "KafkaPartitionsOffline")
    path.write_text(path.read_text().replace("for: 2m", "for: 3m"))
    git(clone, "commit", "-q", "-am", "longer", day=22)
    assert "one commit more" in tocsin(clone, *words)
    assert git(bare, "rev-list", "--count", "deploy") == "2"
    assert "3m" in git(bare, "show", "deploy:prometheus/prod/kafka.rules.yaml")


def test_the_report_of_a_pull_request(released: Released, request: pytest.FixtureRequest) -> None:
    golden(
        "v1.2.0-v2.0.0.md",
        tocsin(released.root, "diff", "v1.2.0..v2.0.0", "--format", "markdown", "-C", str(released.root)),
        request,
    )


@pytest.mark.parametrize(
    "words", [["--tag", "--write"], ["--push", "origin"], ["--branch", "x"], ["--manifests", "x"]]
)
def test_what_does_not_go_together_is_a_mistake_of_usage(released: Released, words: list[str]) -> None:
    assert main(["release", str(released.root), *words]) == 2


def test_a_clone_without_its_past_says_what_to_fetch(
    released: Released, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ahead, shallow = tmp_path / "ahead", tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--branch", "released", str(released.root), str(ahead))
    git(ahead, "commit", "-q", "--allow-empty", "-m", "later", day=23)
    git(
        tmp_path,
        "clone",
        "-q",
        "--depth",
        "1",
        "--branch",
        "released",
        f"file://{ahead}",
        str(shallow),
    )
    code = main(["release", str(shallow), "--dry-run", "--today", NOW])
    said = capsys.readouterr()
    assert code == 3 and "--unshallow" in said.err
