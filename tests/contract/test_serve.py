"""`tocsin serve` as a process of its own: it shows the site on this machine, renews it after an edit, and ends with nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from tests.contract.test_site_links import copy_of_sources

TODAY = "2026-11-21"
SOP = "sops/kafka/SOP-KAFKA-007.md"
_PATIENCE = 300.0
"""How long a test waits before it calls the server stuck. Nothing here says how fast it is."""


class Served:
    """A running server, and the repository it shows."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._said = (root.parent / "said.txt").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tocsin", "serve", "--port", "0", "--today", TODAY, str(root)],
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            env={**os.environ, "TOCSIN_CACHE": str(root.parent / "cache")},
        )
        self.address = self._address()

    @property
    def said(self) -> str:
        return (self.root.parent / "said.txt").read_text(encoding="utf-8")

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.address + path, timeout=300) as answer:
            return str(answer.read().decode("utf-8"))

    def until(self, path: str, words: str) -> str:
        """The page at `path` as soon as it says `words`."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            page = self.get(path)
            if words in page:
                return page
            time.sleep(0.1)
        raise AssertionError(f"{path} never said {words!r}: {self.said}")

    def children(self) -> list[int]:
        """What the server has started and still runs."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(each) for each in listed.read_text(encoding="ascii").split()]

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._said.close()

    def _address(self) -> str:
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            for row in self.said.splitlines():
                if row.startswith("http://127.0.0.1:"):
                    return row.split("/ ", 1)[0]
            time.sleep(0.1)
        raise AssertionError(f"the server did not begin: {self.said}")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(copy_of_sources(tmp_path / "repository"))
    try:
        yield server
    finally:
        server.close()


def _gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody waits for any more may still have its name."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_an_edit_becomes_visible_and_the_signal_ends_it(served: Served) -> None:
    page = served.get("/sop/SOP-KAFKA-007/")
    assert "Content-Security-Policy" in page and "/__tocsin/reload.js" in page
    assert "KafkaConsumerLag" in served.until("/a/KafkaConsumerLagPage/", "SOP-KAFKA-007")
    assert "EventSource" in served.get("/__tocsin/reload.js")

    _edit(served.root / SOP, "\n## ", "\nWords that were not here before.\n\n## ")
    after = served.until("/sop/SOP-KAFKA-007/", "Words that were not here before.")
    assert "Content-Security-Policy" in after
    # Words alone change no list; a title does, and every list that has it follows.
    title = next(
        row
        for row in (served.root / SOP).read_text(encoding="utf-8").splitlines()
        if row.startswith("title:")
    )
    _edit(served.root / SOP, title, "title: A title from the middle of the night")
    served.until("/sop/SOP-KAFKA-007/", "A title from the middle of the night")
    served.until("/sop/", "A title from the middle of the night")
    served.until("/a/KafkaConsumerLagPage/", "A title from the middle of the night")
    # A threshold: the alert's service is compiled again, and the page that shows it follows.
    _edit(served.root / "rules/kafka/lag.yaml", "limit: 5000", "limit: 6543")
    served.until("/sop/SOP-KAFKA-007/", "6543")

    started = served.children()
    assert served.end(signal.SIGTERM) == 0, served.said
    assert "Traceback" not in served.said
    end = time.monotonic() + _PATIENCE
    while not all(map(_gone, started)) and time.monotonic() < end:
        time.sleep(0.05)
    assert all(map(_gone, started))


def test_control_c_ends_it_and_what_is_asked_wrongly_is_refused(served: Served) -> None:
    with pytest.raises(urllib.error.HTTPError) as missing:
        served.get("/sop/SOP-NOWHERE-001/")
    assert missing.value.code == 404
    missing.value.close()
    host, port = served.address.removeprefix("http://").split(":")
    for path, name, status in (
        ("/", "evil.example", 421),
        ("/", "localhost:1", 200),
        ("/../../tocsin.yaml", host, 404),
        ("/%2e%2e/%2e%2e/tocsin.yaml", host, 404),
        ("/sop/SOP-KAFKA-007", host, 302),
    ):
        line = HTTPConnection(host, int(port), timeout=300)
        line.putrequest("GET", path, skip_host=True)
        line.putheader("Host", name)
        line.endheaders()
        answer = line.getresponse()
        answer.read()
        assert answer.status == status, (path, name)
        line.close()
    assert served.end(signal.SIGINT) == 0, served.said
    assert "Traceback" not in served.said


def test_a_second_one_in_the_same_folder_is_refused(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tocsin", "serve", "--port", "0", "--today", TODAY, str(served.root)],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
    )
    assert done.returncode == 3 and "another tocsin is building" in done.stderr
