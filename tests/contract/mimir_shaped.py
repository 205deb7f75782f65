"""A server of Mimir's shape in front of a real Prometheus: the ruler's API keeps groups in memory, a real server evaluates them.

Not a Mimir: its ruler is `tests.unit.test_remote_mimir.Ruler`, made after the public reference. What it takes becomes rule files that the Prometheus reads
at once, so that states, series and what a query finds are those of real evaluations; `file` of a group is its namespace, as Mimir says it.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import yaml
from tests.loopback import Seen, reply
from tests.real.servers import Server
from tests.unit.test_remote_mimir import Ruler

TENANT = "team-a"
_API = "/prometheus/api/v1/"
# A proxy of the environment has no business between a test and its own server.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Evaluated(Ruler):
    """The ruler of one tenant; `on_write` is told the number of a write and whether it is about to be applied or was."""

    def __init__(self, server: Server, folder: Path) -> None:
        super().__init__()
        self.server, self.folder = server, folder
        self.writes = 0
        self.writing = threading.Lock()
        """Held while a write lasts."""
        self.on_write: Callable[[int, str], None] = lambda number, phase: None

    def __call__(self, seen: Seen, number: int) -> bytes:
        if seen.target.startswith(_API):
            return self._asked(seen)
        if seen.method == "GET":
            return super().__call__(seen, number)
        with self.writing:
            self.writes += 1
            write = self.writes
            self.on_write(write, "before")
            answer = super().__call__(seen, number)
            self._load()
            self.on_write(write, "after")
        return answer

    def _load(self) -> None:
        mine = self.stored.get(TENANT, {})
        for path in self.folder.iterdir():
            path.unlink()
        for namespace, groups in mine.items():
            if groups:
                text = yaml.safe_dump({"groups": list(groups.values())})
                (self.folder / f"{namespace}.yaml").write_text(text)
        self.server.post("/-/reload")

    def _asked(self, seen: Seen) -> bytes:
        url = self.server.url + seen.target.removeprefix("/prometheus")
        kind = {"Content-Type": seen.headers["content-type"]} if "content-type" in seen.headers else {}
        body = seen.body if seen.method == "POST" else None
        request = urllib.request.Request(url, data=body, headers=kind, method=seen.method)
        try:
            with _OPENER.open(request, timeout=300) as answer:
                said = json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            with refused:
                return reply(refused.code, refused.read())
        if seen.target.split("?")[0] == f"{_API}rules":
            for group in said["data"]["groups"]:
                group["file"] = Path(group["file"]).name.removesuffix(".yaml")
        return reply(200, said)
