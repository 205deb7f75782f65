"""`tocsin serve`: the site on this machine while its sources are being written, a second or two behind the editor.

It looks at names, sizes and times of the sources a few times a second; where something changed, `pipeline.again` compiles what it must, the changed
SOPs' pages are built, then the other pages whose Markdown changed, and open pages are told to load themselves again. Nothing here is published:
full-text search is as old as the start, lists and stubs follow a moment later, and a dead link is said on the terminal instead of refused.
"""

from __future__ import annotations

import mimetypes
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

from tocsin.cli.options import day, repository, root_argument, today_option
from tocsin.cli.site import Wanted, finish, input_of, package_files, plan_of
from tocsin.cli.workspace import history_of, no_collector, read_sources
from tocsin.diag import Severity
from tocsin.disk.files import stat_tree
from tocsin.disk.preview import Preview
from tocsin.disk.site import WORK, locked
from tocsin.disk.write import admit
from tocsin.emit.site import SiteMemory, changed_pages, emit_static, emit_tree
from tocsin.errors import MachineError
from tocsin.ir.artifact import Artifact
from tocsin.pipeline import Compilation, contents_of
from tocsin.pipeline.again import Memory, compile_again

HOST = "127.0.0.1"
_PAUSE = 0.25
_FEW = 50
_EVENTS, _SCRIPT = "/__tocsin/events", "/__tocsin/reload.js"
_RELOAD = f"""\
(function () {{
  "use strict";
  var seen = null;
  var source = new EventSource("{_EVENTS}");
  source.onmessage = function (event) {{
    if (seen !== null && seen !== event.data) {{
      location.reload();
    }}
    seen = event.data;
  }};
}})();
"""


@dataclass(slots=True)
class State:
    """What the server and the watcher share. `version` grows with every change of a page."""

    preview: Preview
    version: int = 0
    static: Mapping[str, bytes] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def announce(self) -> None:
        """Tells every open page that there is something new."""
        with self.changed:
            self.version += 1
            self.changed.notify_all()

    def file(self, path: str) -> bytes | None:
        """The file at an address below the site's root."""
        return self.static[path] if path in self.static else self.preview.read(path)


@click.command("serve")
@root_argument
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@today_option
def serve_command(root: Path, port: int, today: str | None) -> None:
    """Show the site on this machine and renew it as sources change. Ctrl-C ends it."""
    top = repository(root)
    out = top / "dist"
    admit(out, top)
    work = out / WORK / "preview"
    state = State(preview=Preview(work))
    # As Ctrl-C does: what was started ends with us.
    signal.signal(signal.SIGTERM, _interrupt)
    with ExitStack() as stack:
        stack.enter_context(locked(work))
        stack.callback(state.preview.close)
        stack.enter_context(suppress(KeyboardInterrupt))
        writer = Writer(top=top, state=state, today=today)
        writer.renew()
        try:
            server = ThreadingHTTPServer((HOST, port), handler(state))
        except OSError as error:
            raise MachineError(
                f"port {port} cannot be used: {(error.strerror or '').lower()}",
                help="choose another with --port",
            ) from error
        server.daemon_threads = True
        click.echo(f"http://{HOST}:{server.server_address[1]}/ (Ctrl-C ends it)", err=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            writer.watch()
        finally:
            server.shutdown()
            server.server_close()


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@dataclass(slots=True)
class Writer:
    """Compiles, and renews what changed."""

    top: Path
    state: State
    today: str | None
    memory: Memory = field(default_factory=Memory)
    pages: SiteMemory = field(default_factory=dict)
    seen: tuple[tuple[str, int, int], ...] = ()
    assets: Mapping[str, bytes] = field(default_factory=package_files)

    def watch(self) -> None:
        """Goes on until Ctrl-C."""
        while True:
            time.sleep(_PAUSE)
            if stat_tree(self.top) != self.seen:
                try:
                    self.renew()
                except MachineError as error:
                    click.echo(f"tocsin: {error.message}", err=True)

    def renew(self) -> None:
        """One round: sources to pages."""
        began = time.monotonic()
        # Before reading: what is written meanwhile is seen in the next round.
        self.seen = stat_tree(self.top)
        with no_collector():
            sources = read_sources(self.top)
            compilation = compile_again(sources, day(self.today), self.memory)
            _say_errors(compilation)
            if compilation.settings is None:
                return
            wanted = Wanted(
                contents=contents_of(compilation, keep_going=True),
                settings=compilation.settings,
                sources=sources,
                history=history_of(self.top, compilation),
                root=self.top,
            )
            given = input_of(wanted)
            self._first(changed_pages(given, self.pages), began)
            plan = plan_of(wanted, given, emit_tree(given, self.pages), self.assets)
            for warning in self.state.preview.update(plan):
                click.echo(f"  {warning}", err=True)
            self.state.announce()
            click.echo(f"renewed in {time.monotonic() - began:.1f} s", err=True)
            # Stubs and the lookup file are many and seldom looked at while writing: after the page.
            self.state.static = {
                each.path.removeprefix("static/"): each.text.encode("utf-8") for each in emit_static(given)
            }

    def _first(self, pages: tuple[Artifact, ...], began: float) -> None:
        """The changed SOPs at once, where they are few; lists and reports that name them come after."""
        if 0 < len(pages) <= _FEW:
            self.state.preview.pages({each.path: each.text.encode("utf-8") for each in pages})
            self.state.announce()
            click.echo(f"{pages[0].path}: renewed in {time.monotonic() - began:.1f} s", err=True)


def _say_errors(compilation: Compilation) -> None:
    errors = [each for each in compilation.diagnostics if each.severity is Severity.error]
    for each in errors[:10]:
        click.echo(f"{each.span.file}:{each.span.line}: {each.code} {each.message}", err=True)
    if len(errors) > 10:
        click.echo(f"... and {len(errors) - 10} more: `tocsin check` says them all", err=True)


def handler(state: State) -> type[BaseHTTPRequestHandler]:
    """The requests of one server. GET of pages and files, of the reload script, and of the stream that tells of changes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # Another site's page may resolve its own name to this machine: only who asks for this one by number or name is answered.
            host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
            path = unquote(urlsplit(self.path).path)
            if host not in (HOST, "localhost"):
                self._answer(HTTPStatus.MISDIRECTED_REQUEST, b"", "text/plain")
            elif path == _EVENTS:
                self._stream()
            elif path == _SCRIPT:
                self._answer(HTTPStatus.OK, _RELOAD.encode(), "text/javascript")
            else:
                self._file(path)

        def _file(self, path: str) -> None:
            steps = path.split("/")[1:]
            if any(step in (".", "..") for step in steps) or "\0" in path or "\\" in path:
                self._answer(HTTPStatus.NOT_FOUND, b"", "text/plain")
                return
            name = "/".join(steps) + ("index.html" if path.endswith("/") else "")
            data = state.file(name)
            if data is None and not path.endswith("/") and state.file(f"{name}/index.html") is not None:
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", f"{urlsplit(self.path).path}/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            status = HTTPStatus.OK
            if data is None:
                name, status, data = "404.html", HTTPStatus.NOT_FOUND, state.file("404.html") or b""
            if name.endswith(".html"):
                data = _page(data, name, state.file("404.html") or b"")
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._answer(status, data, kind)

        def _stream(self) -> None:
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.send_header("Connection", "close")
            self.end_headers()
            try:
                while True:
                    self.wfile.write(f"data: {state.version}\n\n".encode())
                    self.wfile.flush()
                    with state.changed:
                        state.changed.wait(15)
            except OSError:
                self.close_connection = True  # the page was closed

        def _answer(self, status: HTTPStatus, data: bytes, kind: str) -> None:
            self.send_response(status)
            text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
            self.send_header("Content-Type", f"{kind}; charset=utf-8" if text else kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """A preview's requests are nobody's news."""

    return Handler


def _page(data: bytes, name: str, theme: bytes) -> bytes:
    """A page as it will be published, and with the script that loads it again."""
    html, _ = finish(data.decode("utf-8", "replace"), name, theme.decode("utf-8", "replace"))
    head, mark, rest = html.rpartition("</body>")
    return f'{head}<script src="{_SCRIPT}"></script>{mark}{rest}'.encode()
