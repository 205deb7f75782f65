"""Laws of the whole compiler: they hold for every repository the strategies can make, whole or broken."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.properties.strategies import (
    Texts,
    broken,
    plain,
    repositories,
    sources,
)

from tocsin.diag import Diagnostic, Severity, SourceFile, Span
from tocsin.diag.codes import CODES
from tocsin.diag.span import lines_of
from tocsin.ir.compiled import CompiledRule
from tocsin.ir.duration import Duration, format_duration, parse_duration
from tocsin.pipeline import Compilation, artifacts, compile_sources
from tocsin.promql import Expr, parse
from tocsin.report import REPORTERS, Report

TODAY = date(2026, 11, 1)
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# Why it fails is not asked: repositories are large, and the answer takes minutes.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
some = settings(max_examples=60, deadline=None, suppress_health_check=SLOW, phases=PHASES)
many = settings(some, max_examples=150)


def compiled(
    texts: Mapping[str, str], order: Callable[[list[SourceFile]], Sequence[SourceFile]] = list
) -> Compilation:
    return compile_sources(sources(texts, order), TODAY)


def outputs(compilation: Compilation) -> dict[str, str]:
    """Path -> bytes of what would be written, as `tocsin build --keep-going` would."""
    outside = [each for each in errors(compilation) if not each.span.file.startswith("rules/")]
    return {} if outside else {each.path: each.text for each in artifacts(compilation, keep_going=True)}


def errors(compilation: Compilation) -> list[Diagnostic]:
    return [each for each in compilation.diagnostics if each.severity is Severity.error]


# Order, places, crashes -------------------------------------------------------------------------------------


@some
@given(repositories().map(plain), st.randoms(use_true_random=False))
def test_the_order_in_which_files_are_read_changes_no_byte_and_no_finding(
    texts: Texts, chance: random.Random
) -> None:
    def shuffled(files: list[SourceFile]) -> list[SourceFile]:
        return chance.sample(files, len(files))

    one, two = compiled(texts), compiled(texts, shuffled)
    assert one.diagnostics == two.diagnostics
    assert outputs(one) == outputs(two)
    assert len(outputs(one)) > 10


@some
@given(broken(), st.randoms(use_true_random=False))
def test_the_order_of_broken_files_changes_no_finding(texts: Texts, chance: random.Random) -> None:
    one = compiled(texts)
    two = compiled(texts, lambda files: chance.sample(files, len(files)))
    assert one.diagnostics == two.diagnostics
    assert one.frozen == two.frozen
    assert outputs(one) == outputs(two)


@many
@given(broken())
def test_whatever_the_files_say_every_finding_has_a_place_and_a_code(texts: Texts) -> None:
    """No file makes the compiler raise, and what it says is fit for every reporter."""
    compilation = compiled(texts)
    read = {each.path: each.text for each in _files(texts)}
    for each in compilation.diagnostics:
        assert each.code in CODES
        assert each.message
        for span in (each.span, *(other.span for other in each.related)):
            _lies_inside(span, read, each)
    report = Report.of(
        compilation.diagnostics,
        texts=read,
        files=len(read),
        version="0",
        fail_on=Severity.error,
        min_severity=Severity.note,
    )
    for name, render in REPORTERS.items():
        # Nothing that a source says moves a cursor or hides a line of a log.
        assert not _UNSEEN.search(render(report)), name
    outputs(compilation)


@some
@given(st.one_of(broken(), repositories().map(plain)))
def test_every_compiled_expression_parses(texts: Texts) -> None:
    for service in compiled(texts).services:
        for resolved in service.resolved:
            rules: list[CompiledRule] = [*resolved.alerts, *resolved.records]
            for rule in rules:
                assert isinstance(parse(rule.expr), Expr), rule
                assert "${" not in rule.expr or "$${" in str(rule.source), rule.expr


def _files(texts: Mapping[str, str]) -> Iterable[SourceFile]:
    read = sources(texts)
    single = [each for each in (read.project, read.ledger) if each is not None]
    return [*single, *read.rules, *read.sops, *read.incidents, *read.promtool]


def _lies_inside(span: Span, read: Mapping[str, str], found: Diagnostic) -> None:
    if span.file not in read:
        # A file that is missing or cannot be read has no text to point into.
        assert (span.line, span.col) == (1, 1) or found.code in ("TOC110", "TOC112"), found
        return
    lines = lines_of(read[span.file])
    assert 1 <= span.line <= span.end_line <= len(lines), found
    assert 1 <= span.col <= len(lines[span.line - 1]) + 1, found
    # A point at the end of a line is one column wide.
    assert 1 <= span.end_col <= len(lines[span.end_line - 1]) + 2, found
    assert (span.line, span.col) <= (span.end_line, span.end_col), found
    span.slice(read[span.file])


# Durations --------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**63 // 1_000_000 - 1))
def test_a_duration_that_is_printed_reads_as_itself(milliseconds: int) -> None:
    assert parse_duration(format_duration(Duration(milliseconds))) == milliseconds


_ELSEWHERE = """
import hashlib
from tests.properties.test_fleet_laws import EDITS
from tests.properties.test_laws import compiled, outputs
from tests.properties.strategies import plain, seed
for what, (edit, _) in EDITS.items():
    repository = seed()
    edit(repository)
    compilation = compiled(plain(repository))
    said = repr((compilation.diagnostics, sorted(outputs(compilation).items())))
    print(what, hashlib.sha256(said.encode()).hexdigest())
"""


def test_another_process_says_the_same_in_the_same_words() -> None:
    """Sets come in another order there: nothing that is said or written may follow it."""
    root = Path(__file__).parents[2]
    said = {
        subprocess.run(
            [sys.executable, "-c", _ELSEWHERE],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": number, "PYTHONPATH": f"{root}:{root / 'compiler'}"},
        ).stdout
        for number in ("1", "2", "3")
    }
    assert len(said) == 1
    assert len(said.pop().splitlines()) > 30
