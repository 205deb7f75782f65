"""Git where something is written: refs of our own, and pushes of them. Nothing here touches a branch, the index or the work tree.

The one way in which Git may talk to another machine: the remote of a run's own clone, named on the command line. Hooks, signatures and whatever
else a configuration could run stay off; what is committed is committed by `tocsin`, so that the same content is the same commit.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tocsin.disk.process import FinishedBytes, run_bytes
from tocsin.errors import MachineError

_TIMEOUT = 120.0
_PASSED = ("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_ASKPASS", "SSH_ASKPASS")
WHO = ("tocsin", "tocsin@localhost")
TOKEN = "TOCSIN_GIT_TOKEN"
"""The variable with the token to push with, where a CI's checkout kept none. It goes to the code host alone, and to git in its environment: no
argument, file or message holds it."""
_HOSTS = ("GITHUB_SERVER_URL", "CI_SERVER_URL")
_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": WHO[0],
    "GIT_AUTHOR_EMAIL": WHO[1],
    "GIT_COMMITTER_NAME": WHO[0],
    "GIT_COMMITTER_EMAIL": WHO[1],
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
}
_SETTINGS = (
    "safe.bareRepository=explicit",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "log.showSignature=false",
    "gc.auto=0",
)


def write_git(
    root: Path,
    *words: str,
    what: str,
    help: str,
    input: bytes | None = None,
    accept: Sequence[int] = (0,),
    at: str = "",
) -> FinishedBytes:
    """Runs git at `root`. MachineError that begins with `what` and ends with git's own reason (no credentials in it) where it ends with another
    code than those of `accept`. `at` is the time of what is made, ISO 8601; now where it is empty."""
    settings = [word for each in _SETTINGS for word in ("-c", each)]
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    dates = {"GIT_AUTHOR_DATE": at, "GIT_COMMITTER_DATE": at} if at else {}
    done = run_bytes(
        ["git", "--no-pager", *settings, *words],
        cwd=root,
        timeout=_TIMEOUT,
        input=input,
        env={**_ENVIRONMENT, **dates, **passed, **_credentials()},
    )
    if done.code not in accept:
        lines = done.err.decode("utf-8", "replace").strip().split("\n")
        # Behind what is wrong git may go on with advice; of a push, why a ref was not taken says more than that one was not.
        refused = (line for line in lines if line.startswith(" ! [") and "(atomic push failed)" not in line)
        wrong = (line for line in lines if line.startswith(("fatal: ", "error: ")))
        said = " ".join([*refused, *wrong, lines[-1]][0].split())
        said = re.sub(r"(?<=://)[^/@\s]*@", "***@", said)
        raise MachineError(f"{what}: git {words[0]} says `{said[:200]}`", help=help)
    return done


def _credentials() -> dict[str, str]:
    """A header for the code host, as git takes settings from its environment."""
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        return {}
    host = next((os.environ[name] for name in _HOSTS if os.environ.get(name)), "https://github.com")
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode("ascii")
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{host.rstrip('/')}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }
