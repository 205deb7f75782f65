"""Samples with times of their own into a running Prometheus, by its remote-write door.

A scrape page can carry times too, but no staleness marker, and what it says is read whenever the scraper comes
by. Here the server has said that it holds every sample before the first of them is due.

The body is a snappy block of a protobuf WriteRequest (prompb/remote.proto: timeseries = 1 {labels = 1 {name = 1,
value = 2}, samples = 2 {value = 1, timestamp = 2}}). A block of nothing but literals is valid snappy.
"""

from __future__ import annotations

import struct
import urllib.request
from collections.abc import Iterable, Sequence

Sample = tuple[int, float]
"""Milliseconds and value."""
STALE_BITS = 0x7FF0000000000002
STALE_MARKER = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]
_LITERAL = 65_536
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def push(url: str, series: Iterable[tuple[Sequence[tuple[str, str]], Sequence[Sample]]]) -> None:
    """Every sample of every series (labels with `__name__`); HTTPError where the server refuses one."""
    body = b"".join(_field(1, _series(labels, samples)) for labels, samples in series)
    headers = {
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    request = urllib.request.Request(f"{url}/api/v1/write", data=_snappy(body), headers=headers)
    with _OPENER.open(request, timeout=300):
        pass


def _series(labels: Sequence[tuple[str, str]], samples: Sequence[Sample]) -> bytes:
    named = [_field(1, name.encode()) + _field(2, value.encode()) for name, value in sorted(labels)]
    timed = [b"\x09" + _double(value) + b"\x10" + _varint(time) for time, value in samples]
    return b"".join([*(_field(1, each) for each in named), *(_field(2, each) for each in timed)])


def _double(value: float) -> bytes:
    # Which NaN it is tells a marker from a number, and passing a float around may quieten it.
    return struct.pack("<Q", STALE_BITS) if value != value else struct.pack("<d", value)


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _snappy(data: bytes) -> bytes:
    parts = [data[at : at + _LITERAL] for at in range(0, len(data), _LITERAL)]
    return _varint(len(data)) + b"".join(b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts)
