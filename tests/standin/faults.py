"""What goes wrong on request: an answer instead of the handler's, a slow one, a lost connection, half a write.

A fault is for one method and path pattern, from its `nth` match on, `times` times. It is taken when the
request's body has been read, so that no client can tell it by an early answer.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Literal

from tests.standin.errors import Reply, plain

Kind = Literal["answer", "slow", "reset-before", "reset-after", "half", "answer-after"]
LOCK_TEXT = "version conflict while updating a record in the database with optimistic locking"
HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One planned fault.

    answer        `reply` instead of handling: nothing is applied
    answer-after  the request is applied, then `reply` is sent (a proxy that lost the answer)
    slow          handled after `seconds`
    reset-before  the connection is reset, nothing is applied
    reset-after   the request is applied, then the connection is reset
    half          half of the rules the request writes are stored, then 500
    """

    kind: Kind
    method: str = ".*"
    path: str = ".*"
    nth: int = 1
    times: int = 1
    reply: Reply = field(default_factory=lambda: Reply(status=500))
    seconds: float = 0.0


def conflict(*, method: str = "PUT", path: str = ".*", nth: int = 1, times: int = 1) -> Fault:
    """409 of two writers at once (contract 1.7)."""
    return Fault(
        kind="answer", method=method, path=path, nth=nth, times=times, reply=plain(409, LOCK_TEXT).reply
    )


def too_many(
    retry_after: str | None = "1", *, method: str = ".*", path: str = ".*", nth: int = 1, times: int = 1
) -> Fault:
    """429 of Grafana Cloud or a proxy (contract 4.4)."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    reply = Reply(status=429, body=b'{"message":"too many requests"}', headers=headers)
    return Fault(kind="answer", method=method, path=path, nth=nth, times=times, reply=reply)


def bad_gateway(
    *, method: str = ".*", path: str = ".*", nth: int = 1, times: int = 1, applied: bool = False
) -> Fault:
    """502 with an HTML body; `applied`: the server behind the proxy did the work."""
    kind: Kind = "answer-after" if applied else "answer"
    reply = Reply(status=502, body=HTML, content_type="text/html")
    return Fault(kind=kind, method=method, path=path, nth=nth, times=times, reply=reply)


def unavailable(
    retry_after: str | None = None, *, method: str = ".*", path: str = ".*", nth: int = 1, times: int = 1
) -> Fault:
    """503, with Retry-After or without."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    reply = Reply(status=503, body=b"Service Unavailable", content_type="text/plain", headers=headers)
    return Fault(kind="answer", method=method, path=path, nth=nth, times=times, reply=reply)


def redirect(to: str, *, method: str = ".*", path: str = ".*", nth: int = 1, times: int = 1) -> Fault:
    """302 elsewhere; a client that follows it has lost its token or its write."""
    reply = Reply(status=302, headers={"Location": to}, content_type=None)
    return Fault(kind="answer", method=method, path=path, nth=nth, times=times, reply=reply)


class Plan:
    """The faults still to come, and how often each has matched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._seen: dict[int, int] = {}

    def add(self, *faults: Fault) -> None:
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        with self._lock:
            self._faults, self._seen = [], {}

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets: the first planned one that is due. Every match is counted."""
        due = None
        with self._lock:
            for number, fault in enumerate(self._faults):
                if re.fullmatch(fault.method, method) and re.fullmatch(fault.path, path):
                    seen = self._seen[number] = self._seen.get(number, 0) + 1
                    if due is None and fault.nth <= seen < fault.nth + fault.times:
                        due = fault
        return due
