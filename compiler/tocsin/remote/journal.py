"""A journal at an address: one document of JSON, put there whole with every entry, for an object store or a small server of one's own.

The address comes from the command line and the token from TOCSIN_JOURNAL_TOKEN; no other credential is ever sent there. A PUT whose answer was
lost is read back and, if it did not arrive, sent again: putting the same document twice is no harm. HTTP has no compare-and-swap here, so
two runs must not share an address; `decisions/` says what else could be chosen.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from tocsin.errors import Ambiguous, MachineError, RemoteError
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import Json as Document

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
FORMAT = "tocsin/journal/1"
_ATTEMPTS = 3


class HttpJournal:
    """Entries at the address of `door`, whose token is the journal's own."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lock = threading.Lock()
        self._known: list[Json] | None = None

    @property
    def where(self) -> str:
        """The address."""
        return self._door.base_url

    def append(self, entry: Json, /) -> None:
        """The document put again with one entry more."""
        with self._lock:
            entries = [*(self._known if self._known is not None else self._read()), entry]
            self._put(entries)
            self._known = entries

    def entries(self) -> Sequence[Json]:
        """What the address answers, read anew."""
        with self._lock:
            self._known = self._read()
            return tuple(self._known)

    def restart(self) -> None:
        """The next document holds the new run alone."""
        with self._lock:
            self._known = []

    def _put(self, entries: Sequence[Json]) -> None:
        text = json.dumps({"format": FORMAT, "entries": entries}, ensure_ascii=False, separators=(",", ":"))
        body = Body(text.encode("utf-8", "surrogatepass"), "application/json")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self._door.send("PUT", body=body, accept=(200, 201, 204))
                return
            except Ambiguous:
                if self._read() == json.loads(body.content)["entries"]:
                    return
                if attempt == _ATTEMPTS:
                    raise
            except RemoteError as error:
                raise MachineError(
                    f"the journal {self.where} cannot be written: {error.message}",
                    help="without a journal nothing is changed",
                ) from None

    def _read(self) -> list[Json]:
        answer = self._door.get(accept=(200, 404))
        if answer.status == 404:
            return []
        document: Document = answer.json().object()
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise MachineError(
                f"{self.where} answers with something that is no journal",
                help="is this the address it was put to, and does it answer with what was put?",
            )
        entries = document.get("entries")
        if not isinstance(entries, list):
            raise MachineError(f"{self.where} answers with something that is no journal")
        return list(entries)
