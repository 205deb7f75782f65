"""What Git says about the sources, from repositories the tests make: dates, moves, merges, shallow clones, hostile names and settings."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tocsin.disk.git import Log, last_changes, read_blobs, read_log
from tocsin.disk.head import head_stamp

DAY = "2026-05-0{}T10:11:12+02:00"


def git(root: Path, *arguments: str, day: int = 1, check: bool = True) -> str:
    who = ["-c", "user.name=Ann Ö", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    when = {"GIT_AUTHOR_DATE": DAY.format(day), "GIT_COMMITTER_DATE": DAY.format(day)}
    done = subprocess.run(
        ["git", *who, *arguments], cwd=root, capture_output=True, text=True, check=check,
        env={"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1", **when},
    )  # fmt: skip
    return done.stdout.strip()


def commit(root: Path, files: dict[str, str | None], message: str = "change", *, day: int = 1) -> str:
    for path, text in files.items():
        if text is None:
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", message, day=day)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


def log_of(root: Path) -> Log:
    log = read_log(root)
    assert log is not None
    return log


def test_each_source_has_the_commit_that_changed_it_last(root: Path) -> None:
    first = commit(
        root, {"rules/a/x.yaml": "1", "sops/a/S.md": "1", "src/other.py": "1"}, "first\n\nbody", day=1
    )
    second = commit(root, {"rules/a/x.yaml": "2"}, "second", day=2)
    head = commit(root, {"src/other.py": "2"}, "third", day=3)
    log = log_of(root)
    changes = last_changes(log)
    assert {path: each.commit for path, each in changes.items()} == {
        "rules/a/x.yaml": second,
        "sops/a/S.md": first,
    }
    assert changes["sops/a/S.md"].at == "2026-05-01T08:11:12+00:00"
    assert (changes["sops/a/S.md"].author, changes["sops/a/S.md"].subject) == ("Ann Ö", "first")
    assert (log.head.commit, log.shallow) == (head, False)


def test_a_project_in_a_folder_of_the_repository_sees_its_own_sources(root: Path) -> None:
    commit(root, {"deep/er/rules/x/a.yaml": "a", "rules/x/b.yaml": "b"})
    assert set(last_changes(log_of(root / "deep/er"))) == {"rules/x/a.yaml"}


def test_blobs_before_and_after_a_commit_are_read_back(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "old\r\n"})
    commit(root, {"rules/a/x.yaml": "new 中"}, day=2)
    [(_, [change]), (_, [made])] = log_of(root).commits
    blobs = read_blobs(root, [change.before, change.after])
    assert (blobs[change.before], blobs[change.after]) == (b"old\r\n", "new 中".encode())
    assert (made.before, made.after) == ("", change.before)
    assert read_blobs(root, ["0" * 40, change.after]) == {change.after: "new 中".encode()}
    assert read_blobs(root, ["--help"]) == {}


def test_a_deleted_file_has_no_blob_after(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1"})
    commit(root, {"rules/a/x.yaml": None}, day=2)
    assert log_of(root).commits[0][1][0].after == ""


def test_what_a_merge_decides_by_itself_counts(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "base\n"})
    git(root, "checkout", "-q", "-b", "side")
    commit(root, {"rules/a/x.yaml": "side\n"}, day=2)
    git(root, "checkout", "-q", "main")
    commit(root, {"rules/a/x.yaml": "main\n"}, day=3)
    git(root, "merge", "-q", "side", day=4, check=False)
    merge = commit(root, {"rules/a/x.yaml": "both\n"}, "merged", day=4)
    log = log_of(root)
    assert last_changes(log)["rules/a/x.yaml"].commit == merge
    [touched] = log.commits[0][1]
    assert read_blobs(root, [touched.before, touched.after]) == {
        touched.before: b"main\n",
        touched.after: b"both\n",
    }


def test_the_edge_of_a_shallow_clone_dates_nothing(root: Path, tmp_path: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1", "rules/a/y.yaml": "1"})
    commit(root, {"rules/a/x.yaml": "2"}, day=2)
    last = commit(root, {"rules/a/y.yaml": "2"}, day=3)
    git(tmp_path, "clone", "-q", "--depth", "2", f"file://{root}", "shallow")
    log = log_of(tmp_path / "shallow")
    assert log.shallow
    assert {path: each.commit for path, each in last_changes(log).items()} == {"rules/a/y.yaml": last}


@pytest.mark.parametrize("make", [False, True])
def test_no_repository_or_no_commit_is_no_history(
    tmp_path: Path, make: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if make:
        git(tmp_path, "init", "-q")
    assert read_log(tmp_path) is None


def test_no_git_is_no_history(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root, {"rules/a/x.yaml": "1"})
    monkeypatch.setenv("PATH", str(root))
    assert read_log(root) is None


def test_names_that_look_like_marks_options_and_commits(root: Path) -> None:
    names = [
        "rules/-n1", "rules/--output=x", "rules/a\nb.yaml", "rules/:100644 100644 a b M",
        "rules/" + "\x01" + "a" * 40 + "\x021\x02a\x02b", "rules/中.yaml",
    ]  # fmt: skip
    commit(root, dict.fromkeys(names, "1"), ":100644 \x01" + "a" * 40)
    assert set(last_changes(log_of(root))) == set(names)
    os.link(root / "rules/中.yaml", os.fsencode(root / "rules") + b"/\xff.yaml")
    commit(root, {}, day=2)
    assert set(last_changes(log_of(root))) == set(names)
    assert not (root / "x").exists()


def test_settings_of_the_clone_run_nothing(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1", "rules/.gitattributes": "* diff=evil\n"})
    commit(root, {"rules/a/x.yaml": "2"}, day=2)
    evil = root / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {root}/ran\ncat\n")
    evil.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "pager.log",
        "gpg.program",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
    ):
        git(root, "config", key, str(evil))
    git(root, "config", "log.showSignature", "true")
    git(root, "config", "core.hooksPath", str(root))
    git(root, "config", "diff.orderFile", "missing")
    git(root, "config", "format.pretty", "oneline")
    plain = git(root, "cat-file", "commit", "HEAD")
    signed = plain.replace(
        "\n\n", "\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\n", 1
    )
    name = subprocess.run(
        ["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=root, input=signed + "\n", capture_output=True, text=True
    ).stdout.strip()  # fmt: skip
    git(root, "update-ref", "refs/heads/main", name)
    git(root, "log", "-1", "--show-signature")
    assert (root / "ran").exists(), "the trap works"
    (root / "ran").unlink()
    log = log_of(root)
    assert len(log.commits) == 2
    read_blobs(root, [each.after for _, touched in log.commits for each in touched])
    assert not (root / "ran").exists()


def test_files_that_look_like_a_bare_repository_are_not_entered(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1"})
    git(root, "clone", "-q", "--bare", ".", "deep")
    assert log_of(root).commits
    assert read_log(root / "deep") is None


def test_a_date_beyond_the_calendar_is_no_date(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1"})
    row = git(root, "cat-file", "commit", "HEAD").replace(" 1777623072 +0200", " 99999999999999 +0000")
    assert "99999999999999" in row
    made = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], cwd=root, input=row + "\n", capture_output=True, text=True)  # fmt: skip
    git(root, "update-ref", "refs/heads/main", made.stdout.strip(), check=False)
    log = read_log(root)
    assert log is None or log.commits == () or log.head.at > "2026"


def test_the_stamp_of_head_moves_when_head_does(root: Path, tmp_path: Path) -> None:
    commit(root, {"rules/a/x.yaml": "1"})
    one = head_stamp(root)
    assert one and head_stamp(root) == one
    commit(root, {"rules/a/x.yaml": "2"})
    two = head_stamp(root)
    assert two != one
    git(root, "pack-refs", "--all")
    git(root, "checkout", "-q", "--detach", "HEAD~1")
    three = head_stamp(root)
    assert three not in (one, two)
    assert head_stamp(root / "rules" / "a") == three
    git(root, "worktree", "add", "-q", "-b", "other", str(tmp_path / "linked"), "main")
    linked = head_stamp(tmp_path / "linked")
    commit(tmp_path / "linked", {"rules/a/x.yaml": "3"})
    assert linked != head_stamp(tmp_path / "linked")


def test_no_repository_has_no_stamp(tmp_path: Path) -> None:
    assert head_stamp(tmp_path) == ()
