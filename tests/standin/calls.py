"""What a handler gets: the request, the organisation it may change, and the server's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.standin import binding
from tests.standin.access import Token
from tests.standin.binding import Fields
from tests.standin.errors import Reply
from tests.standin.profiles import Profile
from tests.standin.records import Org, State


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, kw_only=True)
class Settings:
    """What an operator of the server chose; a test may change it while the server runs.

    `evaluates`: every that many seconds each rule is evaluated anew, as far as the state API shows (5.2).
    """

    base_interval: int = 10
    default_interval: int = 60
    quota: int | None = None
    hide_version: bool = False
    hide_build: bool = False
    health_code: int = 200
    folder_exists_code: int = 409
    sub_path: str = ""
    evaluates: float | None = None
    state_rules_per_page: int | None = None
    now: Callable[[], datetime] = _now

    def clock(self) -> str:
        """Now, as Grafana writes a time."""
        return self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authenticated request. `org` may be changed: it is a copy that is kept when the handler returns."""

    profile: Profile
    settings: Settings
    token: Token
    state: State
    org: Org
    method: str
    path: str
    parts: tuple[str, ...]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def bound(self, fields: Fields) -> dict[str, Any]:
        """The body's fields (contract 1.1)."""
        return binding.read(binding.document(self.headers.get("content-type"), self.body), fields)

    def one(self, name: str, default: str = "") -> str:
        """A query parameter's first value."""
        return self.query.get(name, [default])[0]


Handler = Callable[[Call], Reply]
