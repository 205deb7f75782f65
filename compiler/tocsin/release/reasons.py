"""Who asked for a change: the trailers of the commits that made it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tocsin.release.entries import Why

_TRAILER = re.compile(r"^(reason|ticket):[ \t]*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
"""A comment in Markdown, which nobody sees: a template for pull requests asks in one what its author should write."""
_LONGEST = 300
MOST = 5
"""Reasons, and tickets, that one change keeps."""


def why(texts: Iterable[str]) -> Why:
    """`Reason:` and `Ticket:` lines of commit messages, or of a pull request's text, in the order they come, each once. Several tickets may stand on a
    line with commas between them."""
    reasons: dict[str, None] = {}
    tickets: dict[str, None] = {}
    for text in texts:
        for found in _TRAILER.finditer(_UNSEEN.sub("", text.replace("\r", ""))):
            # What no terminal, page or editor shows has no place in a ledger.
            shown = "".join(each if each.isprintable() else " " for each in found[2])
            words = " ".join(shown.split())[:_LONGEST]
            if not words:
                continue
            if found[1].lower() == "reason":
                reasons[words] = None
            else:
                tickets.update(dict.fromkeys(filter(None, (each.strip() for each in words.split(",")))))
    return Why(reasons=tuple(reasons)[:MOST], tickets=tuple(tickets)[:MOST])
