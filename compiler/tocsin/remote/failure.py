"""An exchange that did not go well, as one error of ours: which kind it is, and one sentence for the operator."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tocsin.errors import (
    Ambiguous,
    Denied,
    NotSent,
    Redirected,
    Refused,
    RemoteError,
    TooLong,
    Unreachable,
    WrongShape,
)
from tocsin.remote.answer import Answer

_SAID = 300
_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_MARKUP = re.compile(r"^\s*<(?:!doctype|html|head|body)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """No whole answer came. `sent` is False where no byte of the request left; `final` where another attempt would end the same way."""

    reason: str
    sent: bool = True
    final: bool = False


def is_write_certainly_refused(answer: Answer) -> bool:
    """Whether this answer promises that a write was not begun: 429, GitHub's 403 for too many requests, and 503 from a server that says when to
    come back. A 503 without that may be a proxy's, after the server had the request."""
    return is_too_often(answer) or (answer.status == 503 and "retry-after" in answer.headers)


def is_too_often(answer: Answer) -> bool:
    """Whether too much was asked, which no other token changes. GitHub says it with 403, too (docs.github.com/rest, rate limits)."""
    if answer.status == 403:
        return "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0"
    return answer.status == 429


def error_of(
    result: Answer | Failure,
    *,
    endpoint: str,
    write: bool,
    attempts: int,
    redact: Callable[[str], str],
    anonymous: bool = False,
) -> RemoteError:
    """The error for an exchange whose answer is not one the caller accepts. `anonymous` is whether no credentials were sent."""
    tried = f" ({attempts} attempts)" if attempts > 1 else ""
    if isinstance(result, Failure):
        message = f"{endpoint}: {result.reason}{tried}"
        if not result.sent:
            return NotSent(message, endpoint=endpoint)
        if write:
            return Ambiguous(f"{message}; whether it was applied is not known", endpoint=endpoint)
        # What is final although it was sent is an answer that went on for too long, in bytes or in seconds.
        return (TooLong if result.final else Unreachable)(message, endpoint=endpoint)
    status = result.status
    kind, said = words_of(result, redact)
    sentence = f"{endpoint}: {status}{f', {said}' if said else ''}{tried}"
    if 300 <= status < 400:
        target = _where(result.headers.get("location", ""), redact)
        return Redirected(
            f"{endpoint}: {status}, it points to {target}, which is not followed",
            endpoint=endpoint,
            status=status,
            help="give the server's own address, with https and its sub-path",
        )
    if status in (401, 403) and not is_too_often(result):
        why = "the credentials are not accepted" if status == 401 else "the credentials do not allow this"
        if anonymous and status == 401:
            why = "it wants credentials, and none were given"
        return Denied(
            f"{endpoint}: {status}, {why}{f' ({said})' if said else ''}",
            endpoint=endpoint,
            status=status,
            kind=kind,
            said=said,
        )
    if status < 300:
        if write:
            return Ambiguous(
                f"{sentence}; another status was expected", endpoint=endpoint, status=status, said=said
            )
        return WrongShape(f"{endpoint}: {status} where another status is promised", endpoint=endpoint)
    if write and not is_write_certainly_refused(result) and (status >= 500 or status in (408, 499)):
        return Ambiguous(
            f"{sentence}; whether it was applied is not known", endpoint=endpoint, status=status, said=said
        )
    if not write and status in (502, 503, 504):
        return Unreachable(sentence, endpoint=endpoint)
    wait = redact(_wait(result)) if is_too_often(result) or status == 503 else ""
    return Refused(sentence, endpoint=endpoint, status=status, kind=kind, said=said, help=wait)


def _wait(answer: Answer) -> str:
    asked, until = (answer.headers.get(name, "") for name in ("retry-after", "x-ratelimit-reset"))
    if asked:
        return f"it asks to wait {_tidy(asked)[:40]}"
    if not re.fullmatch("[0-9]{1,11}", until):
        return ""
    return f"it takes nothing more before {datetime.fromtimestamp(int(until), UTC):%Y-%m-%d %H:%M} UTC"


def words_of(answer: Answer, redact: Callable[[str], str]) -> tuple[str, str]:
    """(machine word, sentence) from an error's body, whoever wrote it: Grafana, Prometheus, an Alertmanager, a proxy's HTML, or nothing."""
    text = answer.text
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
        if _MARKUP.match(text):
            title = _TITLE.search(text)
            text = f"an HTML page: {title[1]}" if title else "an HTML page"
    else:
        text = body if isinstance(body, str) else ""
    kind = ""
    if isinstance(body, dict):
        kind = next(
            (body[key] for key in ("messageId", "errorType", "status") if isinstance(body.get(key), str)), ""
        )
        said = [body[key] for key in ("message", "error", "title") if key in body]
        text = next((each for each in said if isinstance(each, str)), "")
        # GitLab's `message` may be an object, and GitHub says in `errors` which field it means.
        more = said[:1] if not text else body.get("errors")
        text = ": ".join(filter(None, (text, "; ".join(_details(more)))))
    # Hidden before it is cut: half a secret is one, too.
    return kind[:100], redact(_tidy(text))[:_SAID].rstrip()


def _details(said: object) -> Iterator[str]:
    """The sentences in a list or an object of errors."""
    if isinstance(said, str):
        yield said
    elif isinstance(said, list):
        for each in said[:10]:
            yield from _details(each)
    elif isinstance(said, dict):
        if isinstance(said.get("message"), str):
            yield said["message"]
        elif isinstance(said.get("code"), str):
            yield " ".join(str(said[name]) for name in ("field", "code") if name in said)
        else:
            for name, each in list(said.items())[:10]:
                yield from (f"{name} {words}" for words in _details(each))


def _tidy(text: str) -> str:
    """On one line, without what could move a terminal's cursor."""
    return " ".join("".join(each if each.isprintable() else " " for each in text[:20_000]).split())


def _where(location: str, redact: Callable[[str], str]) -> str:
    """Where a redirect points, without the query, which may hold a ticket, and without a user."""
    try:
        parts = urlsplit(location)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an unreadable address"
    start = f"{parts.scheme}://{host}{port}" if host else ""
    return redact(_tidy(f"{start}{parts.path}"))[:200] or "nowhere"
