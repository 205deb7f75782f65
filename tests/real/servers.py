"""Real Prometheus, Alertmanager and VictoriaMetrics servers for one test: a port of 127.0.0.1 and a folder, gone after it.

In: a binary (from `components`), configuration as text, further files by name. Out: a Server that is ready
to answer. If the test inside fails, the end of the server's log is added to the exception as a note; a server
that does not become ready raises ServerFailedError with it. Servers die with the test process, however that
one ends.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_READY_WITHIN = 300.0  # seconds; a busy machine of two cores needed eight, a very busy one a minute
_STOP_WITHIN = 60.0
_LOG_LINES = 40

# A proxy from the environment must not stand between a test and its own server.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_Command = Callable[[Path, int], list[str]]  # a folder and a port -> what to run


class ServerFailedError(RuntimeError):
    """A server did not start, or stopped on its own; the message ends with its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server; `folder` holds its configuration, files and log."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON that GET answers; an HTTP error raises with the body in its message."""
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        return self._ask(urllib.request.Request(self.url + path + query))

    def post(self, path: str, body: object = None) -> Any:
        """POST a JSON body (or nothing, as `/-/reload` wants) and read the JSON answered, if any."""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, data=data, headers=headers, method="POST"))

    def query(self, expr: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result of an instant query, of a Prometheus."""
        when = {} if at is None else {"time": repr(at)}
        result: list[dict[str, Any]] = self.get("/api/v1/query", query=expr, **when)["data"]["result"]
        return result

    def log(self) -> str:
        """The last lines the server wrote."""
        text = (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-_LOG_LINES:])

    def _ask(self, request: urllib.request.Request) -> Any:
        try:
            with _OPENER.open(request, timeout=300) as answer:
                body = answer.read()
        except urllib.error.HTTPError as refused:
            with refused:
                text = refused.read().decode(errors="replace")
            raise ServerFailedError(f"{request.full_url}: {refused.code} {text[:500]}") from None
        return json.loads(body) if body.startswith((b"{", b"[")) else body.decode()


@contextmanager
def running_prometheus(
    binary: Path,
    config: str,
    *,
    files: Mapping[str, str] | None = None,
    data: Path | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Server]:
    """A Prometheus with this configuration; relative `rule_files` are looked up among `files`.

    `data` is a storage folder made beforehand (history from `promtool tsdb create-blocks-from`); retention is
    a hundred years, so that samples with a fixed date stay.
    """

    def command(folder: Path, port: int) -> list[str]:
        return [
            str(binary),
            f"--web.listen-address=127.0.0.1:{port}",
            f"--config.file={folder / 'config.yml'}",
            f"--storage.tsdb.path={data or folder / 'data'}",
            "--storage.tsdb.retention.time=100y",
            "--web.enable-lifecycle",
            *flags,
        ]

    with _running(command, {"config.yml": config, **(files or {})}) as server:
        yield server


@contextmanager
def running_alertmanager(
    binary: Path,
    config: str,
    *,
    files: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Server]:
    """An Alertmanager on its own (no cluster) with this configuration.

    An unpacked Debian build looks for its notification templates in the current folder: see `debian`.
    """
    shipped = binary.parent.parent / "share/prometheus/alertmanager"
    templates = {path.name: path.read_text(encoding="utf-8") for path in shipped.glob("*.tmpl")}

    def command(folder: Path, port: int) -> list[str]:
        return [
            str(binary),
            f"--web.listen-address=127.0.0.1:{port}",
            f"--config.file={folder / 'config.yml'}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
            *flags,
        ]

    with _running(command, {**templates, "config.yml": config, **(files or {})}) as server:
        yield server


@contextmanager
def running_victoria_metrics(binary: Path, *, flags: Sequence[str] = ()) -> Iterator[Server]:
    """A VictoriaMetrics of one process; samples of any date stay. `POST /api/v1/import/prometheus` takes them as text with milliseconds."""

    def command(folder: Path, port: int) -> list[str]:
        return [
            str(binary),
            f"-httpListenAddr=127.0.0.1:{port}",
            f"-storageDataPath={folder / 'data'}",
            "-retentionPeriod=100y",
            *flags,
        ]

    with _running(command, {}) as server:
        yield server


@contextmanager
def running_node_exporter(binary: Path) -> Iterator[Server]:
    """A node exporter of this machine; it answers any path, so it is ready as soon as it listens."""

    def command(_folder: Path, port: int) -> list[str]:
        return [str(binary), f"--web.listen-address=127.0.0.1:{port}"]

    with _running(command, {}) as server:
        yield server


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _running(command: _Command, files: Mapping[str, str]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="tocsin-server-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        server = _start(command, folder)
        try:
            yield server
        except BaseException as error:
            error.add_note(f"the log of {server.url} ends:\n{server.log()}")
            raise
        finally:
            _stop(server.process)


def _start(command: _Command, folder: Path) -> Server:
    """Start and wait until ready; another process may take the port in between, so try a few."""
    for _ in range(10):
        port = free_port()
        with (folder / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [*_die_with_parent(), *command(folder, port)],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        server = Server(url=f"http://127.0.0.1:{port}", folder=folder, process=process)
        if _wait_until_ready(server):
            return server
        _stop(process)
        if "address already in use" not in server.log():
            break
    raise ServerFailedError(
        f"{server.url} was not ready in {_READY_WITHIN:.0f} s; its log ends:\n{server.log()}"
    )


def _wait_until_ready(server: Server) -> bool:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            server.get("/-/ready")
            # Two runs may be given one port: what answers must be ours, and the other one ends by itself.
            if _listens(server.process.pid, server.port):
                return True
        except (ServerFailedError, OSError):
            pass
        time.sleep(0.05)
    return False


def _listens(pid: int, port: int) -> bool:
    """Whether that process itself listens on a port of 127.0.0.1. Where the kernel does not tell (this is no Linux), it is believed."""
    table = Path("/proc/net/tcp")
    if not table.is_file():
        return True
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A"}
    return any(_opened(each) in sockets for each in Path(f"/proc/{pid}/fd").iterdir())


def _opened(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except FileNotFoundError:  # closed meanwhile
        return ""


def _die_with_parent() -> list[str]:
    """A prefix that has the kernel end the server when the test process is gone, even by SIGKILL."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL"] if setpriv else []


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
