"""The sources of another revision, read from Git without trusting its name or its content."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tocsin.disk.files import read_tree
from tocsin.disk.git import files_at, head_commit, resolve
from tocsin.errors import MachineError, UsageError


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"},
    )  # fmt: skip
    return done.stdout.strip()


def write(root: Path, path: str, data: bytes) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    write(root, "tocsin.yaml", b"version: 1\n")
    write(root, "rules/kafka/lag.yaml", "version: 1 # 中\r\n".encode())
    write(root, "rules/kafka/lag.promtool.yaml", b"rule_files: []\n")
    write(root, "sops/kafka/SOP-KAFKA-007.md", b"---\n---\n")
    write(root, "src/other.yaml", b"not ours\n")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    return root


def test_a_revision_reads_as_the_work_tree_did(repository: Path) -> None:
    tree = read_tree(repository)
    expected = {each for each in (*tree.rules, *tree.promtool, *tree.sops, tree.project) if each}
    write(repository, "rules/kafka/lag.yaml", b"changed\n")
    write(repository, "rules/new.yaml", b"new\n")
    files, found = files_at(repository, "HEAD")
    assert set(files) == expected
    assert [each.path for each in files] == sorted(each.path for each in files)
    assert found == tree.diagnostics


def test_commits_are_named_in_full(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert head_commit(repository) == resolve(repository, "main") == resolve(repository, commit[:8]) == commit


def test_older_revisions_stay_what_they_were(repository: Path) -> None:
    before = files_at(repository, "HEAD")
    (repository / "rules/kafka/lag.yaml").unlink()
    write(repository, "rules/api/latency.yaml", b"x\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "second")
    assert files_at(repository, "HEAD~1") == before
    assert [each.path for each in files_at(repository, "HEAD")[0] if each.path.endswith("y.yaml")] == [
        "rules/api/latency.yaml"
    ]


def test_a_project_in_a_folder_of_the_repository(repository: Path) -> None:
    write(repository, "deep/er/rules/x/a.yaml", b"a\n")
    write(repository, "deep/er/tocsin.yaml", b"b\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "deep")
    assert [each.path for each in files_at(repository / "deep/er", "HEAD")[0]] == [
        "rules/x/a.yaml",
        "tocsin.yaml",
    ]


@pytest.mark.parametrize(
    "revision", ["nothing", "--output=TARGET", "-n1", "--all", "", "HEAD:tocsin.yaml", "a b", "HEAD^{tree}"]
)
def test_what_is_no_commit_is_refused(repository: Path, revision: str) -> None:
    target = repository / "written"
    with pytest.raises(UsageError, match="there is no revision"):
        files_at(repository, revision.replace("TARGET", str(target)))
    assert not target.exists()


def test_links_odd_names_and_bad_bytes(repository: Path) -> None:
    (repository / "rules/link.yaml").symlink_to("/etc/hostname")
    write(repository, "rules/line\nbreak.yaml", b"x\n")
    write(repository, "rules/latin.yaml", b"a: \xe4\n")
    write(repository, "rules/huge.yaml", b"#" * 2_000_001)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "odd")
    files, found = files_at(repository, "HEAD")
    assert [each.path for each in files if each.path.startswith("rules/")] == [
        "rules/kafka/lag.promtool.yaml", "rules/kafka/lag.yaml"
    ]  # fmt: skip
    assert sorted((each.span.file, each.code) for each in found) == [
        ("rules/huge.yaml", "TOC115"), ("rules/kafka/lag.yaml", "TOC112"), ("rules/latin.yaml", "TOC110")
    ]  # fmt: skip


def test_a_folder_without_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(MachineError, match="not in a Git repository"):
        head_commit(tmp_path)


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(UsageError):
        head_commit(tmp_path)
