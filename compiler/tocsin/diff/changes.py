"""One rule, before and after, field by field, and what the difference does at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tocsin.ir.compiled import CompiledAlert, CompiledGroup, CompiledRule, RuleKey

ChangeClass = Literal["none", "text", "routing", "sensitivity", "meaning", "added", "removal"]
"""What a change does at run time, the mildest first: nothing; annotations; who hears of it; when it fires; what it is about; a rule more; a
rule less."""
Direction = Literal["", "up", "down", "both"]
"""Of a change of sensitivity: `up` fires sooner or more often. `""` where it has none or nobody can know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A rule as one revision has it, with the group that evaluates it."""

    rule: CompiledRule
    group: CompiledGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field that differs. `field` is a path people know: `expr`, `params.limit`, `for`, `labels.severity`, `annotations.summary`,
    `group.interval`, `sop_ref`. `old` and `new` are as authored, `""` where it was or will be absent."""

    field: str
    old: str
    new: str
    class_: ChangeClass
    direction: Direction = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule of one environment. `old` is None where it is added, `new` where it is removed; a rule without any difference has no change."""

    key: RuleKey
    old: Side | None
    new: Side | None
    class_: ChangeClass
    direction: Direction = ""
    fields: tuple[FieldChange, ...] = ()
    renamed: bool = False
    """Another alertname (or series name), same key."""
    moved: bool = False
    """Another file, service, group or evaluator, same key."""

    @property
    def old_digest(self) -> str:
        """The semantic digest before, `""` where there was no rule."""
        return self.old.rule.digest if self.old is not None else ""

    @property
    def new_digest(self) -> str:
        """The semantic digest after, `""` where there is no rule."""
        return self.new.rule.digest if self.new is not None else ""

    @property
    def side(self) -> Side:
        """The side there is: the new one where there are two."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def is_alert(self) -> bool:
        """Whether it is about an alert, not a recording rule."""
        return isinstance(self.side.rule, CompiledAlert)
