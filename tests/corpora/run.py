"""`make corpora CORPORA=DIR`: other people's rule files through the whole compiler, judged from outside.

For every origin: `tocsin adopt prometheus`, `tocsin build`, `tocsin test` as subprocesses in an empty folder,
then each original rule is looked up in the compiled files. Nothing of tocsin is imported; originals and
results are read with plain PyYAML, expressions compared by a walker of our own (`comparison`), unit tests run
by the real promtool before and after. A rule that is in neither the result nor a diagnostic is lost, and lost
rules, differences and crashes end the run with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import yaml
from tests.corpora import comparison, unit_tests
from tests.corpora.originals import AsWritten, Group, Origin, compiled, origins

REFUSALS = {
    "TOC811": "dialect",
    "TOC812": "template",
    "TOC813": "mistake",
    "TOC816": "unreadable",
    "TOC110": "unreadable",
}
BUG = 70


@dataclass(slots=True, kw_only=True)
class Result:
    """What came of one origin."""

    name: str
    rules: int = 0
    carried: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    before: int = 0
    after: int = 0
    tests: int = 0
    seconds: float = 0.0
    findings: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    """adopt's findings by the original file they name."""

    def line(self) -> str:
        refused = ", ".join(
            f"{word} {self.refused[word]}"
            for word in ("dialect", "template", "mistake", "unreadable")
            if self.refused[word]
        )
        tests = f"{self.before}/{self.tests} -> {self.after}/{self.tests}" if self.tests else "-"
        return f"{self.name[:52]:52} {self.rules:6} {self.carried:8} {refused or '-':34} {len(self.problems):5} {tests:16} {self.seconds:6.1f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("corpora", type=Path, metavar="DIR")
    parser.add_argument("--only", metavar="WORD", help="only origins whose name contains this")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the adopted repositories here")
    parser.add_argument("--tocsin", default=str(Path(sys.executable).parent / "tocsin"))
    arguments = parser.parse_args()
    if not arguments.corpora.is_dir():
        parser.error(f"there is no folder {arguments.corpora}")
    promtool = unit_tests.find_promtool()
    print(f"promtool: {promtool}")
    print(f"{'origin':52} {'rules':>6} {'carried':>8} {'refused':34} {'diff':>5} {'unit tests':16} {'s':>6}")
    total = Result(name="total")
    with tempfile.TemporaryDirectory(prefix="tocsin-corpora-") as scratch:
        for origin in origins(arguments.corpora.resolve()):
            if arguments.only and arguments.only not in origin.name:
                continue
            place = (
                (arguments.keep or Path(scratch)).resolve() / origin.name.replace("/", "_").lstrip(".")
                if origin.name != "."
                else Path(scratch) / "top"
            )
            result = one(origin, place, arguments.tocsin, promtool)
            print(result.line(), flush=True)
            for problem in result.problems[:20]:
                print(f"    {problem}")
            _add(total, result)
    print(total.line())
    return 1 if total.problems else 0


def _add(total: Result, result: Result) -> None:
    total.rules += result.rules
    total.carried += result.carried
    total.refused += result.refused
    total.problems += result.problems
    total.before += result.before
    total.after += result.after
    total.tests += result.tests
    total.seconds += result.seconds


def one(origin: Origin, place: Path, tocsin: str, promtool: Path) -> Result:
    """One origin through the whole length."""
    result = Result(name=origin.name, rules=origin.rules)
    place.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    paths = [str(origin.folder)] if origin.whole else [str(origin.folder / each) for each in origin.files]
    adopt = _run(
        [tocsin, "adopt", "prometheus", *paths, "--into", "rules", "--format", "json"], place, result
    )
    findings = result.findings = _findings(adopt.stdout, place, origin.folder, result)
    if not (place / "tocsin.yaml").exists():
        account_for(origin, {}, findings, result)
        result.seconds = time.monotonic() - started
        return result
    build = _run([tocsin, "build", "--no-site"], place, result)
    if build.returncode not in (0, BUG):
        result.problems.append(
            f"tocsin build ended with {build.returncode}: {(build.stdout + build.stderr)[-600:]}"
        )
    result.seconds = time.monotonic() - started
    if build.returncode == 0:
        found = carried_groups(origin, place, result)
        account_for(origin, found, findings, result)
        _accepted(place, promtool, result)
    _twice([tocsin, "adopt", "prometheus", *paths, "--into", "rules"], place, result)
    unit_tests.judge(origin, place, tocsin, promtool, result)
    return result


def _run(command: list[str], place: Path, result: Result) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode in (BUG, 2, 3) or done.returncode < 0 or "Traceback" in done.stderr:
        result.problems.append(
            f"`{' '.join(command[1:3])}` crashed ({done.returncode}): {done.stderr[-1500:]}"
        )
    return done


def _findings(text: str, place: Path, folder: Path, result: Result) -> dict[str, list[dict[str, object]]]:
    """adopt's findings by the original file they name."""
    try:
        rows = json.loads(text)["findings"]
    except (ValueError, KeyError):
        result.problems.append("adopt did not print its findings as JSON")
        return {}
    found: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        name = os.path.relpath(os.path.normpath(place / str(row["file"])), folder)
        found.setdefault(name, []).append(row)
    return found


def _sources(place: Path, folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Each adopted file: the original it names, its service, its group names in order."""
    for path in sorted((place / "rules").glob("*/*.yaml")):
        if path.name.endswith(".promtool.yaml"):
            continue
        text = path.read_text(encoding="utf-8")
        lines = text.split("\n")
        came_from = next(
            line.removeprefix("# Adopted from ") for line in lines[:6] if line.startswith("# Adopted from ")
        )
        file = came_from
        while not Path(os.path.normpath(place / file)).exists() and ", " in file:
            file = file.rpartition(", ")[0]
        groups = [str(each["name"]) for each in yaml.load(text, AsWritten)["groups"]]
        yield os.path.relpath(os.path.normpath(place / file), folder), path.parent.name, groups


def carried_groups(origin: Origin, place: Path, result: Result) -> dict[int, list[bool]]:
    """Finds every original group in the compiled files; answers which rules of which group are there, by the
    group's position.
    """
    dist = place / "dist" / "prometheus" / "prod"
    services = {
        path.name.removesuffix(".rules.yaml"): compiled(path) for path in sorted(dist.glob("*.rules.yaml"))
    }
    sources = list(_sources(place, origin.folder))
    found: dict[int, list[bool]] = {}
    used: dict[tuple[str, str], int] = {}
    for number, group in enumerate(origin.groups):
        for file, service, names in sources:
            if file != group.file:
                continue
            if not group.rules and group.name in names:
                found[number] = []  # nothing to evaluate: it lives on in the source
                break
            made = _look_up(group, services.get(service, {}), used, service)
            if made is None:
                continue
            flags, problems = comparison.carried(group, made)
            if not any(flags):
                continue  # another document's group of the same name
            used[(service, made.name)] = number
            found[number] = flags
            result.problems.extend(
                f"{group.file}: {each}" for each in (*problems, *comparison.settings(group, made))
            )
            break
    for service, groups in services.items():
        for name, made in groups.items():
            if (service, name) not in used and made.rules:
                result.problems.append(f"{service}: group `{name}` is in the result, but nobody wrote it so")
    for file, service, names in sources:
        there = [
            used[(service, name)]
            for name in services.get(service, {})
            if name in names and (service, name) in used
        ]
        if there != sorted(there):
            result.problems.append(f"{file}: its groups are evaluated in another order")
    return found


def _look_up(
    group: Group, made: dict[str, Group], used: dict[tuple[str, str], int], service: str
) -> Group | None:
    """The compiled group of that name; for rules that stood in no group, the one that holds the first of
    them.
    """
    if group.name:
        each = made.get(group.name)
        return each if each is not None and (service, each.name) not in used else None
    names = {(rule.kind, rule.name) for rule in group.rules}
    fresh = (each for each in made.values() if (service, each.name) not in used)
    return next(
        (
            each
            for each in fresh
            if each.rules and all((rule.kind, rule.name) in names for rule in each.rules)
        ),
        None,
    )


def account_for(
    origin: Origin, found: dict[int, list[bool]], findings: dict[str, list[dict[str, object]]], result: Result
) -> None:
    """Every rule that is not in the result must have a refusal that names it, its group or its file."""
    for number, group in enumerate(origin.groups):
        flags = found.get(number, [False] * len(group.rules))
        refusals = [row for row in findings.get(group.file, []) if row["code"] in REFUSALS]
        for rule, there in zip(group.rules, flags, strict=True):
            result.carried += there
            if there:
                continue
            word = _class(rule.name, group.name, refusals, partly=any(flags))
            if word is None:
                result.problems.append(
                    f"{group.file}: the {rule.kind} `{rule.name}` of group `{group.name}` is lost: no finding names it"
                )
            else:
                result.refused[word] += 1
        if number not in found and not group.rules and not refusals:
            result.problems.append(f"{group.file}: the empty group `{group.name}` is lost")


def _class(rule: str, group: str, refusals: list[dict[str, object]], *, partly: bool) -> str | None:
    """The class of the first refusal that names the rule, else its group, else the whole file; where other rules of
    the group were carried, only the first will do.
    """
    messages = [(str(row["message"]), REFUSALS[str(row["code"])]) for row in refusals]
    by_rule = [word for text, word in messages if rule and f"`{rule}`" in text]
    by_group = [word for text, word in messages if f"group `{group}`" in text or text.startswith("group:")]
    whole = [word for text, word in messages if not re.search(r"\b(?:alert|record|group) `", text)]
    allowed = by_rule if partly and rule else by_rule or by_group or whole
    return allowed[0] if allowed else None


def _accepted(place: Path, promtool: Path, result: Result) -> None:
    """The real promtool loads every compiled file."""
    files = sorted(str(each) for each in (place / "dist" / "prometheus" / "prod").glob("*.rules.yaml"))
    if not files:
        return
    command = [str(promtool), "check", "rules", "--lint=none", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "is not enabled" in done.stdout + done.stderr:
        # Valid behind a switch of the server; the originals need it as well.
        command.insert(1, "--enable-feature=promql-experimental-functions")
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        result.problems.append(f"promtool refuses what was compiled: {(done.stdout + done.stderr)[-800:]}")


def _twice(command: list[str], place: Path, result: Result) -> None:
    """A second run changes nothing."""
    before = _bytes(place)
    _run(command, place, result)
    after = _bytes(place)
    changed = sorted(
        str(each.relative_to(place))
        for each in before.keys() | after.keys()
        if before.get(each) != after.get(each)
    )
    if changed:
        result.problems.append(f"a second adopt changed {', '.join(changed[:5])}")


def _bytes(place: Path) -> dict[Path, bytes]:
    return {
        each: each.read_bytes() for each in place.rglob("*") if each.is_file() and "dist" not in each.parts
    }


if __name__ == "__main__":
    sys.exit(main())
