"""Programs of other people that judge what tocsin writes. They are for the tests alone: npm's, in
`node_modules` beside this file.

A judge that is missing fails its test and says how to get it.
"""

from __future__ import annotations

from pathlib import Path

_MODULES = Path(__file__).parent / "node_modules"


class MissingJudgeError(RuntimeError):
    """A judge is not installed; the message says how to get it."""


def judge(path: str) -> Path:
    """The file of an installed judge, e.g. `@microsoft/sarif-multitool-*/Sarif.Multitool`; raises
    MissingJudgeError.
    """
    found = sorted(_MODULES.glob(path))
    if not found:
        raise MissingJudgeError(f"{path} is not here: run tests/judges/install.sh (it needs npm)")
    return found[0]
