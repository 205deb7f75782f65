"""Comments, issues and pull requests on GitHub and GitLab: what leaves, and that a second run edits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.loopback import Loopback, Reset, Seen, reply, serving

from tocsin.cli import main
from tocsin.cli.post import body_of

MARK = "<!-- tocsin:impact -->"


class Hosts:
    """GitHub's and GitLab's comments, issues and pull requests, in memory. Pages hold two things, so that paging is seen to work."""

    def __init__(self) -> None:
        self.things: dict[str, list[dict[str, object]]] = {}
        self.assets: dict[str, bytes] = {}
        self.me = "github-actions[bot]"
        self.forbidden = ""
        self.lose_next_write = False
        self.url = ""

    def __call__(self, seen: Seen, _number: int) -> bytes | Reset:
        parts = urlsplit(seen.target)
        path = [unquote(part) for part in parts.path.split("/")[1:]]
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        gitlab = path[0] == "projects" or "private" in seen.headers
        if seen.headers["authorization"] != "Bearer hunter2":
            return reply(401, {"message": "Bad credentials"})
        if path == ["user"]:
            return reply(200, {"id": 7}) if self.me == "gitlab" else reply(403, {"message": "integration"})
        if self.forbidden and seen.method == self.forbidden:
            return reply(403, {"message": "Resource not accessible by integration"})
        if not gitlab:
            assert seen.headers["x-github-api-version"] == "2022-11-28"
            assert seen.headers["accept"] == "application/vnd.github+json"
        answer = self._gitlab(seen, path, asked) if gitlab else self._github(seen, path, asked)
        if seen.method != "GET" and self.lose_next_write:
            self.lose_next_write = False
            return Reset()
        return answer

    def _github(self, seen: Seen, path: list[str], asked: dict[str, str]) -> bytes:
        upload = path[:2] == ["api", "uploads"]
        path = path[2:] if upload else path
        assert path[:3] == ["repos", "team", "alerts"]
        rest = path[3:]
        if rest[:2] == ["releases", "tags"]:
            found = [each for each in self.things.get("releases", []) if each["tag_name"] == rest[2]]
            return reply(200, found[0]) if found else reply(404, {"message": "Not Found"})
        if rest[0] == "releases" and "assets" in rest:
            if seen.method == "GET":
                return reply(200, [{"name": name, "id": 1} for name in self.assets])
            if seen.method == "DELETE":
                self.assets.clear()
                return reply(204)
            assert upload and seen.headers["content-type"] == "application/octet-stream"
            assert asked["name"] not in self.assets
            self.assets[asked["name"]] = seen.body
            return reply(201, {})
        if rest[:2] == ["issues", "comments"]:
            return self._edited(seen, self.things["comments"], "id", rest[2])
        kind = "comments" if rest[-1] == "comments" else rest[0]
        held = self.things.setdefault(kind, [])
        if seen.method == "PATCH":
            return self._edited(seen, held, "number", rest[1])
        if seen.method == "POST":
            made = {**json.loads(seen.body), "id": len(held) + 1, "number": len(held) + 1, "state": "open"}
            made |= {"user": {"login": self.me}, "html_url": f"https://github.example/{len(held) + 1}"}
            held.append(made)
            return reply(201, made)
        shown = [each for each in held if each.get("state", "open") == asked.get("state", "open")]
        if "head" in asked:
            shown = [each for each in shown if f"team:{each['head']}" == asked["head"]]
        page = int(asked["page"])
        more = {"Link": f'<{self.url}?page={page + 1}>; rel="next"'} if shown[page * 2 :] else {}
        assert asked["per_page"] == "100"
        return reply(200, shown[page * 2 - 2 : page * 2], **more)

    def _gitlab(self, seen: Seen, path: list[str], asked: dict[str, str]) -> bytes:
        assert path[:2] == ["projects", "team/alerts"]
        rest = path[2:]
        kind = "notes" if "notes" in rest else rest[0]
        held = self.things.setdefault(kind, [])
        if seen.method == "PUT":
            return self._edited(seen, held, "id" if kind == "notes" else "iid", rest[-1])
        if seen.method == "POST":
            number = len(held) + 1
            made = {**json.loads(seen.body), "id": number, "iid": number, "state": "opened"}
            made |= {"author": {"id": 7}, "web_url": f"https://gitlab.example/{number}"}
            held.append(made)
            return reply(201, made)
        page = int(asked["page"])
        shown = [each for each in held if each.get("state", "opened") == asked.get("state", "opened")]
        following = {"X_Next_Page": str(page + 1) if shown[page * 2 :] else ""}
        return reply(200, shown[page * 2 - 2 : page * 2], **following)

    def _edited(self, seen: Seen, held: list[dict[str, object]], name: str, number: str) -> bytes:
        found = next(each for each in held if str(each[name]) == number)
        change = json.loads(seen.body)
        if change.pop("state_event", None) == "close":
            change["state"] = "closed"
        found |= change
        return reply(200, found)


@pytest.fixture
def hosts(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Hosts, Loopback]]:
    made = Hosts()
    with serving(made) as server:
        made.url = server.url
        monkeypatch.setenv("GITHUB_API_URL", server.url)
        monkeypatch.setenv("GITHUB_TOKEN", "hunter2")
        monkeypatch.setenv("GITHUB_REPOSITORY", "team/alerts")
        yield made, server


@pytest.fixture
def on_gitlab(hosts: tuple[Hosts, Loopback], monkeypatch: pytest.MonkeyPatch) -> tuple[Hosts, Loopback]:
    hosts[0].me = "gitlab"
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("CI_API_V4_URL", hosts[1].url)
    monkeypatch.setenv("GITLAB_TOKEN", "hunter2")
    monkeypatch.setenv("CI_PROJECT_ID", "team/alerts")
    return hosts


def text(tmp_path: Path, content: str) -> str:
    path = tmp_path / "said.md"
    path.write_text(content, encoding="utf-8")
    return str(path)


def writes(server: Loopback) -> list[str]:
    return [re.sub(r"\?.*", "", line) for line in server.lines if not line.startswith("GET")]


def test_a_comment_is_made_once_and_then_edited(
    hosts: tuple[Hosts, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, server = hosts
    strangers = [{"id": n, "body": f"{MARK} mine too", "user": {"login": f"reader{n}"}} for n in range(1, 5)]
    strangers.append({"id": 5, "body": f"{MARK} whose account is gone", "user": None})
    made.things["comments"] = [dict(each) for each in strangers]
    assert main(["post", "comment", text(tmp_path, "2 rules, cc @everyone"), "--on", "12"]) == 0
    assert main(["post", "comment", text(tmp_path, "3 rules"), "--on", "12"]) == 0
    assert main(["post", "comment", text(tmp_path, "3 rules"), "--on", "12"]) == 0
    assert made.things["comments"][:5] == strangers, "a stranger's comment with our mark is not ours"
    (mine,) = made.things["comments"][5:]
    assert mine["body"] == f"{MARK}\n3 rules"
    assert writes(server) == [
        "POST /repos/team/alerts/issues/12/comments",
        "PATCH /repos/team/alerts/issues/comments/6",
    ]
    first = next(each for each in server.seen if each.method == "POST")
    assert "@everyone" not in first.body.decode() and "everyone" in first.body.decode()
    said = capsys.readouterr().out
    assert [line.split(" is ")[1] for line in said.splitlines()] == [
        "created: https://github.example/6",
        "edited: https://github.example/6",
        "unchanged: https://github.example/6",
    ]
    assert any("page=3" in line for line in server.lines), "the third page of two is where ours would be"


def test_another_mark_is_another_comment(hosts: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    for mark in ("impact", "canary", "impact"):
        assert main(["post", "comment", text(tmp_path, "x"), "--on", "3", "--mark", mark]) == 0
    assert len(hosts[0].things["comments"]) == 2


def test_a_lost_answer_makes_no_second_comment(hosts: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    hosts[0].lose_next_write = True
    assert main(["post", "comment", text(tmp_path, "x"), "--on", "3"]) == 0
    assert len(hosts[0].things["comments"]) == 1


def test_the_pull_request_of_a_commit(
    hosts: tuple[Hosts, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, server = hosts
    made.things["pulls"] = [{"number": n, "head": {"sha": f"{n}" * 40}} for n in range(1, 5)]
    assert main(["post", "comment", text(tmp_path, "x"), "--commit", "4" * 40]) == 0
    assert writes(server) == ["POST /repos/team/alerts/issues/4/comments"]
    assert main(["post", "comment", text(tmp_path, "x"), "--commit", "9" * 40]) == 0
    assert capsys.readouterr().out.endswith("nothing is posted\n")
    assert len(writes(server)) == 1


def test_one_issue_is_kept_and_closed(hosts: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    made, server = hosts
    for content in ("3 rules differ", "4 rules differ"):
        file = text(tmp_path, content)
        assert main(["post", "issue", file, "--title", "Drift", "--mark", "drift", "--label", "drift"]) == 0
    assert main(["post", "issue", "--resolved", "--mark", "drift", "--label", "drift"]) == 0
    assert main(["post", "issue", "--resolved", "--mark", "drift", "--label", "drift"]) == 0
    (issue,) = made.things["issues"]
    assert issue["state"] == "closed" and issue["labels"] == ["drift"] and "4 rules" in str(issue["body"])
    assert writes(server) == [
        "POST /repos/team/alerts/issues",
        *["PATCH /repos/team/alerts/issues/1"] * 2,
    ]


def test_one_pull_request_is_kept(hosts: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    made, server = hosts
    for title in ("Release v1.1.0", "Release v1.2.0"):
        options = ["--head", "release/next", "--base", "main", "--title", title]
        assert main(["post", "pull", text(tmp_path, "x"), *options]) == 0
    (pull,) = made.things["pulls"]
    assert (pull["title"], pull["head"], pull["base"]) == ("Release v1.2.0", "release/next", "main")
    assert writes(server) == ["POST /repos/team/alerts/pulls", "PATCH /repos/team/alerts/pulls/1"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_that_may_not_says_what_it_needs(
    hosts: tuple[Hosts, Loopback], tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    hosts[0].forbidden = method
    assert main(["post", "comment", text(tmp_path, "x"), "--on", "3"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "tocsin: the token may not do this on team/alerts (403: Resource not accessible by integration)",
        "  give it `pull-requests: write`",
    ]


def test_a_release_with_its_files(hosts: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    file, asset = text(tmp_path, "what changed"), tmp_path / "dist.tar.gz"
    asset.write_bytes(b"\x1f\x8b\0first")
    assert main(["post", "release", "v1.1.0", file, "--asset", str(asset)]) == 0
    asset.write_bytes(b"\x1f\x8b\0second")
    assert main(["post", "release", "v1.1.0", file, "--asset", str(asset)]) == 0
    made, server = hosts
    assert [each["tag_name"] for each in made.things["releases"]] == ["v1.1.0"]
    assert made.assets == {"dist.tar.gz": b"\x1f\x8b\0second"}
    assert writes(server) == [
        "POST /repos/team/alerts/releases",
        "POST /api/uploads/repos/team/alerts/releases/1/assets",
        "DELETE /repos/team/alerts/releases/assets/1",
        "POST /api/uploads/repos/team/alerts/releases/1/assets",
    ]


def test_no_token_no_place(
    hosts: tuple[Hosts, Loopback],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = text(tmp_path, "x")
    monkeypatch.setenv("GITHUB_REPOSITORY", "no/such/thing")
    assert main(["post", "comment", file, "--on", "3"]) == 3
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert main(["post", "comment", file, "--on", "3"]) == 3
    monkeypatch.delenv("GITHUB_TOKEN")
    assert main(["post", "comment", file, "--on", "3"]) == 3
    assert main(["post", "comment", file]) == 2
    assert main(["post", "issue", file]) == 2
    said = capsys.readouterr().err
    assert "no GitHub repository" in said and "--repository" in said and "GITHUB_TOKEN is not set" in said
    assert hosts[1].seen == []


def test_gitlab(on_gitlab: tuple[Hosts, Loopback], tmp_path: Path) -> None:
    made, server = on_gitlab
    made.things["notes"] = [{"id": n, "body": MARK, "author": {"id": 1}} for n in range(1, 4)]
    for content in ("one", "two", "two"):
        assert main(["post", "comment", text(tmp_path, content), "--on", "5"]) == 0
    for content in ("a", "b"):
        assert main(["post", "issue", text(tmp_path, content), "--title", "Drift"]) == 0
    assert main(["post", "issue", "--resolved"]) == 0
    made.lose_next_write = True
    assert main(["post", "issue", text(tmp_path, "c"), "--title", "Drift"]) == 0
    for title in ("Release v1.1.0", "Release v1.2.0"):
        options = ["--head", "next", "--base", "main", "--title", title]
        assert main(["post", "pull", text(tmp_path, "x"), *options]) == 0
    assert [each["body"] for each in made.things["notes"][3:]] == [f"{MARK}\ntwo"]
    assert [each["state"] for each in made.things["issues"]] == ["closed", "opened"]
    assert [each["title"] for each in made.things["merge_requests"]] == ["Release v1.2.0"]
    assert writes(server) == [
        "POST /projects/team%2Falerts/merge_requests/5/notes",
        "PUT /projects/team%2Falerts/merge_requests/5/notes/4",
        "POST /projects/team%2Falerts/issues",
        *["PUT /projects/team%2Falerts/issues/1"] * 2,
        "POST /projects/team%2Falerts/issues",
        "POST /projects/team%2Falerts/merge_requests",
        "PUT /projects/team%2Falerts/merge_requests/1",
    ]


def test_a_long_text_fits_and_closes_what_it_opened() -> None:
    long = "<details>\n\n```\n" + "a line of a long report\n" * 5_000
    body = body_of(long)
    assert len(body) < 65_536 - len("<!-- tocsin:impact -->\n")
    assert body.count("```") == 2 and body.count("</details>") == 1 and "left out" in body
    assert body_of("short\n") == "short\n"
