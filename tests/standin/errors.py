"""What the stand-in answers when it does not do what was asked: the error bodies of contract 1.14.

A handler returns a Reply or raises a Refusal that carries one. Texts are for recognition in logs; a client
that matches on them is wrong, which is why they differ between versions as far as the contract knows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One HTTP answer: status, bytes, and headers beyond the usual ones."""

    status: int = 200
    body: bytes = b""
    content_type: str | None = "application/json; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """Ends a handler with `reply`; nothing the handler did is kept."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body[:200]!r}")
        self.reply = reply


def as_json(value: Any, status: int = 200) -> Reply:
    """`value` as a JSON body."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Reply(status=status, body=text.encode())


def empty(status: int) -> Reply:
    """Contract 1.1: a body of the four bytes `null` without a JSON content type; a 204 has no body at all."""
    return Reply(status=status, body=b"" if status == 204 else b"null", content_type=None)


def plain(status: int, message: str) -> Refusal:
    """Contract 1.14, first row: a handler's own error."""
    return Refusal(as_json({"message": message, "traceID": ""}, status))


def coded(status: int, message_id: str, message: str, extra: dict[str, Any] | None = None) -> Refusal:
    """Contract 1.14, second row: an error with a stable id."""
    body: dict[str, Any] = {"statusCode": status, "messageId": message_id, "message": message}
    if extra is not None:
        body["extra"] = extra
    return Refusal(as_json(body | {"traceID": ""}, status))


def hidden() -> Refusal:
    """Contract 1.14, third row: an error whose text the server keeps to itself."""
    return Refusal(as_json({"message": "Internal Server Error", "traceID": ""}, 500))


def bad_request_data() -> Refusal:
    """Contract 1.14, fourth row: JSON that cannot be read, or a value of the wrong type."""
    return Refusal(as_json({"message": "bad request data"}, 400))


def missing() -> Refusal:
    """Contract 1.14, fifth row: `null`."""
    return Refusal(empty(404))


def invalid(text: str) -> Refusal:
    """A rule that fails validation (contract 1.4)."""
    return plain(400, f"invalid alert rule: {text}")


def no_route() -> Refusal:
    """A path that the version does not serve."""
    return Refusal(as_json({"message": "Not found"}, 404))


def access_denied(permissions: str) -> Refusal:
    """Contract 1.14: the 403 of a route; the id is fixed, so that two runs compare."""
    message = f"You'll need additional permissions to perform this action. Permissions needed: {permissions}"
    body = {"accessErrorId": "ACE0123456789", "message": message, "title": "Access denied"}
    return Refusal(as_json(body, 403))


def forbidden_inside(text: str) -> Refusal:
    """Contract 1.14: the 403 of a service, below the route."""
    return coded(403, "alerting.unauthorized", text)
