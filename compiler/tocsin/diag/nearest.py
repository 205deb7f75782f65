"""The nearest known word: what an author probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, ignoring case; None where nothing is close."""
    words = {each.lower(): each for each in sorted(known)}
    found = get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return words[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A help line: the nearest known word, else the first few there are."""
    known = sorted(known)
    close = nearest(word, known)
    if close is not None:
        return f"did you mean `{close}`?"
    if not known:
        return ""
    shown = ", ".join(f"`{each}`" for each in known[:6])
    return f"known: {shown}" + (f" and {len(known) - 6} more" if len(known) > 6 else "")
