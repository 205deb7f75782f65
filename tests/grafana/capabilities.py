"""What a Grafana of a version can do, as far as this suite asks: the table by which a test is left out, and says so.

A test that needs what a server lacks is skipped with the row's words, and the list of them ends the run's output. Rows are about versions;
`evaluates`, `pauses` and `accounts` are found out by asking the server once, because no version tells them.
"""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[int, int, int]


class Row(NamedTuple):
    """`since` is None where the server is asked; `until` ends it."""

    name: str
    since: Version | None
    say: str
    until: Version | None = None


TABLE: tuple[Row, ...] = (
    Row("floor", (9, 4, 0), "lists alert rules and knows isPaused"),
    Row("below_floor", (0, 0, 0), "is too old for tocsin", until=(9, 4, 0)),
    Row("list_provenance", (10, 0, 0), "the list of rules tells provenance"),
    Row("missing_rule_is_404", (10, 0, 0), "a rule that is not there is 404"),
    Row("folder_given", (10, 0, 0), "a rule without a folder is refused"),
    Row("group_header", (10, 0, 0), "X-Disable-Provenance counts on a group PUT"),
    Row("group_delete", (11, 0, 0), "a group can be deleted as a whole"),
    Row("folder_check", (11, 0, 0), "a rule POST into no folder is refused"),
    Row("nested_folders", (11, 0, 0), "folders lie in folders and count what they hold"),
    Row("uid_in_group", (11, 5, 2), "a group PUT creates a rule of a chosen uid"),
    Row("group_order", (11, 5, 2), "the order of a group's rules is kept"),
    Row("keep_last", (11, 0, 0), "execErrState KeepLast"),
    Row("missing_series", (11, 6, 0), "missingSeriesEvalsToResolve"),
    Row("keep_firing_for", (12, 0, 0), "keep_firing_for"),
    Row("equal_titles", (12, 0, 0), "two rules of one folder may share a title"),
    Row("unique_titles", (0, 0, 0), "a title is unique in its folder", until=(12, 0, 0)),
    Row("recovering", (12, 1, 2), "the Grafana column of the equivalence table holds for everything"),
    Row("evaluates", None, "evaluates rules (the stand-in does not)"),
    Row("pauses", None, "keeps isPaused (9.4.0 does, its main of January 2023 does not yet)"),
    Row("accounts", None, "makes service accounts for these credentials"),
)
BY_NAME = {row.name: row for row in TABLE}


def has(name: str, version: Version, asked: frozenset[str]) -> bool:
    """Whether a server of that version, which showed `asked`, can do that."""
    row = BY_NAME[name]
    if row.since is None:
        return name in asked
    return row.since <= version and (row.until is None or version < row.until)


def lacks(name: str) -> str:
    """The words of a skip."""
    row = BY_NAME[name]
    when = "" if row.since is None else f"; from {'.'.join(map(str, row.since))}" if row.until is None else ""
    return f"capability {name}: {row.say}{when}"
