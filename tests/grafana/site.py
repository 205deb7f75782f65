"""A Grafana as this suite sees it: an address, credentials, a version that it says itself, and HTTP. Nothing else of a server is used,
so a test cannot tell the stand-in from a real one.

Everything a test makes carries the site's random suffix in its uid and title; `sweep` removes whatever carries it.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.grafana.capabilities import Version, has, lacks
from tests.standin.driver import Answer, Headers, rule

from tocsin.remote.access import Auth, Basic, Bearer, Secret
from tocsin.remote.grafana import Grafana, states_by_uid
from tocsin.remote.http import Door
from tocsin.sync.grafana_target import GrafanaTarget

PROVISIONING = "/api/v1/provisioning"
NONE: Headers = MappingProxyType({})
OFF: Headers = {"X-Disable-Provenance": "true"}


class Clock:
    """The machine's."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass(kw_only=True)
class Site:
    """`environment` is what tells the tool of this server: GRAFANA_URL and GRAFANA_TOKEN or GRAFANA_AUTH."""

    name: str
    url: str
    token: str = ""
    user: str = ""
    password: str = ""
    suffix: str = field(default_factory=lambda: secrets.token_hex(4))
    text: str = ""
    asked: frozenset[str] = frozenset()
    count: int = 0

    @property
    def auth(self) -> Auth:
        return Bearer(Secret(self.token)) if self.token else Basic(self.user, Secret(self.password))

    @property
    def environment(self) -> Mapping[str, str]:
        said = (
            {"GRAFANA_TOKEN": self.token} if self.token else {"GRAFANA_AUTH": f"{self.user}:{self.password}"}
        )
        return {"GRAFANA_URL": self.url, **said}

    @property
    def version(self) -> Version:
        numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", self.text)
        assert numbers, f"{self.url} does not say its version at /api/health: {self.text!r}"
        return (int(numbers[1]), int(numbers[2]), int(numbers[3] or 0))

    def can(self, name: str) -> bool:
        return has(name, self.version, self.asked)

    def need(self, *names: str) -> None:
        """Skips the test where the server lacks one of these."""
        for name in names:
            if not self.can(name):
                pytest.skip(lacks(name))

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Headers = NONE,
        *,
        raw: bytes | None = None,
        login: str | None = None,
    ) -> Answer:
        """One request on a connection of its own; a header of '' is left out. `login` is another Authorization."""
        url = urlsplit(self.url)
        basic = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        own = f"Bearer {self.token}" if self.token else f"Basic {basic}"
        sent = {"Authorization": own if login is None else login}
        if body is not None or raw is not None:
            sent["Content-Type"] = "application/json"
        sent = {name: value for name, value in (sent | dict(headers)).items() if value}
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(url.hostname or "", url.port, timeout=300)
        try:
            connection.request(method, url.path.rstrip("/") + path, body=data, headers=sent)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Answer(status=reply.status, body=reply.read(), headers=found)
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON of a GET that answers 200."""
        answer = self.call("GET", path)
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return answer.json

    def rules(self) -> list[dict[str, Any]]:
        """The rules of this run."""
        every: list[dict[str, Any]] = self.get(f"{PROVISIONING}/alert-rules")
        # By uid alone: a list of folders may be a search that does not know a new one yet.
        return [each for each in every if self.suffix in each["folderUID"] or self.suffix in each["uid"]]

    def folders(self) -> list[dict[str, Any]]:
        """The folders of this run."""
        every = self.get("/api/folders?limit=1000")
        return [each for each in every if self.suffix in each["uid"] or self.suffix in each["title"]]

    def sweep(self) -> None:
        """Everything of this run gone, and seen to be gone."""
        for each in self.rules():
            # Without a provenance of its own a delete is refused by nobody; with the header it is, before 12.4.
            answer = self.call("DELETE", f"{PROVISIONING}/alert-rules/{each['uid']}")
            if answer.status != 204:
                answer = self.call("DELETE", f"{PROVISIONING}/alert-rules/{each['uid']}", headers=OFF)
            assert answer.status == 204, (each["uid"], answer.status, answer.body[:300])
        for each in self.folders():
            answer = self.call("DELETE", f"/api/folders/{each['uid']}?forceDeleteRules=true")
            assert answer.status in (200, 404), (each, answer.status, answer.body[:300])
        for each in self.get("/api/datasources"):
            if self.suffix in each["uid"]:
                assert self.call("DELETE", f"/api/datasources/uid/{each['uid']}").status == 200
        assert self.rules() == []
        end = time.monotonic() + 120
        while (left := self.folders()) and time.monotonic() < end:
            time.sleep(0.2)
        assert left == []

    @contextmanager
    def target(self, *, read_only: bool = False, editable: bool = False) -> Iterator[GrafanaTarget]:
        """The tool's own target on this server."""
        with Door(self.url, clock=Clock(), auth=self.auth, read_only=read_only) as door:
            yield GrafanaTarget(Grafana(door), states_by_uid, editable=editable)


class Place:
    """A folder of one test's own."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.count += 1
        self.mark = f"{site.suffix}{site.count:x}"
        self.folder = self.new_folder("f")

    def new_folder(self, name: str) -> str:
        uid = f"{name}-{self.mark}"
        answer = self.site.call("POST", "/api/folders", {"uid": uid, "title": f"{name} {self.mark}"})
        assert answer.status == 200, answer.body
        return uid

    def uid(self, name: str) -> str:
        return f"{name}-{self.mark}"

    def rule(self, name: str, **changes: Any) -> dict[str, Any]:
        """A rule that every version accepts, in this folder; '' lets the server choose the uid."""
        base = {"title": f"{name or 'nameless'} {self.mark}", "folderUID": self.folder}
        return rule(self.uid(name) if name else "", **(base | changes))

    def post(self, body: Any, headers: Headers = NONE) -> Answer:
        return self.site.call("POST", f"{PROVISIONING}/alert-rules", body, headers)

    def put(self, uid: str, body: Any, headers: Headers = NONE) -> Answer:
        return self.site.call("PUT", f"{PROVISIONING}/alert-rules/{uid}", body, headers)

    def delete(self, uid: str, headers: Headers = NONE) -> Answer:
        return self.site.call("DELETE", f"{PROVISIONING}/alert-rules/{uid}", headers=headers)

    def read(self, uid: str) -> dict[str, Any]:
        found: dict[str, Any] = self.site.get(f"{PROVISIONING}/alert-rules/{uid}")
        return found

    def seed(self, *bodies: Any, headers: Headers = NONE) -> None:
        for body in bodies:
            made = self.post(body, headers)
            assert made.status == 201, made.body

    def group_path(self, name: str = "disks", folder: str = "") -> str:
        return f"{PROVISIONING}/folder/{folder or self.folder}/rule-groups/{quote(name, safe='')}"

    def get_group(self, name: str = "disks", folder: str = "") -> Answer:
        return self.site.call("GET", self.group_path(name, folder))

    def put_group(
        self,
        rules: list[Any] | None,
        *,
        name: str = "disks",
        folder: str = "",
        interval: Any = 60,
        headers: Headers = NONE,
        **fields: Any,
    ) -> Answer:
        body = {"interval": interval} | ({} if rules is None else {"rules": rules}) | fields
        return self.site.call("PUT", self.group_path(name, folder), body, headers)

    def uids(self, name: str = "disks", folder: str = "") -> list[str]:
        """The names (without this test's mark) of a group's rules, in order; [] where there is no group."""
        answer = self.get_group(name, folder)
        if answer.status == 404:
            return []
        assert answer.status == 200, answer.body
        return [each["uid"].removesuffix(f"-{self.mark}") for each in answer.json["rules"]]
