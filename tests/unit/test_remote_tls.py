"""Certificates at the HTTP door: an authority made here, a server of its, a client of its. OpenSSL's own program makes them."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.loopback import FakeClock, Loopback, reply, serving

from tocsin.errors import Ambiguous, NotSent, Unreachable
from tocsin.remote.access import NO_TLS_FILES, Tls
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.remote.retry import Patience


@dataclass(frozen=True)
class Authority:
    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def issue(self, name: str, extension: str) -> None:
        """`name.pem` and `name.key`, signed by this authority."""
        self.path(f"{name}.ext").write_text(extension, encoding="utf-8")
        ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"]
        self.openssl("req", "-new", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
        self.openssl(
            "x509", "-req", "-in", f"{name}.csr", *signing, "-extfile", f"{name}.ext", "-out", f"{name}.pem"
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    made.openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", "/CN=tests of tocsin", "-keyout", "ca.key", "-out", "ca.pem"),
        *("-addext", "keyUsage=critical,keyCertSign"),
    )
    made.issue("server", "subjectAltName=IP:127.0.0.1")
    made.issue("elsewhere", "subjectAltName=DNS:elsewhere.example")
    made.issue("client", "extendedKeyUsage=clientAuth")
    return made


@contextmanager
def secured(authority: Authority, *, name: str = "server", asks_client: bool = False) -> Iterator[Loopback]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.path(f"{name}.pem"), authority.path(f"{name}.key"))
    if asks_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.path("ca.pem"))
    with serving(lambda _seen, _number: reply(), tls=context) as server:
        yield server


def door(server: Loopback, tls: Tls) -> Door:
    return Door(server.url, clock=FakeClock(), tls=tls, patience=Patience(attempts=2))


def test_a_server_of_the_given_authority_is_trusted(authority: Authority) -> None:
    with secured(authority) as server, door(server, Tls(ca_file=authority.path("ca.pem"))) as open_door:
        assert open_door.get("x").status == 200


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_no_other_server_is_trusted_whatever_the_environment_says(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(authority.path("ca.pem")))
    with secured(authority) as server, door(server, NO_TLS_FILES) as open_door:
        with pytest.raises(NotSent, match="its certificate is not trusted"):
            open_door.send("PUT", "x", body=Body.of_json(1))
        assert server.seen == []


def test_a_certificate_of_another_name_is_not_trusted(authority: Authority) -> None:
    tls = Tls(ca_file=authority.path("ca.pem"))
    with secured(authority, name="elsewhere") as server, door(server, tls) as open_door:
        with pytest.raises(NotSent, match=r"not trusted .*127\.0\.0\.1"):
            open_door.get("x")
        assert open_door.sent == {"GET": 1}  # it would not be trusted the next time


def test_a_client_certificate_is_shown(authority: Authority) -> None:
    tls = Tls(
        ca_file=authority.path("ca.pem"),
        client_cert=authority.path("client.pem"),
        client_key=authority.path("client.key"),
    )
    with secured(authority, asks_client=True) as server, door(server, tls) as open_door:
        assert open_door.get("x").status == 200


def test_certificate_and_key_may_be_one_file(authority: Authority) -> None:
    both = authority.path("both.pem")
    both.write_bytes(authority.path("client.pem").read_bytes() + authority.path("client.key").read_bytes())
    tls = Tls(ca_file=authority.path("ca.pem"), client_cert=both)
    with secured(authority, asks_client=True) as server, door(server, tls) as open_door:
        assert open_door.get("x").status == 200


def test_without_its_client_certificate_no_request_arrives(authority: Authority) -> None:
    tls = Tls(ca_file=authority.path("ca.pem"))
    with secured(authority, asks_client=True) as server, door(server, tls) as open_door:
        with pytest.raises(Unreachable):
            open_door.get("x")
        # TLS 1.3 tells the client after it has spoken, so from here it cannot be known.
        with pytest.raises((Ambiguous, NotSent)):
            open_door.send("PUT", "x", body=Body.of_json(1))
        assert server.seen == []


def test_a_file_that_is_no_certificate_is_an_error_in_words(authority: Authority, tmp_path: Path) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate", encoding="utf-8")
    with secured(authority) as server, door(server, Tls(ca_file=broken)) as open_door:
        with pytest.raises(Unreachable) as failed:
            open_door.get("x")
        assert server.seen == [] and len(str(failed.value)) < 200
