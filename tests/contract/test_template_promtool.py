"""The real promtool and our template parser must give the same verdict on every text.

promtool reports each bad annotation of a file by name, so thousands of texts fit in one run. TOCSIN_CORPORA
may name a folder of other people's rule files: their labels and annotations, and mutants of those, join in.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from tests.contract.template_texts import PROBES, REALISTIC, literals, mutants, yaml_string
from tests.real.components import VERSIONS, promtool

from tocsin.template import TemplateProblem, check
from tocsin.template.functions import GO_FUNCTIONS, PROMETHEUS_FUNCTIONS, Version

ALERT = "Probe"
BROKEN = "{{ this is broken"
PER_RULE, PER_FILE = 50, 3000

Checker = Callable[[str], TemplateProblem | None]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_probe_is_judged_as_promtool_judges_it(version: str, tmp_path: Path) -> None:
    verdicts = accepted_by(version, PROBES, tmp_path)
    assert disagreements(PROBES, verdicts, ours(version)) == []
    assert len(PROBES) >= 200 and verdicts.count(True) > 60 and verdicts.count(False) > 60


@pytest.mark.parametrize("version", VERSIONS)
def test_mutants_of_real_looking_texts_are_judged_as_promtool_judges_them(
    version: str, tmp_path: Path
) -> None:
    texts = mutants(REALISTIC + PROBES, 5000, seed=20)
    verdicts = accepted_by(version, texts, tmp_path)
    assert disagreements(texts, verdicts, ours(version)) == []
    assert verdicts.count(True) > 500 and verdicts.count(False) > 500


@pytest.mark.parametrize("version", VERSIONS)
def test_numbers_strings_and_characters_are_judged_as_promtool_judges_them(
    version: str, tmp_path: Path
) -> None:
    texts = literals(4000, seed=21)
    verdicts = accepted_by(version, texts, tmp_path)
    assert disagreements(texts, verdicts, ours(version)) == []
    assert verdicts.count(True) > 500 and verdicts.count(False) > 500


@pytest.mark.parametrize("version", VERSIONS)
def test_the_table_of_functions_is_the_one_promtool_has(version: str, tmp_path: Path) -> None:
    names = sorted(
        GO_FUNCTIONS | PROMETHEUS_FUNCTIONS.keys() | {"tmpl", "add", "default", "humanise", "filterLabels"}
    )
    texts = [f"{{{{ {name} 1 }}}}" for name in names]
    assert disagreements(texts, accepted_by(version, texts, tmp_path), ours(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_deep_nesting_is_judged_as_promtool_judges_it(version: str, tmp_path: Path) -> None:
    texts = ["{{ " + "(" * n + "1" + ")" * n + " }}" for n in (9_999, 10_000, 10_001)]
    texts += ["{{if 1}}" * 20_000 + "{{end}}" * n for n in (19_999, 20_000, 20_001)]
    assert disagreements(texts, accepted_by(version, texts, tmp_path), ours(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_labels_are_judged_like_annotations(version: str, tmp_path: Path) -> None:
    verdicts = accepted_by(version, REALISTIC + PROBES[:100], tmp_path, field="labels")
    assert disagreements(REALISTIC + PROBES[:100], verdicts, ours(version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_rule_files_of_other_people_are_judged_as_promtool_judges_them(
    version: str, tmp_path: Path
) -> None:
    texts = (*REALISTIC, *corpus())
    for group in (list(texts), mutants(texts, 5000, seed=22)):
        assert disagreements(group, accepted_by(version, group, tmp_path), ours(version)) == []


def test_what_is_accepted_for_no_version_in_particular_is_accepted_by_all(tmp_path: Path) -> None:
    texts = mutants(REALISTIC + PROBES, 1500, seed=23)
    portable = [text for text in texts if check(text, alert=ALERT) is None]
    assert len(portable) > 100
    for version in VERSIONS:
        assert all(accepted_by(version, portable, tmp_path))


def test_the_comparison_finds_a_parser_that_is_wrong_about_one_thing(tmp_path: Path) -> None:
    def blind_to_variables(text: str) -> TemplateProblem | None:
        problem = ours(VERSIONS[0])(text)
        return None if problem and "is not declared" in problem.message else problem

    verdicts = accepted_by(VERSIONS[0], PROBES, tmp_path)
    assert "{{ $label.instance }}" in disagreements(PROBES, verdicts, blind_to_variables)


# promtool as a judge


def ours(version: str) -> Checker:
    release, go = _release(version), _go(version)
    return lambda text: check(text, release, go=go, alert=ALERT)


def disagreements(texts: tuple[str, ...] | list[str], verdicts: list[bool], checker: Checker) -> list[str]:
    return [text for text, fine in zip(texts, verdicts, strict=True) if (checker(text) is None) != fine]


def accepted_by(
    version: str, texts: tuple[str, ...] | list[str], folder: Path, field: str = "annotations"
) -> list[bool]:
    """Whether promtool accepts each text. A broken text ends every file: promtool must have reached it."""
    verdicts: list[bool] = []
    for start in range(0, len(texts), PER_FILE):
        batch = [*texts[start : start + PER_FILE], BROKEN]
        path = folder / "rules.yml"
        path.write_text(_rule_file(batch, field), encoding="utf-8")
        run = subprocess.run(
            [promtool(version), "check", "rules", "--lint=none", path],
            capture_output=True, encoding="utf-8", errors="replace", timeout=600, check=False,
        )  # fmt: skip
        said = run.stdout + run.stderr
        refused = {int(number) for number in re.findall(rf'{field[:-1]} "t(\d+)"', said)}
        assert run.returncode != 0 and len(batch) - 1 in refused, said[-2000:]
        verdicts += [number not in refused for number in range(len(batch) - 1)]
    return verdicts


def _rule_file(texts: list[str], field: str) -> str:
    lines = ["groups:", "- name: probes", "  rules:"]
    for start in range(0, len(texts), PER_RULE):
        lines += [f"  - alert: {ALERT}", f"    expr: up > {start}", f"    {field}:"]
        part = enumerate(texts[start : start + PER_RULE], start)
        lines += [f"      t{number}: {yaml_string(text)}" for number, text in part]
    return "\n".join(lines) + "\n"


def _release(version: str) -> Version:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


@cache
def _go(version: str) -> Version:
    run = subprocess.run(
        [promtool(version), "--version"], capture_output=True, text=True, timeout=300, check=False
    )
    found = re.search(r"go version:\s+go(\d+)\.(\d+)", run.stdout + run.stderr)
    assert found, run.stdout + run.stderr
    return int(found[1]), int(found[2])


# rule files of other people


@cache
def corpus() -> tuple[str, ...]:
    """Every label and annotation in the rule files below TOCSIN_CORPORA; none when it is not set."""
    named = os.environ.get("TOCSIN_CORPORA")
    if not named:
        return ()
    texts: dict[str, None] = {}
    for path in sorted(Path(named).rglob("*.y*ml")):
        try:
            documents = list(yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader))
        except (yaml.YAMLError, UnicodeDecodeError, ValueError):
            continue
        for document in documents:
            texts.update(dict.fromkeys(_texts(document)))
    assert texts, f"no rule file below {named}"
    return tuple(text for text in texts if not re.search("[\ud800-\udfff]", text))


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "alert" in node:
            for field in ("labels", "annotations"):
                values = node.get(field)
                if isinstance(values, dict):
                    yield from (value for value in values.values() if isinstance(value, str))
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
