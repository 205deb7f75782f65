"""The foot of a SOP's page: its queries as live links, what it is related to, and where the page comes from.

In: the model. Out: Markdown. Dates come from Git alone: where a shallow clone hides them the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tocsin.emit.site import markup, paths
from tocsin.emit.site.here import Here
from tocsin.emit.site.model import SopView
from tocsin.emit.site.sop_alerts import prometheus_link
from tocsin.emit.site.sop_facts import version
from tocsin.emit.site.words import language_name
from tocsin.ir.compiled import Evaluator
from tocsin.ir.sop import Fence, Sop

_LONGEST_QUERY = 4_000
"""Characters of a query in an address; beyond it servers refuse."""


def context(here: Here, view: SopView) -> str:
    """Every query of the prose, with links to where it can be asked; `""` where there is none. Expressions of alerts have theirs beside them."""
    shown = view.text(here.language)
    rows = []
    for fence in shown.body.fences:
        query = fence.text.strip()
        if fence.language.lower() == "promql" and query:
            rows.append((_section(here, shown, fence), markup.code(query), _open(here, view, query)))
    if not rows:
        return ""
    headers = [here.say("what"), here.say("query"), here.say("open_in")]
    if not any(row[2] for row in rows):
        headers, rows = headers[:2], [(row[0], row[1], "") for row in rows]
    table = markup.table(headers, [row[: len(headers)] for row in rows])
    return f"## {here.say('context')} {{: #tocsin-queries {markup.UNSEARCHED} }}\n\n{table}"


def related(here: Here, view: SopView) -> str:
    """Incidents, other SOPs, services, error codes and translations; `""` where there is nothing."""
    model = here.model
    incidents = {*view.incidents, *(each for alert in view.alerts for each in alert.incidents)}
    rows = [
        (
            here.say("incidents"),
            [_incident(here, each) for each in sorted(incidents, reverse=True) if each in model.incidents],
        ),
        (here.say("sops"), [sop_link(here, each) for each in view.related if each in model.sops]),
        (
            here.say("services"),
            [
                here.to(paths.service(each), markup.plain(each))
                for each in view.sop.services
                if each in model.services
            ],
        ),
        (
            here.say("errors"),
            [here.to(paths.error(each), markup.code(each)) for each in view.sop.error_codes],
        ),
        (
            here.say("translations"),
            [
                here.translated(each, markup.plain(language_name(each, each)))
                for each in model.project.site.languages
                if each != here.language and each in view.languages
            ],
        ),
    ]
    found = [(name, "<br>".join(links)) for name, links in rows if links]
    if not found:
        return ""
    table = markup.table((here.say("what"), here.say("value")), found)
    return f"## {here.say('related')} {{: #tocsin-related {markup.UNSEARCHED} }}\n\n{table}"


def about(here: Here, view: SopView) -> str:
    """Version, last change and the way to edit the text shown."""
    shown = view.text(here.language)
    path = shown.file.path
    edit = here.repository("edit", path)
    rows = [
        (here.say("version"), version(here, view.sop)),
        (here.say("last_change"), _last_change(here, path)),
        (
            here.say("source"),
            markup.link(here.say("edit"), edit) + "<br>" + markup.code(path) if edit else markup.code(path),
        ),
        (here.say("aliases"), "<br>".join(markup.code(each) for each in view.sop.aliases)),
    ]
    table = markup.table((here.say("what"), here.say("value")), [each for each in rows if each[1]])
    return f"## {here.say('history')} {{: #tocsin-about {markup.UNSEARCHED} }}\n\n{table}"


def sop_link(here: Here, id: str) -> str:
    """A link to another SOP by its id and title."""
    other = here.model.sops[id].text(here.language)
    return here.to(paths.sop(id), f"{markup.plain(id)} {here.authored(other.title, other.language)}")


def _incident(here: Here, id: str) -> str:
    return here.to(paths.incident(id), f"{markup.plain(id)} {markup.plain(here.model.incidents[id].title)}")


def _last_change(here: Here, path: str) -> str:
    history = here.model.history
    change = history.files.get(path)
    if change is None:
        unknown = "change_shallow" if history.shallow else "change_unknown"
        return here.say(unknown if history.head is not None else "change_no_git")
    day = markup.plain(change.at[:10])
    return here.say(
        "change",
        day=f'<time datetime="{day}">{day}</time>',
        commit=markup.code(change.commit[:10]),
        subject=markup.plain(change.subject),
    )


def _section(here: Here, sop: Sop, fence: Fence) -> str:
    before = [each for each in sop.body.sections if each.span.line < fence.span.line]
    if not before:
        return here.say("top_of_page")
    return markup.link(here.authored(before[-1].heading, sop.language), f"#{before[-1].anchor}")


def _open(here: Here, view: SopView, query: str) -> str:
    if len(query) > _LONGEST_QUERY:
        return ""
    links = [
        markup.link(markup.plain(name), prometheus_link(evaluator, query))
        for name, evaluator in _servers(here, view)
    ]
    return "<br>".join(links)


def _servers(here: Here, view: SopView) -> Iterator[tuple[str, Evaluator]]:
    """The Prometheus servers a reader can open, of the environments where the SOP's alerts run (all, where it has none)."""
    used = {tier.environment.name for alert in view.alerts for tier in alert.tiers}
    for environment in here.model.project.environments:
        if environment.name in used or not used:
            named = _readable(environment.evaluators)
            for evaluator in named:
                several = f" {evaluator.name}" if len(named) > 1 else ""
                yield f"Prometheus {environment.name}{several}", evaluator


def _readable(evaluators: Iterable[Evaluator]) -> list[Evaluator]:
    return [each for each in evaluators if prometheus_link(each, "")]
