"""`tocsin build --lock`: the addresses the sources publish today, recorded in releases.json as released.

What was released before stays: an address is for ever, and `check` says when one is gone (TOC634).
"""

from __future__ import annotations

import json
from pathlib import Path

from tocsin.disk.write import write_file
from tocsin.pipeline import Compilation, published
from tocsin.project import LEDGER_FILE


def lock(root: Path, compilation: Compilation) -> tuple[int, int]:
    """Merges today's addresses and anchors into the ledger below `root`; how many addresses it holds, and how many of them are new.

    The rest of the ledger stays as it is; it was read without a fault, or there is no compilation. Nothing is written where nothing is new.
    """
    assert compilation.settings is not None
    before = compilation.settings.ledger.site
    now = published(compilation)
    merged = {
        address: sorted({*before.get(address, ()), *now.get(address, ())})
        for address in sorted({*before, *now})
    }
    if merged == {address: sorted(anchors) for address, anchors in before.items()}:
        return len(merged), 0
    path = root / LEDGER_FILE
    ledger: dict[str, object] = json.loads(path.read_text(encoding="utf-8-sig")) if path.is_file() else {}
    ledger["site"] = merged
    write_file(path, json.dumps(ledger, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return len(merged), len(merged.keys() - before.keys())
