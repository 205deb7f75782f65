"""Who may change what was written by whom: the matrix of contract 1.9."""

from __future__ import annotations

from collections.abc import Mapping

from tests.standin.errors import Refusal, coded, plain
from tests.standin.profiles import Profile

NONE, API, FILE, CONVERTED = "", "api", "file", "converted_prometheus"
HEADER = "x-disable-provenance"


def of_rule_write(headers: Mapping[str, str]) -> str:
    """POST and PUT of a rule: the header's presence counts, whatever its value, in every version."""
    return NONE if HEADER in headers else API


def of_other_write(headers: Mapping[str, str], profile: Profile) -> str:
    """Groups, deletions and notification objects: the header counts since 9.5/10.0 only."""
    return of_rule_write(headers) if profile.group_header else API


def _fits(stored: str, given: str, profile: Profile) -> bool:
    if stored in (NONE, given):
        return True
    return profile.drop_provenance and stored in (API, CONVERTED) and given == NONE


def _mismatch(verb: str, stored: str, given: str, code: int) -> Refusal:
    text = f"cannot {verb} with provided provenance '{given}', needs '{stored}'"
    return plain(500, text) if code == 500 else coded(code, "alerting.provenanceMismatch", text)


def check_in_group(stored: str, given: str, verb: str, profile: Profile) -> None:
    """A group PUT or DELETE that touches a rule; `verb` is update or delete."""
    if not _fits(stored, given, profile):
        raise _mismatch(verb, stored, given, profile.mismatch_code)


def check_rule_delete(stored: str, given: str, profile: Profile) -> None:
    """DELETE of a rule: as in a group since 12.4; before, only the same or none, and 500."""
    if profile.rule_delete_lenient:
        check_in_group(stored, given, "delete", profile)
    elif stored not in (NONE, given):
        raise _mismatch("delete", stored, given, 500)


def check_rule_put(stored: str, given: str) -> None:
    """PUT of a rule: strict in every version."""
    if stored not in (NONE, given):
        raise plain(500, f"cannot change provenance from '{stored}' to '{given}'")


def check_object(stored: str, given: str) -> None:
    """A contact point, policy tree, template or mute timing: strict, 409."""
    if stored not in (NONE, given):
        raise _mismatch("update", stored, given, 409)
