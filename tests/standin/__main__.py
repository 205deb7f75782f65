"""`python -m tests.standin --profile 12.0 --port 0 --token X --state FILE`: the stand-in as a process.

Prints its URL, then serves until it is ended. The state file is read at the start if it is there, and is
written anew at each commit, whole or not at all.
"""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from tests.standin import DEFAULT_TOKEN, PROFILES, Settings, StandIn, Token
from tests.standin.access import ROLES


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.standin", description=__doc__)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="12.0")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=DEFAULT_TOKEN)
    parser.add_argument("--role", choices=sorted(ROLES), default="admin")
    parser.add_argument("--sub-path", default="")
    parser.add_argument("--evaluates", type=float, default=None, metavar="SECONDS")
    parser.add_argument("--state", type=Path, default=None, metavar="FILE")
    given = parser.parse_args()
    standin = StandIn(
        given.profile,
        tokens=[Token(secret=given.token, role=given.role)],
        settings=Settings(sub_path=given.sub_path, evaluates=given.evaluates),
        state_file=given.state,
        port=given.port,
    )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with standin:
        print(standin.url, flush=True)
        ended.wait()


main()
