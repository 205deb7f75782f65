"""One file of the output folder."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Artifact:
    """`path` is relative to the output folder, with forward slashes; `text` ends with a newline."""

    path: str
    text: str
