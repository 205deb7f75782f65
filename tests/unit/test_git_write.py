"""Git with a token: the code host gets it, nobody else, and no message shows it."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from tests.loopback import reply, serving

from tocsin.disk.git_write import write_git
from tocsin.errors import MachineError


@pytest.mark.parametrize("is_host", [True, False])
def test_the_token_goes_to_the_code_host_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_host: bool
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setenv("TOCSIN_GIT_TOKEN", "hunter2")
    secret = base64.b64encode(b"x-access-token:hunter2").decode()
    with serving(lambda seen, number: reply(403, b"no")) as server:
        monkeypatch.setenv("GITHUB_SERVER_URL", server.url if is_host else "https://github.example")
        subprocess.run(
            ["git", "remote", "add", "origin", f"{server.url}/team/alerts"], cwd=tmp_path, check=True
        )
        with pytest.raises(MachineError) as raised:
            write_git(tmp_path, "ls-remote", "origin", what="the journal cannot be kept", help="")
    assert "hunter2" not in raised.value.message and secret not in raised.value.message
    sent = [each.headers.get("authorization") for each in server.seen]
    assert sent and set(sent) == {f"Basic {secret}" if is_host else None}


def test_git_s_reason_is_told_and_not_its_advice(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(MachineError, match=r"`fatal: 'nowhere' does not appear to be a git repository`"):
        write_git(tmp_path, "ls-remote", "nowhere", what="the records cannot be reached", help="")


def test_of_a_push_the_ref_that_was_not_taken_is_told(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *words], cwd=tmp_path, check=True
        )

    git("init", "-q")
    git("init", "-q", "--bare", "there.git")
    for number in (1, 2):
        git("commit", "-q", "--allow-empty", "-m", str(number))
    git("push", "-q", "there.git", "HEAD~1:refs/tags/v1.0.0")
    git("tag", "v1.0.0")
    git("tag", "a-first")
    refs = ["refs/tags/a-first", "refs/tags/v1.0.0"]
    with pytest.raises(MachineError, match=r"`! \[rejected\] v1\.0\.0 -> v1\.0\.0 \(already exists\)`"):
        write_git(tmp_path, "push", "--quiet", "--atomic", "there.git", *refs, what="no release", help="")
