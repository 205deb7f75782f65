"""`tocsin pull`: what somebody changed in Grafana as a patch of the sources, where sources can say it; for the rest, why not."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import click

from tocsin.cli.options import day, repository, root_argument, today_option
from tocsin.cli.targets import Compiled, compiled_for, desired_of, grafana_of
from tocsin.cli.workspace import no_collector, read_sources
from tocsin.diag import SourceFile
from tocsin.disk.write import write_file
from tocsin.errors import MachineError
from tocsin.ir.compiled import CompiledAlert
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.report.visible import visible
from tocsin.source.edit import changed
from tocsin.sync.plan import Scope
from tocsin.sync.pull import Authored, Edit, Left, judged, proposed
from tocsin.sync.values import Desired, Group, Rule

_LEFT = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """Sources and what they compile to."""

    sources: Sources
    compilation: Compilation
    desired: Desired

    def text(self, path: str) -> str:
        return next(each.text for each in self.sources.rules if each.path == path)


Compile = Callable[[Sources], "_Made | None"]
Placed = Mapping[str, tuple[Rule, Group]]


@click.command("pull")
@root_argument
@click.option("--env", "env_name", metavar="E", help="The environment; needed where there are several.")
@click.option("--evaluator", metavar="NAME", help="Which Grafana of the environment; default: the first.")
@click.option("--service", "services", multiple=True, metavar="S", help="Only this service; repeatable.")
@click.option("--rule", "rules", multiple=True, metavar="ID", help="Only this rule; repeatable.")
@click.option("--url", metavar="URL", help="The server's address; default: the environment's variable.")
@click.option("--write", is_flag=True, help="Edit the files; default: print the patch.")
@today_option
def pull_command(
    root: Path,
    env_name: str | None,
    evaluator: str | None,
    services: tuple[str, ...],
    rules: tuple[str, ...],
    url: str | None,
    write: bool,
    today: str | None,
) -> int:
    """Turn rules that differ in Grafana into a patch of their sources. Every edit has been compiled: it makes exactly the live rule, and changes
    no other. Ends with 4 where something differs that no source can say."""
    top, when = repository(root), day(today)
    compiled = compiled_for(top, env_name, evaluator, when)
    with grafana_of(compiled, url, read_only=True) as (client, target, desired):
        live = target.read()
        version = client.server.version
    before = _Made(sources=compiled.sources, compilation=compiled.compilation, desired=desired)
    owner = before.desired.owner
    there = {rule.uid: (rule, group) for group in live.groups for rule in group.rules if rule.owner == owner}
    compile = _compiler(compiled, when, version)
    scope = Scope(services=frozenset(services), rules=frozenset(rules))
    after, done, left = _pulled(before, compiled, there, scope, compile)
    for each in left:
        click.echo(f"not pulled: {each.key}: {visible(each.field)}: {visible(each.why)}", err=True)
    patch = "".join(_patch(before.sources, after.sources))
    if not patch:
        click.echo("nothing to pull" if not left else "nothing of it can be said in a source", err=True)
        return _LEFT if left else 0
    for line in _elsewhere(before.compilation, after.compilation, compiled.environment.name):
        click.echo(line, err=True)
    if write:
        _write(top, before.sources, after, done, there, compile)
    else:
        click.echo(patch, nl=False)
        click.echo(
            "--write edits the files. What was merged and not synced yet differs, too: look before.", err=True
        )
    return _LEFT if left else 0


def _compiler(compiled: Compiled, today: date, version: tuple[int, int, int]) -> Compile:
    """Compiles edited sources; None where they do not compile."""

    def compile(sources: Sources) -> _Made | None:
        with no_collector():
            made = compile_sources(sources, today)
        if made.settings is None or made.frozen - compiled.compilation.frozen:
            return None
        new = replace(compiled, sources=sources, compilation=made)
        return _Made(sources=sources, compilation=made, desired=desired_of(new, version))

    return compile


def _pulled(
    before: _Made, compiled: Compiled, there: Placed, scope: Scope, compile: Compile
) -> tuple[_Made, dict[str, frozenset[str]], list[Left]]:
    """The sources with every edit that passed; uid -> fields pulled; what was left, and why."""
    authored = {each.alert.uid: each for each in _authored(compiled)}
    now, done, left = before, dict[str, frozenset[str]](), list[Left]()
    for group in before.desired.groups:
        for wanted in group.rules:
            if wanted.uid not in there or wanted.uid not in authored or not scope.holds(wanted):
                continue
            rule, live_group = there[wanted.uid]
            said = list(proposed(authored[wanted.uid], wanted, rule, (group.interval, live_group.interval)))
            left.extend(each for each in said if isinstance(each, Left))
            edits = [each for each in said if isinstance(each, Edit)]
            if edits:
                now, passed, failed = _tried(now, edits, wanted.uid, there, compile)
                left.extend(failed)
                if passed:
                    done[wanted.uid] = passed
    return now, done, left


def _tried(
    now: _Made, edits: list[Edit], uid: str, there: Placed, compile: Compile
) -> tuple[_Made, frozenset[str], list[Left]]:
    """All of a rule's edits at once; if that does not pass, one by one."""
    made, why = _applied(now, edits, uid, there, compile)
    if made is not None:
        return made, frozenset(each.field for each in edits), []
    if len(edits) == 1:
        return now, frozenset(), [Left(key=edits[0].key, field=edits[0].field, why=why)]
    passed: set[str] = set()
    failed: list[Left] = []
    for each in edits:
        made, why = _applied(now, [each], uid, there, compile)
        if made is None:
            failed.append(Left(key=each.key, field=each.field, why=why))
        else:
            now = made
            passed.add(each.field)
    return now, frozenset(passed), failed


def _applied(
    now: _Made, edits: list[Edit], uid: str, there: Placed, compile: Compile
) -> tuple[_Made | None, str]:
    texts = {each.file: now.text(each.file) for each in edits}
    try:
        for each in edits:
            texts[each.file] = changed(texts[each.file], each.steps, each.value)
    except ValueError as error:
        return None, str(error)
    rules = tuple(
        SourceFile(path=each.path, text=texts[each.path]) if each.path in texts else each
        for each in now.sources.rules
    )
    made = compile(replace(now.sources, rules=rules))
    fields = frozenset(each.field for each in edits)
    why = judged(now.desired, made.desired if made is not None else None, there, uid, fields)
    return (None if why else made), why


def _authored(compiled: Compiled) -> Iterator[Authored]:
    """Every alert of the Grafana with its source."""
    settings = compiled.compilation.settings
    assert settings is not None
    for service in compiled.compilation.services:
        files = {each.file.path: each for each in service.loaded.files}
        for resolved in service.resolved:
            if resolved.env != compiled.environment.name:
                continue
            for group in resolved.groups:
                for rule in group.rules:
                    if isinstance(rule, CompiledAlert) and rule.evaluator.name == compiled.evaluator.name:
                        yield Authored(
                            alert=rule,
                            group=group,
                            file=files[group.file],
                            env=compiled.environment,
                            project=settings.project,
                        )


def _patch(before: Sources, after: Sources) -> Iterator[str]:
    for old, new in zip(before.rules, after.rules, strict=True):
        if old.text != new.text:
            one, two = (each.text.splitlines(keepends=True) for each in (old, new))
            for line in difflib.unified_diff(one, two, f"a/{old.path}", f"b/{new.path}"):
                yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _elsewhere(before: Compilation, after: Compilation, env_name: str) -> Iterator[str]:
    """The rules of other environments that the same sources change."""
    old, new = ({(each.key.env, each.key.text): each for each in _alerts(made)} for made in (before, after))
    for place in sorted(old.keys() | new.keys()):
        one, two = old.get(place), new.get(place)
        if place[0] != env_name and (one is None or two is None or _said(one) != _said(two)):
            yield f"note: the patch changes {place[1]} in {place[0]}, too"


def _alerts(made: Compilation) -> Iterator[CompiledAlert]:
    return (alert for service in made.services for resolved in service.resolved for alert in resolved.alerts)


def _said(alert: CompiledAlert) -> object:
    return (
        alert.name,
        alert.expr,
        alert.for_,
        alert.keep_firing_for,
        alert.labels,
        alert.annotations,
        alert.digest,
    )


def _write(
    top: Path,
    before: Sources,
    after: _Made,
    done: Mapping[str, frozenset[str]],
    there: Placed,
    compile: Compile,
) -> None:
    """Writes, compiles what is on the disk now, and puts the old files back if that is not what was promised."""
    old = {each.path: each.text for each in before.rules}
    edited = [each for each in after.sources.rules if each.text != old[each.path]]
    try:
        for each in edited:
            write_file(top / each.path, each.text)
        again = compile(read_sources(top))
        wrong = (
            "the files do not compile"
            if again is None
            else next(
                (
                    why
                    for uid, fields in done.items()
                    if (why := judged(after.desired, again.desired, there, uid, fields))
                ),
                "",
            )
        )
    except BaseException:
        _back(top, edited, old)
        raise
    if wrong:
        _back(top, edited, old)
        raise MachineError(
            f"the edited files were put back: {wrong}", help="did somebody edit them meanwhile?"
        )
    for each in edited:
        click.echo(f"edited {each.path}", err=True)


def _back(top: Path, edited: list[SourceFile], old: Mapping[str, str]) -> None:
    for each in edited:
        write_file(top / each.path, old[each.path])
