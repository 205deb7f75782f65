"""`tocsin post` when a host answers oddly, and when what should be posted is no text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.loopback import Loopback, Seen, reply, serving

from tocsin.cli import main
from tocsin.cli.post import body_of

TOO_LONG = {
    "message": "Validation Failed",
    "errors": [
        {"resource": "IssueComment", "code": "unprocessable", "message": "Body is too long"},
        {"resource": "Issue", "code": "missing_field", "field": "title"},
    ],
}


@dataclass
class Host:
    """Answers every read with `read` and every write with `written`."""

    read: bytes = reply(200, [])
    written: bytes = reply(201, {"html_url": "https://github.example/1", "id": 1})

    def __call__(self, seen: Seen, _number: int) -> bytes:
        return self.read if seen.method == "GET" else self.written


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Host, Loopback]]:
    host = Host()
    with serving(host) as server:
        yield host, server


@pytest.fixture
def host(running: tuple[Host, Loopback], monkeypatch: pytest.MonkeyPatch) -> Host:
    host, server = running
    host.read, host.written = Host().read, Host().written
    server.seen.clear()
    monkeypatch.setenv("GITHUB_API_URL", server.url)
    monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
    monkeypatch.setenv("GITHUB_REPOSITORY", "team/alerts")
    return host


def posted(tmp_path: Path, content: bytes = b"2 rules", *words: str) -> int:
    (tmp_path / "said.md").write_bytes(content)
    return main(["post", "comment", str(tmp_path / "said.md"), "--on", "3", *words])


@pytest.mark.parametrize(
    ("answer", "said", "not_said"),
    [
        (reply(422, TOO_LONG), "Validation Failed: Body is too long; title missing_field", "the token"),
        (reply(422, {"message": {"body": ["can't be blank"]}}), "422, body can't be blank", "the token"),
        (
            reply(
                403,
                {"message": "API rate limit exceeded"},
                X_RateLimit_Remaining="0",
                X_RateLimit_Reset="1795262400",
            ),
            "it takes nothing more before 2026-11-21 12:00 UTC",
            "pull-requests",
        ),
        (
            reply(403, {"message": "secondary rate limit"}, Retry_After="3600"),
            "it asks to wait 3600",
            "pull-requests",
        ),
        (reply(401, {"message": "Bad credentials"}), "is it mistyped, expired", "give it"),
        (reply(403, {"message": "Resource not accessible"}), "give it `pull-requests: write`", "wait"),
        (
            reply(403, {"message": "Unable to create comment because issue is locked."}),
            "nobody can comment there",
            "give it",
        ),
        (reply(404, {"message": "Not Found"}), "or is there no such thing?", "wait"),
        (reply(500, b"<html><body>oops", Content_Type="text/html"), "500, an HTML page", "<html>"),
    ],
)
def test_a_no_is_one_sentence_that_leads_on(
    host: Host,
    running: tuple[Host, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    answer: bytes,
    said: str,
    not_said: str,
) -> None:
    host.written = answer
    assert posted(tmp_path) == 3
    error = capsys.readouterr().err
    assert said in error and not_said not in error and "hunter2" not in error
    assert sum(each.method == "POST" for each in running[1].seen) == 1


def test_an_answer_that_is_no_list_is_another_kind_of_server(host: Host, tmp_path: Path) -> None:
    for answer in (reply(200, b"<html></html>", Content_Type="text/html"), reply(200, {"a": 1})):
        host.read = answer
        assert posted(tmp_path) == 6


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (bytes(range(256)), "is no text"),
        (b"x" * (4 * 1024 * 1024 + 1), "at most 4 MiB"),
    ],
)
def test_what_is_no_text_is_not_posted(
    host: Host,
    running: tuple[Host, Loopback],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    said: str,
) -> None:
    assert posted(tmp_path, content) == 2
    assert said in capsys.readouterr().err
    assert running[1].seen == []


def test_a_mark_cannot_end_the_comment_it_is_hidden_in(host: Host, tmp_path: Path) -> None:
    assert posted(tmp_path, b"x", "--mark", "a --> b") == 2
    assert posted(tmp_path, b"x", "--mark", "drift-prod.main_2") == 0


def test_one_long_line_is_cut_and_not_left_out() -> None:
    body = body_of("x" * 100_000)
    assert body.startswith("x" * 60_000) and len(body) <= 65_536 and "left out" in body
