"""Says whether Prometheus would accept the text of a label or an annotation."""

from __future__ import annotations

from functools import lru_cache

from tocsin.template.functions import Version, dialect
from tocsin.template.parser import parse
from tocsin.template.plain import PLAIN
from tocsin.template.tree import TemplateProblem

_REMEMBERED = 4096  # characters; longer texts are rare and not worth keeping alive in a cache


def check(
    text: str, version: Version | None = None, *, go: Version | None = None, alert: str = ""
) -> TemplateProblem | None:
    """None when Prometheus loads `text`, else the first reason why it would not.

    `version` is the Prometheus release that will load it; None asks for what every served release accepts.
    `go` is the Go release that Prometheus was built with, where a distribution's differs from the project's
    own. `alert` is the alert's name: it matters to a text that defines templates of its own, and nowhere
    else. Never raises.
    """
    if "{{" not in text or PLAIN.fullmatch(text):
        return None
    if len(text) > _REMEMBERED:
        return _parsed(text, version, go, alert)
    return _checked(text, version, go, alert if "__alert_" in text else "")


def _parsed(text: str, version: Version | None, go: Version | None, alert: str) -> TemplateProblem | None:
    result = parse(text, dialect(version, go), alert)
    return result if isinstance(result, TemplateProblem) else None


_checked = lru_cache(maxsize=4096)(_parsed)
