"""Everything authored, linked: rules, SOPs and incidents with both directions of every link."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tocsin.ir.rule import AlertSource, GroupSource, RecordSource, RuleFile
from tocsin.ir.sop import Incident, Sop


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """What the repository says. `frozen` names services of which a file did not load: they stay at their live state."""

    files: tuple[RuleFile, ...]
    sops: tuple[Sop, ...]
    incidents: tuple[Incident, ...]
    frozen: frozenset[str] = frozenset()
    by_sop: Mapping[str, tuple[AlertSource, ...]] = field(default_factory=dict)
    """SOP id -> the alerts whose `sop_ref` names it, sorted by id: the backward direction of `AlertSource.sop_ref`."""
    records: Mapping[str, tuple[RecordSource, ...]] = field(default_factory=dict)
    """Series name -> the rules that write it."""

    @property
    def groups(self) -> Iterator[tuple[RuleFile, GroupSource]]:
        """Every group with its file."""
        for file in self.files:
            for group in file.groups:
                yield file, group

    @property
    def alerts(self) -> Iterator[AlertSource]:
        """Every authored alert."""
        for _, group in self.groups:
            for rule in group.rules:
                if isinstance(rule, AlertSource):
                    yield rule

    def sop(self, id: str, language: str | None = None) -> Sop | None:
        """The SOP of that id: in `language`, else the one that is no translation."""
        found = [
            each for each in self.sops if each.id == id and (language is None or each.language == language)
        ]
        originals = [each for each in found if each.translation_of is None]
        return (originals or found or [None])[0]
