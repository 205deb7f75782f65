"""promtool unit-test files: into native `tests:` where nothing is lost, else kept as promtool files beside the rules.

A native test asserts the exact set of one alert's instances at given times. What fits: tests of alerts alone, one rule per alertname, one service,
no settings of promtool's that the format has no word for. Everything else keeps its file, with `rule_files` pointing to the compiled rules as
the author wrote them, which `tocsin test` gives to promtool.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tocsin.adopt.naming import kebab
from tocsin.adopt.scalars import text_at
from tocsin.adopt.shapes import ForeignTest
from tocsin.adopt.sources import ADOPTED, Adopted
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.ir.artifact import Artifact
from tocsin.ir.duration import parse_duration
from tocsin.promql import Expr, metrics, parse

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
_NATIVE_FILE_KEYS = frozenset({"rule_files", "evaluation_interval", "tests"})
_NATIVE_TEST_KEYS = frozenset({"interval", "input_series", "name", "alert_rule_test"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptedTests:
    """`native` are tests by the path of the authored file they go into; `kept` are files of their own, by path below the repository."""

    native: Mapping[str, tuple[Mapping[str, object], ...]]
    kept: tuple[Artifact, ...]
    found: tuple[Diagnostic, ...]
    count: int
    """Test files taken over, in either form."""


def adopt_tests(
    tests: Iterable[ForeignTest], sets: Sequence[Adopted], already: Mapping[str, str], environment: str
) -> AdoptedTests:
    """Finds each test file's rules among the adopted sets. `already` are files adopted before, which stay as they are."""
    native: dict[str, list[Mapping[str, object]]] = {}
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
        reason, made = _native(each, tested)
        if not reason and not missing:
            for path, rows in made.items():
                native.setdefault(path, []).extend(rows)
            continue
        artifact = _kept(each, tested, kept, environment)
        kept[artifact.path] = artifact
        message = f"kept as `{artifact.path}`: {reason or 'some of its rules were not adopted'}"
        found.append(diagnostic("TOC815", each.origin.key("tests"), message, subject=each.file.path))
    return AdoptedTests(
        native={path: tuple(rows) for path, rows in native.items()},
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


def _native(
    test: ForeignTest, tested: Sequence[Adopted]
) -> tuple[str, dict[str, list[Mapping[str, object]]]]:
    """The tests in the native form, or why they do not fit it."""
    made: dict[str, list[Mapping[str, object]]] = {}
    if extra := sorted(test.origin.node.keys() - _NATIVE_FILE_KEYS):
        return f"`{extra[0]}` has no word in the native form", made
    interval = parse_duration(text_at(test.origin, "evaluation_interval") or "1m")
    if any(parse_duration(group.interval or "1m") != interval for each in tested for group in each.groups):
        return "it evaluates at another interval than its groups", made
    alerts = _alerts(tested)
    borrowed = _borrowing(tested)
    rows = test.origin.node.get("tests")
    for row in rows if isinstance(rows, Seq) else []:
        if not isinstance(row, Map):
            return "a test is no mapping", made
        origin = Origin(test.origin.file, test.origin.text, row)
        reason, each_made = _one(origin, alerts, borrowed)
        if reason:
            return reason, made
        for path, test_rows in each_made:
            made.setdefault(path, []).append(test_rows)
    return ("" if made else "it has no tests"), made


def _alerts(sets: Sequence[Adopted]) -> dict[str, list[tuple[str, str]]]:
    """Alertname -> (path, id) of each rule that has it."""
    found: dict[str, list[tuple[str, str]]] = {}
    for each in sets:
        for (g, r), id in each.ids.items():
            rule = each.groups[g].rules[r]
            if rule.kind == "alert":
                found.setdefault(rule.name, []).append((each.path, id))
    return found


def _borrowing(sets: Sequence[Adopted]) -> frozenset[str]:
    """Names of alerts that read, directly or through records of their own service, a record of another service of the same test."""
    homes: dict[str, set[str]] = {}
    reads: dict[tuple[str, str], set[str]] = {}
    for each in sets:
        for rule in (rule for group in each.groups for rule in group.rules):
            parsed = parse(rule.expr)
            names = set(metrics(parsed)) if isinstance(parsed, Expr) else set()
            if rule.kind == "record":
                homes.setdefault(rule.name, set()).add(each.place.service)
                reads.setdefault((each.place.service, rule.name), set()).update(names)
            else:
                reads.setdefault((each.place.service, f"alert {rule.name}"), set()).update(names)
    found: set[str] = set()
    for (service, name), first in reads.items():
        waiting, seen = list(first), set(first)
        while name.startswith("alert ") and waiting:
            metric = waiting.pop()
            if homes.get(metric, {service}) != {service}:
                found.add(name.removeprefix("alert "))
                break
            more = reads.get((service, metric), set()) - seen
            seen |= more
            waiting.extend(more)
    return frozenset(found)


def _one(
    origin: Origin, alerts: Mapping[str, list[tuple[str, str]]], borrowed: frozenset[str]
) -> tuple[str, list[tuple[str, dict[str, object]]]]:
    """One promtool test as one native test for each alert it asks about."""
    if extra := sorted(origin.node.keys() - _NATIVE_TEST_KEYS):
        return f"`{extra[0]}` has no word in the native form", []
    series = _series(origin)
    if series is None:
        return "its input series have no single line each", []
    firing: dict[str, dict[str, object]] = {}
    asked = origin.node.get("alert_rule_test")
    for index, row in enumerate(asked if isinstance(asked, Seq) else []):
        name, time = (
            text_at(origin, "alert_rule_test", index, "alertname") or "",
            text_at(origin, "alert_rule_test", index, "eval_time") or "",
        )
        if len(alerts.get(name, ())) != 1:
            return f"`{name}` is not the name of exactly one rule", []
        if name in borrowed:
            return f"`{name}` reads records of another service", []
        if parse_duration(time) is None or time in firing.setdefault(name, {}):
            return f"`{name}` is asked about twice at {time}", []
        expected = _expected(origin, index, row)
        if expected is None:
            return "an expected alert has a form the native tests do not have", []
        firing[name][time] = expected
    if not firing:
        return "it asks about no alert", []
    interval = text_at(origin, "interval") or "1m"
    if parse_duration(interval) in (None, 0):
        return "its interval is no duration", []
    title = (text_at(origin, "name") or "").strip()
    made: list[tuple[str, dict[str, object]]] = []
    for name, times in firing.items():
        path, id = alerts[name][0]
        test: dict[str, object] = {
            "name": f"{title}: {name}"
            if title and len(firing) > 1
            else title or f"{name} at {', '.join(times)}",
            "alert": id,
        }
        if interval != "1m":
            test["step"] = interval
        made.append((path, {**test, "series": dict(series), "firing": times}))
    return "", made


def _series(origin: Origin) -> dict[str, str] | None:
    """Series -> values; None where a series is written twice or a value is not text."""
    found: dict[str, str] = {}
    rows = origin.node.get("input_series")
    for index, row in enumerate(rows if isinstance(rows, Seq) else []):
        series, values = (
            text_at(origin, "input_series", index, "series"),
            text_at(origin, "input_series", index, "values"),
        )
        if (
            not isinstance(row, Map)
            or row.keys() != {"series", "values"}
            or not series
            or values is None
            or series in found
        ):
            return None
        found[series] = values
    return found or None


def _expected(origin: Origin, index: int, row: object) -> list[object] | None:
    """The instances promtool expects; None where an entry says something else than labels and annotations."""
    if not isinstance(row, Map) or row.keys() - {"alertname", "eval_time", "exp_alerts"}:
        return None
    rows = row.get("exp_alerts")
    expected: list[object] = []
    for number, each in enumerate(rows if isinstance(rows, Seq) else []):
        path = ("alert_rule_test", index, "exp_alerts", number)
        if not isinstance(each, Map) or each.keys() - {"exp_labels", "exp_annotations"}:
            return None
        entry: dict[str, object] = {}
        for key, word in (("exp_labels", "labels"), ("exp_annotations", "annotations")):
            pairs = each.get(key)
            if isinstance(pairs, Map) and pairs:
                entry[word] = {name: text_at(origin, *path, key, name) or "" for name in pairs}
        expected.append(entry or "firing")
    return expected


def _kept(
    test: ForeignTest, tested: Sequence[Adopted], taken: Mapping[str, Artifact], environment: str
) -> Artifact:
    """The file itself under a name of ours, its `rule_files` replaced."""
    service = tested[0].place.service
    stem = re.sub(
        r"(?:[._-]?(?:promtool|unit-?tests?|tests?))*\.(?:ya?ml|json)$",
        "",
        posixpath.basename(test.file.path),
        flags=re.IGNORECASE,
    )
    topic = kebab(stem) or "tests"
    path, number = f"rules/{service}/{topic}.promtool.yaml", 2
    while path in taken:
        path = f"rules/{service}/{topic}-{number}.promtool.yaml"
        number += 1
    files = [
        f"../../dist/tests/{environment}/{each}.authored.rules.yaml"
        for each in sorted({each.place.service for each in tested})
    ]
    lines = test.file.text.rstrip("\n").split("\n")
    node = test.origin.node
    start = place_of(node.keys_at["rule_files"])[0]
    later = [place_of(mark)[0] for mark in node.keys_at.values() if place_of(mark)[0] > start]
    end = min(later, default=len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or re.match(r"\s*#", lines[end - 1])):
        end -= 1  # what stands above the next key belongs to it
    replaced = [*lines[:start], "rule_files:", *(f"  - {each}" for each in files), *lines[end:]]
    return Artifact(path=path, text="\n".join([f"{ADOPTED}{test.file.path}", *replaced]) + "\n")
