"""Silences: an Alertmanager's v2 API, which Grafana serves as well below its own path. Nothing else of an Alertmanager is ours.

Source: openapi.yaml of prometheus/alertmanager. Grafana answers 202 where Alertmanager answers 200.
"""

from __future__ import annotations

from typing import Final

from tocsin.errors import Ambiguous
from tocsin.remote.answer import Reader
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import Json
from tocsin.wire.live import Matcher, Silence

GRAFANAS_OWN: Final = ("api", "alertmanager", "grafana")
"""Where Grafana's built-in Alertmanager is; the prefix for `Alertmanager`."""


class Alertmanager:
    """One Alertmanager, or with `prefix` the one inside a Grafana."""

    def __init__(self, door: Door, *, prefix: tuple[str, ...] = ()) -> None:
        self._door = door
        self._path = (*prefix, "api", "v2")

    def version(self) -> str:
        """Its version as it spells it."""
        return self._door.get(*self._path, "status").json()["versionInfo"].text("version", "")

    def config(self) -> str:
        """Its configuration as YAML text, secrets already taken out by the server."""
        return self._door.get(*self._path, "status").json()["config"].text("original")

    def silences(self) -> tuple[Silence, ...]:
        """Every silence, expired ones too: their `state` says so."""
        return tuple(_silence(each) for each in self._door.get(*self._path, "silences").json().each())

    def create(self, silence: Silence) -> str:
        """Creates it, or changes the one whose id it has; answers the id. A creation that ends `Ambiguous` is looked for in `silences` by its
        comment: sent twice, it would be there twice."""
        written: dict[str, Json] = {
            "matchers": [
                {"name": each.name, "value": each.value, "isRegex": each.is_regex, "isEqual": each.is_equal}
                for each in silence.matchers
            ],
            "startsAt": silence.starts_at,
            "endsAt": silence.ends_at,
            "createdBy": silence.created_by,
            "comment": silence.comment,
        }
        if silence.id:
            written["id"] = silence.id
        answer = self._door.send(
            "POST", *self._path, "silences", body=Body.of_json(written), accept=(200, 201, 202)
        )
        return answer.json().text("silenceID")

    def expire(self, id: str) -> None:
        """Ends it now. One that is not there, or ended before, is fine; some versions answer the latter with 500, so it is looked up."""
        try:
            self._door.send("DELETE", *self._path, "silence", id, accept=(200, 202, 204, 404))
        except Ambiguous:
            left = next((each for each in self.silences() if each.id == id), None)
            if left is not None and left.state != "expired":
                raise


def _silence(read: Reader) -> Silence:
    return Silence(
        id=read.text("id"),
        matchers=tuple(
            Matcher(
                name=each.text("name"),
                value=each.text("value"),
                is_regex=each.flag("isRegex"),
                is_equal=each.flag("isEqual") if each.has("isEqual") else True,
            )
            for each in read["matchers"].each()
        ),
        starts_at=read.text("startsAt"),
        ends_at=read.text("endsAt"),
        created_by=read.text("createdBy", ""),
        comment=read.text("comment", ""),
        state=read["status"].text("state", "") if read.has("status") else "",
    )
