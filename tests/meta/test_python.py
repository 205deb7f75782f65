"""What Debian 12's Python 3.11.2 gets wrong and a newer one hides from its author."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "compiler" / "tocsin"
_POSSESSIVE_GROUP = re.compile(r"\)[*+?]\+")


def test_no_expression_repeats_a_group_possessively() -> None:
    r"""There `(?:bx*e)*+` matches the `b` of `bx`; `(?>(?:bx*e)*)` means the same and is right everywhere.

    An atomic group costs nothing more. The possessive repetition of one character (`\w*+`) is sound.
    """
    found = [
        f"{path.relative_to(PACKAGE)}:{number}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _POSSESSIVE_GROUP.search(line)
    ]
    assert found == []
