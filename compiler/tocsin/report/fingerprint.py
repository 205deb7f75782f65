"""A name for a finding that survives moved lines, so that a dashboard knows yesterday's finding again.

In: findings in order and the texts. Out: one digest each, from the code, the service, and the subject the
check named (the rule and field); a finding without a subject is known by its own line, white space aside.
Equal ones are counted from the top, so the second of two stays second.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping

from tocsin.diag.diagnostic import Diagnostic
from tocsin.diag.span import lines_of


def fingerprints(found: Iterable[Diagnostic], texts: Mapping[str, str]) -> tuple[str, ...]:
    """One per finding, in the same order, all different."""
    seen: Counter[str] = Counter()
    words: dict[tuple[str, int], str] = {}
    marks: list[str] = []
    for each in found:
        span = each.span
        known_by = each.subject
        if not known_by:
            if (span.file, span.line) not in words:
                lines = lines_of(texts.get(span.file, ""))
                here = lines[span.line - 1].split() if span.line <= len(lines) else []
                words[span.file, span.line] = "line " + " ".join(here)
            known_by = words[span.file, span.line]
        name = "\n".join((each.code, _home(span.file), known_by))
        seen[name] += 1
        whole = f"{name}\n{seen[name]}".encode("utf-8", "surrogateescape")
        marks.append(hashlib.sha256(whole).hexdigest()[:32])
    return tuple(marks)


def _home(file: str) -> str:
    """The folder of the service: a rule that moves to another file of its service is the same rule.
    Elsewhere the file itself.
    """
    parts = file.split("/")
    return "/".join(parts[:2]) if parts[0] in ("rules", "sops") and len(parts) > 2 else file
