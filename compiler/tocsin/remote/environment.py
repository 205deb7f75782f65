"""Which server, and with which credentials: from flags and the environment alone.

In: the environment as a Mapping (cli passes it), the address of a flag, the name of a variable from the project file. Out: an `Access`, or a
`UsageError` that names variables and never their values.

A pull request may change any file of the repository, so a file may only name a variable, and only one whose name says that it holds an
address. A token has a home: the variables of the same family. One of a file's choosing gets the token of its own family (`TOCSIN_EU_URL`:
`TOCSIN_EU_TOKEN`), or the general one if it holds the very server that the general address or a flag names too. Otherwise a branch could
have the token of one server sent to another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from tocsin.errors import MachineError, UsageError
from tocsin.remote.access import NO_TLS_FILES, Auth, Basic, Bearer, Secret, Tls

URL_ENV: Final = re.compile(r"(?:TOCSIN|GRAFANA|PROMETHEUS)_(?:[A-Z0-9_]+_)?(?:URL|SERVER)")
"""What a project file may name: one of three families, and a name that says it is an address."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
Kind = Literal["grafana", "prometheus", "alertmanager", "journal"]
"""A Mimir is a `prometheus`; a `journal` is where a run's journal is put, with a token of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where to and with what. `url_from` and `auth_from` name the flag or variable, for messages."""

    url: str
    url_from: str
    auth: Auth | None = None
    auth_from: str = ""
    tls: Tls = NO_TLS_FILES
    proxy: Secret | None = None


def access(
    kind: Kind,
    environment: Mapping[str, str],
    *,
    flag: str | None = None,
    url_env: str | None = None,
) -> Access:
    """How to reach the server of that kind.

    `flag` is an address from the command line, `url_env` a variable that the project file names. The order is: the flag, the file's variable,
    `TOCSIN_<KIND>_URL`, `<KIND>_URL` or `<KIND>_SERVER`. Names of one rank that disagree are an error. MachineError where no address is given.
    """
    if url_env is not None and not URL_ENV.fullmatch(url_env):
        raise UsageError(
            f"url_env: `{url_env}` may not be read",
            help="name a variable that starts with TOCSIN_, GRAFANA_ or PROMETHEUS_ and ends with _URL",
        )
    general = _general(kind, environment)
    if flag is not None:
        address, url_from = flag, "the command line"
    elif url_env is not None:
        if url_env not in environment or not environment[url_env].strip():
            raise MachineError(
                f"the project's server is in the variable {url_env}, which is not set",
                help=f"export {url_env}=https://...",
            )
        address, url_from = environment[url_env].strip(), url_env
    elif general is not None:
        address, url_from = general
    else:
        name = kind.upper()
        raise MachineError(
            f"no address of {'an' if kind[0] == 'a' else 'a'} {kind.title()} is given",
            help=f"export {name}_URL=https://...",
        )
    parts = _parts(address, url_from)
    inside = _userinfo(parts, url_from)
    found = _credentials(kind, environment, parts, url_env if flag is None else None, general)
    if inside is not None and found is not None and found[0] != inside:
        raise UsageError(
            f"{url_from} holds a user and password, and {found[1]} says something else", help="keep one"
        )
    auth, auth_from = (inside, url_from) if inside is not None else found or (None, "")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return Access(
        url=bare.geturl().rstrip("/"),
        url_from=url_from,
        auth=auth,
        auth_from=auth_from,
        tls=_tls(environment),
        proxy=_proxy(environment),
    )


def _credentials(
    kind: Kind,
    environment: Mapping[str, str],
    parts: SplitResult,
    url_env: str | None,
    general: tuple[str, str] | None,
) -> tuple[Auth, str] | None:
    if url_env is not None:
        family = url_env.rpartition("_")[0]
        own = _auth(environment, family)
        if own is not None:
            return own
        home = _parts(*general) if general is not None else None
        if home is None or _origin(home) != _origin(parts):
            return None
    return _auth(environment, f"TOCSIN_{kind.upper()}") or _auth(environment, kind.upper())


def _general(kind: Kind, environment: Mapping[str, str]) -> tuple[str, str] | None:
    """(address, variable) without the project file's say."""
    for family in (f"TOCSIN_{kind.upper()}", kind.upper()):
        found = _agreed(environment, (f"{family}_URL", f"{family}_SERVER"), alike=_same_address)
        if found is not None:
            return found
    return None


def _auth(environment: Mapping[str, str], family: str) -> tuple[Auth, str] | None:
    """The credentials of one family of variables: `_TOKEN` holds a token, `_AUTH` a token or `user:password`."""
    found = _agreed(environment, (f"{family}_TOKEN", f"{family}_AUTH"), alike=_same)
    if found is None:
        return None
    text, name = found
    user, colon, password = text.partition(":")
    if colon and name.endswith("_AUTH"):
        return Basic(user, Secret(password)), name
    try:
        return Bearer(Secret(text)), name
    except UsageError as wrong:
        raise UsageError(f"{name}: {wrong.message}", help=wrong.help) from None


def _agreed(
    environment: Mapping[str, str], names: tuple[str, ...], *, alike: Callable[[str, str], bool]
) -> tuple[str, str] | None:
    """The value the set ones of `names` share, and the first of these names."""
    held = [(environment[name].strip(), name) for name in names if environment.get(name, "").strip()]
    for value, name in held[1:]:
        if not alike(held[0][0], value):
            raise UsageError(f"{held[0][1]} and {name} are both set and disagree", help="unset one of them")
    return held[0] if held else None


def _same(one: str, other: str) -> bool:
    return one == other


def _same_address(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _parts(address: str, where: str) -> SplitResult:
    """The address taken apart. Its text is in no message: it may be a password that landed in the wrong variable."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not address.isprintable() or " " in address:
        raise UsageError(f"{where}: this is no address of the form https://host/path")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    """What a token is sent to: scheme, host, port."""
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS[parts.scheme]


def _userinfo(parts: SplitResult, where: str) -> Basic | None:
    if parts.username is None and parts.password is None:
        return None
    if not parts.username or parts.password is None:
        raise UsageError(
            f"{where}: the address holds a user without a password, or a password without a user"
        )
    return Basic(unquote(parts.username), Secret(unquote(parts.password)))


def _tls(environment: Mapping[str, str]) -> Tls:
    def path(name: str) -> Path | None:
        return Path(environment[name]) if environment.get(name) else None

    return Tls(
        ca_file=path("TOCSIN_CA_FILE"),
        client_cert=path("TOCSIN_CLIENT_CERT"),
        client_key=path("TOCSIN_CLIENT_KEY"),
    )


def _proxy(environment: Mapping[str, str]) -> Secret | None:
    """`TOCSIN_PROXY` alone: what HTTP_PROXY says was meant for another program."""
    address = environment.get("TOCSIN_PROXY", "").strip()
    if not address:
        return None
    _parts(address, "TOCSIN_PROXY")
    return Secret(address)
