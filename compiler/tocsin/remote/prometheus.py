"""One Prometheus: what it evaluates, what it answers, and the order to read its files again. With a prefix, a Mimir's copy of the interface.

Reading never writes here: POST is used for queries alone, and the door lets no other through when it is read-only. Source: web/api/v1/api.go;
`/-/reload` in web/web.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tocsin.diag.source_file import SourceFile
from tocsin.errors import Denied, Refused
from tocsin.remote.answer import Reader
from tocsin.remote.http import Door
from tocsin.remote.rule_states import group_state, instance
from tocsin.source.tree import read_document
from tocsin.wire.live import AlertInstance, GroupState, Sample, Series

_API: Final = ("api", "v1")


class Prometheus:
    """One server. `headers` go with every request (a tenant). A pair of replicas is two of these: each is asked, none speaks for the other."""

    def __init__(
        self, door: Door, *, prefix: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        self._door = door
        self._prefix = prefix
        self._headers = dict(headers or {})

    @property
    def address(self) -> str:
        """Where it is."""
        return "/".join((self._door.base_url, *self._prefix))

    def version(self) -> str:
        """Its version as it spells it."""
        return self._data("status", "buildinfo").text("version")

    def flags(self) -> dict[str, str]:
        """Its command line, `web.enable-lifecycle` among it."""
        read = self._data("status", "flags")
        return {name: read.text(name) for name in read.object()}

    def external_labels(self) -> dict[str, str]:
        """What it adds to every alert it sends: `global.external_labels` of its configuration."""
        read = self._data("status", "config")
        text = read.text("yaml")
        document, _ = read_document(SourceFile(path="status/config", text=text))
        loaded = Reader(
            value=document.data if document else None,  # type: ignore[arg-type]  # YAML's core schema is JSON-shaped
            endpoint=read.endpoint,
            path="data.yaml",
        )
        if loaded.value is None or not loaded.has("global"):
            return {}
        inner = loaded["global"]["external_labels"]
        # An unquoted number or truth is a label's text to Prometheus.
        return {
            name: str(value) for name, value in (inner.object() if inner.value is not None else {}).items()
        }

    def rules(self) -> tuple[GroupState, ...]:
        """Every group as it is evaluated now; `file` is the rule file's path on the server."""
        return tuple(group_state(each) for each in self._data("rules")["groups"].each())

    def alerts(self) -> tuple[AlertInstance, ...]:
        """Every pending and firing alert, alertname among the labels."""
        return tuple(instance(each) for each in self._data("alerts")["alerts"].each())

    def reload(self) -> None:
        """Reads its configuration and rule files again. `Refused` where it says no (a broken file: it goes on with what it had); its sentence
        is in `said`. `Denied` where it was started without `--web.enable-lifecycle`."""
        answer = self._door.send(
            "POST", *self._prefix, "-", "reload", headers=self._headers, accept=(200, 403, 500)
        )
        if answer.status == 200:
            return
        _, said = self._door.words(answer)
        error = Denied if answer.status == 403 else Refused
        help = (
            "start it with --web.enable-lifecycle"
            if answer.status == 403
            else "it goes on with the rules it had"
        )
        raise error(
            f"{answer.endpoint}: {answer.status}, {said}",
            endpoint=answer.endpoint,
            status=answer.status,
            said=said,
            help=help,
        )

    def query(self, expr: str, *, at: float | None = None) -> tuple[Sample, ...]:
        """An instant query's samples; a scalar is one sample without labels."""
        form = [("query", expr), *([("time", repr(at))] if at is not None else [])]
        data = self._ask("query", form)
        kind = data.text("resultType")
        if kind == "scalar":
            at_, value = _point(data["result"])
            return (Sample(labels={}, at=at_, value=value),)
        if kind != "vector":
            data.wrong(f"is a {kind[:20]}, not a vector", "data.resultType")
        return tuple(_sample(each) for each in data["result"].each())

    def query_range(self, expr: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
        """A range query's series."""
        form = [("query", expr), ("start", repr(start)), ("end", repr(end)), ("step", repr(step))]
        data = self._ask("query_range", form)
        if data.text("resultType") != "matrix":
            data.wrong("is no matrix", "data.resultType")
        return tuple(
            Series(
                labels=each.texts("metric"), points=tuple(_point(point) for point in each["values"].each())
            )
            for each in data["result"].each()
        )

    def _data(self, *path: str) -> Reader:
        return _success(self._door.get(*self._prefix, *_API, *path, headers=self._headers).json())

    def _ask(self, path: str, form: Iterable[tuple[str, str]]) -> Reader:
        return _success(self._door.ask(*self._prefix, *_API, path, form=form, headers=self._headers).json())


def _success(read: Reader) -> Reader:
    """`data` of an answer that says success."""
    if read.text("status") != "success":
        read.wrong("is no success", "status")
    return read["data"]


def _sample(read: Reader) -> Sample:
    at, value = _point(read["value"])
    return Sample(labels=read.texts("metric"), at=at, value=value)


def _point(read: Reader) -> tuple[float, float]:
    """`[1700000000.123, "NaN"]`: numbers are text, for JSON has no infinity."""
    match [each.value for each in read.each()]:
        case [int() | float() as at, str(text)]:
            try:
                return float(at), float(text)
            except ValueError:
                pass
    read.wrong("is no pair of a time and a number")
