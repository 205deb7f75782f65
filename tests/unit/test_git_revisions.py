"""Revisions by name and the sources in them, from repositories the tests make: the same tree as on disk, hostile names, shallow clones."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from tests.unit.test_git import commit, git

from tocsin.cli.revisions import base_of, compiled_at, sources_at
from tocsin.cli.workspace import read_sources
from tocsin.disk.files import MAX_BYTES, read_tree
from tocsin.disk.git_revisions import commit_of, first_parent, merge_base, messages, repository_of
from tocsin.disk.git_tree import read_tree_at
from tocsin.errors import MachineError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    return root


ODD = {
    "tocsin.yaml": "version: 1\n",
    "releases.json": "{}\n",
    "rules/a/x.yaml": "a: 1\r\n",
    "rules/a/y.yml": "stray",
    "rules/a/.hidden.yaml": "no",
    "rules/a/old.yaml~": "no",
    "rules/a/k.promtool.yaml": "kept",
    "rules/a/README.md": "not about rules",
    "rules/a/b\nc.yaml": "odd name",
    "rules/folder.yaml/z.yaml": "in a folder that is called like a file",
    "sops/a/S.md": "\ufeff中",
    "sops/a/README.md": "about the folder",
    "sops/a/S.TXT": "stray",
    "incidents/i.md": "i",
    "site/index.md": "hello",
    "site/p.png": "\x89PNG",
    "site/run.js": "no",
    "elsewhere/shared.yaml": "shared: 1\n",
}


def test_a_revision_gives_the_tree_that_the_disk_gives(root: Path) -> None:
    commit(root, dict(ODD))
    (root / "rules/a/big.yaml").write_text("x" * (MAX_BYTES + 1))
    (root / "rules/a/latin.yaml").write_bytes(b"caf\xe9")
    links = {
        "rules/a/link.yaml": "../../elsewhere/shared.yaml",
        "rules/a/out.yaml": "../../../passwd.yaml",
        "rules/a/gone.yaml": "nothing.yaml",
        "rules/a/self.yaml": "self.yaml",
        "rules/a/round": "..",
        "rules/other": "a",
        "rules/a/via.yaml": "../other/x.yaml",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    made = commit(root, {}, "links")
    assert read_tree_at(root, made, "") == read_tree(root)
    assert {each.code for each in read_tree(root).diagnostics} >= {"TOC113", "TOC114", "TOC115", "TOC118"}


def test_a_project_in_a_folder_is_read_from_there_and_is_empty_before_it_was_made(root: Path) -> None:
    before = commit(root, {"other.txt": "x"})
    commit(root, {f"deep/er/{path}": text for path, text in ODD.items()}, day=2)
    below = root / "deep/er"
    assert repository_of(below).prefix == "deep/er/"
    assert sources_at(below, "HEAD") == read_sources(below)
    assert sources_at(below, before).project is None
    assert sources_at(below, before).rules == ()


def test_the_work_tree_is_not_what_is_read(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "committed"})
    (root / "rules/a/x.yaml").write_text("edited")
    assert [each.text for each in sources_at(root, "HEAD").rules] == ["committed"]


def test_a_submodule_has_no_files_here(root: Path) -> None:
    commit(root, {"rules/a/x.yaml": "a"})
    head = git(root, "rev-parse", "HEAD")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},rules/a/sub.yaml")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},rules/vendored")
    git(root, "commit", "-q", "-m", "submodules")
    tree = read_tree_at(root, git(root, "rev-parse", "HEAD"), "")
    assert [each.path for each in tree.rules] == ["rules/a/x.yaml"]
    assert [each.span.file for each in tree.diagnostics] == ["rules/a/sub.yaml"]


@pytest.mark.parametrize(
    "name", ["--output=written", "-1", "", "a\nb", "x" * 500, "no-such", "HEAD:rules", "main..HEAD", "@{99}"]
)
def test_what_is_no_revision_is_said_and_never_obeyed(root: Path, name: str) -> None:
    commit(root, {"rules/a/x.yaml": "a"})
    with pytest.raises(UsageError):
        commit_of(root, name)
    assert not (root / "written").exists()


def test_tags_branches_hashes_and_branches_of_origin_are_revisions(root: Path, tmp_path: Path) -> None:
    first = commit(root, {"rules/a/x.yaml": "a"})
    git(root, "tag", "-a", "v1", "-m", "one")
    second = commit(root, {"rules/a/x.yaml": "b"}, day=2)
    git(root, "branch", "topic", first)
    git(tmp_path, "clone", "-q", str(root), "copy")
    copy = tmp_path / "copy"
    for name, made in {
        "v1": first,
        first[:9]: first,
        "HEAD~1": first,
        "topic": first,
        "main": second,
    }.items():
        assert commit_of(copy, name) == made


def test_the_base_is_where_the_branch_left_main(root: Path) -> None:
    first = commit(root, {"rules/a/x.yaml": "1"})
    second = commit(root, {"rules/a/x.yaml": "2"}, day=2)
    assert base_of(root, None, "main") == first  # on main: the commit before
    git(root, "checkout", "-q", "-b", "topic")
    assert base_of(root, None, "main") == second  # nothing of its own yet
    topic = commit(root, {"rules/a/y.yaml": "3"}, day=3)
    git(root, "checkout", "-q", "main")
    later = commit(root, {"rules/a/x.yaml": "4"}, day=4)
    git(root, "checkout", "-q", "--detach", topic)
    assert repository_of(root).branch == ""
    assert base_of(root, None, "main") == second
    assert base_of(root, "main", "main") == second  # what main did since is not this branch's doing
    assert merge_base(root, later, topic) == second
    git(root, "checkout", "-q", "--detach", later)
    assert base_of(root, None, "main") == second  # a runner that has checked out main's commit
    with pytest.raises(UsageError, match="no branch `trunk`"):
        base_of(root, None, "trunk")


def test_the_very_first_commit_is_compared_with_itself(root: Path) -> None:
    only = commit(root, {"rules/a/x.yaml": "1"})
    assert base_of(root, None, "main") == only
    assert first_parent(root, only) is None


def test_a_shallow_clone_says_what_to_fetch(root: Path, tmp_path: Path) -> None:
    first = commit(root, {"rules/a/x.yaml": "1"})
    commit(root, {"rules/a/x.yaml": "2"}, day=2)
    git(root, "checkout", "-q", "-b", "topic", first)
    commit(root, {"rules/a/x.yaml": "3"}, day=3)
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", f"file://{root}", "copy")
    copy = tmp_path / "copy"
    assert repository_of(copy).shallow
    for ask in (
        lambda: commit_of(copy, first),
        lambda: base_of(copy, None, "main"),
        lambda: base_of(copy, "main", "main"),
        lambda: first_parent(copy, git(copy, "rev-parse", "HEAD")),
    ):
        with pytest.raises(MachineError) as said:
            ask()
        assert "shallow" in said.value.message and "--unshallow" in said.value.help
    assert [each.text for each in sources_at(copy, "origin/main").rules] == ["2"]


def test_a_clone_without_contents_is_not_an_empty_project(root: Path, tmp_path: Path) -> None:
    before = commit(root, {"rules/a/x.yaml": "1"})
    commit(root, {"rules/a/x.yaml": "2"}, day=2)
    git(root, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", f"file://{root}", "copy")
    assert [each.text for each in sources_at(tmp_path / "copy", "HEAD").rules] == ["2"]
    with pytest.raises(MachineError) as said:
        sources_at(tmp_path / "copy", before)
    assert "--filter" in said.value.help


def test_messages_are_those_of_the_branch_the_newest_first(root: Path) -> None:
    base = commit(root, {"a": "1"}, "first")
    commit(root, {"a": "2"}, "second\n\nbody\n\nTicket: X-1", day=2)
    head = commit(root, {"a": "3"}, "third \x02 odd", day=3)
    said = messages(root, base, head)
    assert [each.subject for each in said] == ["third \x02 odd", "second"]
    assert said[1].text == "second\n\nbody\n\nTicket: X-1"
    assert messages(root, head, head) == ()


def test_no_repository_and_no_commit_are_said(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="Git knows nothing"):
        repository_of(tmp_path)
    git(tmp_path, "init", "-q")
    with pytest.raises(MachineError, match="no commit yet"):
        repository_of(tmp_path)


def test_another_format_is_refused_in_one_sentence(root: Path) -> None:
    old = "version: 7\nservice: a\ngroups: []\n"
    project = Path(__file__).parents[2] / "tocsin.yaml"
    commit(root, {"tocsin.yaml": project.read_text(), "rules/a/x.yaml": old})
    with pytest.raises(UsageError, match=r"cannot be compared: rules/a/x\.yaml:1"):
        compiled_at(root, "HEAD", date(2026, 11, 21))
