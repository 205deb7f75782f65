"""promtool's answers, in the author's words and at the author's lines.

In: a `TestPlan` and what promtool printed for each of its files. Out: one `TestResult` per test. promtool
2.42, 2.53 and 3.5 print failures in one form (`expr: "...", time: T,` with `exp:` and `got:` below;
`alertname: ..., time: T,` for annotations). An answer we cannot place fails every test of its file: better
one failure too many than a test that passes unasked.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from tocsin.diag import Diagnostic, Span, diagnostic
from tocsin.emit.prometheus import is_evaluated
from tocsin.emit.questions import FIRING, LEVEL, Labels, Question, quoted, series_text
from tocsin.emit.tests import PlannedTest, TestPlan
from tocsin.ir.compiled import Resolved

_EXPR = re.compile(
    r'^    expr: (?P<text>"(?:[^"\\]|\\.)*"), time: (?P<time>\S+?),'
    r"(?: err: (?P<err>.*)|\n        exp: (?P<exp>.*)\n        got: (?P<got>.*))$",
    re.MULTILINE,
)
_BLOCK = r"\[(?:\]|\n.*?\n            \])"
_ALERT = re.compile(
    r"^(?:    name: .*,\n)?    alertname: (?P<text>.*?), time: (?P<time>\S+?), \n"
    rf"        exp:(?P<exp>{_BLOCK}), \n        got:(?P<got>{_BLOCK})$",
    re.MULTILINE | re.DOTALL,
)
_RULE = re.compile(r"^    rule: (?P<rule>.*?), time: (?P<time>\S+?), err: (?P<err>.*)$", re.MULTILINE)
_SAMPLE = re.compile(r'(?P<labels>\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}) (?P<value>\S+?)(?:, |$)')
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"\\]|\\.)*")=("(?:[^"\\]|\\.)*")')
_FIRED = re.compile(r"Labels:(\{.*\})\n\s*Annotations:(\{.*\})")
_NOISE = re.compile(r"^(?:Unit Testing:.*|  FAILED:|  SUCCESS|\s*)$")


class Printed(NamedTuple):
    """What promtool said of one file: its exit code, and stdout and stderr as one text."""

    code: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestResult:
    """One test and what is wrong with it; nothing where it passed."""

    __test__: ClassVar[bool] = False

    test: PlannedTest
    failures: tuple[Diagnostic, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How many of the levels of one severity some test expects to fire."""

    severity: str | None
    tested: int
    total: int
    untested: tuple[str, ...]
    """`env/id/level` of the others."""


def read_results(plan: TestPlan, outputs: Mapping[str, Printed]) -> tuple[TestResult, ...]:
    """The result of every test of the plan. A file without an output is a KeyError: every file of `plan.runs`
    has to run.
    """
    failures: dict[int, list[Diagnostic]] = {}
    for path in plan.runs:
        printed = outputs[path]
        for number, found in _failures(plan, path, printed):
            failures.setdefault(number, []).append(found)
    return tuple(
        TestResult(test=test, failures=tuple(dict.fromkeys(failures.get(number, ()))))
        for number, test in enumerate(plan.tests)
    )


def coverage(plans: Iterable[TestPlan], every: Iterable[Resolved]) -> tuple[Coverage, ...]:
    """By severity, the alphabet's order; alerts without one come last."""
    tested = {(test.env, test.alert, level) for plan in plans for test in plan.tests for level in test.fires}
    levels = {
        (alert.key.env, alert.key.id, alert.key.level): alert.severity
        for resolved in every
        for alert in resolved.alerts
        if is_evaluated(alert)
    }
    return tuple(
        Coverage(
            severity=severity,
            tested=sum(key in tested for key, of in levels.items() if of == severity),
            total=sum(of == severity for of in levels.values()),
            untested=tuple(
                "/".join(filter(None, key))
                for key, of in sorted(levels.items())
                if of == severity and key not in tested
            ),
        )
        for severity in sorted(set(levels.values()), key=lambda name: (name is None, name or ""))
    )


def _failures(plan: TestPlan, path: str, printed: Printed) -> Iterator[tuple[int, Diagnostic]]:
    rest = printed.text
    placed: list[tuple[Question, str]] = []
    for pattern in (_EXPR, _ALERT):
        for match in pattern.finditer(rest):
            text = str(ast.literal_eval(match["text"])) if pattern is _EXPR else match["text"]
            for question in plan.questions.get((path, text, match["time"]), ()):
                said = _said(question, match["exp"] or "", match["got"] or "", match.groupdict().get("err"))
                if said:
                    placed.append((question, said))
                    rest = rest.replace(match.group(), "", 1)
    counts_wrong = {(question.test, question.time) for question, _ in placed if question.kind == "firing"}
    for question, said in placed:
        # Where the wrong number fires, which labels it carries is no news.
        if question.kind != "labels" or (question.test, question.time) not in counts_wrong:
            yield question.test, _finding(plan.tests[question.test], question.span, said)
    yield from _unplaced(plan, path, printed, rest, bool(placed))


def _unplaced(
    plan: TestPlan, path: str, printed: Printed, rest: str, placed: bool
) -> Iterator[tuple[int, Diagnostic]]:
    """What promtool said that belongs to no question: a rule that failed to run, a file it could not read."""
    here = [(number, test) for number, test in enumerate(plan.tests) if test.path == path]
    said = [
        f"promtool could not run the rule `{each['rule']}` at {each['time']}: {each['err']}"
        for each in _RULE.finditer(rest)
    ]
    lines = [line.strip() for line in _RULE.sub("", rest).splitlines() if not _NOISE.match(line)]
    if lines and printed.code:
        said.append(f"promtool: {' '.join(lines)[:400]}")
    if not said and printed.code and not placed:
        said.append(f"promtool ended with {printed.code} and said nothing")
    for message in dict.fromkeys(said):
        for number, test in here:
            yield number, _finding(test, test.span, message)


def _finding(test: PlannedTest, span: Span, said: str) -> Diagnostic:
    subject = f"{test.alert or test.service}/{test.name}/{test.env}"
    return diagnostic("TOC804", span, f"`{test.name}` ({test.env}): {said}", subject=subject)


def _said(question: Question, expected: str, got: str, error: str | None) -> str:
    """One failed question in words; nothing where the answer was right after all, which another question with
    the same text explains.
    """
    if error is not None:
        return f"at {question.at}: {error}"
    match question.kind:
        case "annotations":
            return _annotations(question, got)
        case "kept":
            return (
                f"at {question.at} `{question.subject.strip()}`: expected {_flat(expected)}, got {_flat(got)}"
            )
    answer = tuple(sorted(_samples(got)))
    if answer == question.expected:
        return ""
    if question.kind == "firing":
        wanted = _levels(question.expected, "nothing")
        return f"at {question.at} expected {wanted}, but {_actually(question.expected, answer)}"
    if question.kind == "labels":
        return _labels(question, answer)
    return f"at {question.at} {_records(question, answer)}"


def _levels(counts: Sequence[tuple[Labels, float | Labels]], none: str) -> str:
    """`ticket` and `page`; with how often where that is not once."""
    words = []
    for labels, count in counts:
        level = dict(labels).get(LEVEL, FIRING)
        word = "it to fire" if level == FIRING and none == "nothing" else f"`{level}`"
        words.append(word if count == 1 else f"{word} for {count:g} series")
    return " and ".join(words) or none


def _actually(
    expected: Sequence[tuple[Labels, float | Labels]], answer: Sequence[tuple[Labels, float | Labels]]
) -> str:
    if not answer:
        return "nothing fires"
    levels = [dict(labels).get(LEVEL, FIRING) for labels, _ in answer]
    counts = [count for _, count in answer]
    if levels == [FIRING]:
        return "it fires" if counts == [1] and not expected else f"it fires for {counts[0]:g} series"
    # A level that fires as expected beside one that is missing: `only` says it is the other one that matters.
    only = "only " if set(answer) < set(expected) else ""
    if len(answer) == 1:
        return f"{only}`{levels[0]}` fires" + (f" for {counts[0]:g} series" if counts != [1] else "")
    return f"{only}{_levels(answer, '')} fire"


def _labels(question: Question, answer: Sequence[tuple[Labels, float | Labels]]) -> str:
    word = f"`{question.subject}`" if question.subject else "it"
    if question.asked:
        return f"at {question.at} expected {word} with {series_text(question.asked)}, which does not fire"
    right, real = Counter(dict(_whole(question.expected))), Counter(dict(_whole(answer)))
    missing, extra = right - real, real - right
    said = f"at {question.at} expected {word} with {_sets(missing)}" if missing else f"at {question.at}"
    return (
        f"{said}{',' if missing else ''} but it fires with {_sets(extra)}"
        if extra
        else f"{said}, which does not fire"
    )


def _whole(counts: Iterable[tuple[Labels, float | Labels]]) -> Iterator[tuple[Labels, int]]:
    for labels, count in counts:
        if isinstance(count, float):
            yield labels, int(count)


def _sets(counted: Counter[Labels]) -> str:
    return " and ".join(
        series_text(labels) + (f" {count} times" if count > 1 else "")
        for labels, count in sorted(counted.items())
    )


def _records(question: Question, answer: Sequence[tuple[Labels, float | Labels]]) -> str:
    right, real = dict(question.expected), dict(answer)
    said = []
    for labels in sorted({*right, *real}):
        series = f"`{series_text(labels) if len(labels) > 1 else question.subject}`"
        if labels not in real:
            said.append(f"expected {series} to be {right[labels]:g}, but it does not exist")
        elif labels not in right:
            said.append(f"{series} is {real[labels]:g}, and is not expected at all")
        elif right[labels] != real[labels]:
            said.append(f"expected {series} to be {right[labels]:g}, but it is {real[labels]:g}")
    return "; ".join(said)


def _annotations(question: Question, got: str) -> str:
    word = f"`{question.subject}`" if question.subject else "the alert"
    real = {_pairs(labels, drop="alertname"): dict(_pairs(texts)) for labels, texts in _FIRED.findall(got)}
    said = []
    for labels, texts in question.expected:
        if labels not in real:
            fires = " and ".join(series_text(each) for each in sorted(real)) or "nothing"
            said.append(f"expected {word} with {series_text(labels)}, but what fires is {fires}")
        elif isinstance(texts, tuple):
            for name, text in texts:
                if (shown := real[labels].get(name, "")) != text:
                    said.append(f"`{name}` of {word} is {quoted(shown)}, not {quoted(text)}")
    unexpected = [series_text(each) for each in sorted(real) if each not in dict(question.expected)]
    if unexpected and not said:
        said.append(f"{word} also fires with {' and '.join(unexpected)}")
    return f"at {question.at} {'; '.join(said)}" if said else ""


def _samples(text: str) -> Iterator[tuple[Labels, float]]:
    for match in _SAMPLE.finditer(text):
        yield _pairs(match["labels"]), float(match["value"].replace("Inf", "inf"))


def _pairs(text: str, drop: str = "") -> Labels:
    pairs = ((name.strip('"'), str(ast.literal_eval(value))) for name, value in _PAIR.findall(text))
    return tuple(sorted((name, value) for name, value in pairs if name != drop))


def _flat(text: str) -> str:
    return " ".join(text.split())
