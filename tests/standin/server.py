"""The HTTP server: HTTP/1.1 with threads on 127.0.0.1, a request log, faults, and a way to look inside."""

from __future__ import annotations

import json
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from tests.standin import access, routes, store
from tests.standin.access import Token
from tests.standin.calls import Call, Settings
from tests.standin.edits import Editor
from tests.standin.errors import Refusal, Reply, no_route, plain
from tests.standin.faults import Fault, Plan
from tests.standin.profiles import PROFILES, Profile
from tests.standin.records import Org

Phase = Literal["before", "after"]
DEFAULT_TOKEN = "glsa_standin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One request as it was answered; status 0 is a connection that was reset. `path` is decoded."""

    method: str
    path: str
    query: str
    status: int
    body: bytes
    headers: Mapping[str, str]
    token: str
    fault: str

    def json(self) -> Any:
        """The request's body."""
        return json.loads(self.body) if self.body else None


class Log:
    """The requests so far, in the order in which they were answered."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def select(self, method: str = ".*", path: str = ".*", status: int | None = None) -> list[Entry]:
        """Those whose method and path match the whole pattern."""
        return [
            entry
            for entry in list(self.entries)
            if re.fullmatch(method, entry.method)
            and re.fullmatch(path, entry.path)
            and status in (None, entry.status)
        ]

    def count(self, method: str = ".*", path: str = ".*", status: int | None = None) -> int:
        return len(self.select(method, path, status))

    def writes(self) -> list[Entry]:
        """All that were not GET."""
        return self.select("(?!GET$).*")

    def clear(self) -> None:
        self.entries.clear()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def server_bind(self) -> None:
        """Without the look-up of this machine's name that the parent makes: nothing here asks for it."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed leaves a broken pipe; that is no news."""


class StandIn:
    """A Grafana of one profile. Use as a context manager, or `start` and `stop`.

    `tokens` says who may call; by default one admin token, DEFAULT_TOKEN.
    """

    def __init__(
        self,
        profile: str | Profile = "12.0",
        *,
        tokens: list[Token] | None = None,
        settings: Settings | None = None,
        state_file: Path | None = None,
        port: int = 0,
    ) -> None:
        self.profile = PROFILES[profile] if isinstance(profile, str) else profile
        self.settings = settings or Settings()
        given = [Token(secret=DEFAULT_TOKEN)] if tokens is None else tokens
        self.tokens = {token.secret: token for token in given}
        self.store = store.Store(path=state_file)
        if state_file is not None and state_file.exists():
            self.store.restore(state_file.read_bytes())
        for number in sorted({one.org for one in given}.union(*(one.orgs for one in given))):
            self.add_org(number)
        self.running = False
        self.faults = Plan()
        self.log = Log()
        self._hooks: list[tuple[int, Phase, Callable[[], None]]] = []
        self.store.before = lambda number: self._fire(number, "before")
        self.store.after = lambda number: self._fire(number, "after")
        handler = type("BoundHandler", (_Handler,), {"standin": self})
        self._server = _Server(("127.0.0.1", port), handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="standin", daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self.settings.sub_path}"

    def start(self) -> StandIn:
        self.running = True
        self._thread.start()
        return self

    def stop(self) -> None:
        """From now on nobody is answered, those with an open connection neither."""
        if self.running:
            self.running = False
            self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> StandIn:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def add_org(self, number: int) -> None:
        """An organisation like the first, if it is not there."""
        if number not in self.store.state.orgs:
            state = self.store.state.copy(1)
            state.orgs[number] = store.fresh().orgs[1]
            state.orgs[number].id, state.orgs[number].name = number, f"Org. {number}"
            self.store.commit(state, counted=False)

    def org(self, number: int = 1) -> Org:
        """What is committed, to look at; change it through `edit`."""
        return self.store.state.orgs[number]

    @contextmanager
    def edit(self, org: int = 1) -> Iterator[Editor]:
        """Somebody else's change, committed when the block ends; not in the log, not counted as a write."""
        with self.store.lock:
            state = self.store.state.copy(org)
            yield Editor(state, state.orgs[org], self.profile, self.settings)
            self.store.commit(state, counted=False)

    def snapshot(self) -> bytes:
        """Everything, as canonical JSON; `restore` takes it back."""
        return self.store.snapshot()

    def restore(self, snapshot: bytes) -> None:
        self.store.restore(snapshot)

    def content(self) -> bytes:
        """Everything but ids, versions, times and evaluation states, as canonical JSON."""
        return self.store.content()

    def plan(self, *faults: Fault) -> None:
        """Plants faults."""
        self.faults.add(*faults)

    def on_write(self, number: int, phase: Phase, callback: Callable[[], None]) -> None:
        """Calls back around the commit of the write that is the `number`-th since the server began, or since
        `forget_writes`. Only writes that succeed are counted. The callback may kill the client."""
        self._hooks.append((number, phase, callback))

    def forget_writes(self) -> None:
        """Counting starts again at 1, with no hooks and an empty log."""
        with self.store.lock:
            self.store.commits = 0
            self._hooks.clear()
            self.log.clear()

    def _fire(self, number: int, phase: Phase) -> None:
        for wanted, when, callback in list(self._hooks):
            if (wanted, when) == (number, phase):
                callback()

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, fault: Fault | None
    ) -> Reply:
        """The reply to one request, with what it changed committed."""
        found = routes.find(method, path, self.profile)
        try:
            token = Token(secret="", role="nobody")
            if found is None or not found[0].open:
                token = access.authenticate(headers, self.tokens, self.profile)
            if found is None:
                raise no_route()
            # What is committed never changes, so that a read needs no lock and waits for no write.
            with nullcontext() if method == "GET" else self.store.lock:
                return self._handle(found, token, method, path, query, headers, body, fault)
        except Refusal as refusal:
            return refusal.reply

    def _handle(
        self,
        found: tuple[routes.Route, tuple[str, ...]],
        token: Token,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        body: bytes,
        fault: Fault | None,
    ) -> Reply:
        route, parts = found
        old = self.store.state
        state = old if method == "GET" else old.copy(token.org)
        call = Call(
            profile=self.profile,
            settings=self.settings,
            token=token,
            state=state,
            org=state.orgs[token.org],
            method=method,
            path=path,
            parts=parts,
            query=parse_qs(query, keep_blank_values=True),
            headers=headers,
            body=body,
        )
        reply = route.handler(call)
        if method == "GET":
            return reply
        if fault is not None and fault.kind == "half":
            self.store.commit(store.half_of(old, state, token.org))
            raise plain(500, "failed to update rules: database is locked")
        self.store.commit(state)
        return reply


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "standin"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1
    standin: StandIn

    def log_message(self, format: str, *args: Any) -> None:
        """The log is StandIn.log."""

    def _respond(self) -> None:
        standin = self.standin
        if not standin.running:
            return self._reset()
        url = urlsplit(self.path)
        path = unquote(url.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self._read_body(headers)
        if body is None:
            return self._send(Reply(status=411, body=b"Length Required", content_type="text/plain"))
        prefix = standin.settings.sub_path
        if prefix and not path.startswith(f"{prefix}/"):
            # serve_from_sub_path: what is asked for outside is sent there, and a client follows or fails.
            reply = Reply(status=301, headers={"Location": f"{prefix}{self.path}"}, content_type=None)
            return self._finish(path, url.query, headers, body, reply, "")
        path = path.removeprefix(prefix)
        fault = standin.faults.take(self.command, path)
        kind = fault.kind if fault else ""
        if fault and kind == "slow":
            time.sleep(fault.seconds)
        reply = Reply(status=0)
        if fault and kind == "answer":
            reply = fault.reply
        elif kind != "reset-before":
            reply = standin.answer(self.command, path, url.query, headers, body, fault)
            if fault and kind == "answer-after":
                reply = fault.reply
            elif kind == "reset-after":
                reply = Reply(status=0)
        self._finish(path, url.query, headers, body, reply, kind)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _respond

    def _read_body(self, headers: Mapping[str, str]) -> bytes | None:
        if "transfer-encoding" in headers:
            self.close_connection = True
            return None
        return self.rfile.read(int(headers.get("content-length", "0")))

    def _finish(
        self, path: str, query: str, headers: Mapping[str, str], body: bytes, reply: Reply, fault: str
    ) -> None:
        token = headers.get("authorization", "").partition(" ")[2]
        self.standin.log.entries.append(
            Entry(
                method=self.command,
                path=path,
                query=query,
                status=reply.status,
                body=body,
                headers=headers,
                token=token,
                fault=fault,
            )
        )
        if reply.status == 0:
            self._reset()
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        if reply.content_type is not None:
            self.send_header("Content-Type", reply.content_type)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if reply.status != 204:
            self.wfile.write(reply.body)
        self.wfile.flush()

    def _reset(self) -> None:
        """Closes with RST: the client cannot know whether its request was applied."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.shutdown(socket.SHUT_RD)
        self.connection.close()
