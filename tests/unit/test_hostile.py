"""Files made to hurt: each ends in a finding, soon and in little memory, never in a crash.

Every case runs in a process of its own with limits on memory and time, because a crash of the C library, or
memory that runs out, would end the tests instead of failing one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag import SourceFile
from tocsin.load.sops import load_sop
from tocsin.source.schema import conform
from tocsin.source.tree import read_documents

ROOT = Path(__file__).parents[2]
MEMORY = 700_000_000
SECONDS = 20

READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_AS, ({memory}, {memory}))
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
from tocsin.disk.files import read_tree
from tocsin.load.sops import load_sop
from tocsin.source.schema import conform
from tocsin.source.tree import read_document
tree = read_tree(Path(sys.argv[1]))
found = list(tree.diagnostics)
for file in tree.rules:
    document, said = read_document(file)
    found += said
    if document is not None:
        found += conform(document, "rules")
for file in tree.sops:
    found += load_sop(file)[1]
codes = [each.code for each in found]
print(" ".join(dict.fromkeys(codes)))
# Not ru_maxrss: that one starts with what the parent held when it forked.
held = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(held.split()[1]) // 1024)
"""


def read(folder: Path) -> tuple[list[str], int]:
    """The codes found below `folder`, and the most memory the process held, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", READ.format(memory=MEMORY, seconds=SECONDS), str(folder)],
        capture_output=True, text=True, timeout=30 * SECONDS, env={"PYTHONPATH": str(ROOT / "compiler")},
    )  # fmt: skip
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    codes, memory = done.stdout.splitlines()
    return codes.split(), int(memory)


def laughs(kind: str) -> str:
    """Nine levels of nine references each: a thousand million values, if anybody counted."""
    rows = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    for level in range(1, 10):
        items = ", ".join([f"*a{level - 1}"] * 9)
        rows.append(
            f"a{level}: &a{level} "
            + (
                f"[{items}]"
                if kind == "list"
                else "{" + ", ".join(f"k{i}: *a{level - 1}" for i in range(9)) + "}"
            )
        )
    return "\n".join(rows) + "\n"


def merges() -> str:
    rows = ["m0: &m0 {a: 1, b: 2}"]
    rows += [
        f"m{level}: &m{level} {{<<: [*m{level - 1}, *m{level - 1}], k{level}: 1}}" for level in range(1, 24)
    ]
    return "\n".join(rows) + "\n"


HOSTILE: dict[str, tuple[Callable[[], str], str]] = {
    "billion laughs in lists": (lambda: laughs("list"), "TOC105"),
    "billion laughs in mappings": (lambda: laughs("map"), "TOC105"),
    "doubled merges": (merges, "TOC201"),
    "an alias to itself": (lambda: "a: &a [*a]\n", "TOC101"),
    "100,000 open brackets": (lambda: "a: " + "[" * 100_000, "TOC105"),
    "100,000 open braces": (lambda: "{a: " * 100_000, "TOC105"),
    "100,000 dashes": (lambda: "- " * 100_000 + "x", "TOC105"),
    "100,000 question marks": (lambda: "? " * 100_000 + "x", "TOC103"),
    "deep indentation": (lambda: "".join(" " * i + "a:\n" for i in range(1900)), "TOC105"),
    "a million values": (lambda: "a: [" + "1," * 990_000 + "]", "TOC105"),
    "a line of two million characters": (lambda: "a: " + "x" * 1_900_000, "TOC201"),
    "half a million lines": (lambda: "\n" * 500_000 + "a: [", "TOC101"),
    "a quote that never closes": (lambda: 'a: "' + "x\n" * 600_000, "TOC101"),
    "a quote of many lines": (lambda: "a: '" + "x\n  " * 300_000 + "'\nb: on\n", "TOC107"),
    "50,000 duplicate keys": (lambda: "a: 1\n" * 50_000, "TOC104"),
    "50,000 traps": (lambda: "a:\n" + "- on\n" * 50_000, "TOC107"),
    "50,000 unknown keys": (lambda: "".join(f"k{i}: 1\n" for i in range(50_000)), "TOC201"),
    "many anchors": (lambda: "a:\n" + "".join(f"- &n{i} x\n" for i in range(60_000)), "TOC201"),
    "a NUL byte": (lambda: "a: \0\n", "TOC101"),
    "a number of many digits": (lambda: "version: " + "9" * 1_000_000 + "\n", "TOC206"),
    "a large exponent": (lambda: "version: 1e999999999\n", "TOC206"),
    "a long hexadecimal number": (lambda: "version: 0x" + "f" * 38 + "\n", "TOC206"),
    "a Python object": (lambda: "a: !!python/object/apply:os.system ['exit 1']\n", "TOC106"),
    "ten thousand documents": (lambda: "---\na: 1\n" * 10_000, "TOC108"),
    "tabs": (lambda: "a:\n" + "\t" * 100_000 + "b: 1\n", "TOC102"),
    "a key of a megabyte": (lambda: '"' + "k" * 1_000_000 + '": 1\n', "TOC201"),
    "line breaks that nobody sees": (lambda: "a: 1 #\u2028b: 2\n" * 50_000, "TOC107"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_rule_file_ends_in_a_finding(name: str, tmp_path: Path) -> None:
    make, code = HOSTILE[name]
    text = make()
    assert len(text.encode()) <= 2_000_000, "a larger file would not even be read"
    (tmp_path / "rules/x").mkdir(parents=True)
    (tmp_path / "rules/x/hostile.yaml").write_bytes(text.encode())
    (tmp_path / "rules/x/good.yaml").write_text("version: 1\nservice: x\ngroups: []\nunknown: 1\n")
    codes, memory = read(tmp_path)
    assert code in codes
    assert "TOC201" in codes, "the other file is read all the same"
    assert memory < 500


FRONT = "---\nid: SOP-X-001\ntitle: x\nstatus: draft\nservices: [x]\nowner: x\nmanual: on\n---\n"
PROSE: dict[str, Callable[[], str]] = {
    "open brackets": lambda: "[" * 50_000,
    "brackets and parentheses": lambda: "[](" * 30_000,
    "images in images": lambda: "![" * 20_000 + "](x)" * 20_000,
    "quotes in quotes": lambda: ">" * 100_000 + "x",
    "lists in lists": lambda: "- " * 50_000 + "x",
    "backticks": lambda: " ".join("`" * i for i in range(1, 600)),
    "open fences": lambda: "```\n\n" * 100_000,
    "angle brackets": lambda: "<a " * 100_000,
    "open comments": lambda: "text <!-- " * 60_000,
    "attributes": lambda: "# x {" + "#a " * 200_000,
    "references": lambda: "".join(f"[r{i}]: x\n" for i in range(30_000)) + "[r1]" * 30_000,
    "NUL bytes": lambda: "\0" * 100_000 + "# [x](\0)\n",
    "a table of many columns": lambda: "|a" * 5_000 + "\n" + "|-" * 5_000 + "\n" + "|[x](y)" * 5_000,
    "emphasis in a heading": lambda: "# " + "*a " * 20_000,
    "one long line of links": lambda: "[a](b) " * 20_000,
    "HTML attributes that never close": lambda: "<a href='" * 50_000,
    "20,000 equal headings": lambda: "# a\n" * 20_000,
}  # fmt: skip


@pytest.mark.parametrize("name", PROSE)
def test_hostile_prose_is_read_to_its_end(name: str, tmp_path: Path) -> None:
    (tmp_path / "sops/x").mkdir(parents=True)
    (tmp_path / "sops/x/SOP-X-001.md").write_text(FRONT + PROSE[name]())
    codes, memory = read(tmp_path)
    assert codes == ["TOC107", "TOC203"]
    assert memory < 500


def test_fifty_megabytes_are_never_held(tmp_path: Path) -> None:
    """Ten files of 50 MB: text that would parse, so that only their size can be what stops them."""
    (tmp_path / "rules/x").mkdir(parents=True)
    for index in range(10):
        with (tmp_path / f"rules/x/f{index}.yaml").open("wb") as file:
            for _ in range(50):
                file.write(b"# remark\n" * 111_112)
    (tmp_path / "rules/x/good.yaml").write_text("version: 1\nservice: x\ngroups: []\n")
    codes, memory = read(tmp_path)
    assert codes == ["TOC115"]
    assert memory < 100


CHARACTERS = "abc:-?[]{}#&*!|>'\"%@` \t\n\r\0,.0159_~<=\u2028\u0085\ufeff中😀\x07\\"
ODD = st.text(st.sampled_from(CHARACTERS) | st.characters(codec="utf-8"), max_size=60)


@settings(max_examples=1500, deadline=None)
@given(ODD)
def test_no_text_whatever_raises(text: str) -> None:
    """Any text ends in documents and findings, each of which has its place in the file."""
    documents, found = read_documents(SourceFile(path="x.yaml", text=text))
    said = [*found, *(each for document in documents for each in conform(document, "rules"))]
    lines = text.split("\n")
    for each in said:
        assert 1 <= each.span.line <= len(lines) + 1, each
        assert each.span.line > len(lines) or 1 <= each.span.col <= len(lines[each.span.line - 1]) + 2, each
        assert (each.span.end_line, each.span.end_col) >= (each.span.line, each.span.col), each
        each.span.slice(text + "\n")


@settings(max_examples=500, deadline=None)
@given(ODD, ODD)
def test_no_sop_whatever_raises(front: str, prose: str) -> None:
    load_sop(SourceFile(path="sops/x/SOP-X-001.md", text=f"---\n{front}\n---\n{prose}"))
    load_sop(SourceFile(path="sops/x/SOP-X-001.md", text=FRONT + prose))
