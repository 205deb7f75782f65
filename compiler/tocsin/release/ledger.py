"""The ledger of the next release, and its text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tocsin.emit.manifest import key_of
from tocsin.ir.compiled import CompiledAlert, Resolved
from tocsin.ir.project import Ledger, Release, ReleasedChange


def next_ledger(
    last: Ledger,
    version: str,
    date: str,
    services: Iterable[Resolved],
    sops: Mapping[str, str],
    changes: tuple[ReleasedChange, ...],
    changed_sops: Sequence[str],
    addresses: Mapping[str, Sequence[str]],
    compiles: Mapping[str, Mapping[str, bool]],
) -> Ledger:
    """`last` after a release. A rule and a SOP (`sops`: name -> content digest) keep the version in which they last changed; what is gone has
    none; addresses and anchors are only ever added. `date` is ISO text."""
    digests = {
        key_of(rule, each): rule.digest
        for each in services
        for group in each.groups
        for rule in group.rules
        if not (isinstance(rule, CompiledAlert) and rule.mirror)  # it has its original's version
    }
    return replace(
        last,
        release=version,
        rules=_versions(last.rules, digests, version),
        sops=_versions(last.sops, sops, version),
        site={
            address: tuple(sorted({*last.site.get(address, ()), *addresses.get(address, ())}))
            for address in {*last.site, *addresses}
        },
        releases=(
            Release(version=version, date=date, changes=changes, sops=tuple(changed_sops), compiles=compiles),
            *last.releases,
        ),
    )


def ledger_text(ledger: Ledger) -> str:
    """`releases.json`: sorted, a line for each value, so that Git merges what two people add."""
    document = {
        "release": ledger.release,
        "rules": {key: {"digest": row[0], "version": row[1]} for key, row in ledger.rules.items()},
        "sops": {key: {"digest": row[0], "version": row[1]} for key, row in ledger.sops.items()},
        "site": {address: list(anchors) for address, anchors in ledger.site.items()},
        "releases": [_row(each) for each in ledger.releases],
    }
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _versions(
    last: Mapping[str, tuple[str, str]], digests: Mapping[str, str], version: str
) -> dict[str, tuple[str, str]]:
    """A record that moved to another service has another key and the version it had."""
    gone = {_bare(key): row for key, row in last.items() if key not in digests}
    found: dict[str, tuple[str, str]] = {}
    for key, digest in digests.items():
        before = last.get(key) or gone.get(_bare(key))
        found[key] = before if before is not None and before[0] == digest else (digest, version)
    return found


def _bare(key: str) -> tuple[str, str]:
    """Environment and series of a record's key; what cannot meet another key for any other."""
    env, _, rest = key.partition("/")
    return (env, rest.partition("/")[2]) if ":" in rest else ("", key)


def _row(release: Release) -> dict[str, object]:
    return {
        "version": release.version,
        "date": release.date,
        "sops": list(release.sops),
        **({"compiles": release.compiles} if release.compiles else {}),
        "changes": [_change(each) for each in release.changes],
    }


def _change(change: ReleasedChange) -> dict[str, object]:
    """Only what there is to say: ten thousand rows stay a file that a person can open."""
    row: dict[str, object] = {"rule": change.rule, "envs": list(change.envs), "class": change.class_}
    for name in ("what", "direction", "reasons", "tickets"):
        value = getattr(change, name)
        if value:
            row[name] = list(value) if isinstance(value, tuple) else value
    return row
