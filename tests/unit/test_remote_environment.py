"""Which server and which credentials: what wins, what stops, and that no file of the repository can move a token."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.errors import MachineError, UsageError
from tocsin.remote.access import Auth, Basic, Bearer, Secret
from tocsin.remote.environment import access

A, B = "https://a.example", "https://b.example"


def token(text: str) -> Auth:
    return Bearer(Secret(text))


@pytest.mark.parametrize(
    ("environment", "url", "url_from", "auth", "auth_from"),
    [
        ({"GRAFANA_URL": A}, A, "GRAFANA_URL", None, ""),
        ({"GRAFANA_SERVER": f"{A}/sub/"}, f"{A}/sub", "GRAFANA_SERVER", None, ""),
        ({"GRAFANA_URL": f" {A}/ ", "GRAFANA_SERVER": A}, A, "GRAFANA_URL", None, ""),
        ({"TOCSIN_GRAFANA_URL": B, "GRAFANA_URL": A}, B, "TOCSIN_GRAFANA_URL", None, ""),
        ({"GRAFANA_URL": A, "GRAFANA_TOKEN": "t"}, A, "GRAFANA_URL", token("t"), "GRAFANA_TOKEN"),
        ({"GRAFANA_URL": A, "GRAFANA_AUTH": "t\n"}, A, "GRAFANA_URL", token("t"), "GRAFANA_AUTH"),
        ({"GRAFANA_URL": A, "GRAFANA_AUTH": "u:p:w"}, A, "GRAFANA_URL", Basic("u", Secret("p:w")), "GRAFANA_AUTH"),
        ({"GRAFANA_URL": A, "GRAFANA_AUTH": "t", "GRAFANA_TOKEN": "t"}, A, "GRAFANA_URL", token("t"), "GRAFANA_TOKEN"),
        (
            {"GRAFANA_URL": A, "GRAFANA_TOKEN": "t", "TOCSIN_GRAFANA_TOKEN": "mine"},
            A, "GRAFANA_URL", token("mine"), "TOCSIN_GRAFANA_TOKEN",
        ),
        ({"GRAFANA_URL": "https://u:p%40w@a.example:3000/x"}, f"{A}:3000/x", "GRAFANA_URL", Basic("u", Secret("p@w")), "GRAFANA_URL"),
        ({"GRAFANA_URL": A, "GRAFANA_TOKEN": "  "}, A, "GRAFANA_URL", None, ""),
    ],
)  # fmt: skip
def test_where_it_comes_from(
    environment: dict[str, str], url: str, url_from: str, auth: Auth | None, auth_from: str
) -> None:
    found = access("grafana", environment)
    assert (found.url, found.url_from, found.auth, found.auth_from) == (url, url_from, auth, auth_from)


def test_a_prometheus_has_its_own_names() -> None:
    environment = {"PROMETHEUS_URL": A, "GRAFANA_URL": B, "GRAFANA_TOKEN": "g", "PROMETHEUS_AUTH": "u:p"}
    assert access("prometheus", environment).auth == Basic("u", Secret("p"))
    assert access("prometheus", {"PROMETHEUS_URL": A, "GRAFANA_TOKEN": "g"}).auth is None


@pytest.mark.parametrize(
    "environment",
    [
        {"GRAFANA_URL": A, "GRAFANA_SERVER": B},
        {"GRAFANA_URL": A, "GRAFANA_TOKEN": "secret-one", "GRAFANA_AUTH": "secret-two"},
        {"GRAFANA_URL": "https://u:secret-one@a.example", "GRAFANA_TOKEN": "secret-two"},
        {"GRAFANA_URL": "glsa_secret-one"},
        {"GRAFANA_URL": "https://u:secret-one@"},
        {"GRAFANA_URL": "https://onlyuser@a.example"},
        {"GRAFANA_URL": "file:///etc/secret-one"},
        {"GRAFANA_URL": A, "GRAFANA_TOKEN": "secret-one\nX: y"},
        {"GRAFANA_URL": A, "TOCSIN_PROXY": "u:secret-one"},
    ],
)
def test_what_stops_is_told_without_its_value(environment: dict[str, str]) -> None:
    with pytest.raises(UsageError) as stopped:
        access("grafana", environment)
    told = f"{stopped.value} {stopped.value.help}"
    assert "secret" not in told and "example" not in told
    assert any(name in told for name in environment)
    assert stopped.value.exit_code == 2


def test_no_address_names_the_variable() -> None:
    with pytest.raises(MachineError) as missing:
        access("grafana", {"GRAFANA_TOKEN": "t"})
    assert "GRAFANA_URL" in missing.value.help and missing.value.exit_code == 3


def test_a_flag_wins_and_gets_the_general_token() -> None:
    found = access("grafana", {"GRAFANA_URL": B, "GRAFANA_TOKEN": "t"}, flag=A, url_env="TOCSIN_X_URL")
    assert (found.url, found.url_from, found.auth) == (A, "the command line", token("t"))


# What a file of the repository may do ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["AWS_SECRET_ACCESS_KEY", "HOME", "GRAFANA_TOKEN", "TOCSIN_TOKEN", "GRAFANA_AUTH", "tocsin_url", "XTOCSIN_URL",
     "TOCSIN_URL\n", "TOCSIN_X-URL", "GRAFANAURL", "https://evil.example", ""],
)  # fmt: skip
def test_a_file_names_only_what_says_it_is_an_address(name: str) -> None:
    with pytest.raises(UsageError, match="may not be read"):
        access("grafana", {name: A, "GRAFANA_TOKEN": "t"}, url_env=name)


def test_a_files_variable_gets_the_token_of_its_family() -> None:
    environment = {"TOCSIN_EU_URL": A, "TOCSIN_EU_TOKEN": "eu", "GRAFANA_TOKEN": "general", "GRAFANA_URL": B}
    found = access("grafana", environment, url_env="TOCSIN_EU_URL")
    assert (found.url, found.auth, found.auth_from) == (A, token("eu"), "TOCSIN_EU_TOKEN")


@pytest.mark.parametrize(
    "there",
    [
        "https://prometheus.example",
        "http://grafana.example",
        "http://grafana.example:443",
        "https://grafana.example:8443",
        "https://grafana.example.evil",
    ],
)
def test_a_file_cannot_send_the_general_token_to_another_server(there: str) -> None:
    environment = {
        "GRAFANA_URL": "https://grafana.example",
        "GRAFANA_TOKEN": "t",
        "TOCSIN_GRAFANA_TOKEN": "t2",
        "PROMETHEUS_URL": there,
    }
    assert access("grafana", environment, url_env="PROMETHEUS_URL").auth is None
    del environment["GRAFANA_URL"]
    assert access("grafana", environment, url_env="PROMETHEUS_URL").auth is None


def test_the_general_token_goes_to_the_general_server_by_any_name() -> None:
    environment = {
        "GRAFANA_URL": "https://grafana.example:443/x",
        "GRAFANA_TOKEN": "t",
        "TOCSIN_EU_URL": "https://GRAFANA.example",
    }
    assert access("grafana", environment, url_env="TOCSIN_EU_URL").auth == token("t")


def test_a_files_variable_that_is_not_set_is_no_reason_to_take_another() -> None:
    with pytest.raises(MachineError, match="TOCSIN_EU_URL"):
        access("grafana", {"GRAFANA_URL": A, "TOCSIN_EU_URL": " "}, url_env="TOCSIN_EU_URL")


def test_certificates_and_proxy() -> None:
    environment = {
        "GRAFANA_URL": A,
        "TOCSIN_CA_FILE": "/ca.pem",
        "TOCSIN_CLIENT_CERT": "/c.pem",
        "TOCSIN_CLIENT_KEY": "/c.key",
        "TOCSIN_PROXY": "http://u:secretpw@proxy.example:3128",
        "HTTPS_PROXY": "http://not.this",
    }
    found = access("grafana", environment)
    assert (found.tls.ca_file, found.tls.client_cert, found.tls.client_key) == (
        Path("/ca.pem"),
        Path("/c.pem"),
        Path("/c.key"),
    )
    assert found.proxy is not None and found.proxy.reveal() == environment["TOCSIN_PROXY"]
    assert "secretpw" not in repr(found)
