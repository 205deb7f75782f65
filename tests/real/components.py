"""The real programs the tests are held against: where they are, and how to get them.

In: a program and a version label (`promtool("2.53")`). Out: the path of a binary whose `--version` was read
and fits the label. One that is missing raises MissingComponentError; no test skips because of it.

They are Debian's packages, unpacked by `debian` below a cache folder (`~/.cache/tocsin/real`, or
TOCSIN_REAL_CACHE); the Go programs need nothing but libc. What is not in the cache is looked for on PATH; an
upstream tarball unpacked as `CACHE/prometheus-3.5/` serves as well, which is the way in elsewhere.

To add a component, add a row to COMPONENTS. Standard library only: the Makefile runs
`python -m tests.real.components` before anything else is there.
"""

from __future__ import annotations

import argparse
import fcntl
import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.real import debian


class MissingComponentError(RuntimeError):
    """A real component is not on this machine; the message says how to get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One row: a product at a version, the suite that ships it, the programs it brings."""

    name: str
    label: str  # "2.42": any 2.42.x
    newest: bool = False  # the suite moves, so the label is a floor
    suite: str
    packages: tuple[str, ...]
    programs: Mapping[str, tuple[str, ...]]  # our word -> file names, Debian's first
    home: bytes = b""  # where the build looks for its files; unpacked, it looks in the current folder instead

    @property
    def folder(self) -> str:
        return f"{self.name}-{self.label}"

    def fits(self, version: str) -> bool:
        """Is this version of the program one that the row asks for?"""
        found, asked = _numbers(version), _numbers(self.label)
        return found >= asked if self.newest else found[: len(asked)] == asked


_PROMETHEUS = {"prometheus": ("prometheus",), "promtool": ("promtool",)}
_ALERTMANAGER = {"alertmanager": ("prometheus-alertmanager", "alertmanager"), "amtool": ("amtool",)}

COMPONENTS = (
    Component(
        name="prometheus",
        label="2.42",
        suite="bookworm",
        packages=("prometheus",),
        programs=_PROMETHEUS,
    ),
    Component(
        name="prometheus",
        label="2.53",
        suite="trixie",
        packages=("prometheus", "promtool"),
        programs=_PROMETHEUS,
    ),
    Component(
        name="prometheus",
        label="3.5",
        newest=True,
        suite="sid",
        packages=("prometheus", "promtool"),
        programs=_PROMETHEUS,
    ),
    Component(
        name="alertmanager",
        label="0.25",
        suite="bookworm",
        packages=("prometheus-alertmanager",),
        programs=_ALERTMANAGER,
        home=b"/usr/share/prometheus/alertmanager",
    ),
    Component(
        name="node-exporter",
        label="1.5",
        suite="bookworm",
        packages=("prometheus-node-exporter",),
        programs={"node_exporter": ("prometheus-node-exporter", "node_exporter")},
    ),
    Component(
        name="victoria-metrics",
        label="1.145",
        newest=True,
        suite="sid",
        packages=("victoria-metrics",),
        programs={
            "victoria-metrics": ("victoria-metrics", "victoria-metrics-prod"),
            "vmalert": ("vmalert", "vmalert-prod"),
        },
    ),
)
VERSIONS = tuple(row.label for row in COMPONENTS if row.name == "prometheus")
NEWEST = VERSIONS[-1]
_ALERTMANAGER_LABEL = "0.25"


def promtool(version: str = NEWEST) -> Path:
    """The promtool of one of VERSIONS."""
    return find("promtool", version)


def prometheus(version: str = NEWEST) -> Path:
    """The Prometheus server of one of VERSIONS."""
    return find("prometheus", version)


def amtool() -> Path:
    return find("amtool", _ALERTMANAGER_LABEL)


def alertmanager() -> Path:
    return find("alertmanager", _ALERTMANAGER_LABEL)


def node_exporter() -> Path:
    return find("node_exporter", "1.5")


def victoria_metrics() -> Path:
    return find("victoria-metrics", "1.145")


def vmalert() -> Path:
    return find("vmalert", "1.145")


@cache
def find(program: str, label: str) -> Path:
    """The binary of a program at a version, from the cache or PATH; raises MissingComponentError."""
    for row in COMPONENTS:
        if program in row.programs and row.label == label:
            found = _look(row, program)
            if found is None:
                raise MissingComponentError(_how_to_get(row, program))
            return found
    raise MissingComponentError(f"no row of COMPONENTS brings `{program}` at {label}")


def version_of(binary: Path) -> str:
    """What the program itself says it is, e.g. `2.53.3+ds1`; older ones say it on stderr. Debian's VictoriaMetrics does not know its version:
    what its package says then."""
    run = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=300, check=False)
    said = re.search(r"version\s+v?([0-9][^\s]*)", run.stdout + run.stderr)
    if said is None:
        said = re.search(r"v?([0-9]+\.[0-9][^\s]*)", run.stdout + run.stderr) or _packaged(binary)
    if said is None:
        raise MissingComponentError(f"{binary} --version: {(run.stdout + run.stderr)[:200]!r}")
    return said[1]


def _packaged(binary: Path) -> re.Match[str] | None:
    """The version at the head of the package's own log of changes, which lies beside the programs."""
    log = binary.parent.parent / "share/doc/victoria-metrics/changelog.Debian.gz"
    if not log.is_file():
        return None
    with gzip.open(log, "rt", encoding="utf-8") as lines:
        return re.search(r"\(([0-9][^)]*)\)", lines.readline())


def cache_folder() -> Path:
    named = os.environ.get("TOCSIN_REAL_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(home) / "tocsin" / "real"


def _look(row: Component, program: str) -> Path | None:
    root = cache_folder() / row.folder
    for name in row.programs[program]:
        places = [root / "usr/bin" / name, root / "bin" / name, root / name]
        on_path = shutil.which(name)
        for place in [*places, *([Path(on_path)] if on_path else [])]:
            if place.is_file() and row.fits(version_of(place)):
                return place.resolve()
    return None


def _how_to_get(row: Component, program: str) -> str:
    wanted = f"{row.label} or newer" if row.newest else f"{row.label}.x"
    return (
        f"{program} {wanted} is not here.\n"
        f"  On Debian:  make real\n"
        f"  Elsewhere:  unpack the upstream release of {row.name} {wanted} as {cache_folder() / row.folder}"
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", re.split(r"[+~-]", version)[0]))


@contextmanager
def _alone() -> Iterator[None]:
    """One fetch at a time on this cache: two checkouts may start together."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# The command -----------------------------------------------------------------------------------------------


def _ensure(row: Component) -> list[str]:
    """Fetch a row if need be; a line for each program: version and path."""
    with _alone():
        if any(_look(row, program) is None for program in row.programs):
            print(
                f"fetching {row.folder} ({', '.join(row.packages)} of {row.suite})",
                file=sys.stderr,
                flush=True,
            )
            try:
                debian.unpack(row.packages, row.suite, cache_folder() / row.folder, home=row.home)
            except debian.UnreachableError as no:
                raise MissingComponentError(f"{_how_to_get(row, row.name)}\n{no}") from None
    found = [(program, find(program, row.label)) for program in row.programs]
    return [f"{program:<18}{version_of(path):<14}{path}" for program, path in found]


def main(arguments: list[str]) -> int:
    """`fetch [FOLDER...]` gets what is missing; `path PROGRAM VERSION` prints one path.

    Exit 3 names what could not be had. A bare `fetch` outside CI carries on without it (exit 0), because the
    tests that need it fail by themselves and say so; TOCSIN_REQUIRE_REAL=1 makes it final.
    """
    parser = argparse.ArgumentParser(prog="components.py", description="real components for the tests")
    verbs = parser.add_subparsers(dest="verb", required=True)
    getting = verbs.add_parser("fetch", help="get what is missing and print every version")
    getting.add_argument("names", nargs="*", metavar="NAME", help=", ".join(row.folder for row in COMPONENTS))
    where = verbs.add_parser("path", help="print where a program is")
    where.add_argument("program")
    where.add_argument("version")
    asked = parser.parse_args(arguments)
    if asked.verb == "path":
        try:
            print(find(asked.program, asked.version))
        except MissingComponentError as missing:
            print(missing, file=sys.stderr)
            return 3
        return 0
    unknown = set(asked.names) - {row.folder for row in COMPONENTS}
    if unknown:
        parser.error(f"no such component: {', '.join(sorted(unknown))}")
    failed = False
    for row in COMPONENTS:
        if not asked.names or row.folder in asked.names:
            try:
                print(*_ensure(row), sep="\n")
            except MissingComponentError as missing:
                print(f"{row.folder}: {missing}", file=sys.stderr)
                failed = True
    return 3 if failed and (asked.names or os.environ.get("TOCSIN_REQUIRE_REAL") == "1") else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
