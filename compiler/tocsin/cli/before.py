"""What the output folder says of services that are frozen now: they keep what they last had."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tocsin.emit.inhibit import InhibitRule, rules_of


def still_inhibiting(
    out: Path, frozen: frozenset[str], environments: Iterable[str]
) -> dict[str, tuple[InhibitRule, ...]]:
    """Environment -> the inhibition rules of frozen services in the files of the last build; none where there was no build."""
    return {
        env: rules_of(_text(out / "alertmanager" / env / "inhibit.yaml"), frozen) if frozen else ()
        for env in environments
    }


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
