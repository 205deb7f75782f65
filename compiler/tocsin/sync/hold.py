"""A rule held by a person: paused on its server until a time, by name and reason. Pure.

A hold lives where the rule lives. In Grafana it is the pause itself and the annotation `tocsin_hold`; for a rule that a Prometheus or a Mimir
evaluates, which cannot pause one, it is a silence in the Alertmanager. Nothing here needs the sources compiled: a rule says in `tocsin_rule`
which one it is, and in `tocsin_owner` whose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tocsin.errors import UsageError
from tocsin.ir.duration import parse_duration
from tocsin.sync.grafana import WHICH, hold_text, read_hold
from tocsin.sync.values import HOLD, OWNER, Hold
from tocsin.wire.grafana import GrafanaRule, canonical
from tocsin.wire.live import LiveRule, Matcher, Silence

LONGEST = timedelta(days=7)
MARK = "tocsin hold"
"""How the comment of a hold's silence begins: the only silences that `--release` ends."""
_EXAMPLE = "write `2h`, `30m`, or a time: 2026-11-21T15:00:00Z"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*){0,2}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The live rules that a name means: those to write, and those that are left alone, with why."""

    rules: tuple[LiveRule, ...]
    left: tuple[tuple[LiveRule, str], ...] = ()


def until_of(text: str, now: datetime) -> str:
    """The end of a hold as ISO 8601 in UTC. UsageError for what is no time, is past, or is more than 7 days away."""
    length = parse_duration(text.strip())
    if length is not None:
        until = now + timedelta(milliseconds=min(int(length), 10**12))
    else:
        try:
            until = datetime.fromisoformat(text.strip())
        except ValueError:
            raise UsageError(f"--until: `{text}` is no time", help=_EXAMPLE) from None
        if until.tzinfo is None:
            raise UsageError(
                f"--until: `{text}` does not say its time zone", help=f"add Z for UTC; {_EXAMPLE}"
            )
    if until <= now:
        raise UsageError(f"--until: `{text}` is not in the future", help=_EXAMPLE)
    if until - now > LONGEST:
        raise UsageError(
            "a hold lasts 7 days at most",
            help="what shall be quiet for longer is a change of its source: `enabled: false`",
        )
    return until.astimezone(UTC).isoformat(timespec="seconds")


def check_name(name: str) -> None:
    """UsageError where `name` cannot be that of a rule."""
    if not _NAME.match(name):
        raise UsageError(f"`{name}` names no rule", help="write its id, ID/LEVEL or ID/LEVEL/OVERRIDE")


def means(name: str, key: str) -> bool:
    """Whether `name` means the compiled rule `key`: an id means all of its levels, a level all of its overrides."""
    return key == name or key.startswith(f"{name}/")


def lasts(hold: Hold, now: str) -> bool:
    """Whether the hold goes on. An end that is no time never comes: rather quiet for too long than unpaused by a typing error."""
    end, here = _time(hold.until), _time(now)
    return end is None or here is None or end > here


def too_long(hold: Hold, now: str) -> bool:
    """Whether it goes on for longer than any hold may: somebody wrote it by hand."""
    end, here = _time(hold.until), _time(now)
    return end is None or here is None or end - here > LONGEST


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def find(
    rules: Iterable[LiveRule], name: str, *, owner: str = "", environment: str = "", release: bool = False
) -> Found:
    """The rules on a server that `name` (a key or a uid) means. `owner` is `PROJECT/ENV` where the project file is at hand; `environment` alone
    is enough where one project has rules there. UsageError where rules of several owners fit, MachineError never: an empty `Found` says it.
    """
    ours = [each for each in rules if each.rule.annotations.get(OWNER)]
    fit = [each for each in ours if each.rule.uid == name or means(name, _key(each.rule))]
    if owner:
        fit = [each for each in fit if each.rule.annotations[OWNER] == owner]
    elif environment:
        fit = [each for each in fit if each.rule.annotations[OWNER].rpartition("/")[2] == environment]
    owners = sorted({each.rule.annotations[OWNER] for each in fit})
    if len(owners) > 1:
        raise UsageError(
            f"`{name}` belongs to {' and to '.join(owners)}",
            help="say which: --env, from inside that repository",
        )
    go: list[LiveRule] = []
    left: list[tuple[LiveRule, str]] = []
    for each in sorted(fit, key=lambda each: _key(each.rule)):
        why = _left(each.rule, release=release)
        if why:
            left.append((each, why))
        else:
            go.append(each)
    return Found(rules=tuple(go), left=tuple(left))


def _left(rule: GrafanaRule, *, release: bool) -> str:
    marked = HOLD in rule.annotations
    if release and not marked:
        return "is not held" + ("; it is paused by hand or by its source" if rule.paused else "")
    if not release and rule.paused and not marked:
        return "is paused already, by hand or by its source, and stays so without a hold"
    return ""


def service_of(live: LiveRule) -> str:
    """The service whose sources a rule on a server comes from, `""` where it does not say."""
    return live.rule.annotations.get(WHICH, "").partition(" ")[0]


def known(rules: Iterable[LiveRule], owner: str = "") -> tuple[str, ...]:
    """Every key on the server, for a message about one that is not there."""
    return tuple(
        sorted(
            {
                _key(each.rule)
                for each in rules
                if each.rule.annotations.get(OWNER) and owner in ("", each.rule.annotations[OWNER])
            }
            - {""}
        )
    )


def key_of(live: LiveRule) -> str:
    """Which rule it is, by its own mark; its uid where the mark is gone."""
    return _key(live.rule) or live.rule.uid


def _key(rule: GrafanaRule) -> str:
    return rule.annotations.get(WHICH, "").partition(" ")[2]


def held(rule: GrafanaRule, hold: Hold) -> GrafanaRule:
    """The rule paused and marked; nothing else of it is another."""
    return replace(rule, paused=True, annotations={**rule.annotations, HOLD: hold_text(hold)})


def released(rule: GrafanaRule) -> GrafanaRule:
    """The rule as it was before it was held."""
    kept = {name: text for name, text in rule.annotations.items() if name != HOLD}
    return replace(rule, paused=False, annotations=kept)


def hold_of(rule: GrafanaRule) -> Hold | None:
    """Its hold, if it has one."""
    return read_hold(rule.annotations.get(HOLD))


def equal(one: GrafanaRule, other: GrafanaRule) -> bool:
    """Whether two rules are the same one in canonical form."""
    return canonical(one) == canonical(other)


def silence(name: str, labels: Mapping[str, str], hold: Hold, now: str) -> Silence:
    """The silence that holds a rule which its evaluator cannot pause. `labels` are what tells its level apart; an id alone needs none."""
    matchers = [Matcher(name="rule_id", value=name.partition("/")[0])]
    matchers += [
        Matcher(name=each, value=value) for each, value in sorted(labels.items()) if each != "rule_id"
    ]
    return Silence(
        matchers=tuple(matchers),
        starts_at=now,
        ends_at=hold.until,
        created_by=hold.by,
        comment=f"{MARK} {name}: {hold.reason}",
    )


def silences_of(every: Iterable[Silence], name: str, labels: Mapping[str, str]) -> Sequence[Silence]:
    """The lasting holds among an Alertmanager's silences that mean `name`: made by `tocsin hold`, and about nothing else."""
    start = f"{MARK} {name}"
    wanted = {("rule_id", name.partition("/")[0]), *labels.items()}
    return [
        each
        for each in every
        if each.state != "expired"
        and (each.comment.startswith((f"{start}:", f"{start}/")))
        and wanted <= {(matcher.name, matcher.value) for matcher in each.matchers}
    ]
