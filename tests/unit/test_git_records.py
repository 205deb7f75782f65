"""Records on a branch: written beside others, read by another clone, and nothing of the work tree is touched."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.test_sync_journals import git

from tocsin.disk.git_records import GitRecords
from tocsin.errors import MachineError, UsageError

NAME = "git:origin:tocsin-canary"


@pytest.fixture
def clones(tmp_path: Path) -> tuple[Path, Path]:
    """Two clones of one bare repository; the first has a commit, on which it stands."""
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    for name in ("one", "two"):
        git(tmp_path, "clone", "-q", "origin.git", name)
    (tmp_path / "one" / "a.txt").write_text("a")
    git(tmp_path / "one", "add", "a.txt")
    git(tmp_path / "one", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "first")
    return tmp_path / "one", tmp_path / "two"


def test_another_clone_reads_what_one_wrote(clones: tuple[Path, Path]) -> None:
    one, two = clones
    assert GitRecords(NAME, one).read() == {}
    GitRecords(NAME, one).write({"a.json": b"{}"}, "records: a")
    GitRecords(NAME, two).write({"b.json": b"[1]"}, "records: b")
    for where in clones:
        assert GitRecords(NAME, where).read() == {"a.json": b"{}", "b.json": b"[1]"}
    assert git(one, "status", "--porcelain") == "" and git(one, "branch", "--format=%(refname:short)") in (
        "main",
        "master",
    )


def test_a_record_written_again_replaces_itself_and_no_change_is_no_commit(clones: tuple[Path, Path]) -> None:
    records = GitRecords(NAME, clones[0])
    records.write({"a.json": b"1"}, "one")
    records.write({"a.json": b"2"}, "two")
    records.write({"a.json": b"2"}, "again")
    assert GitRecords(NAME, clones[1]).read() == {"a.json": b"2"}
    assert git(clones[0].parent / "origin.git", "log", "--format=%s", "tocsin-canary").split() == [
        "two",
        "one",
    ]


def test_writers_at_the_same_time_all_get_there(clones: tuple[Path, Path]) -> None:
    def write(index: int) -> None:
        GitRecords(NAME, clones[index % 2]).write({f"r{index}.json": b"%d" % index}, f"r{index}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(6)))
    assert set(GitRecords(NAME, clones[0]).read()) == {f"r{index}.json" for index in range(6)}


def test_one_who_comes_second_puts_its_files_on_the_first(
    clones: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody pushes between our fetch and our push."""
    slow, fast = GitRecords(NAME, clones[0]), GitRecords(NAME, clones[1])
    slow.write({"a.json": b"a"}, "a")
    commit = GitRecords._commit
    pushed: list[str] = []

    def meanwhile(self: GitRecords, *given: object) -> str:
        made = commit(self, *given)  # type: ignore[arg-type]
        if self is slow and not pushed:
            pushed.append("b")
            fast.write({"b.json": b"b"}, "b")
        return made

    monkeypatch.setattr(GitRecords, "_commit", meanwhile)
    slow.write({"c.json": b"c"}, "c")
    assert set(GitRecords(NAME, clones[1]).read()) == {"a.json", "b.json", "c.json"}


def test_a_branch_of_this_clone_alone(clones: tuple[Path, Path]) -> None:
    local = GitRecords("git:tocsin-canary", clones[0])
    local.write({"a.json": b"1"}, "one")
    local.write({"b.json": b"2"}, "two")
    assert set(GitRecords("git:tocsin-canary", clones[0]).read()) == {"a.json", "b.json"}
    assert GitRecords(NAME, clones[1]).read() == {}


def test_a_branch_that_went_is_an_empty_one(clones: tuple[Path, Path]) -> None:
    GitRecords(NAME, clones[0]).write({"a.json": b"1"}, "one")
    subprocess.run(
        ["git", "push", "-q", "origin", ":tocsin-canary"], cwd=clones[1], check=True, capture_output=True
    )
    assert GitRecords(NAME, clones[0]).read() == {}


def test_a_remote_that_is_not_there(clones: tuple[Path, Path]) -> None:
    with pytest.raises(MachineError, match="cannot be reached"):
        GitRecords("git:elsewhere:tocsin-canary", clones[0]).read()


@pytest.mark.parametrize(
    "name",
    [
        "git:",
        "git:a..b",
        "git:origin:-x",
        "git:--upload-pack=x:b",
        "git:b.lock",
        "x",
        "git:origin:refs/heads/b",
    ],
)
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        GitRecords(name, tmp_path)


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", "x.txt", "-x.json"])
def test_a_file_is_a_name_and_no_path(name: str, clones: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match="no name"):
        GitRecords(NAME, clones[0]).write({name: b""}, "x")
