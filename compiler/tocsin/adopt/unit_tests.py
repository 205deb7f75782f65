"""promtool unit-test files find the adopted rules they test.

Where a test fits the native form it becomes a `tests:` entry (`native_tests`), else its file is kept
(`kept_tests`). Whatever happens to a test file, a finding says so, unless all of it became native.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tocsin.adopt.kept_tests import keep
from tocsin.adopt.native_tests import native
from tocsin.adopt.shapes import ForeignTest
from tocsin.adopt.sources import Adopted
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Origin, Seq
from tocsin.ir.artifact import Artifact

_FILE_KEYS = frozenset({"rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"})
_TEST_KEYS = frozenset(
    {
        "interval",
        "input_series",
        "name",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
        "start_timestamp",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedTests:
    """`native` are tests by the path of the authored file they go into; `kept` are files of their own, by
    path below the repository.
    """

    native: Mapping[str, tuple[Mapping[str, object], ...]]
    kept: tuple[Artifact, ...]
    found: tuple[Diagnostic, ...]
    count: int
    """Test files taken over, in either form."""


def adopt_tests(
    tests: Iterable[ForeignTest], sets: Sequence[Adopted], already: Mapping[str, str], environment: str
) -> AdoptedTests:
    """Finds each test file's rules among the adopted sets. `already` are files adopted before, which stay as
    they are.
    """
    fitting: dict[str, list[Mapping[str, object]]] = {}
    kept: dict[str, Artifact] = {}
    found: list[Diagnostic] = []
    count = 0
    for each in tests:
        if each.file.path in already:
            continue
        tested, missing = _rules_of(each, sets)
        foreign = _foreign_key(each)
        if foreign is not None:
            found.append(foreign)
            continue
        if not tested:
            span = each.origin.key("rule_files")
            message = f"none of the rule files it tests was adopted: {', '.join(missing) or 'it names none'}"
            found.append(
                diagnostic(
                    "TOC815",
                    span,
                    message,
                    help="adopt the rules and their tests in one run",
                    subject=each.file.path,
                )
            )
            continue
        for name in missing:
            found.append(
                diagnostic(
                    "TOC815",
                    each.origin.key("rule_files"),
                    f"`{name}` was not adopted, its rules are missing from this test",
                    subject=each.file.path,
                )
            )
        count += 1
        reason, made = native(each, tested)
        if not reason and not missing:
            for path, rows in made.items():
                fitting.setdefault(path, []).extend(rows)
            continue
        made_files, said = keep(each, tested, sets, kept, environment)
        found.extend(said)
        for artifact in made_files:
            kept[artifact.path] = artifact
            message = f"kept as `{artifact.path}`: {reason or 'some of its rules were not adopted'}"
            found.append(diagnostic("TOC815", each.origin.key("tests"), message, subject=each.file.path))
    return AdoptedTests(
        native={path: tuple(rows) for path, rows in fitting.items()},
        kept=tuple(kept[path] for path in sorted(kept)),
        found=tuple(found),
        count=count,
    )


def _rules_of(test: ForeignTest, sets: Sequence[Adopted]) -> tuple[list[Adopted], list[str]]:
    """The adopted sets a test file loads, and those of its patterns that match none."""
    folder = posixpath.dirname(test.file.path)
    tested: list[Adopted] = []
    missing: list[str] = []
    patterns = test.origin.node.get("rule_files")
    for pattern in patterns if isinstance(patterns, Seq) else []:
        wanted = posixpath.normpath(posixpath.join(folder, str(pattern)))
        matching = [each for each in sets if fnmatchcase(posixpath.normpath(each.rule_set.file.path), wanted)]
        if not matching:
            # Some repositories copy rules and tests together before they run them.
            name = posixpath.basename(str(pattern))
            namesakes = [each for each in sets if posixpath.basename(each.rule_set.file.path) == name]
            matching = namesakes if len({each.rule_set.file.path for each in namesakes}) == 1 else []
        if not matching:
            missing.append(str(pattern))
        tested.extend(each for each in matching if each not in tested)
    return tested, missing


def _foreign_key(test: ForeignTest) -> Diagnostic | None:
    """A key promtool does not have: the file is for another program."""
    rows = test.origin.node.get("tests")
    for origin, known in [
        (test.origin, _FILE_KEYS),
        *(
            (Origin(test.origin.file, test.origin.text, row), _TEST_KEYS)
            for row in (rows if isinstance(rows, Seq) else [])
            if isinstance(row, Map)
        ),
    ]:
        for key in origin.node:
            if key not in known and not key.startswith("x-"):
                message = f"promtool has no `{key}`: this test file is for another program"
                return diagnostic(
                    "TOC811",
                    origin.key(key),
                    message,
                    help="write it anew as a `tests:` entry",
                    subject=test.file.path,
                )
    return None
