"""What opens a door: credentials, certificates. A secret is a value that cannot be printed by accident."""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, TypeAlias
from urllib.parse import quote

from tocsin.errors import MachineError, UsageError

HIDDEN: Final = "***"
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_USERINFO = re.compile(r"(?<=://)[^/@\s]*@")


class Secret:
    """A text that shows as `***` wherever it is formatted, and cannot be pickled or copied into a dict by `asdict`. `reveal` is the one way in."""

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The text itself: for a header, and for `redact`."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token of a service account."""

    token: Secret

    def __post_init__(self) -> None:
        # The HTTP library's own complaint about a bad header quotes the header.
        if not _PRINTABLE.fullmatch(self.token.reveal()):
            raise UsageError(
                "the token holds a space, a line break or a character beyond ASCII",
                help="was it cut or pasted with its quotes?",
            )

    @property
    def header(self) -> str:
        return f"Bearer {self.token.reveal()}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.token.reveal(),)


@dataclass(frozen=True, slots=True)
class Basic:
    """A user and a password."""

    user: str
    password: Secret

    @property
    def header(self) -> str:
        return f"Basic {self._encoded}"

    @property
    def secrets(self) -> tuple[str, ...]:
        return (self.password.reveal(), self._encoded)

    @property
    def _encoded(self) -> str:
        return base64.b64encode(f"{self.user}:{self.password.reveal()}".encode()).decode("ascii")


Auth: TypeAlias = Bearer | Basic


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whom to trust and how to be trusted, as PEM files. `ca_file` replaces the built-in list of authorities; `client_key` may stand in the
    certificate's file."""

    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None

    def check(self) -> None:
        """MachineError where a file is not there; UsageError for a key without its certificate."""
        if self.client_key is not None and self.client_cert is None:
            raise UsageError("a client key is given without its certificate")
        for what, path in (
            ("CA file", self.ca_file),
            ("client certificate", self.client_cert),
            ("client key", self.client_key),
        ):
            if path is not None and not path.is_file():
                raise MachineError(f"there is no {what} `{path}`")


NO_TLS_FILES: Final = Tls()


class Redaction:
    """Takes secrets out of texts. Made once a door, from everything that door was opened with."""

    __slots__ = ("_words",)

    def __init__(self, *secrets: str) -> None:
        forms = {
            form for secret in secrets if secret for form in (secret, quote(secret, safe=""), quote(secret))
        }
        # The longest first: a password may be part of another secret, and its rest must not stay.
        self._words = sorted(forms, key=lambda form: (-len(form), form))

    def __call__(self, text: str) -> str:
        """`text` with `***` for every secret, for the user and password of every URL too."""
        for word in self._words:
            text = text.replace(word, HIDDEN)
        return _USERINFO.sub(f"{HIDDEN}@", text)

    def __repr__(self) -> str:
        return f"Redaction({len(self._words)} words)"
