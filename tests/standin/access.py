"""Who may call what: tokens, users, roles and the permissions of contract 1.10; 401 as 1.14 spells it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tests.standin.errors import Refusal, access_denied, as_json, coded, forbidden_inside
from tests.standin.profiles import Profile

READ_FOLDERS = ("folders:read",)
_PROVISIONING = ("alert.provisioning:read", "alert.provisioning:write")
_AROUND = (
    *("folders:read", "folders:create", "folders:write", "folders:delete", "datasources:read", "orgs:read"),
    *("alert.rules:read", "alert.instances:read", "alert.silences:read", "alert.silences:create"),
    *("alert.silences:write", "alert.instances:write", "alert.instances:create", "annotations:read"),
)

ROLES: dict[str, frozenset[str]] = {
    "admin": frozenset(
        (
            *(*_PROVISIONING, *_AROUND, "provisioning:reload", "alert.notifications:write"),
            *("datasources:create", "datasources:delete"),
        )
    ),
    # Contract 1.10: the least a writer needs.
    "provisioner": frozenset((*_PROVISIONING, *_AROUND)),
    # Can do everything but make folders.
    "no-folders": frozenset((*_PROVISIONING, *_AROUND))
    - {"folders:create", "folders:write", "folders:delete"},
    # Only the permissions on rules, folder by folder: enough from 11.0.
    "fine-grained": frozenset(
        (*_AROUND, "alert.rules:create", "alert.rules:write", "alert.rules:delete", "datasources:query")
    )
    - {"folders:create", "folders:write", "folders:delete"}
    | {"alert.provisioning.provenance:write"},
    "viewer": frozenset(
        (
            "alert.provisioning:read",
            "alert.rules:read",
            "alert.instances:read",
            "folders:read",
            "datasources:read",
        )
    ),
    # Everything a writer needs but the state of rules.
    "blind": frozenset((*_PROVISIONING, *_AROUND)) - {"alert.rules:read", "alert.instances:read"},
    "nobody": frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Something that authenticates: a service account's token, a legacy API key, or a user's password.

    `folders` narrows what a fine-grained token may write to; None is every folder.
    """

    secret: str
    role: str = "admin"
    org: int = 1
    kind: Literal["service_account", "api_key", "user"] = "service_account"
    login: str = "sa-1-tocsin"
    expired: bool = False
    folders: frozenset[str] | None = None
    orgs: frozenset[int] = frozenset()

    @property
    def permissions(self) -> frozenset[str]:
        return ROLES[self.role]

    def require(self, *any_of: str) -> None:
        """Refuses with the body of a route's access check unless one of the permissions is held."""
        if not self.permissions.intersection(any_of):
            wanted = any_of[0] if len(any_of) == 1 else f"any of {', '.join(any_of)}"
            raise access_denied(wanted)


READ_RULES = ("alert.provisioning:read", "alert.rules.provisioning:read", "alert.provisioning.secrets:read")
WRITE_RULES = ("alert.provisioning:write", "alert.rules.provisioning:write")


def require_rule_read(token: Token, profile: Profile) -> None:
    """Contract 1.10, first row."""
    fine = ("alert.rules:read",) if profile.fine_grained else ()
    token.require(*READ_RULES, *fine)


def blanket(token: Token) -> bool:
    """Whether the token may write rules everywhere in its organisation."""
    return bool(token.permissions.intersection(WRITE_RULES))


def require_rule_write(token: Token, profile: Profile, action: str) -> None:
    """Contract 1.10, second row, at the route; `action` is create, write or delete."""
    fine = (f"alert.rules:{action}",) if profile.fine_grained else ()
    token.require(*WRITE_RULES, *fine)


def require_folder(token: Token, folder: str) -> None:
    """Contract 1.10, second row, inside the service: a fine-grained token writes to its folders alone."""
    if not blanket(token) and token.folders is not None and folder not in token.folders:
        raise forbidden_inside(f"user is not authorized to create alert rules in folder {folder}")


def _unauthorized(profile: Profile, message_id: str, message: str, old: str) -> Refusal:
    if profile.coded_401:
        return coded(401, message_id, message)
    return Refusal(as_json({"message": old}, 401))


def authenticate(headers: Mapping[str, str], tokens: Mapping[str, Token], profile: Profile) -> Token:
    """The token that the Authorization header names; a Refusal with 401 otherwise (contract 1.14)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        return _basic(headers, value.strip(), tokens, profile)
    if scheme.lower() != "bearer" or not value.strip():
        raise _unauthorized(profile, "auth.unauthorized", "Unauthorized", "Unauthorized")
    token = tokens.get(value.strip())
    if token is None or token.kind == "user":
        raise _unauthorized(profile, "api-key.invalid", "Invalid API key", "Invalid API key")
    if token.expired:
        raise _unauthorized(profile, "api-key.expired", "Expired API key", "Expired API key")
    return token


def _basic(headers: Mapping[str, str], value: str, tokens: Mapping[str, Token], profile: Profile) -> Token:
    refusal = _unauthorized(
        profile, "password-auth.failed", "Invalid username or password", "Invalid username or password"
    )
    try:
        login, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise refusal from None
    token = tokens.get(password)
    if token is None or token.kind != "user" or token.login != login:
        raise refusal
    asked = headers.get("x-grafana-org-id")
    if asked is None or asked == str(token.org):
        return token
    if not asked.isascii() or not asked.isdigit() or int(asked) not in token.orgs:
        raise _unauthorized(profile, "auth.unauthorized", "Unauthorized", "Unauthorized")
    return Token(
        secret=token.secret, role=token.role, org=int(asked), kind="user", login=token.login, orgs=token.orgs
    )
