"""A finding: a value that is collected, sorted and shown, never raised.

In: a code of the table in `codes.py`, a sentence about this file, a place. Out: `Diagnostic`, whose order (file, line, column, code)
is the order every report uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from tocsin.diag.codes import CODES
from tocsin.diag.span import Span


class Severity(IntEnum):
    """How bad a finding is; `--fail-on` compares, so a higher number is worse."""

    note = 1
    warning = 2
    error = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Another place that explains a finding: the first of two duplicates, the record that is read too early."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding. `subject` names the thing without its line (`kafka-consumer-lag/levels.page.for`), so that a moved rule keeps its fingerprint."""

    code: str
    message: str
    span: Span
    severity: Severity
    help: str = ""
    subject: str = ""
    related: tuple[Related, ...] = ()

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """The sorting key of every report."""
        return (self.span.file, self.span.line, self.span.col, self.code, self.message)


def diagnostic(
    code: str, span: Span, message: str, *, help: str = "", subject: str = "", related: Iterable[Related] = ()
) -> Diagnostic:
    """A finding with its code's default severity. An unknown code is our bug: KeyError."""
    return Diagnostic(
        code=code,
        message=message,
        span=span,
        severity=Severity[CODES[code].severity],
        help=help,
        subject=subject,
        related=tuple(related),
    )


def ordered(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted, each finding once."""
    return tuple(sorted(dict.fromkeys(found), key=lambda each: each.order))


def with_severity(each: Diagnostic, severity: Severity) -> Diagnostic:
    """The same finding, as bad as the project says."""
    return replace(each, severity=severity)
