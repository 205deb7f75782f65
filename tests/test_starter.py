"""The repository is itself a rule repository, and its SOPs are what a responder gets at night.

What the compiler checks (links, sections, PromQL, review) is checked by running it; here is the rest: text that
is copied from page to page, translations that drift, commands with no way back, and facts that belong to the
rules.
"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tocsin.diag.source_file import SourceFile
from tocsin.load.sops import load_sop

ROOT = Path(__file__).resolve().parents[1]
TODAY = "2026-11-21"
SOPS = sorted((ROOT / "sops").rglob("*.md"))
ORIGINALS = [path for path in SOPS if not path.name.endswith(".zh.md")]
TRANSLATIONS = [path for path in SOPS if path.name.endswith(".zh.md")]
_FENCE = re.compile(r"^(?:<!-- tocsin:[^\n]*-->\n)?```\w+\n.*?^```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"^<!-- tocsin: (read|change|destructive)\b(.*)-->$", re.MULTILINE)


def body_of(path: Path) -> str:
    return path.read_text(encoding="utf-8").split("\n---\n", 1)[1]


def anchors_of(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    sop, found = load_sop(SourceFile(path=str(path.relative_to(ROOT)), text=text))
    assert sop is not None, found
    return [each.anchor for each in sop.body.sections]


def sentences(path: Path) -> set[str]:
    """The sentences of the prose and of the tables, in small letters, without marks; fences are not prose."""
    prose = _FENCE.sub("\n\n", path.read_text(encoding="utf-8"))
    parts = re.split(r"[.!?;:|]\s|\n\s*\n|\|\n|\n#+ |\n- ", prose)
    return {" ".join(re.findall(r"[\w'-]+", part.lower())) for part in parts}


def test_check_has_nothing_to_say_but_notes() -> None:
    command = [sys.executable, "-m", "tocsin", "check", "--today", TODAY, "--min-severity", "warning"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert (run.returncode, run.stdout.strip()[:17]) == (0, "nothing to report"), run.stdout + run.stderr


def test_no_sentence_stands_in_two_sops() -> None:
    for one, other in itertools.combinations(ORIGINALS, 2):
        both = {each for each in sentences(one) & sentences(other) if len(each.split()) >= 8}
        assert both == set(), (one.name, other.name)


@pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: str(path.name))
def test_a_translation_has_the_same_places_and_the_same_commands(path: Path) -> None:
    original = path.with_name(path.name.replace(".zh.md", ".md"))
    assert anchors_of(path) == anchors_of(original)
    fences = _FENCE.findall(body_of(path))
    assert fences == _FENCE.findall(body_of(original))
    assert len(fences) > 10


@pytest.mark.parametrize("path", SOPS, ids=lambda path: str(path.name))
def test_every_command_says_what_it_does_and_how_to_take_it_back(path: Path) -> None:
    body, anchors = body_of(path), set(anchors_of(path))
    assert len(_MARK.findall(body)) == len(re.findall(r"^```bash$", body, re.MULTILINE))
    for kind, rest in _MARK.findall(body):
        said = dict(re.findall(r"([\w-]+)=(\S+)", rest))
        wanted = {"read": set(), "change": {"undo"}, "destructive": {"undo", "dry-run"}}[kind]
        assert set(said) == wanted, (kind, rest)
        assert {each for each in said.values() if each != "none"} <= {f"#{each}" for each in anchors}, rest


@pytest.mark.parametrize("path", SOPS, ids=lambda path: str(path.name))
def test_copied_commands_are_commands(path: Path) -> None:
    """No prompt and no output in a block that is pasted, and every block is valid shell."""
    for block in re.findall(r"^```bash\n(.*?)^```$", body_of(path), re.MULTILINE | re.DOTALL):
        assert not re.search(r"^[$#>] ", block, re.MULTILINE), block
        run = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr + block


@pytest.mark.parametrize("path", SOPS, ids=lambda path: str(path.name))
def test_a_placeholder_is_explained_on_its_page(path: Path) -> None:
    """`$NAME` in a command: the prose says in backticks where it comes from, or the block sets it."""
    body = body_of(path)
    prose = _FENCE.sub("", body)
    for block in re.findall(r"^```bash\n(.*?)^```$", body, re.MULTILINE | re.DOTALL):
        code = re.sub(r"awk '.*?'", "", block)
        for name in set(re.findall(r"\$([A-Z][A-Z_]+)\b", code)):
            assert f"`${name}`" in prose or f"\n{name}=" in f"\n{block}", name


def alert_facts() -> set[str]:
    """Names of alerts, which live in the rules alone."""
    names: set[str] = set()
    for path in (ROOT / "rules").rglob("*.yaml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            names |= {rule["alert"] for rule in group["rules"] if "alert" in rule}
    return names


@pytest.mark.parametrize("path", SOPS, ids=lambda path: str(path.name))
def test_a_sop_does_not_list_its_alerts(path: Path) -> None:
    words = set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    assert words & alert_facts() == set()


def test_the_starter_is_as_large_as_it_says() -> None:
    assert len(alert_facts()) >= 12
    assert len(ORIGINALS) >= 6
    assert len(list((ROOT / "incidents").glob("INC-*.md"))) >= 1


def test_the_real_parser_takes_every_query(newest_promtool: Path, tmp_path: Path) -> None:
    """What a responder pastes runs: promtool reads each query as the expression of a recording rule."""
    queries = [
        query
        for path in ORIGINALS
        for query in re.findall(r"^```promql\n(.*?)^```$", body_of(path), re.MULTILINE | re.DOTALL)
    ]
    assert len(queries) > 20
    rules = [{"record": f"query{index}", "expr": query} for index, query in enumerate(queries)]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    run = subprocess.run(
        [newest_promtool, "check", "rules", file], capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
