"""A plain HTTP client for the stand-in's own tests, and objects to send: nothing here hides a header or a byte."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

from tests.standin.server import DEFAULT_TOKEN, StandIn

PROVISIONING = "/api/v1/provisioning"
Headers = Mapping[str, str]
NONE: Headers = MappingProxyType({})
OFF: Headers = {"X-Disable-Provenance": "true"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply; `json` fails on what is none."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def query(**changes: Any) -> dict[str, Any]:
    """An instant Prometheus query."""
    base = {
        "refId": "A",
        "queryType": "",
        "datasourceUid": "prom-main",
        "relativeTimeRange": {"from": 600, "to": 0},
        "model": {"refId": "A", "expr": "up == 0", "instant": True, "range": False},
    }
    return base | changes


def rule(uid: str = "", **changes: Any) -> dict[str, Any]:
    """A rule that every version accepts."""
    base = {
        "uid": uid,
        "folderUID": "ops",
        "ruleGroup": "disks",
        "title": uid or "Untitled",
        "condition": "A",
        "data": [query()],
        "noDataState": "OK",
        "execErrState": "Error",
        "for": "5m",
        "labels": {"severity": "page"},
        "annotations": {"summary": "full"},
        "isPaused": False,
    }
    return base | changes


class Driver:
    """Calls a stand-in, each call on a connection of its own, with one token."""

    def __init__(self, standin: StandIn, token: str | None = DEFAULT_TOKEN) -> None:
        self.standin = standin
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def call(
        self, method: str, path: str, body: Any = None, headers: Headers = NONE, *, raw: bytes | None = None
    ) -> Answer:
        """`body` as JSON, or `raw` as it is; a header of '' is left out."""
        url = urlsplit(self.standin.url)
        sent = dict(self.headers)
        if body is not None or raw is not None:
            sent["Content-Type"] = "application/json"
        sent |= headers
        sent = {name: value for name, value in sent.items() if value}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", url.port or 0, timeout=300)
        try:
            connection.request(method, url.path + path, body=data, headers=sent)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(status=reply.status, body=reply.read(), headers=found)
        finally:
            connection.close()

    def get(self, path: str, headers: Headers = NONE) -> Answer:
        return self.call("GET", path, headers=headers)

    def folder(self, uid: str = "ops", title: str = "", **fields: Any) -> Answer:
        return self.call("POST", "/api/folders", {"uid": uid, "title": title or uid.title(), **fields})

    def rules(self) -> list[Any]:
        """All rules."""
        found: list[Any] = self.get(f"{PROVISIONING}/alert-rules").json
        return found

    def rule(self, uid: str) -> Any:
        return self.get(f"{PROVISIONING}/alert-rules/{uid}").json

    def post(self, body: Any, headers: Headers = NONE) -> Answer:
        return self.call("POST", f"{PROVISIONING}/alert-rules", body, headers)

    def put(self, uid: str, body: Any, headers: Headers = NONE) -> Answer:
        return self.call("PUT", f"{PROVISIONING}/alert-rules/{uid}", body, headers)

    def delete(self, uid: str, headers: Headers = NONE) -> Answer:
        return self.call("DELETE", f"{PROVISIONING}/alert-rules/{uid}", headers=headers)

    def group_path(self, name: str = "disks", folder: str = "ops") -> str:
        return f"{PROVISIONING}/folder/{folder}/rule-groups/{quote(name, safe='')}"

    def get_group(self, name: str = "disks", folder: str = "ops") -> Answer:
        return self.get(self.group_path(name, folder))

    def put_group(
        self,
        rules: list[Any] | None,
        *,
        name: str = "disks",
        folder: str = "ops",
        interval: Any = 60,
        headers: Headers = NONE,
        **fields: Any,
    ) -> Answer:
        """PUT of a group; None for `rules` leaves the key out."""
        body = {"interval": interval} | ({} if rules is None else {"rules": rules}) | fields
        return self.call("PUT", self.group_path(name, folder), body, headers)

    def delete_group(self, name: str = "disks", folder: str = "ops", headers: Headers = NONE) -> Answer:
        return self.call("DELETE", self.group_path(name, folder), headers=headers)

    def seed(self, *rules: Any, name: str = "disks", folder: str = "ops", headers: Headers = NONE) -> None:
        """Creates rules one by one, as every version can, in a folder made for them."""
        if folder not in self.standin.org().folders:
            assert self.folder(folder).status == 200
        for body in rules:
            made = self.post(body | {"ruleGroup": name, "folderUID": folder}, headers)
            assert made.status == 201, made.body

    def states(self, query: str = "") -> list[Any]:
        """The groups of the state API."""
        found: list[Any] = self.get(f"/api/prometheus/grafana/api/v1/rules{query}").json["data"]["groups"]
        return found
