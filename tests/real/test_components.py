"""The real components are what they claim to be, and the way to get them asks the machine's own mirror."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.real import components, debian, servers

_DEB822 = """\
# written by the installer
Types: deb deb-src
# an older mirror
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
_SCRAPE_NOTHING = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"


def test_each_promtool_says_the_version_it_was_asked_for(promtool: Path) -> None:
    checked = components.version_of(promtool)
    assert any(row.fits(checked) for row in components.COMPONENTS if row.name == "prometheus")


def test_three_versions_are_three_programs() -> None:
    found = {components.version_of(components.promtool(version)) for version in components.VERSIONS}
    assert len(found) == len(components.VERSIONS) == 3


def test_a_version_nobody_has_is_refused_with_its_name() -> None:
    with pytest.raises(components.MissingComponentError, match=r"1\.0"):
        components.promtool("1.0")


def test_a_missing_program_names_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOCSIN_REAL_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    components.find.cache_clear()
    try:
        with pytest.raises(components.MissingComponentError, match=r"promtool 3\.5 or newer is not here"):
            components.promtool("3.5")
    finally:
        components.find.cache_clear()


@pytest.mark.parametrize(
    ("label", "newest", "version", "fits"),
    [
        ("2.42", False, "2.42.0+ds", True),
        ("2.42", False, "2.4.2", False),
        ("2.42", False, "2.45.3", False),
        ("3.5", True, "3.5.3+ds1", True),
        ("3.5", True, "3.10.0", True),
        ("3.5", True, "3.4.9", False),
    ],
)
def test_a_label_is_compared_number_by_number(label: str, newest: bool, version: str, fits: bool) -> None:
    row = components.Component(
        name="prometheus", label=label, newest=newest, suite="sid", packages=(), programs={}
    )
    assert row.fits(version) is fits


def test_a_deb822_source_keeps_its_mirror_and_its_key(tmp_path: Path) -> None:
    path = tmp_path / "debian.sources"
    path.write_text(_DEB822, encoding="utf-8")
    text = debian.sources_for("trixie", [path])
    head = "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n"
    assert text.startswith(head + "Signed-By:\n -----BEGIN")
    assert "bookworm" not in text
    assert "security" not in text


def test_a_one_line_source_keeps_its_mirror_and_its_options(tmp_path: Path) -> None:
    path = tmp_path / "sources.list"
    path.write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/d.gpg] http://mirror.example/debian bookworm main\n",
        encoding="utf-8",
    )
    assert debian.sources_for("sid", [path]) == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: sid\nArchitectures: amd64\n"
        "Signed-By: /usr/share/keyrings/d.gpg\nComponents: main\n"
    )


def test_a_machine_without_a_debian_source_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "sources.list"
    path.write_text("deb http://mirror.example/ubuntu noble main\n", encoding="utf-8")
    with pytest.raises(debian.UnreachableError, match="no source of Debian's main archive"):
        debian.sources_for("sid", [path])


def test_a_prometheus_of_each_version_answers(prometheus_binary: Path) -> None:
    with servers.running_prometheus(prometheus_binary, _SCRAPE_NOTHING) as server:
        assert server.query("vector(1 + 1)", at=time.time())[0]["value"][1] == "2"
    assert server.process.returncode is not None


def test_an_alertmanager_takes_an_alert(alertmanager_server: object) -> None:
    server = alertmanager_server("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")  # type: ignore[operator]
    server.post("/api/v2/alerts", [{"labels": {"alertname": "Up"}}])
    assert [alert["labels"] for alert in server.get("/api/v2/alerts")] == [{"alertname": "Up"}]


def test_a_server_that_cannot_start_shows_its_log() -> None:
    with (
        pytest.raises(servers.ServerFailedError, match=r"(?s)its log ends:.*nonsense"),
        servers.running_prometheus(components.prometheus(), "nonsense: true\n"),
    ):
        pytest.fail("it started")


def test_a_failure_inside_carries_the_log_of_the_server() -> None:
    with (
        pytest.raises(ZeroDivisionError) as raised,
        servers.running_prometheus(components.prometheus(), _SCRAPE_NOTHING),
    ):
        1 / 0  # noqa: B018
    assert "Server is ready to receive web requests" in raised.value.__notes__[0]
