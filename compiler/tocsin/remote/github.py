"""GitHub's REST API, version 2022-11-28 (docs.github.com/rest: issues, issue comments, pulls)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from tocsin.errors import Ambiguous, MachineError
from tocsin.remote.answer import Answer, Reader
from tocsin.remote.forge import PAGE, PAGES, Posted, hidden, marked, permission
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import Json

BOT: Final = "github-actions[bot]"
"""Who the token of a workflow writes as; it may not ask who it is."""
GITHUB_HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_NEXT = re.compile(r'<[^>]*>\s*;[^,]*rel="?next"?')


class GitHub:
    """One repository (`owner/name`) behind a door to the REST API. `login` is who the token writes as, asked for where it is not told."""

    def __init__(self, door: Door, repository: str, login: str = "") -> None:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}", repository):
            raise MachineError(f"`{repository}` is no GitHub repository", help="it looks like owner/name")
        self._door, self._repository, self._login = door, repository, login
        self._path = ("repos", *repository.split("/"))

    def comment(self, number: int, mark: str, body: str) -> Posted:
        issue = (*self._path, "issues", str(number), "comments")
        wanted = marked(mark, body)
        need = "`pull-requests: write`"
        for found in self._each(issue, need):
            if self._ours(found, mark):
                place = (*self._path, "issues", "comments", str(found.whole("id")))
                return self._written("PATCH", place, found, {"body": wanted}, need)
        return self._created(issue, mark, {"body": wanted}, need)

    def issue(self, mark: str, title: str, body: str, labels: Sequence[str]) -> Posted:
        wanted: dict[str, Json] = {"title": title, "body": marked(mark, body)}
        found = self._issue(mark, labels)
        if found is not None:
            place = (*self._path, "issues", str(found.whole("number")))
            return self._written("PATCH", place, found, wanted, "`issues: write`")
        body_ = {**wanted, "labels": list(labels)}
        return self._created((*self._path, "issues"), mark, body_, "`issues: write`", _open_with(labels))

    def resolve_issue(self, mark: str, labels: Sequence[str]) -> Posted:
        found = self._issue(mark, labels)
        if found is None:
            return Posted(done="none")
        place = (*self._path, "issues", str(found.whole("number")))
        written = self._written("PATCH", place, found, {"state": "closed"}, "`issues: write`")
        return Posted(done="closed", url=written.url)

    def pull(self, head: str, base: str, title: str, body: str) -> Posted:
        pulls = (*self._path, "pulls")
        owner = self._repository.partition("/")[0]
        need = "`pull-requests: write`"
        asked = (("state", "open"), ("head", f"{owner}:{head}"), ("base", base))
        wanted: dict[str, Json] = {"title": title, "body": body}
        for found in self._each(pulls, need, asked):
            place = (*pulls, str(found.whole("number")))
            return self._written("PATCH", place, found, wanted, need)
        answer = self._send("POST", pulls, {**wanted, "head": head, "base": base}, need)
        return Posted(done="created", url=answer.json().text("html_url", ""))

    def pull_of(self, commit: str) -> int | None:
        need = "`pull-requests: read`"
        for found in self._each((*self._path, "pulls"), need, (("state", "open"),)):
            if found["head"].text("sha") == commit:
                return found.whole("number")
        return None

    def release(self, tag: str, body: str, assets: Mapping[str, bytes], uploads: Door) -> Posted:
        """The release of that tag with those files; `uploads` is the door to the host that takes files. A file of the same name is replaced."""
        need = "`contents: write`"
        with permission(need, self._repository):
            found = self._door.get(
                *self._path, "releases", "tags", tag, headers=GITHUB_HEADERS, accept=(200, 404)
            )
        wanted: dict[str, Json] = {"tag_name": tag, "name": tag, "body": body}
        releases = (*self._path, "releases")
        if found.status == 200:
            place = (*releases, str(found.json().whole("id")))
            posted, here = self._written("PATCH", place, found.json(), wanted, need), found.json()
        else:
            here = self._send("POST", releases, wanted, need).json()
            posted = Posted(done="created", url=here.text("html_url", ""))
        id = str(here.whole("id"))
        held = {each.text("name"): each.whole("id") for each in self._each((*releases, id, "assets"), need)}
        for name, content in assets.items():
            with permission(need, self._repository):
                if name in held:
                    gone = (*releases, "assets", str(held[name]))
                    self._door.send("DELETE", *gone, headers=GITHUB_HEADERS, accept=(204, 404))
                uploads.send(
                    "POST",
                    *(*releases, id, "assets"),
                    params=(("name", name),),
                    body=Body(content, "application/octet-stream"),
                    headers=GITHUB_HEADERS,
                    accept=(201,),
                )
        return posted

    def _issue(self, mark: str, labels: Sequence[str]) -> Reader | None:
        asked = _open_with(labels)
        for found in self._each((*self._path, "issues"), "`issues: write`", asked):
            if not found.has("pull_request") and self._ours(found, mark):
                return found
        return None

    def _ours(self, found: Reader, mark: str) -> bool:
        """Whether it has the mark at its very beginning, and was written by who is writing now."""
        # Who deleted their account is nobody, and is not us.
        if not found.text("body", "").startswith(hidden(mark)) or not found.has("user"):
            return False
        if not self._login:
            self._login = self._asked_login()
        return found["user"].text("login", "") == self._login

    def _asked_login(self) -> str:
        answer = self._door.get("user", accept=(200, 401, 403), headers=GITHUB_HEADERS)
        return answer.json().text("login") if answer.status == 200 else BOT

    def _each(
        self, path: tuple[str, ...], need: str, asked: Iterable[tuple[str, str]] = ()
    ) -> Iterator[Reader]:
        asked = tuple(asked)
        for page in range(1, PAGES + 1):
            params = (*asked, ("per_page", str(PAGE)), ("page", str(page)))
            with permission(need, self._repository):
                answer = self._door.get(*path, params=params, headers=GITHUB_HEADERS)
            yield from answer.json().each()
            if not _NEXT.search(answer.headers.get("link", "")):
                return

    def _written(
        self, method: str, place: tuple[str, ...], found: Reader, wanted: Mapping[str, Json], need: str
    ) -> Posted:
        if all(found.object().get(name) == value for name, value in wanted.items()):
            return Posted(done="unchanged", url=found.text("html_url", ""))
        answer = self._send(method, place, wanted, need)
        return Posted(done="edited", url=answer.json().text("html_url", ""))

    def _created(
        self,
        place: tuple[str, ...],
        mark: str,
        wanted: Mapping[str, Json],
        need: str,
        asked: Iterable[tuple[str, str]] = (),
    ) -> Posted:
        try:
            answer = self._send("POST", place, wanted, need)
        except Ambiguous:
            made = next((each for each in self._each(place, need, asked) if self._ours(each, mark)), None)
            if made is None:
                raise
            return Posted(done="created", url=made.text("html_url", ""))
        return Posted(done="created", url=answer.json().text("html_url", ""))

    def _send(self, method: str, place: tuple[str, ...], wanted: Mapping[str, Json], need: str) -> Answer:
        with permission(need, self._repository):
            return self._door.send(
                method, *place, body=Body.of_json(dict(wanted)), headers=GITHUB_HEADERS, accept=(200, 201)
            )


def _open_with(labels: Sequence[str]) -> tuple[tuple[str, str], ...]:
    return (("state", "open"), ("labels", ",".join(labels)))
