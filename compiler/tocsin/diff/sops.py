"""SOPs before and after: which text a responder would read now that was not there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tocsin.ir.sop import Sop, content_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class SopChange:
    """One SOP in one language. A hash is `""` where there was or is none; `old_path` differs from `new_path` where the file was renamed."""

    id: str
    language: str
    old_hash: str
    new_hash: str
    old_path: str
    new_path: str
    title: str

    @property
    def kind(self) -> str:
        """`added`, `removed`, `renamed` (and nothing else), `changed`."""
        if not self.old_hash:
            return "added"
        if not self.new_hash:
            return "removed"
        return "renamed" if self.old_hash == self.new_hash else "changed"


def compare_sops(old: Iterable[Sop], new: Iterable[Sop]) -> tuple[SopChange, ...]:
    """Every SOP that differs, by id and language; nothing of two equal revisions."""
    before = {(each.id, each.language): each for each in old}
    after = {(each.id, each.language): each for each in new}
    found: list[SopChange] = []
    for id, language in sorted(before.keys() | after.keys()):
        one, other = before.get((id, language)), after.get((id, language))
        standing = other or one
        assert standing is not None
        change = SopChange(
            id=id,
            language=language,
            old_hash=content_digest(one) if one is not None else "",
            new_hash=content_digest(other) if other is not None else "",
            old_path=one.file.path if one is not None else "",
            new_path=other.file.path if other is not None else "",
            title=standing.title,
        )
        if (change.old_hash, change.old_path) != (change.new_hash, change.new_path):
            found.append(change)
    return tuple(found)
