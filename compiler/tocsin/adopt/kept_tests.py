"""promtool test files that stay promtool files, beside the rules of the service they test.

`tocsin test` runs them against that service as its author wrote it, so a test must ask about rules of one
service only. A file that loads several services is taken apart, test by test: `home` finds every rule that
can have a say in a test's answers, and where all of them are of one service the others' absence changes
nothing. A test for which that is not so is not adopted, and the finding says how to keep its rules together.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tocsin.adopt.naming import kebab
from tocsin.adopt.scalars import text_at
from tocsin.adopt.shapes import ForeignTest
from tocsin.adopt.sources import ADOPTED, Adopted
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.origin import Map, Origin, Seq, place_of
from tocsin.ir.artifact import Artifact
from tocsin.promql import Expr, parse
from tocsin.promql.tree import Matcher, Selector

_OWN_ALERTS = ("ALERTS", "ALERTS_FOR_STATE")
_TEST_WORDS = re.compile(r"(?:[._-]?(?:promtool|unit-?tests?|tests?))*\.(?:ya?ml|json)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Known:
    """One adopted rule: what it is called, where it lives, whether the test file loads it."""

    kind: str
    name: str
    service: str
    loaded: bool
    expr: str


@dataclass(slots=True, kw_only=True)
class _World:
    """The rules a test may be answered by: those it loads, and the others of their services."""

    rules: list[_Known] = field(default_factory=list)

    @staticmethod
    def of(tested: Sequence[Adopted], sets: Sequence[Adopted]) -> _World:
        services = {each.place.service for each in tested}
        world = _World()
        for each in sets:
            if each.place.service in services:
                for rule in (rule for group in each.groups for rule in group.rules):
                    world.rules.append(
                        _Known(
                            rule.kind,
                            rule.name,
                            each.place.service,
                            any(each is one for one in tested),
                            rule.expr,
                        )
                    )
        return world

    def answering(self, test: Origin) -> list[_Known]:
        """Every rule that can have a say in the test: those it asks about, and the records these read."""
        asked = list(dict.fromkeys(self.asked(test)))
        found: dict[_Known, None] = {}
        while asked:
            rule = asked.pop()
            if rule not in found:
                found[rule] = None
                asked.extend(self.read_by(rule.expr))
        return list(found)

    def asked(self, test: Origin) -> Iterator[_Known]:
        rows = test.node.get("alert_rule_test")
        for index in range(len(rows) if isinstance(rows, Seq) else 0):
            name = text_at(test, "alert_rule_test", index, "alertname")
            yield from (each for each in self.rules if each.kind == "alert" and each.name == name)
        rows = test.node.get("promql_expr_test")
        for index in range(len(rows) if isinstance(rows, Seq) else 0):
            yield from self.read_by(text_at(test, "promql_expr_test", index, "expr") or "")

    def read_by(self, expr: str) -> Iterator[_Known]:
        """The rules whose series an expression selects; all of them where it cannot be read."""
        parsed = parse(expr)
        if not isinstance(parsed, Expr):
            yield from self.rules
            return
        for node in parsed.tree:
            if isinstance(node, Selector):
                yield from (each for each in self.rules if _selects(node.matchers, each))


def _selects(matchers: Sequence[Matcher], rule: _Known) -> bool:
    """Whether a selector can select a series of this rule: by the name of the series, for alerts by their
    name too.
    """
    names = (rule.name,) if rule.kind == "record" else _OWN_ALERTS
    by_name = [each for each in matchers if each.label == "__name__"]
    if not any(all(_matches(each, name) for each in by_name) for name in names):
        return False
    return rule.kind == "record" or all(
        _matches(each, rule.name) for each in matchers if each.label == "alertname"
    )


def _matches(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (matcher.value == value) is (matcher.op == "=")
    try:
        return (re.fullmatch(matcher.value, value) is not None) is (matcher.op == "=~")
    except re.error:
        return True  # Go's pattern, not Python's: it might


def keep(
    test: ForeignTest,
    tested: Sequence[Adopted],
    sets: Sequence[Adopted],
    taken: Mapping[str, Artifact],
    environment: str,
) -> tuple[tuple[Artifact, ...], tuple[Diagnostic, ...]]:
    """The file, in as many parts as it tests services, and a finding for each test that no service can answer
    alone.
    """
    world = _World.of(tested, sets)
    services = list(dict.fromkeys(each.place.service for each in tested))
    rows = test.origin.node.get("tests")
    homes: dict[str, list[int]] = {}
    found: list[Diagnostic] = []
    for index, row in enumerate(rows if isinstance(rows, Seq) else []):
        answering = (
            world.answering(Origin(test.origin.file, test.origin.text, row)) if isinstance(row, Map) else []
        )
        wanted = {each.service for each in answering if each.loaded} or {services[0]}
        strangers = sorted({each.name for each in answering if not each.loaded and each.service in wanted})
        if len(wanted) > 1 or strangers:
            why = (
                f"it needs the rules of {', '.join(f'`{each}`' for each in sorted(wanted))} together"
                if len(wanted) > 1
                else f"its service also has `{strangers[0]}`, which this test does not load"
            )
            message = f"tests[{index}] was not adopted: {why}"
            help = "keep these rules together: adopt them with one --service"
            found.append(
                diagnostic(
                    "TOC815", test.origin.value("tests", index), message, help=help, subject=test.file.path
                )
            )
        else:
            homes.setdefault(wanted.pop(), []).append(index)
    whole = len(homes) == 1 and not found
    made: dict[str, Artifact] = {}
    for service, indexes in homes.items():
        text = _text(test, service, environment, None if whole else indexes)
        if text is None:
            message = "not adopted: its tests stand on shared lines, so they cannot be taken apart"
            help = "write `tests:` as a block list, or adopt its rules with one --service"
            found.append(
                diagnostic("TOC815", test.origin.key("tests"), message, help=help, subject=test.file.path)
            )
            break
        path = _path(test, service, {**taken, **made})
        made[path] = Artifact(path=path, text=text)
    return tuple(made.values()), tuple(found)


def _path(test: ForeignTest, service: str, taken: Mapping[str, Artifact]) -> str:
    topic = kebab(_TEST_WORDS.sub("", posixpath.basename(test.file.path))) or "tests"
    path, number = f"rules/{service}/{topic}.promtool.yaml", 2
    while path in taken:
        path = f"rules/{service}/{topic}-{number}.promtool.yaml"
        number += 1
    return path


def _text(test: ForeignTest, service: str, environment: str, only: Sequence[int] | None) -> str | None:
    """The author's own lines with other `rule_files`, and with the tests in `only`; None where the lines
    cannot be told apart.
    """
    lines = test.file.text.rstrip("\n").split("\n")
    node = test.origin.node
    starts = sorted(place_of(mark)[0] for mark in node.keys_at.values())
    if len(set(starts)) < len(starts):
        return None
    drop: set[int] = set()
    if only is not None:
        tests = node["tests"]
        assert isinstance(tests, Seq)
        first = place_of(node.keys_at["tests"])[0]
        end = min((each for each in starts if each > first), default=len(lines))
        begins = [_with_comments(lines, place_of(mark)[0]) for mark in tests.items_at]
        if len(set(begins)) < len(begins) or begins[0] <= first - 1:
            return None
        for index, begin in enumerate(begins):
            if index not in only:
                drop.update(range(begin, begins[index + 1] if index + 1 < len(begins) else end))
    start = place_of(node.keys_at["rule_files"])[0]
    end = min((each for each in starts if each > start), default=len(lines))
    end = _with_comments(lines, end) if end < len(lines) else end
    rules = f"  - ../../dist/tests/{environment}/{service}.authored.rules.yaml"
    kept = [
        *(line for number, line in enumerate(lines[:start]) if number not in drop),
        "rule_files:",
        rules,
        *(line for number, line in enumerate(lines[end:], start=end) if number not in drop),
    ]
    return "\n".join([f"{ADOPTED}{test.file.path}", *kept]) + "\n"


def _with_comments(lines: Sequence[str], line: int) -> int:
    """The first line of what stands above `line` and belongs to it: comments, and the empty lines between
    them.
    """
    while line > 0 and (not lines[line - 1].strip() or lines[line - 1].lstrip().startswith("#")):
        line -= 1
    return line
