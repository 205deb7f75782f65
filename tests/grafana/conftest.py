"""Where the suite runs: on each profile of the stand-in, or on the Grafana that the environment names.

GRAFANA_URL names a real one, with GRAFANA_TOKEN, with GRAFANA_USER and GRAFANA_PASSWORD, or with GRAFANA_AUTH as the tool reads it (a token, or
`user:password`). Its rules, folders and data sources are left alone; what the suite makes is removed after each test, after a failed one too.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.grafana.site import Place, Site
from tests.standin import DEFAULT_TOKEN, PROFILES, StandIn

URL = os.environ.get("GRAFANA_URL", "").rstrip("/")
SITES = ["GRAFANA_URL"] if URL else list(PROFILES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder has the marker `grafana`."""
    for item in items:
        if "tests/grafana/" in item.path.as_posix():
            item.add_marker(pytest.mark.grafana)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was left out, by capability."""
    counts: Counter[tuple[str, str]] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if reason.startswith("capability "):
            where = report.nodeid.partition("[")[2].rstrip("]") or "-"
            counts[where, reason] += 1
    if counts:
        terminalreporter.section("left out by capability")
        for (where, reason), number in sorted(counts.items()):
            terminalreporter.write_line(f"{where}: {reason} ({number})")


@pytest.fixture(scope="session", params=SITES)
def any_site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The server, of whatever version."""
    if request.param == "GRAFANA_URL":
        auth = os.environ.get("GRAFANA_AUTH", "")
        user, colon, password = auth.partition(":")
        site = Site(
            name="GRAFANA_URL",
            url=URL,
            token=os.environ.get("GRAFANA_TOKEN", "") or ("" if colon else auth),
            user=os.environ.get("GRAFANA_USER", "") or (user if colon else ""),
            password=os.environ.get("GRAFANA_PASSWORD", "") or password,
        )
        assert site.token or site.user, (
            "GRAFANA_URL needs GRAFANA_TOKEN, or GRAFANA_USER and GRAFANA_PASSWORD, or GRAFANA_AUTH"
        )
        site.text = site.get("/api/health").get("version", "")
        site.asked = _asked(site) | {"evaluates"}
        yield site
        return
    with StandIn(request.param) as standin:
        site = Site(name=request.param, url=standin.url, token=DEFAULT_TOKEN)
        site.text = site.get("/api/health")["version"]
        site.asked = _asked(site)
        yield site


@pytest.fixture(scope="session")
def _swept(any_site: Site) -> Iterator[Site]:
    if any_site.can("floor"):
        yield any_site
        any_site.sweep()
    else:
        yield any_site


@pytest.fixture
def site(_swept: Site) -> Site:
    """A server that tocsin works with."""
    _swept.need("floor")
    return _swept


@pytest.fixture
def place(site: Site) -> Iterator[Place]:
    """A folder of the test's own, gone after it with all that is in it."""
    try:
        yield Place(site)
    finally:
        site.sweep()


def _asked(site: Site) -> frozenset[str]:
    """What only the server itself can say."""
    found = set()
    if site.call("GET", "/api/serviceaccounts/search?perpage=1").status == 200:
        found.add("accounts")
    if site.can("floor"):
        try:
            place = Place(site)
            place.seed(place.rule("paused", isPaused=True))
            if place.read(place.uid("paused")).get("isPaused"):
                found.add("pauses")
        finally:
            site.sweep()
    return frozenset(found)
