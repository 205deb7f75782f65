"""Unit tests of the sources, as promtool runs them.

In: the rule files of one service and what they compile to in one environment. Out: `TestPlan`, with the files

    tests/<env>/<service>.rules.yaml                 every rule of the service, without annotations
    tests/<env>/<service>.annotations.rules.yaml     copies of the alerts whose annotations some test asks for
    tests/<env>/<service>.<interval>.test.yaml       the tests of alerts evaluated at that interval
    tests/<env>/<service>.authored.rules.yaml        the rules as their authors wrote them, for
    tests/<env>/<service>.<name>.promtool.yaml       promtool files a team keeps as they are

and with every question put to promtool, so that `emit.outcomes` can turn its answer into a finding at the
author's own line. promtool evaluates all groups of a file at one interval, so tests are put into files by the
interval of the alert they are about. A service without tests has no files here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tocsin.diag import Diagnostic, SourceFile, Span
from tocsin.emit.kept import kept_file, kept_questions, kept_tests
from tocsin.emit.questions import Question, ask, copies, node_of
from tocsin.emit.rendering import (
    Copy,
    authored_rules,
    copied_group,
    copied_rules,
    plain_rules,
    rendered_groups,
)
from tocsin.emit.subjects import Subjects, problems, values_of
from tocsin.emit.yamltext import Node, dump
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledGroup, Resolved
from tocsin.ir.duration import Duration, format_duration
from tocsin.ir.project import Environment, Project
from tocsin.ir.rule import RuleFile, TestSource

NAME = "tests"
DEFAULT_INTERVAL = Duration(60_000)
"""A group without an interval: Prometheus' own default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """One test as it will run. `path` is the promtool file it is in; `fires` are the levels it expects to
    fire at some time.
    """

    name: str
    service: str
    env: str
    path: str
    span: Span
    alert: str | None = None
    fires: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPlan:
    """The tests of one service in one environment. `runs` are the files to give to promtool, each with the
    folder it is in as the working directory; `questions` are found by file, expression (or alertname) and
    time, which is what promtool repeats.
    """

    __test__: ClassVar[bool] = False

    service: str
    env: str
    tests: tuple[PlannedTest, ...] = ()
    runs: tuple[str, ...] = ()
    questions: Mapping[tuple[str, str, str], tuple[Question, ...]]
    artifacts: tuple[Artifact, ...] = ()


def plan_tests(
    files: Sequence[RuleFile],
    resolved: Resolved,
    project: Project,
    environment: Environment,
    kept: Sequence[SourceFile] = (),
    *,
    incomplete: bool = False,
) -> tuple[TestPlan, tuple[Diagnostic, ...]]:
    """The plan, and what is wrong with the tests themselves; a test with such a finding is not in the plan.
    `kept` are the `*.promtool.yaml` files of the service; `incomplete` says that some of its rules did not
    compile, so that their absence is no news.
    """
    groups = rendered_groups(resolved)
    subjects = Subjects.of(files, groups, project, environment, incomplete=incomplete)
    found: list[Diagnostic] = []
    usable: list[tuple[TestSource, str]] = []
    for file in files:
        for index, test in enumerate(file.tests):
            wrong = list(problems(test, file, subjects))
            found.extend(wrong)
            if wrong or subjects.alert_of(test) in subjects.unknown:
                continue
            if not test.environments or environment.name in test.environments:
                usable.append((test, f"{file.file.path} tests[{index}] {environment.name}"))
    here = f"tests/{environment.name}/{resolved.service}"
    plan = _Plan(here, resolved.service, environment.name)
    _add_tests(plan, usable, files, groups, subjects, project, environment)
    for each in kept:
        found.extend(_add_kept(plan, each))
    if kept:
        plan.artifacts.append(
            Artifact(path=f"{here}.authored.rules.yaml", text=authored_rules(groups, project, environment))
        )
    return plan.frozen(), tuple(found)


def emit(
    files: Sequence[RuleFile],
    resolved: Resolved,
    project: Project,
    environment: Environment,
    kept: Sequence[SourceFile] = (),
) -> Iterator[Artifact]:
    """The files of the plan."""
    yield from plan_tests(files, resolved, project, environment, kept)[0].artifacts


class _Plan:
    """A plan in the making; lives inside `plan_tests`."""

    def __init__(self, here: str, service: str, env: str) -> None:
        self.here, self.service, self.env = here, service, env
        self.tests: list[PlannedTest] = []
        self.runs: list[str] = []
        self.questions: dict[tuple[str, str, str], list[Question]] = {}
        self.artifacts: list[Artifact] = []

    def ask(self, path: str, questions: Iterable[Question]) -> None:
        for each in questions:
            self.questions.setdefault((path, each.text, each.time), []).append(each)

    def frozen(self) -> TestPlan:
        return TestPlan(
            service=self.service,
            env=self.env,
            tests=tuple(self.tests),
            runs=tuple(self.runs),
            questions={key: tuple(each) for key, each in self.questions.items()},
            artifacts=tuple(sorted(self.artifacts)),
        )


def _add_tests(
    plan: _Plan,
    usable: Sequence[tuple[TestSource, str]],
    files: Sequence[RuleFile],
    groups: Sequence[CompiledGroup],
    subjects: Subjects,
    project: Project,
    environment: Environment,
) -> None:
    by_interval: dict[Duration, list[tuple[TestSource, str]]] = {}
    for test, tag in usable:
        by_interval.setdefault(subjects.interval_of(test) or DEFAULT_INTERVAL, []).append((test, tag))
    needed: set[Copy] = set()
    for interval, tests in sorted(by_interval.items()):
        path = f"{plan.here}.{format_duration(interval)}.test.yaml"
        nodes: list[Node] = []
        copied: set[Copy] = set()
        for test, tag in tests:
            alert = subjects.alert_of(test)
            asked = list(
                ask(
                    test,
                    len(plan.tests),
                    tag,
                    alert,
                    leveled=alert is not None and subjects.is_leveled(alert),
                    rule_labels=subjects.labels_of(alert) if alert is not None else frozenset(),
                )
            )
            copied |= set(copies(test, alert))
            nodes.append(_test_node(test, asked))
            plan.ask(path, asked)
            plan.tests.append(
                PlannedTest(
                    name=test.name,
                    service=plan.service,
                    env=plan.env,
                    path=path,
                    span=test.origin.value("name"),
                    alert=alert,
                    fires=frozenset(each.level for _, expected in test.firing for each in expected),
                )
            )
        needed |= copied
        plan.runs.append(path)
        plan.artifacts.append(
            Artifact(path=path, text=_file_text(plan, interval, nodes, groups, bool(copied), files))
        )
    if usable:
        text = plain_rules(groups, project, environment)
        plan.artifacts.append(Artifact(path=f"{plan.here}.rules.yaml", text=text))
    if needed:
        text = copied_rules(groups, needed, project, environment)
        plan.artifacts.append(Artifact(path=f"{plan.here}.annotations.rules.yaml", text=text))


def _test_node(test: TestSource, asked: Sequence[Question]) -> Node:
    node: dict[str, Node] = {
        "name": test.name,
        "interval": test.step,
        "input_series": [{"series": series, "values": values_of(test, series)} for series in test.series],
    }
    alerts = [node_of(each) for each in asked if each.kind == "annotations"]
    exprs = [node_of(each) for each in asked if each.kind != "annotations"]
    if alerts:
        node["alert_rule_test"] = alerts
    if exprs:
        node["promql_expr_test"] = exprs
    return node


def _file_text(
    plan: _Plan,
    interval: Duration,
    nodes: Sequence[Node],
    groups: Sequence[CompiledGroup],
    copied: bool,
    files: Sequence[RuleFile],
) -> str:
    order = [group.name for group in groups]
    rule_files = [f"{plan.service}.rules.yaml"]
    if copied:
        order += [copied_group(name) for name in order]
        rule_files.append(f"{plan.service}.annotations.rules.yaml")
    sources = ", ".join(sorted(file.file.path for file in files if file.tests))
    node: Node = {
        "rule_files": rule_files,
        "evaluation_interval": format_duration(interval),
        # promtool runs groups in no fixed order unless told.
        "group_eval_order": order,
        "tests": nodes,
    }
    return dump(
        node,
        comment=(
            f"Generated by tocsin from {sources}: `promtool test rules` runs it, `tocsin test` explains it.",
        ),
    )


def _add_kept(plan: _Plan, file: SourceFile) -> tuple[Diagnostic, ...]:
    name = file.path.split("/", 2)[-1].removesuffix(".promtool.yaml").replace("/", ".")
    path = f"{plan.here}.{name}.promtool.yaml"
    document, text, found = kept_file(file, f"{plan.service}.authored.rules.yaml")
    if document is None:
        return found
    first = len(plan.tests)
    for title, span in kept_tests(document):
        plan.tests.append(PlannedTest(name=title, service=plan.service, env=plan.env, path=path, span=span))
    plan.ask(path, kept_questions(document, first))
    plan.runs.append(path)
    plan.artifacts.append(Artifact(path=path, text=text))
    return found
