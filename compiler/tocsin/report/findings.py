"""What every reporter is given: the findings of one run with all that is needed to show them.

In: diagnostics in any order, the texts they point into. Out: `Report`, from which each reporter makes one
string and nothing else; whether the run failed is asked here, so that no two formats can disagree about it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tocsin.diag.codes import CODES
from tocsin.diag.diagnostic import Diagnostic, Severity, ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run's findings. `texts` is path -> text of the sources, for snippets; `files` is how many were
    looked at; `within` is the project's folder in its Git repository, `""` or ending in a slash, for readers who know
    that alone.
    """

    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str] = field(repr=False)
    files: int
    version: str
    fail_on: Severity = Severity.error
    min_severity: Severity = Severity.note
    within: str = ""

    @staticmethod
    def of(
        found: Iterable[Diagnostic],
        *,
        texts: Mapping[str, str],
        files: int,
        version: str,
        fail_on: Severity = Severity.error,
        min_severity: Severity = Severity.note,
        within: str = "",
    ) -> Report:
        """The report of these findings: sorted, each once."""
        return Report(
            diagnostics=ordered(found),
            texts=texts,
            files=files,
            version=version,
            fail_on=fail_on,
            min_severity=min_severity,
            within=within,
        )

    @property
    def shown(self) -> tuple[Diagnostic, ...]:
        """What is at least as bad as `min_severity`."""
        return tuple(each for each in self.diagnostics if each.severity >= self.min_severity)

    @property
    def failed(self) -> bool:
        """Whether something is at least as bad as `fail_on`; not showing it does not make it good."""
        return any(each.severity >= self.fail_on for each in self.diagnostics)

    @property
    def summary(self) -> str:
        """The closing line: `3 errors, 1 warning in 2 of 14 files`."""
        shown = self.shown
        hidden = len(self.diagnostics) - len(shown)
        less = f" ({count(hidden, 'finding')} below {self.min_severity.name} not shown)" if hidden else ""
        if not shown:
            return f"nothing to report in {count(self.files, 'file')}{less}"
        touched = len({each.span.file for each in shown})
        return f"{by_severity(shown)} in {touched} of {count(max(self.files, touched), 'file')}{less}"


def slug(code: str) -> str:
    """The name for people that goes with a code."""
    return CODES[code].slug


def count(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def by_severity(found: Iterable[Diagnostic]) -> str:
    """`3 errors, 1 warning`, the worst first."""
    counted = Counter(each.severity for each in found)
    return ", ".join(count(counted[each], each.name) for each in sorted(counted, reverse=True))
