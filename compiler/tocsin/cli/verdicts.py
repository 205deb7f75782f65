"""The gate between a changed rule and a server: canary records from a folder, the key from the environment, the environment's own demand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from tocsin.errors import MachineError
from tocsin.ir.compiled import RuleKey
from tocsin.ir.project import Environment
from tocsin.sync.values import Refusal
from tocsin.verdict import Policy, Record, RecordProblem, admit, read_record

KEY = "TOCSIN_VERDICT_KEY"
FOLDER = "records"
_LARGEST = 8 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Gate:
    """What `make_plan` asks. `notes` are what would have been refused where verdicts are only advised, or were overridden."""

    environment: str
    records: tuple[Record, ...]
    policy: Policy
    today: date
    only_told: str = ""
    notes: list[str] = field(default_factory=list)

    def __call__(self, key: str, digest: str, service: str) -> Refusal | None:
        """None where the rule `key` may become `digest`; else why not."""
        id, level, override = [*key.split("/"), "", ""][:3]
        rule = RuleKey(self.environment, id, level, override)
        why = None
        for record in self._about(rule, digest) or (None,):
            why = admit(record, rule, digest, self.policy, self.today)
            if why is None:
                return None
        assert why is not None
        if self.only_told:
            self.notes.append(f"{self.only_told}: {why.message}")
            return None
        help = (
            f"{why.help}; or --override-canary --reason TEXT"
            if why.help
            else "--override-canary --reason TEXT"
        )
        return Refusal(code=f"verdict-{why.reason}", message=why.message, help=help, subject=key)

    def _about(self, rule: RuleKey, digest: str) -> tuple[Record, ...]:
        """The records of that rule: those of this very change where there are any, the newest last, so that its reason is the one told."""
        mine = [each for each in self.records if each.key == rule]
        exact = [each for each in mine if each.new_digest == digest]
        return tuple(sorted(exact or mine, key=lambda each: (each.created, each.id)))


def gate_of(environment: Environment, folder: Path | None, top: Path, today: date, *, override: bool) -> Gate:
    """The gate of an environment. `folder` is what the command line says; a folder that it names must be there.

    The gates of the policy itself are those of the base revision, which the canary knows; here a record must be signed, good, in time and of
    exactly this change.
    """
    required = environment.verdict == "required"
    if folder is not None and not folder.is_dir():
        raise MachineError(
            f"there is no folder `{folder}`", help="--records names the folder of canary records"
        )
    notes: list[str] = []
    records = tuple(_read(folder if folder is not None else top / FOLDER, notes))
    key = os.environ.get(KEY, "").encode("utf-8", "surrogateescape")
    return Gate(
        environment=environment.name,
        records=records,
        policy=Policy(must_be_signed=required, key=key),
        today=today,
        only_told="overridden" if override else "" if required else "verdicts are advised here",
        notes=notes,
    )


def _read(folder: Path, notes: list[str]) -> Iterator[Record]:
    for path in _files(folder):
        try:
            if path.stat().st_size > _LARGEST:
                notes.append(f"{path.name} is too large to be a canary record")
                continue
            found = read_record(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            notes.append(f"{path.name} cannot be read as a canary record: {error}")
            continue
        if isinstance(found, RecordProblem):
            notes.append(f"{path.name} is no canary record: {found.path or 'it'} {found.reason}")
        else:
            yield found


def _files(folder: Path) -> Iterable[Path]:
    """The JSON files below it; links are not followed, for a branch may have made them."""
    if not folder.is_dir():
        return ()
    return sorted(each for each in folder.rglob("*.json") if each.is_file() and not each.is_symlink())
