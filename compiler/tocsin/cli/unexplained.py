"""`tocsin check --base REV`: which changes nobody gives a reason or a ticket for.

How bad that is, the base says: a pull request that turns the check off is still held to it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from tocsin.cli.diff import Revisions, compared_at
from tocsin.cli.revisions import base_of
from tocsin.diag import Diagnostic, with_severity
from tocsin.release.unexplained import unexplained


def unexplained_since(top: Path, base: str, message: Path | None, today: date) -> tuple[Diagnostic, ...]:
    """The findings about what HEAD and the work tree change since HEAD left `base`, as bad as tocsin.yaml says there."""
    compared = Revisions(base=base_of(top, base, ""), head=None)
    said = message.read_text(encoding="utf-8", errors="replace") if message is not None else ""
    difference, before, after = compared_at(top, compared, today, message=said, env=None, service=None)
    found = unexplained(difference.rules, difference.whys, after.project, difference.base)
    judge = before.project or after.project
    checks = judge.checks if judge is not None else {}
    wanted = ((each, checks.get(each.code, each.severity)) for each in found)
    return tuple(with_severity(each, severity) for each, severity in wanted if severity is not None)
