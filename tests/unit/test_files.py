"""The reader of the work tree: every odd thing a folder can hold is a finding, and nothing hides the other
files.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import pytest

from tocsin.disk.files import MAX_BYTES, Tree, decode, read_tree, stat_tree

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A small repository in which everything is in order."""
    root = tmp_path / "repository"
    for path, text in {
        "tocsin.yaml": "version: 1\n",
        "releases.json": "{}\n",
        "rules/kafka/lag.yaml": "version: 1\n",
        "rules/kafka/lag.promtool.yaml": "rule_files: []\n",
        "rules/api/deep/er/latency.yaml": "version: 1\n",
        "rules/README.md": "about\n",
        "sops/kafka/SOP-KAFKA-007.md": "---\n---\n",
        "sops/README.md": "about\n",
        "incidents/INC-2026-004.md": "---\n---\n",
        "src/other.yaml": "not ours\n",
    }.items():
        write(root, path, text.encode())
    return root


def write(root: Path, path: str, data: bytes) -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)
    return root / path


def findings(tree: Tree) -> list[tuple[str, str]]:
    return [(each.span.file, each.code) for each in tree.diagnostics]


def rules(tree: Tree) -> list[str]:
    return [each.path for each in tree.rules]


GOOD = ["rules/api/deep/er/latency.yaml", "rules/kafka/lag.yaml"]


def test_everything_is_found_where_it_belongs(repository: Path) -> None:
    tree = read_tree(repository)
    assert rules(tree) == GOOD
    assert [each.path for each in tree.promtool] == ["rules/kafka/lag.promtool.yaml"]
    assert [each.path for each in tree.sops] == ["sops/kafka/SOP-KAFKA-007.md"]
    assert [each.path for each in tree.incidents] == ["incidents/INC-2026-004.md"]
    assert tree.project is not None and tree.project.text == "version: 1\n"
    assert tree.ledger is not None and tree.ledger.text == "{}\n"
    assert tree.project.digest == hashlib.sha256(b"version: 1\n").hexdigest()
    assert findings(tree) == []


def test_an_empty_folder_has_nothing_to_say(tmp_path: Path) -> None:
    tree = read_tree(tmp_path)
    assert (tree.project, tree.rules, tree.sops, tree.diagnostics) == (None, (), (), ())
    assert stat_tree(tmp_path) == ()


@pytest.mark.parametrize(
    ("data", "code", "place", "words"),
    [
        (b"a: 1\nb: \xe4\n", "TOC110", (2, 4), "0xE4"),
        ("a: äß\n中".encode() + b"\xff", "TOC110", (2, 2), "0xFF"),
        (b"a: 1\r\nb: \x80", "TOC110", (2, 4), "0x80"),
        ("a: 1\n".encode("utf-16"), "TOC110", (1, 1), "UTF-16"),
        ("a: 1\n".encode("utf-32"), "TOC110", (1, 1), "UTF-32"),
        (b"\xef\xbb\xbfa: 1\n", "TOC111", (1, 1), "byte-order mark"),
        (b"a: 1\nb: 2\r\n", "TOC112", (2, 5), "carriage returns"),
        (b"a: \xed\xa0\x80", "TOC110", (1, 4), "0xED"),
    ],
)
def test_bytes_that_are_no_plain_text(data: bytes, code: str, place: tuple[int, int], words: str) -> None:
    _, found = decode("x.yaml", data)
    assert [(each.code, (each.span.line, each.span.col)) for each in found] == [(code, place)]
    assert words in found[0].message


def test_text_comes_without_mark_and_with_plain_line_ends() -> None:
    data = b"\xef\xbb\xbfa: 1\r\nb: 2\rc: 3\n"
    file, found = decode("x.yaml", data)
    assert file is not None and file.text == "a: 1\nb: 2\nc: 3\n"
    assert file.digest == hashlib.sha256(data).hexdigest()
    assert [each.code for each in found] == ["TOC111", "TOC112"]


def odd_things(root: Path) -> list[tuple[str, str]]:
    """Puts one of everything below `rules/kafka/` and says what must be found."""
    outside = root.parent / "outside.yaml"
    outside.write_text("secret: 1\n")
    kafka = root / "rules/kafka"
    write(root, "rules/kafka/latin.yaml", b"a: \xe4\n")
    (kafka / "folder.yaml").mkdir()
    write(root, "rules/kafka/folder.yaml/inner.yaml", b"a: 1\n")
    os.mkfifo(kafka / "pipe.yaml")
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(kafka / "s.yaml"))
    server.close()
    (kafka / "away.yaml").symlink_to(outside)
    (kafka / "up").symlink_to(root.parent)
    (kafka / "device.yaml").symlink_to("/dev/zero")
    (kafka / "dangling.yaml").symlink_to("nowhere.yaml")
    (kafka / "line\nbreak.yaml").write_text("a: 1\n")
    (kafka / "back\\slash.yaml").write_text("a: 1\n")
    write(root, "rules/kafka/old.yml", b"a: 1\n")
    write(root, "rules/kafka/DUMP.JSON", b"{}")
    write(root, "rules/kafka/Caps.YAML", b"a: 1\n")
    write(root, "rules/kafka/notes.txt", b"x")
    write(root, "sops/kafka/SOP-X-001.markdown", b"x")
    write(root, "rules/kafka/picture.png", b"\x89PNG")
    write(root, "rules/kafka/.hidden.yaml", b"\xff")
    write(root, "rules/kafka/lag.yaml~", b"\xff")
    with (kafka / "huge.yaml").open("wb") as file:
        file.truncate(50_000_000)
    return sorted(
        [
            ("rules/kafka/latin.yaml", "TOC110"),
            ("rules/kafka/folder.yaml", "TOC113"),
            ("rules/kafka/pipe.yaml", "TOC113"),
            ("rules/kafka/s.yaml", "TOC113"),
            ("rules/kafka/away.yaml", "TOC114"),
            ("rules/kafka/up", "TOC114"),
            ("rules/kafka/device.yaml", "TOC114"),
            ("rules/kafka/dangling.yaml", "TOC113"),
            ("rules/kafka/line\\x0abreak.yaml", "TOC118"),
            ("rules/kafka/back\\slash.yaml", "TOC118"),
            ("rules/kafka/old.yml", "TOC117"),
            ("rules/kafka/DUMP.JSON", "TOC117"),
            ("rules/kafka/Caps.YAML", "TOC117"),
            ("rules/kafka/notes.txt", "TOC117"),
            ("sops/kafka/SOP-X-001.markdown", "TOC117"),
            ("rules/kafka/huge.yaml", "TOC115"),
        ]
    )


def test_odd_things_are_findings_and_hide_nothing(repository: Path) -> None:
    expected = odd_things(repository)
    tree = read_tree(repository)
    assert sorted(findings(tree)) == expected
    assert rules(tree) == GOOD
    assert all(each.help and "\n" not in each.span.file + each.message for each in tree.diagnostics)


def test_nothing_outside_is_opened_and_nothing_large_is_read(repository: Path) -> None:
    """An audit hook sees every file that Python opens: no link out, no pipe, no device, no file that is too
    large.
    """
    odd_things(repository)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        from tocsin.disk.files import read_tree
        opened = []
        sys.addaudithook(lambda event, details: opened.append(str(details[0])) if event == "open" else None)
        read_tree(Path(sys.argv[1]))
        print("\\n".join(each for each in opened if each.startswith(sys.argv[1])))
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(repository)], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(ROOT / "compiler")}, timeout=300,
    )  # fmt: skip
    opened = {Path(each).relative_to(repository).as_posix() for each in done.stdout.split()}
    assert opened == {
        "tocsin.yaml", "releases.json", *GOOD, "rules/kafka/lag.promtool.yaml", "rules/kafka/latin.yaml",
        "sops/kafka/SOP-KAFKA-007.md", "incidents/INC-2026-004.md",
    }  # fmt: skip


def test_a_link_inside_the_repository_is_followed_once(repository: Path) -> None:
    (repository / "rules/api/again.yaml").symlink_to("../kafka/lag.yaml")
    (repository / "rules/kafka/shared").symlink_to("../../src")
    (repository / "rules/kafka/loop").symlink_to(".")
    (repository / "rules/kafka/higher").symlink_to("../..")
    (repository / "rules/api/self").symlink_to("self")
    tree = read_tree(repository)
    assert rules(tree) == ["rules/api/again.yaml", *GOOD, "rules/kafka/shared/other.yaml"]


def test_two_links_that_point_at_each_other_end(repository: Path) -> None:
    (repository / "rules/one").mkdir()
    (repository / "rules/two").mkdir()
    (repository / "rules/one/two").symlink_to("../two")
    (repository / "rules/two/one").symlink_to("../one")
    write(repository, "rules/one/a.yaml", b"a: 1\n")
    assert rules(read_tree(repository)) == [
        *GOOD, "rules/one/a.yaml", "rules/two/one/a.yaml"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["rules", "tocsin.yaml", "sops"])
def test_a_source_folder_or_project_file_that_leads_out(repository: Path, name: str) -> None:
    away = repository.parent / "away"
    (repository / name).rename(away)
    (repository / name).symlink_to(away)
    assert findings(read_tree(repository)) == [(name, "TOC114")]


def test_a_file_where_a_source_folder_belongs(tmp_path: Path) -> None:
    write(tmp_path, "rules", b"")
    (tmp_path / "tocsin.yaml").mkdir()
    assert findings(read_tree(tmp_path)) == [("rules", "TOC113"), ("tocsin.yaml", "TOC113")]


def test_a_name_that_is_not_utf8(repository: Path) -> None:
    try:
        with open(os.path.join(os.fsencode(repository), b"rules/kafka/b\xe4d.yaml"), "wb"):  # noqa: PTH118, PTH123
            pass
    except OSError:
        pytest.fail(
            "this file system has no names of bytes; run the tests on one that has, for example ext4 or tmpfs"
        )
    tree = read_tree(repository)
    assert findings(tree) == [("rules/kafka/b\\xe4d.yaml", "TOC118")]
    tree.diagnostics[0].span.file.encode()


def test_what_may_not_be_read_is_said(repository: Path) -> None:
    """Root may read everything, so a process of nobody looks."""
    (repository / "rules/kafka/lag.yaml").chmod(0)
    (repository / "rules/api/deep").chmod(0)
    for folder in (repository, *repository.parents):
        if folder.stat().st_uid != os.getuid() or folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    script = textwrap.dedent("""
        import sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from tocsin.disk.files import read_tree
        import os
        if os.geteuid() == 0:
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        for each in read_tree(Path(sys.argv[1])).diagnostics:
            print(each.span.file, each.code, each.message)
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(repository), str(ROOT / "compiler")],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    (repository / "rules/api/deep").chmod(0o755)
    assert done.stdout.splitlines() == [
        "rules/api/deep TOC113 it cannot be read: permission denied",
        "rules/kafka/lag.yaml TOC113 it cannot be read: permission denied",
    ], done.stderr


def test_the_limit_is_exact(repository: Path) -> None:
    write(repository, "rules/kafka/most.yaml", b"#" * MAX_BYTES)
    write(repository, "rules/kafka/more.yaml", b"#" * (MAX_BYTES + 1))
    tree = read_tree(repository)
    assert findings(tree) == [("rules/kafka/more.yaml", "TOC115")]
    assert "rules/kafka/most.yaml" in rules(tree)


def test_stat_tree_sees_what_read_tree_reads(repository: Path) -> None:
    before = stat_tree(repository)
    tree = read_tree(repository)
    everything = (*tree.rules, *tree.promtool, *tree.sops, *tree.incidents, tree.project, tree.ledger)
    assert [path for path, *_ in before] == sorted(each.path for each in everything if each)
    assert stat_tree(repository) == before
    lag = repository / "rules/kafka/lag.yaml"
    os.utime(lag, ns=(1, 1))
    assert stat_tree(repository) != before
    lag.unlink()
    assert len(stat_tree(repository)) == len(before) - 1


def test_stat_tree_sees_odd_things_too(repository: Path) -> None:
    before = stat_tree(repository)
    (repository / "rules/kafka/dangling.yaml").symlink_to("nowhere.yaml")
    after = stat_tree(repository)
    assert {path for path, *_ in after} - {path for path, *_ in before} == {"rules/kafka/dangling.yaml"}


def test_order_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    names = ["b.yaml", "B.yaml", "a/z.yaml", "a.yaml", "a-b.yaml", "ä.yaml"]
    for order, root in ((names, tmp_path / "one"), (names[::-1], tmp_path / "two")):
        for name in order:
            write(root, f"rules/{name}", b"a: 1\n")
    first, second = (read_tree(tmp_path / each) for each in ("one", "two"))
    assert first == second
    assert rules(first) == sorted(rules(first))


def test_four_thousand_files_are_looked_at_quickly(tmp_path: Path) -> None:
    """A generous bound: the point is that nothing is opened and nothing is resolved for each file."""
    for index in range(4000):
        write(tmp_path, f"rules/s{index % 100}/f{index}.yaml", b"")
    start = time.process_time()
    assert len(stat_tree(tmp_path)) == 4000
    assert time.process_time() - start < 1
