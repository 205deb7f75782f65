"""One text of the repository, named as Git names it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """`path` is relative to the repository root with forward slashes; `text` is decoded, without a byte-order mark; `digest` is of the bytes."""

    path: str
    text: str
    digest: str = ""
