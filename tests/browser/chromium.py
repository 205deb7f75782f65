"""Headless Chromium that can reach this machine and nothing else, and what a page did in it.

Every name but 127.0.0.1 is unresolvable, and `Visit.requests` holds each request all the same: a page that asks for a font on a far host fails
its test even though nothing could answer. A missing browser fails with how to get it; it never skips.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 900}
_PLACES = (os.environ.get("TOCSIN_CHROMIUM", "/usr/bin/chromium"), "/usr/bin/chromium-browser")
_ARGUMENTS = [
    "--no-sandbox",  # a container's root has no other way to start it; what it opens is this project's own site
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]


_PATIENCE_MS = 180_000
"""How long anything may take before it is called missing: what bounds a failure is not felt by a success."""
_AT_REST = """async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame(); await frame();
    const finite = document.getAnimations().filter((each) => each.effect && each.effect.getComputedTiming().endTime < Infinity);
    await Promise.allSettled(finite.map((each) => each.finished));
    await frame();
}"""


class MissingBrowserError(RuntimeError):
    """Chromium is not installed; the message says how to get it."""


def executable() -> str:
    """The path of Chromium; raises MissingBrowserError."""
    for each in _PLACES:
        if Path(each).is_file():
            return each
    raise MissingBrowserError(
        "Chromium is not here: run tests/browser/install.sh (Debian: apt-get install chromium)"
    )


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser with a fresh profile that ends with the block."""
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=_ARGUMENTS, timeout=_PATIENCE_MS)
        try:
            yield browser
        finally:
            browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: object) -> None:
        """Silence: a page's requests are the test's business."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The folder at `http://127.0.0.1:PORT/`; yields that address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(slots=True)
class Visit:
    """One open page and what happened on it since: requests by address, console lines, exceptions, dialogs."""

    page: Page
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def leaving(self, *homes: str) -> list[str]:
        """Requests that went anywhere but to `homes` (beginnings of addresses) or to data in the page itself."""
        return [each for each in self.requests if not each.startswith((*homes, "data:", "blob:", "about:"))]

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what the browser reports on its own; AssertionError with all of it where it never does."""
        end = time.monotonic() + _PATIENCE_MS / 1000
        while not holds():
            assert time.monotonic() < end, self
            self.page.wait_for_timeout(50)

    @property
    def complaints(self) -> list[str]:
        """What the policy refused, and exceptions of the page's own scripts."""
        return [
            each for each in self.console if "Content Security Policy" in each or "violates" in each
        ] + self.errors


def at_rest(page: Page) -> None:
    """Wait until what was just done to the page is drawn, and what moves or fades because of it has ended."""
    page.evaluate(_AT_REST)


@contextmanager
def visiting(
    browser: Browser,
    address: str,
    *,
    size: ViewportSize = DESK,
    scheme: str = "light",
    scripts: bool = True,
    before: str = "",
    permissions: tuple[str, ...] = (),
    options: Mapping[str, Any] | None = None,
) -> Iterator[Visit]:
    """The page at `address`, in a profile of its own. `before` is a script that runs before the page's own."""
    phone = size["width"] < 600
    context = browser.new_context(
        viewport=size,
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=scripts,
        has_touch=phone,
        is_mobile=phone,
        permissions=list(permissions),
        **(options or {}),
    )
    try:
        if before:
            context.add_init_script(before)
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        visit = Visit(page=page)
        page.on("request", lambda request: visit.requests.append(request.url))
        page.on("console", lambda message: visit.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: visit.errors.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: (visit.dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(address, wait_until="load")
        yield visit
    finally:
        context.close()
