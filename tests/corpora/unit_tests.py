"""promtool unit tests of an origin: do they pass before adoption, and do they pass after?

Before: the file as it is, in a copy of its folder; where a rule file it names is not beside it but one of
that name is among the originals (some repositories copy them together first), that one is used. After: a test
file is counted as passing when the promtool file kept for it passes, or when `tocsin test` passes all native
tests made of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from tests.corpora.originals import AsWritten, Origin

if TYPE_CHECKING:
    from tests.corpora.run import Result


def find_promtool() -> Path:
    """The newest promtool there is: the cached one of the test suite, else the one on PATH."""
    from tests.real import components

    try:
        return components.promtool()
    except components.MissingComponentError:
        found = shutil.which("promtool")
        if found is None:
            raise
        return Path(found)


def judge(origin: Origin, place: Path, tocsin: str, promtool: Path, result: Result) -> None:
    """Counts into `result`; a test that passed before and not after is a difference."""
    if not origin.tests:
        return
    passing = {file for file in origin.tests if _before(origin, file, promtool)}
    result.tests, result.before = len(origin.tests), len(passing)
    kept, refused = _fates(result, origin)
    native_pass = _native(place, promtool)
    failing: list[str] = []
    for file in origin.tests:
        if file in refused:
            if file in passing:
                failing.append(f"{file}: its test passed before and was not adopted: {refused[file]}")
            continue
        passed = _kept(place / kept[file], promtool) if file in kept else native_pass
        result.after += passed
        if file in passing and not passed:
            failing.append(f"{file}: its test passed before and fails now ({kept.get(file, 'native')})")
    result.problems.extend(failing)
    if not (place / "tocsin.yaml").exists():
        return
    settings = {**os.environ, "TOCSIN_PROMTOOL": str(promtool)}
    done = subprocess.run(
        [tocsin, "test"], cwd=place, env=settings, capture_output=True, text=True, check=False, timeout=900
    )
    wanted = (0,) if result.after == len(origin.tests) else (0, 1)
    if done.returncode not in wanted:
        said = (done.stdout + done.stderr)[-800:]
        result.problems.append(f"`tocsin test` ended with {done.returncode}: {said}")


def _fates(result: Result, origin: Origin) -> tuple[dict[str, str], dict[str, str]]:
    """Test file -> the file it is kept as, and test file -> why it was not adopted; the others became native
    tests.
    """
    kept: dict[str, str] = {}
    refused: dict[str, str] = {}
    for file in origin.tests:
        for row in result.findings.get(file, []):
            message = str(row["message"])
            if row["code"] == "TOC815" and message.startswith("kept as `"):
                kept[file] = message.split("`")[1]
            elif row["code"] in ("TOC811", "TOC813", "TOC816") or "none of the rule files" in message:
                refused[file] = message
    return kept, {file: why for file, why in refused.items() if file not in kept}


def _passes(promtool: Path, file: Path) -> bool:
    done = subprocess.run(
        [str(promtool), "test", "rules", file.name],
        cwd=file.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.returncode == 0


def _before(origin: Origin, file: str, promtool: Path) -> bool:
    """Whether the test passes as its owners run it."""
    path = origin.folder / file
    data = yaml.load(path.read_text(encoding="utf-8"), AsWritten)
    named = [str(each) for each in data.get("rule_files") or []]
    missing = [each for each in named if not list(path.parent.glob(each))]
    if not missing:
        return _passes(promtool, path)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "a" / "b" / "c"
        folder.mkdir(parents=True)
        shutil.copy(path, folder / path.name)
        for each in named:
            found = [other for other in origin.files if Path(other).name == Path(each).name]
            target = folder / each
            if len(found) != 1 or not target.resolve().is_relative_to(scratch):
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(
                _as_rule_file((origin.folder / found[0]).read_text(encoding="utf-8")), encoding="utf-8"
            )
        return _passes(promtool, folder / path.name)


def _as_rule_file(text: str) -> str:
    """A bare list of groups as promtool takes it."""
    data = yaml.safe_load(text)
    return json.dumps({"groups": data}) if isinstance(data, list) else text


def _native(place: Path, promtool: Path) -> bool:
    """Every native test, as it was compiled."""
    files = sorted((place / "dist" / "tests" / "prod").glob("*.test.yaml"))
    return bool(files) and all(_passes(promtool, each) for each in files)


def _kept(path: Path, promtool: Path) -> bool:
    """A kept file, as it was compiled."""
    compiled = path.parents[2] / "dist" / "tests" / "prod" / f"{path.parent.name}.{path.name}"
    return compiled.is_file() and _passes(promtool, compiled)
