"""A web server on 127.0.0.1 that does what a test says, down to the socket: answer, reset, go silent, drip.

In: a function from a request (and how many came before) to what is written back. Out: the address, and every request as it arrived, byte for
byte in its target and headers. Plain sockets, because the servers of the standard library tidy up what is to be seen here.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime


@dataclass(frozen=True)
class Seen:
    method: str
    target: str
    headers: dict[str, str]  # lower case
    body: bytes

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reset:
    """Read the request, then drop the connection with an RST; `after` is written first."""

    after: bytes = b""


@dataclass(frozen=True)
class Silence:
    """Read the request and answer nothing until the client gives up."""


Reply = bytes | Reset | Silence
Handler = Callable[[Seen, int], Reply]


def reply(status: int = 200, body: bytes | object = b"", **headers: str) -> bytes:
    """A whole HTTP answer; what is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    if not isinstance(body, bytes):
        headers.setdefault("Content_Type", "application/json")
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass
class Loopback:
    url: str
    port: int
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    received: int = 0  # bytes

    @property
    def lines(self) -> list[str]:
        return [f"{each.method} {each.target}" for each in self.seen]


@contextmanager
def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    """A server with this handler, as long as the `with` lasts."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    server = Loopback(url=f"http{'s' if tls else ''}://127.0.0.1:{port}", port=port)
    over = threading.Event()
    threads: list[threading.Thread] = []
    lock = threading.Lock()

    def serve(raw: socket.socket) -> None:
        with contextlib.suppress(OSError), raw:
            connection = tls.wrap_socket(raw, server_side=True) if tls else raw
            with connection:
                _talk(connection)

    def _talk(connection: socket.socket) -> None:
        connection.settimeout(0.1)
        while (request := _read(connection, over, server)) is not None:
            with lock:
                number = len(server.seen)
                server.seen.append(request)
            answer = handler(request, number)
            match answer:
                case bytes():
                    connection.settimeout(300)
                    connection.sendall(answer)
                    connection.settimeout(0.1)
                case Reset(after):
                    connection.settimeout(300)
                    connection.sendall(after)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                case Silence():
                    over.wait(300)
                    return

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            server.connections += 1
            thread = threading.Thread(target=serve, args=(connection,), daemon=True)
            threads.append(thread)
            thread.start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(60)
        for thread in threads:
            thread.join(60)


def _read(connection: socket.socket, over: threading.Event, server: Loopback) -> Seen | None:
    """One request; None at the end of the connection or of the test."""
    data = b""

    def more() -> bool:
        nonlocal data
        while not over.is_set():
            try:
                chunk = connection.recv(65536)
            except TimeoutError:
                continue
            server.received += len(chunk)
            data += chunk
            return bool(chunk)
        return False

    while b"\r\n\r\n" not in data:
        if not more():
            return None
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        if not more():
            return None
        body = data.partition(b"\r\n\r\n")[2]
    method, target, _ = first.split(" ")
    return Seen(method, target, headers, body)


class FakeClock:
    """Time that passes only in `sleep`; `slept` is how long each sleep was."""

    def __init__(self, now: datetime = datetime(2026, 11, 2, 10, tzinfo=UTC)) -> None:
        self.slept: list[float] = []
        self._now = now

    def monotonic(self) -> float:
        return sum(self.slept)

    def now(self) -> datetime:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
