"""Sources compiled as the pipeline does it, for contract tests that start from what an author writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.builders import project

from tocsin.diag import Diagnostic, SourceFile
from tocsin.disk.process import run
from tocsin.emit.outcomes import Printed, TestResult, read_results
from tocsin.emit.tests import TestPlan, plan_tests
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import Resolved
from tocsin.ir.project import Ledger, Project
from tocsin.ir.rule import RuleFile
from tocsin.load.rules import load_rules
from tocsin.resolve import record_facts, records_of, resolve_service


def load(text: str, service: str = "kafka", name: str = "lag") -> RuleFile:
    """A rule file that has to be right."""
    file, found = load_rules(SourceFile(path=f"rules/{service}/{name}.yaml", text=text), service)
    assert file is not None
    assert not found, found
    return file


def resolve(files: Sequence[RuleFile], given: Project | None = None, service: str = "kafka") -> Resolved:
    """The service in the project's first environment, without a finding."""
    within = given or project()
    environment = within.environments[0]
    records = records_of(record_facts(files, within, environment))
    resolved, found = resolve_service(service, files, within, environment, Ledger(), records)
    assert not found, found
    return resolved


def planned(
    text: str, given: Project | None = None, kept: Sequence[SourceFile] = ()
) -> tuple[TestPlan, tuple[Diagnostic, ...]]:
    """The test plan of one rule file of the service kafka."""
    within = given or project()
    file = load(text)
    return plan_tests([file], resolve([file], within), within, within.environments[0], kept)


def write(artifacts: Sequence[Artifact], folder: Path) -> None:
    """The artifacts as files below `folder`."""
    for artifact in artifacts:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")


def outcome(plan: TestPlan, folder: Path, promtool: Path) -> tuple[TestResult, ...]:
    """What promtool makes of the plan."""
    write(plan.artifacts, folder)
    outputs = {}
    for each in plan.runs:
        path = folder / each
        finished = run([str(promtool), "test", "rules", path.name], cwd=path.parent, timeout=600)
        outputs[each] = Printed(finished.code, finished.out + finished.err)
    return read_results(plan, outputs)
