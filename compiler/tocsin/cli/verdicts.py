"""The gate between a changed rule and a server: canary records, the key from the environment, what the base revision demands.

`make_plan` asks about every change of meaning. A rule whose live form means what the sources say needs no record; any other needs one that judged
exactly this change of exactly the rule that is there. A changed record is judged through the alerts that read it, for nobody fires on a record.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path

from tocsin.check.policy import tested_levels
from tocsin.cli.policy_base import PolicyBase, policy_base, resolved_of
from tocsin.cli.records import place_of, read_all
from tocsin.cli.targets import Compiled
from tocsin.ir.compiled import CompiledAlert, RuleKey, Version
from tocsin.ir.duration import Duration
from tocsin.promql import Expr, metrics, parse
from tocsin.sync.plan import Asked
from tocsin.sync.standing import Ground, compiled_reads, digests_of, live_reads, object_of
from tocsin.sync.values import Group, Live, Refusal, Rule
from tocsin.verdict import Policy, Record, Standing, admit_any
from tocsin.verdict import Refusal as Why

KEY = "TOCSIN_VERDICT_KEY"
WATCH = 3
"""The stage that comes after a change is in production: no sync can demand it."""
_TESTED = frozenset({"P0", "P1"})
_DAY = 86_400_000
_ABSENT = Standing(digests=frozenset({""}))


def verdict_key() -> bytes:
    """The key that signs records, empty where this process has none."""
    return os.environ.get(KEY, "").encode("utf-8", "surrogateescape")


class Gate:
    """What `make_plan` asks. `notes` are what would have been refused where verdicts are only advised, or were overridden; `overridden` are the
    keys of the latter. The base revision is compiled when the first change asks for it."""

    def __init__(
        self,
        compiled: Compiled,
        live: Live,
        version: Version,
        records: tuple[Record, ...],
        *,
        top: Path,
        base: str | None,
        today: date,
        override: bool,
    ) -> None:
        self._compiled, self._live, self._version = compiled, live, version
        self._records, self._top, self._named, self._today = records, top, base, today
        self._override = override
        self.notes: list[str] = []
        self.overridden: list[str] = []

    def __call__(self, asked: Asked) -> Refusal | None:
        """None where the change may go out; else why not."""
        if asked.rule.uid in self._mirrors:
            return None
        if asked.rule.kind == "record":
            return self._of_record(asked.rule)
        standing = self._standing(asked.live, asked.group)
        if asked.digest and asked.digest in standing.digests:
            return None
        return self._told(asked.rule.key, self._why(asked.rule.key, asked.digest, standing))

    @property
    def said(self) -> tuple[str, ...]:
        """The notes, with the policy they come from where anybody was asked."""
        return (*self.notes, *((self.base.text,) if "base" in self.__dict__ else ()))

    @cached_property
    def base(self) -> PolicyBase:
        """The revision whose policy counts."""
        return policy_base(self._top, self._named, self._today, self._compiled.compilation)

    @cached_property
    def _required(self) -> bool:
        """A change that makes verdicts a matter of taste is judged by the demand it found."""
        before = self.base.project.environment(self._env)
        return "required" in (
            self._compiled.environment.verdict,
            before.verdict if before is not None else "",
        )

    @property
    def _env(self) -> str:
        return self._compiled.environment.name

    @cached_property
    def _alerts(self) -> dict[str, CompiledAlert]:
        every = resolved_of(self._compiled.compilation, self._env)
        return {alert.key.text: alert for each in every for alert in each.alerts if not alert.mirror}

    @cached_property
    def _before(self) -> Mapping[str, CompiledAlert]:
        return self.base.alerts(self._env)

    @cached_property
    def _mirrors(self) -> frozenset[str]:
        """Copies that are always paused: their rule is judged where it runs."""
        every = resolved_of(self._compiled.compilation, self._env)
        return frozenset(alert.uid for each in every for alert in each.alerts if alert.mirror)

    @cached_property
    def _tested(self) -> frozenset[tuple[str, str]]:
        services = self._compiled.compilation.services
        return frozenset(each for service in services for each in tested_levels(service.loaded.files))

    @cached_property
    def _ground(self) -> Ground:
        both = (resolved_of(self._compiled.compilation, self._env), self.base.resolved(self._env))
        return Ground.of(self._live, self._version, self._compiled.environment.datasources, both)

    def _standing(self, rule: Rule | None, group: Group | None) -> Standing:
        if rule is None or group is None:
            return _ABSENT
        return Standing(digests=digests_of(rule, group, self._ground), object=object_of(rule, group))

    def _why(self, key: str, digest: str, standing: Standing | None) -> Why | None:
        id, level, override = [*key.split("/"), "", ""][:3]
        rule = RuleKey(self._env, id, level, override)
        return admit_any(self._records, rule, digest, self._policy(key, digest), self._today, standing)

    def _policy(self, key: str, digest: str) -> Policy:
        """What the base demands of a change of that rule, of its old severity and of its new one: lowering a severity is no way around a gate."""
        before, after = self._before.get(key), self._alerts.get(key) if digest else None
        names = [each.severity for each in (before, after) if each is not None]
        project = self.base.project
        policies = [each for name in names if (each := project.severity(name)) is not None]
        stages = frozenset({0, *(stage for each in policies for stage in each.canary.stages)} - {WATCH})
        demands = any(each.name in _TESTED or "test" in each.requires for each in policies)
        tested = after is None or (after.key.id, after.key.level) in self._tested
        return Policy(
            must_be_signed=self._required,
            key=verdict_key(),
            gates=project.canary.demanded(*names, stages=stages),
            stages=stages,
            soak=max((each.canary.soak for each in policies if 2 in each.canary.stages), default=Duration(0)),
            max_age_days=_days(project.canary.expires),
            untested=demands and not tested,
        )

    def _of_record(self, rule: Rule) -> Refusal | None:
        """Refused where an alert that reads the record is not admitted with what it will read."""
        now = compiled_reads(resolved_of(self._compiled.compilation, self._env))
        before = live_reads(self._live)
        if sorted(now.get(rule.title, ())) == sorted(before.get(rule.title, ())):
            return None
        for alert in self._readers(rule.title):
            found = self._live_of(alert.key.text)
            standing = self._standing(*found) if found is not None else None
            if standing is not None and alert.digest in standing.digests:
                continue
            why = self._why(alert.key.text, alert.digest, standing)
            if why is not None:
                told = replace(why, message=f"`{alert.key.text}` reads `{rule.title}`: {why.message}")
                refusal = self._told(alert.key.text, told)
                if refusal is not None:
                    return refusal
        return None

    def _readers(self, name: str) -> Iterator[CompiledAlert]:
        """The alerts that read the series, through other records too."""
        reads = {name}
        rules = [
            record for each in resolved_of(self._compiled.compilation, self._env) for record in each.records
        ]
        while True:
            more = {each.record for each in rules if reads & _metrics(each.expr)} - reads
            if not more:
                break
            reads |= more
        yield from (each for _, each in sorted(self._alerts.items()) if reads & _metrics(each.expr))

    def _live_of(self, key: str) -> tuple[Rule, Group] | None:
        owner = f"{self.base.project.name}/{self._env}"
        for group in self._live.groups:
            for rule in group.rules:
                if rule.key == key and rule.owner == owner:
                    return rule, group
        return None

    def _told(self, key: str, why: Why | None) -> Refusal | None:
        if why is None:
            return None
        if self._override or not self._required:
            self.notes.append(
                f"{'overridden' if self._override else 'verdicts are advised here'}: {why.message}"
            )
            if self._override:
                self.overridden.append(key)
            return None
        override = "--override-canary --reason TEXT"
        help = f"{why.help}; or {override}" if why.help else override
        return Refusal(code=f"verdict-{why.reason}", message=why.message, help=help, subject=key)


def gate_of(
    compiled: Compiled,
    live: Live,
    version: Version,
    *,
    records: str | None,
    top: Path,
    base: str | None,
    today: date,
    override: bool,
) -> Gate:
    """The gate of an environment before one server. `records` is what the command line says, `base` the revision it names."""
    notes: list[str] = []
    found = read_all(place_of(records, top), notes)
    gate = Gate(compiled, live, version, found, top=top, base=base, today=today, override=override)
    gate.notes.extend(notes)
    return gate


def _metrics(expr: str) -> set[str]:
    parsed = parse(expr)
    return set(metrics(parsed)) if isinstance(parsed, Expr) else set()


def _days(length: Duration) -> int:
    return max(1, int(length) // _DAY)
