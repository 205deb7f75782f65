"""Answers of metric servers, kept between runs: the cache of `cache`, in a folder that every version of tocsin shares.

History does not change with tocsin. What is written into an entry, and how, is part of its key (`canary.fetcher`), so a version that writes otherwise
never reads another's. Days of a rule are a few kilobytes each; `evict` after a run keeps the whole below its limit, what nobody asked for longest
going first.
"""

from __future__ import annotations

from typing import Final

from tocsin.disk.cache import Cache, folder_below

MAX_BYTES: Final = 512_000_000


def open_history(*, limit: int = MAX_BYTES) -> Cache:
    """The user's kept history; a cache that keeps nothing where TOCSIN_CACHE is `off` or no folder is usable. `canary.source.Cache`."""
    # Two levels, and no name of two letters: the compiler's own eviction, which looks one level higher, takes none of it for its own.
    return folder_below(("history", "answers"), limit)
