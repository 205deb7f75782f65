"""`tocsin hold`: one rule quiet on its server now, without Git and without the rest of the sources; `--release` ends it.

What it reads is the server and, where there is one, `tocsin.yaml`: which servers an environment has. A repository that does not compile at 3 a.m.
holds a rule as fast as one that does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click

from tocsin.cli.grafanas import grafana_at, project_of
from tocsin.cli.options import repository
from tocsin.cli.targets import door_to, environment_of
from tocsin.diag.nearest import did_you_mean
from tocsin.errors import Ambiguous, RemoteError, UsageError
from tocsin.ir.compiled import Evaluator
from tocsin.ir.duration import ZERO
from tocsin.ir.project import Environment
from tocsin.remote.alertmanager import Alertmanager
from tocsin.remote.grafana import Grafana
from tocsin.report.visible import visible
from tocsin.sync import hold as holds
from tocsin.sync.values import Hold
from tocsin.wire.grafana import GrafanaGroup, GrafanaRule
from tocsin.wire.live import LiveRule, Silence

_ACTORS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID", "USER", "LOGNAME")
_FAILED = 4


@click.command("hold")
@click.argument("rule", metavar="RULE", required=False)
@click.option("--rule", "named", metavar="RULE", help="The same, as the other commands spell it.")
@click.option("--service", metavar="S", help="Only if it is a rule of this service.")
@click.option("--env", "env_name", metavar="E", help="The environment; needed where there are several.")
@click.option("--until", metavar="T", help="Until when, 7 days at most: `2h`, `30m`, `2026-11-21T15:00:00Z`.")
@click.option("--reason", metavar="TEXT", help="Why, for whoever finds the rule paused.")
@click.option("--release", is_flag=True, help="End the hold now.")
@click.option("--url", metavar="URL", help="The Grafana's address; default: the environment's variable.")
@click.option("--alertmanager-url", metavar="URL", help="... of the Alertmanager, for rules of a Prometheus.")
@click.option(
    "--level-label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    help="What tells a level's alerts apart, for a silence on RULE = ID/LEVEL; default: level=LEVEL.",
)
@click.option(
    "-C", "--root", type=click.Path(path_type=Path), default=Path(), help="The repository; default: here."
)
def hold_command(
    rule: str | None,
    named: str | None,
    service: str | None,
    env_name: str | None,
    until: str | None,
    reason: str | None,
    release: bool,
    url: str | None,
    alertmanager_url: str | None,
    labels: tuple[str, ...],
    root: Path,
) -> int:
    """Pause RULE (ID, ID/LEVEL or ID/LEVEL/OVERRIDE) on its server until T, marked with who and why. Sync honours it, and ends it on time."""
    if (rule is None) == (named is None):
        raise UsageError("say one rule", help="tocsin hold RULE, or --rule RULE")
    rule = rule or named or ""
    holds.check_name(rule)
    now = datetime.now(tz=UTC)
    hold = None if release else _hold(until, reason, now)
    top = repository(root)
    project = project_of(top)
    seen: list[str] = []
    if project is None:
        with grafana_at(url, None, read_only=False) as grafana:
            done = _in_grafana(grafana, rule, hold, "", env_name or "", seen, service)
        return done if done is not None else _unknown(rule, env_name or "that server", seen)
    environment = environment_of(project, env_name)
    owner = f"{project.name}/{environment.name}"
    for each in _grafanas(environment, url):
        with grafana_at(url, each, read_only=False) as grafana:
            done = _in_grafana(grafana, rule, hold, owner, environment.name, seen, service)
        if done is not None:
            return done
    if all(each.kind == "grafana" for each in environment.evaluators):
        return _unknown(rule, environment.name, seen)
    apart = _apart(rule, labels, project.inject_labels)
    if not _authored(top, rule, service):
        _unknown(rule, environment.name, seen)
    with door_to("alertmanager", alertmanager_url, None, read_only=False) as door:
        return _in_alertmanager(Alertmanager(door), rule, hold, apart, environment.name, now)


def _hold(until: str | None, reason: str | None, now: datetime) -> Hold:
    if until is None or not (reason or "").strip():
        raise UsageError(
            "a hold needs an end and a reason", help="--until 2h --reason 'disk is being replaced'"
        )
    return Hold(by="", until=holds.until_of(until, now), reason=" ".join((reason or "").split()))


def _grafanas(environment: Environment, url: str | None) -> Iterable[Evaluator | None]:
    grafanas = [each for each in environment.evaluators if each.kind == "grafana"]
    return grafanas[:1] if url is not None else grafanas


def _in_grafana(
    grafana: Grafana,
    name: str,
    hold: Hold | None,
    owner: str,
    env_name: str,
    seen: list[str],
    service: str | None,
) -> int | None:
    """Holds or releases what `name` means there; None where that Grafana has no such rule, and `seen` gets those it has."""
    rules = [each for each in grafana.rules.all() if service in (None, holds.service_of(each))]
    found = holds.find(rules, name, owner=owner, environment=env_name, release=hold is None)
    if not found.rules and not found.left:
        seen.extend(holds.known(rules, owner))
        return None
    if hold is not None:
        hold = Hold(by=grafana.actor().login or _actor(), until=hold.until, reason=hold.reason)
    failed = 0
    for live in found.rules:
        wrong = _write(grafana, live, hold)
        failed += bool(wrong)
        say = wrong or (_held(hold) if hold is not None else "released: it is evaluated again")
        click.echo(f"{holds.key_of(live)} ({live.rule.title}, {live.rule.uid}): {visible(say)}")
    for live, why in found.left:
        click.echo(f"{holds.key_of(live)} ({live.rule.title}, {live.rule.uid}): {why}")
    if hold is not None and len(found.rules) > failed:
        click.echo(f"to end it: tocsin hold {name} --release{f' --env {env_name}' if env_name else ''}")
        click.echo("after that time the next `tocsin sync` ends it.")
    return _FAILED if failed else 0


def _held(hold: Hold) -> str:
    return f"held until {hold.until} by {hold.by}: {hold.reason}"


def _write(grafana: Grafana, listed: LiveRule, hold: Hold | None) -> str:
    """Writes one rule and reads it back; what went wrong, `""` where nothing did. It is read once more first: what a person saves now is not
    lost, and the list of an old Grafana does not say the provenance."""
    live = grafana.rules.get(listed.rule.uid)
    if live is None:
        return "NOT done: the rule is gone"
    wanted = holds.released(live.rule) if hold is None else holds.held(live.rule, hold)
    alone = GrafanaGroup(name=live.group, folder_uid=live.folder_uid, interval=ZERO, rules=(wanted,))
    doubt = ""
    try:
        # The rule's own provenance: a lone rule's write may not take `api` away, and must not lock what people may edit.
        grafana.rules.replace(wanted, alone, editable=live.provenance == "")
    except Ambiguous as error:
        doubt = error.said or error.message  # read back below
    except RemoteError as error:
        return f"NOT written: {error.message}"
    return _difference(wanted, grafana.rules.get(live.rule.uid), doubt)


def _difference(wanted: GrafanaRule, now: LiveRule | None, doubt: str) -> str:
    if now is None:
        return "NOT done: the rule is gone"
    if holds.equal(wanted, now.rule):
        return ""
    if (now.rule.paused, holds.hold_of(now.rule)) == (wanted.paused, holds.hold_of(wanted)):
        return ""  # somebody else wrote another field meanwhile; the hold is there
    return (
        f"NOT done: read back, the rule is not as it was written; try again{f' ({doubt})' if doubt else ''}"
    )


def _in_alertmanager(
    alertmanager: Alertmanager,
    name: str,
    hold: Hold | None,
    apart: dict[str, str],
    env_name: str,
    now: datetime,
) -> int:
    """A silence for a rule that its Prometheus cannot pause, or the end of it."""
    there = holds.silences_of(alertmanager.silences(), name, apart if hold is not None else {})
    if hold is None:
        for each in there:
            alertmanager.expire(each.id)
            click.echo(f"{name}: silence {each.id} ended: its alerts notify again")
        if not there:
            click.echo(f"{name}: is not held: no silence of `tocsin hold` is about it")
        return 0
    hold = Hold(by=_actor(), until=hold.until, reason=hold.reason)
    wanted = holds.silence(name, apart, hold, now.isoformat(timespec="seconds"))
    id = _create(alertmanager, wanted, there)
    say = " and ".join(f"{each.name}={each.value}" for each in wanted.matchers)
    click.echo(f"{name}: {visible(_held(hold))}")
    click.echo(f"silence {id} on {say}: its alerts go on firing in Prometheus and notify nobody.")
    click.echo(f"to end it: tocsin hold {name} --release --env {env_name}; it ends by itself at that time.")
    return 0


def _create(alertmanager: Alertmanager, wanted: Silence, there: Iterable[Silence]) -> str:
    """The silence's id; one that a lost answer left in doubt is looked for."""
    before = {each.id for each in there}
    try:
        id = alertmanager.create(wanted)
    except Ambiguous:
        id = ""
    found = [
        each
        for each in alertmanager.silences()
        if each.comment == wanted.comment
        and each.state != "expired"
        and each.id not in before
        and id in ("", each.id)
    ]
    if not found:
        raise UsageError("the silence was sent and is not there", help="try again")
    return found[0].id


def _apart(name: str, labels: tuple[str, ...], injected: Container[str]) -> dict[str, str]:
    """The labels of a silence beside `rule_id`. One on a label that the alerts do not carry would match nothing, without a word."""
    if "rule_id" not in injected:
        raise UsageError(
            "the alerts carry no `rule_id` here", help="add it to `labels: {inject: [...]}` in tocsin.yaml"
        )
    if any("=" not in each for each in labels):
        raise UsageError("--level-label takes NAME=VALUE")
    if labels:
        return {each.partition("=")[0]: each.partition("=")[2] for each in labels}
    id, _, level = name.partition("/")
    if "/" in level:
        raise UsageError(
            "a silence cannot tell an override's alerts apart", help=f"hold {id}, or use --level-label"
        )
    if level and "level" not in injected:
        raise UsageError(
            "the alerts carry no label `level` here",
            help=f"hold all of {id}, or say what tells them apart: --level-label severity=critical",
        )
    return {"level": level} if level else {}


def _authored(top: Path, name: str, service: str | None) -> bool:
    """Whether some rule file (of the service) has that id: a silence on a typing error would match nothing. Read as text: it need not compile."""
    id = re.compile(
        rb"""\bid:[ \t]*["']?"""
        + re.escape(name.partition("/")[0].encode())
        + rb"""["']?[ \t]*(?:[,}#\r\n]|\Z)"""
    )
    for path in (top / "rules").rglob("*.y*ml"):
        if service not in (None, path.relative_to(top / "rules").parts[0]):
            continue
        try:
            if id.search(path.read_bytes()):
                return True
        except OSError:
            continue
    return False


def _unknown(name: str, where: str, seen: Iterable[str]) -> NoReturn:
    keys = sorted(seen)
    help = did_you_mean(name, [*keys, *{each.partition("/")[0] for each in keys}]) if keys else ""
    raise UsageError(f"no rule `{name}` of ours is in {where}", help=help)


def _actor() -> str:
    """Who runs this, where no token says it."""
    return next((os.environ[name] for name in _ACTORS if os.environ.get(name)), "unknown")
