"""Debian's packages of any suite, unpacked and never installed: Debian starts the services it installs.

In: packages, a suite, a folder. Out: that folder, whole or not at all. UnreachableError says what stood in
the way. The suite is reached through the machine's own apt sources with another suite name in them, so
mirror, proxy and keyring stay whatever the machine has. Signatures are checked: Debian signs every suite with
the keys of the older releases too, so Debian 12's own keyring is enough for sid.

One thing is not as packaged: Debian's Alertmanager opens its templates by absolute path, where an unpacked
build has none and where only root could put them. In the unpacked copy that path is overwritten with
`./././...` of the same length (`home`), and `servers` puts the templates into the server's folder.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path


class UnreachableError(RuntimeError):
    """A package could not be had from here; the message ends with what apt said."""


def unpack(packages: tuple[str, ...], suite: str, target: Path, *, home: bytes = b"") -> None:
    """Download and unpack packages into `target`, which is replaced; nothing is left behind on failure."""
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise UnreachableError(f"{tool} is not here, so this is no Debian")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as name:
        work = Path(name)
        options = _apt_options(suite, work)
        _run(["apt-get", "-qq", *options, "update"], cwd=work)
        _run(["apt-get", "-qq", *options, "download", *packages], cwd=work)
        for package in sorted(work.glob("*.deb")):
            _run(["dpkg", "-x", str(package), str(work / "root")], cwd=work)
        if home:
            _look_in_the_current_folder(work / "root", home)
        shutil.rmtree(target, ignore_errors=True)
        (work / "root").rename(target)


def _look_in_the_current_folder(root: Path, home: bytes) -> None:
    """Overwrite an absolute folder in the unpacked binaries, byte for byte, with a relative one."""
    for binary in (root / "usr/bin").iterdir():
        content = binary.read_bytes()
        if home in content:
            binary.write_bytes(content.replace(home, (b"./" * len(home))[: len(home)]))


def _apt_options(suite: str, work: Path) -> list[str]:
    """Options that give apt its own lists, its own idea of what is installed (nothing), and one suite."""
    sources = work / f"{suite}.sources"
    sources.write_text(sources_for(suite, list(_source_files())), encoding="utf-8")
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State::Lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache": work / "cache",
        "Acquire::Languages": "none",
        # Without it an index that could not be read is only a warning, and exit 0.
        "APT::Update::Error-Mode": "any",
        # The _apt user that root's apt hands downloads to cannot write below a home folder.
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _source_files() -> Iterator[Path]:
    etc = Path("/etc/apt")
    yield etc / "sources.list"
    yield from sorted((etc / "sources.list.d").glob("*.list"))
    yield from sorted((etc / "sources.list.d").glob("*.sources"))


def _stanza(fields: dict[str, str]) -> str:
    return "".join(f"{key}: {value}\n".replace(": \n", ":\n") for key, value in fields.items())


_DEBIAN_SUITES = {"bookworm", "trixie", "forky", "duke", "sid", "oldstable", "stable", "testing", "unstable"}


def sources_for(suite: str, files: list[Path]) -> str:
    """The machine's own sources of Debian's main archive, asking for another suite; deb822 text."""
    stanzas = []
    for path in files:
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        read = _one_line_sources if path.suffix == ".list" else _deb822_sources
        for fields in read(text):
            if "deb" in fields["Types"].split() and _DEBIAN_SUITES & set(fields["Suites"].split()):
                fields |= {"Types": "deb", "Suites": suite, "Components": "main"}
                stanzas.append(
                    "".join(f"{key}: {value}\n".replace(": \n", ":\n") for key, value in fields.items())
                )
    if not stanzas:
        raise UnreachableError(
            f"Debian's suite `{suite}` cannot be reached from here: no source of Debian's main archive is in "
            + ", ".join(map(str, files))
        )
    return stanzas[0]


def _deb822_sources(text: str) -> Iterator[dict[str, str]]:
    """Stanzas of a `.sources` file; a signing key written out in the file goes along, line by line."""
    uncommented = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", uncommented):
        pairs = re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t].*)*)", stanza, re.MULTILINE)
        fields = {key.title(): value.rstrip() for key, value in pairs}
        if {"Types", "Uris", "Suites"} <= fields.keys() and fields.get("Enabled", "yes") != "no":
            yield {"Types": fields["Types"], "URIs": fields["Uris"], "Suites": fields["Suites"]} | {
                key: fields[key] for key in ("Signed-By", "Trusted", "Architectures") if key in fields
            }


def _one_line_sources(text: str) -> Iterator[dict[str, str]]:
    for line in text.splitlines():
        said = re.match(r"(deb)\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)", line)
        if said:
            options = dict(word.split("=", 1) for word in (said[2] or "").split())
            fields = {"Types": said[1], "URIs": said[3], "Suites": said[4]}
            names = {"signed-by": "Signed-By", "trusted": "Trusted", "arch": "Architectures"}
            yield fields | {
                names[key]: value.replace(",", " ") for key, value in options.items() if key in names
            }


def _run(command: list[str], *, cwd: Path) -> None:
    run = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if run.returncode:
        raise UnreachableError(f"{' '.join(command[:1] + command[-2:])} failed:\n{run.stdout}{run.stderr}")
