"""What a command works on: the sources of the work tree as values."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.disk.files import Tree, read_tree
from tocsin.pipeline import Sources


def sources_of(tree: Tree) -> Sources:
    """The work tree as the pipeline takes it."""
    return Sources(
        project=tree.project,
        ledger=tree.ledger,
        rules=tree.rules,
        sops=tree.sops,
        incidents=tree.incidents,
        promtool=tree.promtool,
        site=tree.site,
        images=tree.images,
        diagnostics=tree.diagnostics,
    )


def read_sources(root: Path) -> Sources:
    """Everything the work tree says."""
    return sources_of(read_tree(root))


@contextmanager
def no_collector() -> Iterator[None]:
    """The garbage collector off: 10,000 rules make millions of small values that all live to the end, and walking them costs more than reading."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
