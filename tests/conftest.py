"""What every test shares: the real programs, real servers, and a guard that keeps tests on this machine.

A test that asks for a real program fails when it is missing; `tests/real/components.py` says how to get it.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from tests.real import components, servers

_LOCAL_NAMES = {"", "localhost"}

# A CI tries the same examples every time, so that a change is not blamed for what chance found; people's runs go on searching.
# How long anything takes says nothing: a busy machine is slow at all of it.
_UNTIMED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("people", **_UNTIMED)
hypothesis.settings.register_profile("ci", derandomize=True, **_UNTIMED)
hypothesis.settings.load_profile("people")
if os.environ.get("TOCSIN_REQUIRE_REAL") == "1":
    hypothesis.settings.load_profile("ci")

# What a CI says about itself changes what tocsin does (a journal on a runner is refused): a test that wants it says it.
for _name in [each for each in os.environ if each == "CI" or each.startswith(("GITHUB_", "GITLAB_", "CI_"))]:
    del os.environ[_name]


def _is_local(host: object) -> bool:
    if host is None or isinstance(host, int):
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in _LOCAL_NAMES


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook: no connection, datagram or name look-up leaves 127.0.0.1, ::1 and Unix sockets."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not _is_local(host):
        raise RuntimeError(f"a test tried to reach {host}; tests stay on 127.0.0.1")


sys.addaudithook(_guard)


def pytest_configure(config: pytest.Config) -> None:
    """A cache of this run's own: what another run kept is no part of a test, and a history is kept by the address of its server, which the next one
    may be given again."""
    if "TOCSIN_CACHE" not in os.environ:
        folder = os.environ["TOCSIN_CACHE"] = tempfile.mkdtemp(prefix="tocsin-cache-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update",
        action="store_true",
        help="write what happens over what was expected (transcripts, golden)",
    )


@pytest.fixture(params=components.VERSIONS, scope="session")
def promtool(request: pytest.FixtureRequest) -> Path:
    """promtool, in each of the three generations that deployed Prometheus servers are of."""
    return components.promtool(request.param)


@pytest.fixture(scope="session")
def newest_promtool() -> Path:
    """promtool of the newest generation, for tests whose point is not the version."""
    return components.promtool()


@pytest.fixture(scope="session")
def amtool() -> Path:
    return components.amtool()


@pytest.fixture(params=components.VERSIONS, scope="session")
def prometheus_binary(request: pytest.FixtureRequest) -> Path:
    """The Prometheus server's binary, in each of the three generations."""
    return components.prometheus(request.param)


@pytest.fixture
def prometheus_server() -> Iterator[Callable[..., servers.Server]]:
    """Start servers that end with the test: `prometheus_server(config, files=..., version="2.42")`."""
    with ExitStack() as running:

        def start(config: str, *, version: str = components.NEWEST, **options: object) -> servers.Server:
            binary = components.prometheus(version)
            return running.enter_context(servers.running_prometheus(binary, config, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def alertmanager_server() -> Iterator[Callable[..., servers.Server]]:
    """Start Alertmanagers that end with the test: `alertmanager_server(config)`."""
    with ExitStack() as running:

        def start(config: str, **options: object) -> servers.Server:
            binary = components.alertmanager()
            return running.enter_context(servers.running_alertmanager(binary, config, **options))  # type: ignore[arg-type]

        yield start
