"""What tests are about, and what can be wrong with one before anything runs: names nobody knows, and notation
promtool cannot read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tocsin.diag import Diagnostic, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.emit.questions import FIRING
from tocsin.emit.series import HELP, metric_of, wrong_series, wrong_values
from tocsin.ir.compiled import CompiledAlert, CompiledGroup
from tocsin.ir.duration import Duration, parse_duration
from tocsin.ir.project import Environment, Project
from tocsin.ir.rule import AlertSource, Expected, RuleFile, TestSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Subjects:
    """What tests of one service and environment may be about."""

    env: str
    environments: tuple[str, ...]
    sources: Mapping[str, AlertSource]
    """Every authored alert of the service by its id."""
    by_file: Mapping[str, tuple[str, ...]]
    """The alerts of each file."""
    compiled: Mapping[tuple[str, str], tuple[CompiledAlert, ...]]
    """By id and level."""
    intervals: Mapping[str, Duration | None]
    """The interval at which each alert id or record is evaluated."""
    rule_labels: Mapping[str, frozenset[str]]
    """The labels rules of each alert give."""
    records: frozenset[str]
    unknown: frozenset[str]
    """Alerts of which nothing compiled because something is wrong with them: no test can say more."""

    @staticmethod
    def of(
        files: Sequence[RuleFile],
        groups: Sequence[CompiledGroup],
        project: Project,
        environment: Environment,
        *,
        incomplete: bool,
    ) -> Subjects:
        """The subjects of a service; `incomplete` where some of its rules did not compile."""
        sources = {
            rule.id: rule
            for file in files
            for group in file.groups
            for rule in group.rules
            if isinstance(rule, AlertSource)
        }
        by_file = {
            file.file.path: tuple(
                rule.id for group in file.groups for rule in group.rules if isinstance(rule, AlertSource)
            )
            for file in files
        }
        compiled: dict[tuple[str, str], list[CompiledAlert]] = {}
        intervals: dict[str, Duration | None] = {}
        rule_labels: dict[str, frozenset[str]] = {}
        records: set[str] = set()
        for group in groups:
            for rule in group.rules:
                if isinstance(rule, CompiledAlert):
                    key = rule.key
                    compiled.setdefault((key.id, key.level), []).append(rule)
                    rule_labels[key.id] = (
                        rule_labels.get(key.id, frozenset()) | rule.labels.keys() | group.labels.keys()
                    )
                    intervals[key.id] = group.interval
                else:
                    records.add(rule.record)
                    intervals[rule.record] = group.interval
        return Subjects(
            env=environment.name,
            environments=tuple(each.name for each in project.environments),
            sources=sources,
            by_file=by_file,
            compiled={key: tuple(each) for key, each in compiled.items()},
            intervals=intervals,
            rule_labels=rule_labels,
            records=frozenset(records),
            unknown=frozenset(sources) - {id for id, _ in compiled} if incomplete else frozenset(),
        )

    def alert_of(self, test: TestSource) -> str | None:
        """The alert a test is about: the one it names, else the only one of its file."""
        if test.alert is not None:
            return test.alert
        ids = self.by_file.get(test.origin.file, ())
        return ids[0] if len(ids) == 1 else None

    def is_leveled(self, alert: str) -> bool:
        """Whether the alert has levels."""
        return alert in self.sources and bool(self.sources[alert].levels)

    def labels_of(self, alert: str) -> frozenset[str]:
        """The labels the alert's rules give."""
        return self.rule_labels.get(alert, frozenset())

    def interval_of(self, test: TestSource) -> Duration | None:
        """The interval of the alert the test is about, else the shortest of the records it looks at."""
        alert = self.alert_of(test)
        if alert is not None and (test.firing or not test.samples):
            return self.intervals.get(alert)
        names = {metric_of(each.series) or "" for _, samples in test.samples for each in samples}
        found = [interval for name in names if (interval := self.intervals.get(name)) is not None]
        return min(found, default=None)


def problems(test: TestSource, file: RuleFile, subjects: Subjects) -> Iterator[Diagnostic]:
    """What is wrong with one test, in this environment."""
    for index, name in enumerate(test.environments):
        if name not in subjects.environments:
            at = test.origin.value("env", index)
            help = did_you_mean(name, subjects.environments)
            yield diagnostic(
                "TOC805", at, f"`{name}` is no environment of tocsin.yaml", help=help, subject=test.name
            )
    yield from _notation(test)
    yield from _samples(test, subjects)
    if test.firing:
        yield from _alert(test, subjects)


def _alert(test: TestSource, subjects: Subjects) -> Iterator[Diagnostic]:
    alert = subjects.alert_of(test)
    if alert is None:
        ids = subjects.by_file.get(test.origin.file, ())
        what = f"has {len(ids)} alerts" if ids else "has no alert"
        names = ", ".join(f"`{each}`" for each in ids[:4])
        help = f"write `alert:` with one of {names}" if ids else "write the test in the file of its alert"
        message = f"`{test.name}` does not say which alert it is about, and this file {what}"
        yield diagnostic("TOC801", test.origin.key("firing"), message, help=help, subject=test.name)
    elif alert not in subjects.sources:
        help = did_you_mean(alert, subjects.sources)
        message = f"`{alert}` is no alert of this service"
        yield diagnostic("TOC801", test.origin.value("alert"), message, help=help, subject=test.name)
    elif not test.environments or subjects.env in test.environments:
        yield from _levels(test, subjects.sources[alert], subjects)


def _levels(test: TestSource, alert: AlertSource, subjects: Subjects) -> Iterator[Diagnostic]:
    known = [level.key for level in alert.levels]
    for time, expected in test.firing:
        for index, each in enumerate(expected):
            at = test.origin.value("firing", time, index)
            if each.level and each.level not in known:
                help = (
                    did_you_mean(each.level, known)
                    if known
                    else f"`{alert.id}` has no levels: write `{FIRING}`"
                )
                yield diagnostic(
                    "TOC802", at, f"`{each.level}` is no level of `{alert.id}`", help=help, subject=test.name
                )
            elif not each.level and known:
                help = "known: " + ", ".join(f"`{key}`" for key in known)
                message = f"`{alert.id}` has levels, so say which one fires"
                yield diagnostic("TOC802", at, message, help=help, subject=test.name)
            elif (alert.id, each.level) not in subjects.compiled and alert.id not in subjects.unknown:
                what = f"`{each.level}` of `{alert.id}`" if each.level else f"`{alert.id}`"
                message = f"{what} does not exist in `{subjects.env}`, where it is not enabled"
                help = "name the environments this test is for: `env: [...]`"
                yield diagnostic("TOC802", at, message, help=help, subject=f"{test.name}/{subjects.env}")
        yield from _annotations(test, time, expected)


def _annotations(test: TestSource, time: str, expected: Sequence[Expected]) -> Iterator[Diagnostic]:
    """promtool compares all alerts of a level at once, so all of them have to say the same annotations."""
    by_level: dict[str, set[frozenset[str] | None]] = {}
    for each in expected:
        by_level.setdefault(each.level, set()).add(
            None if each.annotations is None else frozenset(each.annotations)
        )
    for level, named in by_level.items():
        if len(named) > 1:
            word = level or FIRING
            message = f"at {time} only some of the `{word}` say annotations, or they say different ones"
            help = f"give each `{word}` of this time the same annotations"
            yield diagnostic("TOC803", test.origin.key("firing", time), message, help=help, subject=test.name)


def values_of(test: TestSource, series: str) -> str:
    """The values of a series as written: YAML takes `0x10` for sixteen, and promtool for eleven zeros."""
    origin = test.origin
    written = origin.wrote("series", series) and not isinstance(origin.node["series"][series], str)  # type: ignore[index]
    return origin.value("series", series).slice(origin.text) if written else test.series[series]


def _notation(test: TestSource) -> Iterator[Diagnostic]:
    step = parse_duration(test.step)
    if not step:
        message = f"`{test.step}` is no duration between two samples"
        yield diagnostic("TOC803", test.origin.value("step"), message, help="write `1m`", subject=test.name)
    for series in test.series:
        values = values_of(test, series)
        wrong = wrong_series(series)
        if wrong is not None:
            yield diagnostic(
                "TOC803",
                test.origin.key("series", series),
                wrong,
                help="see `promtool test rules`",
                subject=test.name,
            )
        wrong = wrong_values(values)
        if wrong is not None:
            yield diagnostic(
                "TOC803", test.origin.value("series", series), wrong, help=HELP, subject=test.name
            )
    for key, times in (("firing", test.firing), ("samples", test.samples)):
        for time, _ in times:
            if parse_duration(time) is None:
                yield diagnostic(
                    "TOC803",
                    test.origin.key(key, time),
                    f"`{time}` is no time",
                    help="write `20m`",
                    subject=test.name,
                )


def _samples(test: TestSource, subjects: Subjects) -> Iterator[Diagnostic]:
    for time, samples in test.samples:
        if not samples:
            message = f"nothing is expected at {time}, and a record has to be named to be looked at"
            yield diagnostic(
                "TOC803",
                test.origin.key("samples", time),
                message,
                help="remove this time",
                subject=test.name,
            )
        for each in samples:
            at = test.origin.key("samples", time, each.series)
            wrong = wrong_series(each.series)
            if wrong is not None:
                yield diagnostic("TOC803", at, wrong, help='write `name{label="value"}`', subject=test.name)
            elif (name := metric_of(each.series)) not in subjects.records:
                help = did_you_mean(name or "", subjects.records)
                yield diagnostic(
                    "TOC801", at, f"`{name}` is no record of this service", help=help, subject=test.name
                )
