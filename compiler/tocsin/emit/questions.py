"""One authored test as questions to promtool, each with its place in the source and the answer that is right.

What fires is asked of the series `ALERTS`, counted by level: the set must be exact, and alertnames and labels
may be shared between rules, so the level is read from `tocsin_rule`. promtool before 2.54 does not say which
test a failed expression belongs to; the comment behind each expression does, and makes it unique in its file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from tocsin.diag import Span
from tocsin.emit.rendering import RULE_LABEL, Copy
from tocsin.emit.series import metric_of, series_labels
from tocsin.emit.yamltext import Node
from tocsin.ir.duration import ZERO, format_duration, parse_duration
from tocsin.ir.rule import Expected, Sample, TestSource

LEVEL = "tocsin_level"
"""The label that carries the level in an answer; `firing` for an alert without levels."""
FIRING = "firing"
Labels = tuple[tuple[str, str], ...]
"""Sorted pairs: a label set that can be counted."""
Kind = Literal["firing", "labels", "annotations", "samples", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """`text` and `time` are what promtool repeats in a failure; `at` is the time as its author wrote it.
    `expected` are label sets with their values, for annotations the labels and then the annotations of
    each alert.
    """

    kind: Kind
    test: int
    text: str
    time: str
    at: str
    span: Span
    subject: str
    expected: tuple[tuple[Labels, float | Labels], ...] = ()
    asked: Labels = ()
    """The labels an inexact question is about."""


def labels_of(labels: Mapping[str, str]) -> Labels:
    """A label set; an empty value is no label."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def ask(
    test: TestSource,
    number: int,
    tag: str,
    alert: str | None,
    *,
    leveled: bool = False,
    rule_labels: frozenset[str] = frozenset(),
) -> Iterator[Question]:
    """Every question of a test. `number` is its place in the plan, `tag` what makes its expressions unique,
    `leveled` whether its alert has levels, `rule_labels` the labels its rules give their alerts.
    """
    for time, expected in test.firing:
        if alert is not None:
            moment = _Moment(test, number, tag, time, "firing")
            yield from _firing(moment, alert, expected, leveled)
            yield from _annotated(moment, alert, expected, rule_labels)
    for time, samples in test.samples:
        yield from _samples(_Moment(test, number, tag, time, "samples"), samples)


def copies(test: TestSource, alert: str | None) -> Iterator[Copy]:
    """The copies a test needs."""
    for _, expected in test.firing:
        for each in expected:
            if alert is not None and each.annotations is not None:
                yield Copy(id=alert, level=each.level, annotations=tuple(sorted(each.annotations)))


def node_of(question: Question) -> dict[str, Node]:
    """A question as promtool reads it."""
    if question.kind == "annotations":
        alerts: list[Node] = [
            {"exp_labels": dict(labels), "exp_annotations": dict(annotations)}
            for labels, annotations in question.expected
            if isinstance(annotations, tuple)
        ]
        return {"eval_time": question.time, "alertname": question.text, "exp_alerts": alerts}
    samples: list[Node] = [
        {
            "labels": series_text(labels),
            "value": int(value) if abs(value) < 1e15 and value.is_integer() else value,
        }
        for labels, value in question.expected
        if isinstance(value, float)
    ]
    return {"expr": question.text, "eval_time": question.time, "exp_samples": samples}


def series_text(labels: Labels) -> str:
    """A label set in PromQL, its metric name in front."""
    name = next((value for key, value in labels if key == "__name__"), "")
    return name + "{" + ",".join(f"{key}={quoted(value)}" for key, value in labels if key != "__name__") + "}"


def quoted(text: str) -> str:
    """A PromQL string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def clock(time: str) -> str:
    """A time as promtool prints it."""
    return format_duration(parse_duration(time) or ZERO)


@dataclass(frozen=True, slots=True)
class _Moment:
    """One time of one test."""

    test: TestSource
    number: int
    tag: str
    time: str
    key: str

    def question(
        self, kind: Kind, text: str, subject: str, expected: Iterable[tuple[Labels, float | Labels]]
    ) -> Question:
        return Question(
            kind=kind,
            test=self.number,
            text=text if kind == "annotations" else f"{text} # {self.tag}",
            time=clock(self.time),
            at=self.time,
            span=self.test.origin.key(self.key, self.time),
            subject=subject,
            expected=tuple(sorted(expected)),
        )

    def counted(self, kind: Kind, text: str, subject: str, right: Counter[Labels]) -> Question:
        return self.question(kind, text, subject, ((labels, float(count)) for labels, count in right.items()))


def _firing(moment: _Moment, alert: str, expected: Sequence[Expected], leveled: bool) -> Iterator[Question]:
    """How many series of each level fire; then what they carry."""
    take = f'"$1", "{RULE_LABEL}", "{alert}/([^/]*).*"' if leveled else f'"{FIRING}", "", ""'
    series = f'label_replace({_alerts(alert)}, "{LEVEL}", {take})'
    counted = Counter(labels_of({LEVEL: each.level or FIRING}) for each in expected)
    yield moment.counted("firing", f"count by ({LEVEL}) ({series})", "", counted)
    for level in sorted({each.level for each in expected}):
        of_level = [each for each in expected if each.level == level]
        yield from _labelled(moment, f"{alert}/{level}" if level else alert, level, of_level)


def _labelled(moment: _Moment, rules: str, level: str, expected: Sequence[Expected]) -> Iterator[Question]:
    """The labels of the series of one level. Where all that is expected names the same labels the answer is
    exact; else each label set named must be carried by as many series as say so.
    """
    named = {frozenset(each.labels) for each in expected}
    if named == {frozenset()}:
        return
    if len(named) == 1:
        by = ", ".join(sorted(next(iter(named))))
        counted = Counter(labels_of(each.labels) for each in expected)
        yield moment.counted("labels", f"count by ({by}) ({_alerts(rules)})", level, counted)
        return
    for labels in sorted({labels_of(each.labels) for each in expected} - {()}):
        least = sum(set(labels) <= set(labels_of(each.labels)) for each in expected)
        # The count itself is not known, so the comparison is the answer; what is asked for stands in the
        # expression.
        expr = f"count({_alerts(rules, labels)}) >= bool {least}"
        yield replace(moment.question("labels", expr, level, [((), 1.0)]), asked=labels)


def _annotated(
    moment: _Moment, alert: str, expected: Sequence[Expected], rule_labels: frozenset[str]
) -> Iterator[Question]:
    """The annotations of each level, asked of the copy that has just these and no label of the rule."""
    by_copy: dict[Copy, list[tuple[Labels, float | Labels]]] = {}
    for each in expected:
        if each.annotations is not None:
            copy = Copy(id=alert, level=each.level, annotations=tuple(sorted(each.annotations)))
            labels = {name: value for name, value in each.labels.items() if name not in rule_labels}
            by_copy.setdefault(copy, []).append((labels_of(labels), labels_of(each.annotations)))
    for copy, answer in sorted(by_copy.items()):
        yield moment.question("annotations", copy.alertname, copy.level, answer)


def _samples(moment: _Moment, samples: Sequence[Sample]) -> Iterator[Question]:
    """The series of each record."""
    by_record: dict[str, list[tuple[Labels, float]]] = {}
    for each in samples:
        record = metric_of(each.series) or ""
        by_record.setdefault(record, []).append((series_labels(each.series), each.value))
    for record, answer in sorted(by_record.items()):
        yield moment.question("samples", record, record, answer)


def _alerts(rules: str, labels: Labels = ()) -> str:
    more = "".join(f",{name}={quoted(value)}" for name, value in labels)
    return f'ALERTS{{alertstate="firing",{RULE_LABEL}=~"{rules}(/.*)?"{more}}}'
