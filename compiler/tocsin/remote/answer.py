"""Reading an answer: JSON whose every step is checked, because a proxy, a login page or another version may stand where the server should.

A `Reader` is a value inside an answer together with the way to it. Whatever is not what the caller asks for raises `WrongShape`, which names
the endpoint and the field: `GET https://host/api/folders: [3].uid is no text`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from tocsin.errors import WrongShape
from tocsin.wire.grafana import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered. Header names are in lower case; the body is whole and bounded."""

    endpoint: str
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Reader:
        """The body as JSON."""
        try:
            value: Json = json.loads(self.body)
        except (ValueError, RecursionError):
            pass  # Raised below, where the parser's error, which holds the whole text, does not hang on ours.
        else:
            return Reader(value=value, endpoint=self.endpoint)
        kind = self.headers.get("content-type", "").partition(";")[0].strip() or "no content type"
        raise WrongShape(
            f"{self.endpoint}: the answer is no JSON ({kind[:60]}, {len(self.body)} bytes)",
            endpoint=self.endpoint,
        )

    @property
    def text(self) -> str:
        """The body as text, whatever it holds."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A value in an answer. An absent key and `null` are the same, as they are to the servers asked here."""

    value: Json = field(repr=False)
    endpoint: str
    path: str = ""

    def wrong(self, reason: str, path: str | None = None) -> NoReturn:
        """Raises `WrongShape` for this value, or for what is at `path`."""
        where = self.path if path is None else path
        # Keys are the server's words: they end up on a terminal.
        where = "".join(each if each.isprintable() else "?" for each in where[:200])
        raise WrongShape(
            f"{self.endpoint}: {where or 'the answer'} {reason}", endpoint=self.endpoint, field=where
        )

    def __getitem__(self, key: str) -> Reader:
        """The value of `key`; this must be an object, the key need not be there."""
        return Reader(value=self.object().get(key), endpoint=self.endpoint, path=self._at(key))

    def has(self, key: str) -> bool:
        """Whether this object says `key`."""
        return self.object().get(key) is not None

    def object(self) -> Mapping[str, Json]:
        """This as an object."""
        if not isinstance(self.value, Mapping):
            self.wrong("is no object")
        return self.value

    def each(self) -> Iterator[Reader]:
        """The items of this list; null is the empty list, as Go writes it."""
        if self.value is None:
            return
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            self.wrong("is no list")
        for index, item in enumerate(self.value):
            yield Reader(value=item, endpoint=self.endpoint, path=f"{self.path}[{index}]")

    def text(self, key: str, default: str | None = None) -> str:
        """The text at `key`; `default` where there is none, else an error."""
        value = self.object().get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            self.wrong("is no text", self._at(key))
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """The number at `key`."""
        value = self.object().get(key)
        if value is None and default is not None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong("is no number", self._at(key))
        return value

    def whole(self, key: str, default: int | None = None) -> int:
        """The whole number at `key`."""
        value = self.number(key, default)
        if value != int(value):
            self.wrong("is no whole number", self._at(key))
        return int(value)

    def flag(self, key: str) -> bool:
        """The truth at `key`; absent is false."""
        value = self.object().get(key)
        if value is not None and not isinstance(value, bool):
            self.wrong("is neither true nor false", self._at(key))
        return value is True

    def texts(self, key: str) -> dict[str, str]:
        """The object of texts at `key`, such as labels; absent is empty."""
        inner = self[key]
        return {name: inner.text(name) for name in inner.object()} if inner.value is not None else {}

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key
