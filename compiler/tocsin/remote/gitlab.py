"""GitLab's API v4 (docs.gitlab.com/api: notes, issues, merge requests)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tocsin.errors import Ambiguous
from tocsin.remote.answer import Answer, Reader
from tocsin.remote.forge import PAGE, PAGES, Posted, hidden, marked, permission
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import Json


class GitLab:
    """One project (its number, or `group/name`) behind a door to API v4. A job token may not write notes: it takes a project access token."""

    def __init__(self, door: Door, project: str) -> None:
        self._door, self._project = door, project
        self._path = ("projects", project)
        self._me: int | None = None

    def comment(self, number: int, mark: str, body: str) -> Posted:
        notes = (*self._path, "merge_requests", str(number), "notes")
        return self._note(notes, mark, marked(mark, body))

    def issue(self, mark: str, title: str, body: str, labels: Sequence[str]) -> Posted:
        wanted: dict[str, Json] = {"title": title, "description": marked(mark, body)}
        found = self._issue(mark, labels)
        if found is not None:
            place = (*self._path, "issues", str(found.whole("iid")))
            return self._written(place, found, wanted)
        answer = self._created((*self._path, "issues"), {**wanted, "labels": ",".join(labels)}, mark, labels)
        return Posted(done="created", url=answer)

    def resolve_issue(self, mark: str, labels: Sequence[str]) -> Posted:
        found = self._issue(mark, labels)
        if found is None:
            return Posted(done="none")
        place = (*self._path, "issues", str(found.whole("iid")))
        self._send("PUT", place, {"state_event": "close"})
        return Posted(done="closed", url=found.text("web_url", ""))

    def pull(self, head: str, base: str, title: str, body: str) -> Posted:
        place = (*self._path, "merge_requests")
        asked = (("state", "opened"), ("source_branch", head), ("target_branch", base))
        wanted: dict[str, Json] = {"title": title, "description": body}
        for found in self._each(place, asked):
            return self._written((*place, str(found.whole("iid"))), found, wanted)
        answer = self._send("POST", place, {**wanted, "source_branch": head, "target_branch": base})
        return Posted(done="created", url=answer.json().text("web_url", ""))

    def pull_of(self, commit: str) -> int | None:
        for found in self._each((*self._path, "merge_requests"), (("state", "opened"),)):
            if found.text("sha", "") == commit:
                return found.whole("iid")
        return None

    def _note(self, notes: tuple[str, ...], mark: str, wanted: str) -> Posted:
        found = self._our_note(notes, mark)
        if found is not None:
            if found.text("body") == wanted:
                return Posted(done="unchanged")
            self._send("PUT", (*notes, str(found.whole("id"))), {"body": wanted})
            return Posted(done="edited")
        try:
            self._send("POST", notes, {"body": wanted})
        except Ambiguous:
            if self._our_note(notes, mark) is None:
                raise
        return Posted(done="created")

    def _our_note(self, notes: tuple[str, ...], mark: str) -> Reader | None:
        for found in self._each(notes, ()):
            if found.text("body", "").startswith(hidden(mark)) and self._mine(found):
                return found
        return None

    def _issue(self, mark: str, labels: Sequence[str]) -> Reader | None:
        asked = (("state", "opened"), ("labels", ",".join(labels)))
        for found in self._each((*self._path, "issues"), asked):
            if found.text("description", "").startswith(hidden(mark)) and self._mine(found):
                return found
        return None

    def _created(
        self, place: tuple[str, ...], wanted: Mapping[str, Json], mark: str, labels: Sequence[str]
    ) -> str:
        try:
            return self._send("POST", place, wanted).json().text("web_url", "")
        except Ambiguous:
            made = self._issue(mark, labels)
            if made is None:
                raise
            return made.text("web_url", "")

    def _mine(self, found: Reader) -> bool:
        if self._me is None:
            with permission("`api`", self._project):
                self._me = self._door.get("user").json().whole("id")
        return found.has("author") and found["author"].whole("id", -1) == self._me

    def _each(self, path: tuple[str, ...], asked: Iterable[tuple[str, str]]) -> Iterator[Reader]:
        asked, page = tuple(asked), "1"
        for _ in range(PAGES):
            with permission("`api`", self._project):
                answer = self._door.get(*path, params=(*asked, ("per_page", str(PAGE)), ("page", page)))
            yield from answer.json().each()
            page = answer.headers.get("x-next-page", "")
            if not page.isdecimal():
                return

    def _written(self, place: tuple[str, ...], found: Reader, wanted: Mapping[str, Json]) -> Posted:
        url = found.text("web_url", "")
        if all(found.object().get(name) == value for name, value in wanted.items()):
            return Posted(done="unchanged", url=url)
        self._send("PUT", place, wanted)
        return Posted(done="edited", url=url)

    def _send(self, method: str, place: tuple[str, ...], wanted: Mapping[str, Json]) -> Answer:
        with permission("`api`", self._project):
            return self._door.send(method, *place, body=Body.of_json(dict(wanted)), accept=(200, 201))
