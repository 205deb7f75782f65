"""One backtest from the changes to the records.

    changes -> pairs -> replay -> compare -> judge -> report, records

Rules are replayed together by the server that knows their past. Nothing here knows an option's name or an array.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import click

from tocsin import __version__
from tocsin.canary.compare import Evidence
from tocsin.canary.comparison import Judged
from tocsin.canary.incidents import Known, OtherRule, firings_of, known, of_service
from tocsin.canary.judge import not_needed
from tocsin.canary.labels import Said, read_said
from tocsin.canary.planner import Budget, Plan, Watch, make_plan
from tocsin.canary.record import Job, record_of
from tocsin.canary.replay import replay
from tocsin.canary.source import Flavour, Seen, SourceInfo
from tocsin.canary.spread import judged_at_worst
from tocsin.canary.values import Pair, Replayed, Window
from tocsin.check.policy import tested_levels
from tocsin.cli.baseline import Case, Cases, Wanted, against_base, against_live, others_of
from tocsin.cli.history_source import SourceName, Sources
from tocsin.cli.options import day
from tocsin.cli.policy_base import PolicyBase
from tocsin.cli.progress import spent
from tocsin.cli.records import RecordPlace, file_name, keep, place_of, read_all
from tocsin.cli.run_plan import GATE, actor_of_job
from tocsin.cli.targets import Compiled
from tocsin.cli.terminal import echo
from tocsin.cli.verdicts import verdict_key
from tocsin.diag import SourceFile
from tocsin.diff.changes import Side
from tocsin.disk.history_cache import open_history
from tocsin.disk.write import write_file
from tocsin.errors import MachineError, UsageError
from tocsin.ir.compiled import RuleKey
from tocsin.ir.duration import Duration, parse_duration
from tocsin.ir.sop import Incident
from tocsin.remote.history import History
from tocsin.report import canary_json, canary_markdown, canary_text, timeline
from tocsin.report.canary import Backtest
from tocsin.report.findings import count
from tocsin.report.sparkline import sparklines
from tocsin.report.visible import visible
from tocsin.verdict import Record

_MINUTE_MS = 60_000
_LAST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp() * 1000)
"""What can be written as a time, with a day to spare."""
_LARGEST = 64 * 1024 * 1024
RENDER = {"text": canary_text.as_text, "json": canary_json.as_json, "markdown": canary_markdown.as_markdown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says."""

    names: tuple[str, ...]
    root: Path
    env_name: str | None
    evaluator: str | None
    base: str | None
    against: str | None
    every: bool
    window: str | None
    until: str | None
    source_url: str | None
    source_kind: Flavour | None
    url: str | None
    rules_dir: Path | None
    labels: tuple[Path, ...]
    records: str | None
    out: Path | None
    approver: str | None
    dry_run: bool
    format_: str
    today: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """A case with its replay, and who answered."""

    case: Case
    replayed: Replayed
    source: SourceInfo


class Backtesting:
    """One backtest. Servers are opened when the first rule needs them, and asked once what they evaluate."""

    def __init__(
        self, *, asked: Asked, top: Path, compiled: Compiled, base: PolicyBase, stack: ExitStack
    ) -> None:
        self.asked, self.top, self.compiled, self.base, self._stack = asked, top, compiled, base, stack
        self.policy = base.project.canary
        self.window = _window(asked.window, asked.until, self.policy.window)
        self.sources = Sources(environment=compiled.environment, url=asked.source_url, kind=asked.source_kind)
        self._open: dict[SourceName, tuple[History, tuple[Seen, ...]]] = {}

    def whole(self) -> int:
        """From the changes to the records: the exit code."""
        # A replay takes minutes: what the command line says wrongly is said before.
        self._vouched()
        self._place()
        said = self._said()
        found = self._cases()
        incidents = self._incidents()
        groups = self._by_source(found, incidents)
        if self.asked.dry_run:
            return self._told_only(groups)
        answered = [each for name, cases in groups.items() for each in self._replayed(name, cases)]
        others = {
            each.case.key.text: OtherRule(
                service=each.case.side.group.service,
                firings=firings_of(each.replayed.new.timeline, self.window),
            )
            for each in answered
            if each.replayed.new is not None and each.replayed.new.timeline is not None
        }
        evidence = Evidence(incidents=incidents, said=said, others=others or None)
        changed = sorted((each for each in answered if each.case.changed), key=lambda each: each.case.key)
        judged = [self._judged(each, evidence) for each in changed]
        backtest = self._backtest([*judged, *(not_needed(key) for key in found.texts)], answered)
        pictures = self._pictures(judged)
        if self.asked.format_ == "markdown":
            echo(canary_markdown.as_markdown(backtest, pictures))
        else:
            echo(RENDER[self.asked.format_](backtest))
        self._keep(list(zip(changed, judged, strict=True)))
        unvouched = backtest.count("not-backtestable") and not self.asked.approver
        return GATE if backtest.failed or unvouched else 0

    def _cases(self) -> Cases:
        asked = self.asked
        wanted = Wanted(names=asked.names, evaluator=asked.evaluator)
        if asked.against == "live":
            return against_live(
                self.compiled,
                self.base,
                wanted,
                self._seen,
                url=asked.url,
                folder=asked.rules_dir,
                every=asked.every,
            )
        return against_base(self.compiled, self.base, wanted, self._seen, every=asked.every)

    def _by_source(self, found: Cases, incidents: tuple[Known, ...]) -> dict[SourceName, list[Case]]:
        """The cases by who answers; with them the other alerts of services that had an incident, for only then somebody asks who else caught it."""
        hit = frozenset(
            each.side.group.service
            for each in found.cases
            if of_service(incidents, each.side.group.service, self.window)
        )
        groups: dict[SourceName, list[Case]] = {}
        for case in (*found.cases, *others_of(self.compiled, found.cases, hit, self._seen)):
            groups.setdefault(self.sources.of(case.side), []).append(case)
        return dict(sorted(groups.items()))

    def _replayed(self, name: SourceName, cases: list[Case]) -> Iterator[_Answered]:
        source = self._opened(name)[0]
        cache = open_history()
        budget = Budget(requests=self.policy.budget.requests, seconds=int(self.policy.budget.time) / 1000)
        with spent("replaying") as told:
            watch = Watch(
                now_ms=int(time.time() * 1000),
                monotonic=time.monotonic,
                told=lambda progress: told(progress.done, progress.of),
            )
            try:
                changed = frozenset(each.key for each in cases if each.changed)
                done = replay(_pairs(cases), self.window, source, cache, budget, watch, spread=changed)
            finally:
                cache.evict()
        info = source.info()
        # Not in the report, which is the same with a cache and without. Those of rules that could not be replayed are among them.
        click.echo(f"{visible(info.id)}: {count(source.asked, 'request')}", err=True)
        for case, replayed in zip(cases, done, strict=True):
            yield _Answered(case=case, replayed=replayed, source=info)

    def _judged(self, answered: _Answered, evidence: Evidence) -> Judged:
        key = answered.case.key
        tested = (key.id, key.level) in self._tested
        today = day(self.asked.today)
        return judged_at_worst(answered.replayed, self.window, self.policy, evidence, today, tested=tested)

    @cached_property
    def _tested(self) -> frozenset[tuple[str, str]]:
        services = self.compiled.compilation.services
        return frozenset(each for service in services for each in tested_levels(service.loaded.files))

    def _backtest(self, judged: list[Judged], answered: list[_Answered]) -> Backtest:
        infos = dict.fromkeys(
            f"{each.source.id} ({each.source.flavour} {each.source.build})" for each in answered
        )
        web = {each.case.side.group.evaluator.web_url for each in answered} - {""}
        return Backtest(
            environment=self.compiled.environment.name,
            base="live" if self.asked.against else self.base.commit[:12],
            window=self.window,
            judged=tuple(judged),
            version=__version__,
            source=", ".join(infos),
            unchanged=sum(each.case.changed and _as_it_was(each.case) for each in answered),
            web_url=web.pop() if len(web) == 1 else "",
        )

    def _pictures(self, judged: list[Judged]) -> dict[RuleKey, str]:
        """The timelines written below `--out`; their addresses from there, by rule."""
        found: dict[RuleKey, str] = {}
        for each in judged if self.asked.out is not None else ():
            comparison = each.comparison
            if comparison is None or (comparison.old is None and comparison.new is None):
                continue
            name = f"pictures/{timeline.file_name(each)}"
            assert self.asked.out is not None
            write_file(self.asked.out / name, timeline.picture(each))
            found[each.key] = name
        return found

    def _keep(self, judged: list[tuple[_Answered, Judged]]) -> None:
        """The records of what changed, where `sync` will look for them."""
        place = self._place()
        there = {file_name(each.document): each for each in read_all(place, [])} if judged else {}
        documents = []
        for answered, each in judged:
            if _as_it_was(answered.case):
                continue
            document = record_of(
                each, answered.case.subject, self._job(answered.source), verdict_key(), _drawn(each)
            )
            if _on_trial(there.get(file_name(document))):
                click.echo(
                    f"{each.key.text} is on trial: its record stays; `tocsin canary abort` first", err=True
                )
                continue
            documents.append(document)
        if not documents:
            return
        number = f"{len(documents)} record{'s' if len(documents) > 1 else ''}"
        keep(place, documents, f"tocsin canary backtest: {number}")
        click.echo(f"{number} written to {visible(place.where)}", err=True)
        if not verdict_key():
            click.echo("they are not signed: where verdicts are required they admit nothing", err=True)

    def _vouched(self) -> tuple[str, str]:
        """Who made the change and who vouches for it, each `""` where nobody says. UsageError where the two may be one."""
        author, approver = actor_of_job(), self.asked.approver or ""
        if approver and not author:
            raise UsageError(
                f"whose change it is nobody says, so {approver} may be its author",
                help="run this in a job that sets GITHUB_ACTOR",
            )
        if approver and approver == author:
            raise UsageError(f"{approver} made the change, so somebody else must vouch for it")
        return author, approver

    def _job(self, source: SourceInfo) -> Job:
        author, approver = self._vouched()
        return Job(
            tool=__version__,
            created=datetime.now(tz=UTC),
            policy=self.policy,
            revision=self.base.commit,
            source=source,
            author=author,
            approver=approver,
        )

    def _place(self) -> RecordPlace:
        if self.asked.records is None and self.asked.out is not None:
            return place_of(str(self.asked.out / "records"), self.top, made=True)
        return place_of(self.asked.records, self.top, made=True)

    def _told_only(self, groups: dict[SourceName, list[Case]]) -> int:
        """What a run would ask, and of whom."""
        for name, cases in groups.items():
            source = self._opened(name)[0]
            plan = make_plan(_pairs(cases), self.window, source.info(), source.caps)
            echo(_plan_text(plan))
        if not groups:
            echo("nothing to replay: no alert changed in meaning\n")
        return 0

    def _incidents(self) -> tuple[Known, ...]:
        """Those of the base, and those that this change adds: what it says of a known one is not believed."""
        pages = [*self.base.compilation.pages, *self.compiled.compilation.pages]
        found: dict[str, Incident] = {}
        for page in pages:
            if page.incident is not None:
                found.setdefault(page.incident.id, page.incident)
        return known(found.values())

    def _said(self) -> tuple[Said, ...]:
        files = [SourceFile(path=str(path), text=_text(path)) for path in self.asked.labels]
        said, bad = read_said(files)
        for each in bad:
            click.echo(visible(each.text), err=True)
        return said

    def _seen(self, side: Side) -> tuple[Seen, ...]:
        return self._opened(self.sources.of(side))[1]

    def _opened(self, name: SourceName) -> tuple[History, tuple[Seen, ...]]:
        if name not in self._open:
            source = self._stack.enter_context(self.sources.opened(name))
            self._open[name] = source, tuple(source.groups())
        return self._open[name]


def _pairs(cases: list[Case]) -> tuple[Pair, ...]:
    return tuple(each.pair for each in cases)


def _drawn(judged: Judged) -> tuple[str, str]:
    found = judged.comparison
    return sparklines(found.old_spells, found.new_spells, found.window) if found is not None else ("", "")


def _as_it_was(case: Case) -> bool:
    """Whether the alert means what it meant: `--all` shows such, and no record is needed for it."""
    subject = case.subject
    return subject.old_digest == subject.new_digest and subject.old_object is None


def _on_trial(record: Record | None) -> bool:
    """Whether a later stage wrote into it: a replay must not make that forgotten."""
    return record is not None and not record.rolled_back and any(each.number for each in record.stages)


def _plan_text(plan: Plan) -> str:
    closely = (
        f"; where alerts fired, more requests and up to {plan.at_most:,}"
        if plan.at_most > plan.points
        else ""
    )
    return (
        f"{visible(plan.source.id)} ({plan.source.flavour} {plan.source.build}): {count(plan.versions, 'version')} by"
        f" {count(len(plan.questions), 'question')}, {count(plan.requests, 'request')}, {count(plan.points, 'evaluation')}{closely};"
        " three times as many for a changed alert whose group's phase cannot be read\n"
    )


def _window(length: str | None, until: str | None, default: Duration) -> Window:
    found = parse_duration(length) if length is not None else default
    if found is None or not found:
        raise UsageError(f"--window: `{length}` is no duration", help="write it as 7d, 14d")
    end = datetime.now(tz=UTC) if until is None else _moment(until)
    end_ms = int(end.timestamp() * 1000) // _MINUTE_MS * _MINUTE_MS
    start_ms = end_ms - int(found)
    if start_ms < 0 or end_ms > _LAST_MS:
        raise UsageError(
            "no server has a past before 1970 or behind 9999", help="a shorter --window, or another --until"
        )
    return Window(start_ms=start_ms, end_ms=end_ms)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--until: `{text}` is no time", help="write it as 2026-11-21T10:00:00Z") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise MachineError(
                f"{path} is larger than {_LARGEST} bytes", help="give the rows of the window alone"
            )
        # A spreadsheet writes a mark before its UTF-8, which would become a part of the first column's name.
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{path} cannot be read: {error}") from None
