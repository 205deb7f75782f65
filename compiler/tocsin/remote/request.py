"""A request before it leaves: what it carries, and an address that means the same to every library and proxy on the way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from tocsin.errors import UsageError
from tocsin.wire.grafana import Json


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries."""

    content: bytes
    type: str

    @classmethod
    def of_json(cls, value: Json) -> Body:
        return cls(json.dumps(value, ensure_ascii=False, allow_nan=False).encode(), "application/json")

    @classmethod
    def of_yaml(cls, text: str) -> Body:
        return cls(text.encode(), "application/yaml")

    @classmethod
    def of_form(cls, fields: Iterable[tuple[str, str]]) -> Body:
        return cls(urlencode(list(fields)).encode("ascii"), "application/x-www-form-urlencoded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    method: str
    path: tuple[str, ...]
    endpoint: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    write: bool


def base_of(url: str) -> str:
    """`url` without the slash at its end. UsageError for what is no plain web address; its text is not repeated, it may hold a password."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isprintable() or " " in url or "\\" in url:
        raise UsageError("the address of a server is not of the form https://host/path")
    if parts.username is not None or parts.password is not None:
        raise UsageError(
            f"the address of {parts.hostname} holds a user or password",
            help="give them apart from the address",
        )
    if parts.query or parts.fragment:
        raise UsageError(f"the address of {parts.hostname} holds a `?` or `#`")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def segment(text: str) -> str:
    """One segment of a path. A dot segment would be taken out by every library on the way, and name something else."""
    if text in ("", ".", ".."):
        raise UsageError(f"`{text}` cannot be part of a server's address")
    return quote(text, safe="")
