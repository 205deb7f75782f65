"""The output folder: equal to the artifacts, atomically, and nothing else touched, whatever stands there or
ends the run.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.disk.write import LISTING, Changes, compare, write
from tocsin.errors import MachineError
from tocsin.ir.artifact import Artifact

ROOT = Path(__file__).parents[2]


def artifacts(**texts: str) -> list[Artifact]:
    """`prometheus_prod_a="x"` is the file prometheus/prod/a with that text."""
    return [Artifact(path=name.replace("_", "/"), text=text) for name, text in texts.items()]


def tree(folder: Path) -> dict[str, str]:
    """Every file below `folder` but the listing."""
    files = (each for each in sorted(folder.rglob("*")) if each.is_file() and each.name != LISTING)
    return {each.relative_to(folder).as_posix(): each.read_text() for each in files}


def test_the_folder_becomes_equal_to_the_artifacts(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    first = write(artifacts(prometheus_prod_a="1\n", prometheus_prod_b="2\n", tests_x="3\n"), out)
    assert first == Changes(added=("prometheus/prod/a", "prometheus/prod/b", "tests/x"))
    second = write(artifacts(prometheus_prod_a="1\n", prometheus_prod_b="new\n", grafana_c="4\n"), out)
    assert second == Changes(
        added=("grafana/c",),
        changed=("prometheus/prod/b",),
        removed=("tests/x",),
        same=("prometheus/prod/a",),
    )
    assert tree(out) == {"grafana/c": "4\n", "prometheus/prod/a": "1\n", "prometheus/prod/b": "new\n"}
    assert not (out / "tests").exists(), "an empty folder goes with its last file"


def test_a_second_run_writes_nothing(tmp_path: Path) -> None:
    out, wanted = tmp_path / "dist", artifacts(prometheus_a="1\n", tests_b="2\n")
    write(wanted, out)
    before = {each: each.stat() for each in sorted(out.rglob("*"))}
    assert write(wanted, out).nothing
    assert {each: each.stat() for each in sorted(out.rglob("*"))} == before


def test_foreign_files_stay(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    write(artifacts(prometheus_a="1\n", prometheus_b="1\n"), out)
    foreign = {
        "prometheus/theirs": "x",
        "site/index.html": "x",
        ".work/en/docs/a.md": "x",
        "notes.txt": "x",
        "grafana/mine.json": "x",
    }
    for path, text in foreign.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(text)
    assert write(artifacts(prometheus_a="1\n"), out).removed == ("prometheus/b",)
    assert write([], out).removed == ("prometheus/a",)
    assert tree(out) == dict(sorted(foreign.items()))


def test_a_file_somebody_edited_or_removed_is_put_right(tmp_path: Path) -> None:
    out, wanted = tmp_path / "dist", artifacts(prometheus_a="1\n", prometheus_b="2\n")
    write(wanted, out)
    (out / "prometheus/a").write_text("edited")
    (out / "prometheus/b").unlink()
    assert write(wanted, out) == Changes(added=("prometheus/b",), changed=("prometheus/a",))
    assert tree(out) == {"prometheus/a": "1\n", "prometheus/b": "2\n"}


def test_keep_lets_old_files_stay_and_stay_ours(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    write(artifacts(prometheus_frozen="old\n", prometheus_gone="old\n", prometheus_a="1\n"), out)
    changes = write(artifacts(prometheus_a="2\n"), out, keep=lambda path: path.endswith("frozen"))
    assert changes == Changes(changed=("prometheus/a",), removed=("prometheus/gone",))
    assert tree(out) == {"prometheus/a": "2\n", "prometheus/frozen": "old\n"}
    assert write(artifacts(prometheus_a="2\n"), out).removed == ("prometheus/frozen",)


def test_compare_says_the_same_and_touches_nothing(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    write(artifacts(prometheus_a="1\n", tests_b="2\n"), out)
    wanted = artifacts(prometheus_a="new\n", grafana_c="3\n")
    before = tree(out)
    changes = compare(wanted, out)
    assert tree(out) == before
    assert changes == write(wanted, out)
    assert compare(wanted, out).nothing
    assert compare(wanted, tmp_path / "nowhere").added == ("grafana/c", "prometheus/a")


PATHS = st.sampled_from(
    ["prometheus/prod/a", "prometheus/prod/b", "prometheus/a", "tests/prod/x", "catalog.json"]
)
TEXTS = st.sampled_from(["", "1\n", "2\n", "äß中\n"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(PATHS, TEXTS), min_size=1, max_size=4))
def test_after_any_history_the_folder_is_what_was_asked_last(
    tmp_path_factory: pytest.TempPathFactory, history: list[dict[str, str]]
) -> None:
    out = tmp_path_factory.mktemp("history") / "dist"
    for texts in history:
        wanted = [Artifact(path=path, text=text) for path, text in texts.items()]
        expected = compare(wanted, out)
        assert write(wanted, out) == expected
        assert tree(out) == texts
        assert write(wanted, out).nothing


# --- what ends a run halfway

INTERRUPTED = """
    import os, signal, sys
    from pathlib import Path
    from tocsin.disk.write import write
    from tocsin.ir.artifact import Artifact
    out, stop = Path(sys.argv[1]), int(sys.argv[2])
    seen = 0
    def count(event, details):
        # Every change of the folder is an audit event; the process dies before the one with this number.
        global seen
        writes = event == "open" and isinstance(details[2], int) and details[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir"):
            seen += 1
            if seen == stop:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(count)
    write([Artifact(path=f"prometheus/{name}", text="new\\n" * 9999) for name in "abd"], out)
    print(seen)
"""


def interrupted(out: Path, stop: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(INTERRUPTED), str(out), str(stop)],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "compiler")}, timeout=300,
    )  # fmt: skip


def test_a_killed_run_leaves_whole_files_and_the_next_one_cleans_up(tmp_path: Path) -> None:
    old = {f"prometheus/{name}": "old\n" * 9999 for name in "abc"}
    new = {f"prometheus/{name}": "new\n" * 9999 for name in "abd"}
    steps = 0
    while True:
        out = tmp_path / f"dist{steps}"
        write([Artifact(path=path, text=text) for path, text in old.items()], out)
        done = interrupted(out, steps + 1)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        steps += 1
        for path, text in tree(out).items():
            if not Path(path).name.startswith("."):
                assert text in (old.get(path), new.get(path)), path
        # The next run wants something else again: nothing of the killed one may remain.
        write(artifacts(prometheus_z="z\n"), out)
        assert tree(out) == {"prometheus/z": "z\n"}
    assert steps >= 8, "the run was stopped before each of its writes"
    assert tree(out) == new


def test_ctrl_c_leaves_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "dist"
    write(artifacts(prometheus_a="old\n", prometheus_b="old\n"), out)
    rename, calls = Path.replace, []

    def stopped(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write(artifacts(prometheus_a="new\n", prometheus_b="new\n"), out)
    assert tree(out) == {"prometheus/a": "new\n", "prometheus/b": "old\n"}


def test_a_full_disk_leaves_whole_files_and_says_so(tmp_path: Path) -> None:
    """A limit on file size fails a write in the middle, as a full disk does."""
    out = tmp_path / "dist"
    write(artifacts(prometheus_a="old\n" * 9999), out)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tocsin.disk.write import write
        from tocsin.errors import MachineError
        from tocsin.ir.artifact import Artifact
        try:
            write([Artifact(path="prometheus/a", text="new\\n" * 99999)], Path(sys.argv[1]))
        except MachineError as error:
            print(error.message)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(out)], capture_output=True, text=True, timeout=300,
        env={"PYTHONPATH": str(ROOT / "compiler")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )  # fmt: skip
    assert "cannot write" in done.stdout and "file too large" in done.stdout, done.stderr
    assert tree(out) == {"prometheus/a": "old\n" * 9999}


# --- folders that are refused


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    for folder in ("rules/kafka", "sops", ".git", "docs"):
        (root / folder).mkdir(parents=True)
    return root


@pytest.mark.parametrize(
    "out", [".", "..", "rules", "rules/kafka", "sops/new", ".git/x", "incidents", "docs/../rules", "site"]
)
def test_a_folder_that_holds_anything_else_is_refused(repository: Path, out: str) -> None:
    with pytest.raises(MachineError) as refused:
        write(artifacts(prometheus_a="1\n"), repository / out, root=repository)
    assert refused.value.help
    assert tree(repository) == {}


@pytest.mark.parametrize("out", ["dist", "build/out", "../elsewhere", "docs/generated", "rules-out"])
def test_any_other_folder_is_taken(repository: Path, out: str) -> None:
    write(artifacts(prometheus_a="1\n"), repository / out, root=repository)
    assert tree(repository / out) == {"prometheus/a": "1\n"}


def test_an_output_folder_that_is_a_link_out_is_refused(repository: Path) -> None:
    away = repository.parent / "away"
    away.mkdir()
    (repository / "dist").symlink_to(away)
    (repository / "inside").symlink_to("rules")
    for name in ("dist", "dist/deeper", "inside"):
        with pytest.raises(MachineError):
            write(artifacts(prometheus_a="1\n"), repository / name, root=repository)
    assert tree(away) == {} == tree(repository / "rules")


@pytest.mark.parametrize("planted", ["prometheus", "prometheus/prod"])
def test_nothing_is_written_or_removed_through_a_link(repository: Path, planted: str) -> None:
    """A stranger's branch may bring a `dist/` with links in it, and a listing that names what lies behind
    them.
    """
    victim = repository / "rules/kafka"
    (victim / "a").write_text("mine")
    (victim / "prod").mkdir()
    (victim / "prod/a").write_text("mine")
    out = repository / "dist"
    (out / planted).parent.mkdir(parents=True)
    (out / planted).symlink_to(victim)
    (out / LISTING).write_text(
        "prometheus/a\nprometheus/prod/a\n../rules/kafka/a\n/etc/passwd\nprometheus/../../rules/kafka/a\n"
    )
    for wanted in (artifacts(prometheus_prod_a="1\n"), []):
        with pytest.raises(MachineError, match="symbolic link"):
            write(wanted, out, root=repository)
    assert tree(victim) == {"a": "mine", "prod/a": "mine"}


def test_a_listing_of_a_stranger_removes_nothing_elsewhere(repository: Path) -> None:
    (repository / "rules/kafka/a").write_text("mine")
    out = repository / "dist"
    (out / "site").mkdir(parents=True)
    (out / "site/a").write_text("mine")
    (out / LISTING).write_text(
        "../rules/kafka/a\nsite/a\nprometheus/../../rules/kafka/a\n/etc/hostname\n\0\n./site/a\n"
    )
    assert write([], out, root=repository).removed == ()
    assert (repository / "rules/kafka/a").exists() and (out / "site/a").exists()


def test_a_link_where_a_file_belongs_is_replaced_not_followed(tmp_path: Path) -> None:
    victim, out = tmp_path / "victim", tmp_path / "dist"
    victim.write_text("mine")
    (out / "prometheus").mkdir(parents=True)
    (out / "prometheus/a").symlink_to(victim)
    write(artifacts(prometheus_a="1\n"), out)
    assert victim.read_text() == "mine"
    assert not (out / "prometheus/a").is_symlink() and (out / "prometheus/a").read_text() == "1\n"


def test_a_folder_or_pipe_where_a_file_belongs_is_said(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    (out / "catalog.json").mkdir(parents=True)
    with pytest.raises(MachineError, match="not a file"):
        write([Artifact(path="catalog.json", text="{}\n")], out)
    (out / "prometheus").mkdir()
    os.mkfifo(out / "prometheus/a")
    with pytest.raises(MachineError, match="not a file"):
        write(artifacts(prometheus_a="1\n"), out)
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="not a folder"):
        write([], tmp_path / "file")


@pytest.mark.parametrize(
    "path", ["site/a", "/etc/x", "prometheus/../x", "prometheus//x", "", "prometheus\\x", "prometheus/\0"]
)
def test_an_artifact_outside_its_folders_is_our_bug(tmp_path: Path, path: str) -> None:
    with pytest.raises(ValueError, match="not a path"):
        write([Artifact(path=path, text="")], tmp_path / "dist")


def test_two_artifacts_of_one_path_are_our_bug(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two artifacts"):
        write([Artifact(path="tests/a", text="1"), Artifact(path="tests/a", text="2")], tmp_path / "dist")
