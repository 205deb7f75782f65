"""HMAC-SHA-256 over a record, so that only a job that holds the key can vouch for one.

The signature covers the record as data: its JSON with sorted keys and no white space, without the signature
itself. So a record may be re-indented, and a changed number voids it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping

from tocsin.verdict.record import Json, Record

KEY = "signature"
_PREFIX = "hmac-sha256:"


def payload_of(document: Mapping[str, Json]) -> bytes:
    """The bytes a signature covers."""
    bare = {key: value for key, value in document.items() if key != KEY}
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode(
        "ascii"
    )


def sign(document: Mapping[str, Json], key: bytes) -> str:
    """The value for the record's `signature`. ValueError for an empty key, which anybody could guess."""
    if not key:
        raise ValueError("the signing key is empty")
    return _PREFIX + hmac.new(key, payload_of(document), hashlib.sha256).hexdigest()


def signed(record: Record, key: bytes) -> bool:
    """Whether the holder of `key` signed exactly this record. An empty key signs nothing."""
    if not key or not record.signature.startswith(_PREFIX):
        return False
    wanted = hmac.new(key, record.payload, hashlib.sha256).hexdigest()
    return hmac.compare_digest(
        wanted.encode(), record.signature.removeprefix(_PREFIX).encode("utf-8", "replace")
    )
