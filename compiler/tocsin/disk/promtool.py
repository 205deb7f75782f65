"""What promtool says of a rule file's text, where promtool is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tocsin.disk.process import run

_WITHIN = 300.0


def refusal(promtool: Path, text: str) -> str:
    """Why promtool does not take the text, `""` where it does. MachineError where it cannot be run."""
    with tempfile.TemporaryDirectory(prefix="tocsin-check-") as name:
        path = Path(name) / "candidate.rules.yaml"
        path.write_text(text, encoding="utf-8")
        done = run([str(promtool), "check", "rules", str(path)], cwd=path.parent, timeout=_WITHIN)
    if done.code == 0:
        return ""
    said = " ".join((done.err or done.out).replace(str(path), "the file").split())
    return f"promtool: {said[:400]}"
