"""Every alert that leads to a SOP: one anchored section each, with all it compiles to.

In: `AlertView`s. Out: Markdown. Nothing here is typed by a person, so nothing can be out of date: thresholds, times and expressions are those of
the compiled rules, and each expression leads to the server that evaluates it where tocsin.yaml says how a reader gets there (`web_url`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from tocsin.emit.site import markup, paths
from tocsin.emit.site.here import Here
from tocsin.emit.site.model import AlertView, SopView, Tier
from tocsin.emit.site.stub import watch_sentence
from tocsin.ir.compiled import Evaluator
from tocsin.ir.duration import format_duration

ALERTS = "tocsin-alerts"
_WORD = re.compile(r"[A-Za-z0-9_.:-]+\Z")


def anchor(alert: AlertView) -> str:
    """Where an alert stands on the page of its SOP."""
    return f"alert-{alert.id}"


def alerts(here: Here, view: SopView) -> str:
    """The section of every alert whose `sop_ref` names this SOP, the most urgent first."""
    parts = [f"## {here.say('alerts_here')} {{: #{ALERTS} {markup.UNSEARCHED} }}"]
    watches = [each for each in here.model.watches if each.sop == view.sop.id]
    if not view.alerts and not watches:
        parts.append(here.say("manual" if view.sop.manual else "no_alerts"))
    parts.extend(_alert(here, view, each) for each in view.alerts)
    rows = (
        f"- {here.stub(each.name)} {markup.plain(watch_sentence(each, here.language))}" for each in watches
    )
    parts.extend(["\n".join(rows)] if watches else [])
    return "\n\n".join(parts)


def prometheus_link(evaluator: Evaluator, expr: str) -> str:
    """The address that shows `expr` in an evaluator's own pages; `""` where it has none for readers."""
    if evaluator.kind != "prometheus" or not evaluator.web_url:
        return ""
    return f"{evaluator.web_url}/graph?g0.expr={quote(expr, safe='')}&g0.tab=0"


def where(here: Here, tier: Tier) -> str:
    """`prod / page`: the environment, level and override of a compiled rule, as plain text."""
    key = tier.alert.key
    override = here.say("override", name=key.override) if key.override else ""
    return " / ".join(each for each in (key.env, key.level, override) if each)


def _alert(here: Here, view: SopView, alert: AlertView) -> str:
    # The name marks the section for `?alert=NAME`; a name that is no plain word cannot stand in an attribute list.
    names = " ".join(each for each in alert.names if _WORD.match(each))
    data = f' data-alert="{names}"' if names else ""
    parts = [
        f"### {here.join([markup.plain(each) for each in alert.names])} {{: #{anchor(alert)}{data} {markup.UNSEARCHED} }}",
        _changed(here, view, alert),
        _facts(here, view, alert),
    ]
    if alert.tiers:
        parts.extend((_tiers(here, alert.tiers), _expressions(here, alert.tiers)))
    else:
        parts.extend((here.say("not_deployed"), markup.fence(alert.source.expr, "promql")))
    return "\n\n".join(each for each in parts if each)


def _changed(here: Here, view: SopView, alert: AlertView) -> str:
    change = alert.changed
    if change is None:
        return ""
    known = {
        "day": markup.plain(change.at[:10]),
        "commit": markup.code(change.commit[:10]),
        "subject": markup.plain(change.subject),
    }
    review = view.sop.review
    said = (
        here.say("changed_since", **known, review=markup.plain(review.last))
        if review is not None
        else here.say("changed_unreviewed", **known)
    )
    return f'!!! warning "{here.say("changed_title")}"\n    {said}'


def _facts(here: Here, view: SopView, alert: AlertView) -> str:
    source, worst = alert.source, alert.worst
    summary = worst.annotations.get("summary", "") if worst is not None else source.summary or ""
    compiled = tuple(each.alert for each in alert.tiers)
    owner = here.model.project.team(source.owner)
    rows = [
        (
            here.say("severity"),
            here.severities(compiled) if compiled else here.severity(source.severity),
        ),
        (here.say("step"), _step(here, view, alert)),
        (here.say("summary"), markup.plain(summary)),
        (
            here.say("service"),
            here.to(paths.service(source.service), markup.plain(source.service))
            if view.sop.services != (source.service,)
            else "",
        ),
        (
            here.say("owner"),
            here.to(paths.team(owner.id), markup.plain(owner.name))
            if owner is not None and owner.id != view.sop.owner
            else "",
        ),
        (here.say("address"), "<br>".join(here.stub(each) for each in alert.names)),
        (here.say("source"), here.source(source.origin.file, source.origin.value().line)),
    ]
    return markup.table((here.say("what"), here.say("value")), [each for each in rows if each[1]])


def _step(here: Here, view: SopView, alert: AlertView) -> str:
    shown = view.text(here.language)
    section = next((each for each in shown.body.sections if each.anchor == alert.anchor), None)
    if section is None:
        return markup.link(here.say("top_of_page"), "#tocsin-top")
    return markup.link(here.authored(section.heading, shown.language), f"#{section.anchor}")


def _tiers(here: Here, tiers: Sequence[Tier]) -> str:
    # Three columns, so that a phone needs no second direction to scroll in.
    headers = ("where", "thresholds", "evaluator")
    return markup.table([here.say(each) for each in headers], [_row(here, each) for each in tiers])


def _row(here: Here, tier: Tier) -> Sequence[str]:
    alert = tier.alert
    conditions = [
        *(markup.code(f"{name} = {value}") for name, value in alert.params.items()),
        here.say("for", time=format_duration(alert.for_)) if alert.for_ else here.say("at_once"),
        here.say("keeps", time=format_duration(alert.keep_firing_for)) if alert.keep_firing_for else "",
        here.say("paused") if alert.paused else "",
    ]
    version = here.say("unreleased") if alert.version == "unreleased" else markup.plain(alert.version)
    return (
        f"{markup.plain(where(here, tier))}<br>{here.severity(alert.severity)}",
        "<br>".join(each for each in conditions if each),
        f"{markup.plain(alert.evaluator.name)}<br>{version}",
    )


def _expressions(here: Here, tiers: Sequence[Tier]) -> str:
    """Each expression once, with the tiers it stands for where there are several."""
    grouped: dict[str, list[Tier]] = {}
    for tier in tiers:
        grouped.setdefault(tier.alert.expr, []).append(tier)
    parts = []
    for expr, same in grouped.items():
        named = here.join([markup.plain(where(here, each)) for each in same])
        caption = here.say("expression_of", where=named) if len(grouped) > 1 else here.say("expression")
        parts.append(f"**{caption}**")
        parts.append(markup.fence(expr, "promql"))
        links = here.join(_live(here, same))
        if links:
            parts.append(f"{here.say('open_in')}{here.say('colon')}{links}")
    return "\n\n".join(parts)


def _live(here: Here, tiers: Iterable[Tier]) -> list[str]:
    """Links to where the rule runs: a query once per server, a Grafana rule each."""
    found: dict[str, str] = {}
    for tier in tiers:
        evaluator = tier.alert.evaluator
        if evaluator.kind == "grafana" and evaluator.web_url:
            address = f"{evaluator.web_url}/alerting/grafana/{quote(tier.alert.uid, safe='')}/view"
            found.setdefault(address, here.say("open_grafana", where=markup.plain(where(here, tier))))
        elif address := prometheus_link(evaluator, tier.alert.expr):
            found.setdefault(address, here.say("open_prometheus", where=markup.plain(tier.environment.name)))
    return [markup.link(label, address) for address, label in found.items()]
