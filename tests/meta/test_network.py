"""The guard of `tests/conftest.py` stops what leaves this machine and nothing else."""

from __future__ import annotations

import socket

import pytest


@pytest.mark.parametrize("host", ["192.0.2.1", "10.0.0.1", "0.0.0.0"])
def test_a_connection_elsewhere_is_refused(host: str) -> None:
    with socket.socket() as client, pytest.raises(RuntimeError, match="tests stay on 127"):
        client.connect((host, 9))


def test_a_datagram_elsewhere_is_refused() -> None:
    with (
        socket.socket(type=socket.SOCK_DGRAM) as client,
        pytest.raises(RuntimeError, match="tests stay on 127"),
    ):
        client.sendto(b"", ("192.0.2.1", 9))


def test_a_name_is_not_looked_up() -> None:
    with pytest.raises(RuntimeError, match=r"mirror\.example"):
        socket.getaddrinfo("mirror.example", 80)


def test_a_connection_to_this_machine_goes_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.connect(server.getsockname())
