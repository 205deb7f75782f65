"""Pages of one screen without the theme: the address of each alertname, old addresses that lead on, and addresses whose page is gone.

10,000 alerts with the theme's page around each would be 150 MB. These are about 1 kB, need no script and no network, share one small style sheet
that they can be read without, and follow the device's dark mode. Where scripts run, an old address hands on the labels and the anchor it was
opened with: an alert that fired before the SOP was renamed still fills its commands.
In: the model. Out: `(address, HTML)`. Everything an author wrote goes through `html.escape`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tocsin.emit.site import paths
from tocsin.emit.site.model import AlertView, SiteModel, Tier, Watch
from tocsin.emit.site.nav import owner_of
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say
from tocsin.ir.duration import format_duration
from tocsin.ir.project import Team
from tocsin.ir.sop import Sop, alias_page

_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_MOVED_POLICY = _POLICY.replace("'none';", "'none'; script-src 'self';", 1)
_STYLE = ":root{color-scheme:light dark}"
SHEET = "assets/tocsin/stub.css"
"""Below the site's root, once for every language."""
SHEET_TEXT = """\
/* Pages outside the theme: alert stubs, old addresses, addresses whose page is gone. */
:root { background: Canvas; color: CanvasText; }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; }
h1 { font-size: 1.35rem; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
a.go { display: block; padding: .8rem; border: 2px solid; margin: 1rem 0; }
td, th { text-align: left; vertical-align: top; padding: 0 .6rem .3rem 0; }
th, td:nth-child(2), td:last-child { overflow-wrap: normal; white-space: nowrap; }
"""
MOVED = "assets/tocsin/moved.js"
MOVED_TEXT = """\
// An old address leads on with what it was opened with; without scripts the page leads on by itself, to the top of the new one.
(() => {
  "use strict";
  const target = new URL(document.currentScript.dataset.to, location.href);
  target.search = location.search;
  target.hash = location.hash;
  location.replace(target);
})();
"""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


_GENERATORS = ("404.html", "assets", "index.html", "robots.txt", "search", "sitemap.xml", "sitemap.xml.gz")
"""First steps of addresses where the generator, or we, put files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which tree a stub belongs to, and how its addresses are written (`files`: for a site opened from disk)."""

    language: str
    files: bool = False
    base: str = ""
    """The folder of the language below the site's root: "" or `zh/`."""

    def sheet(self, of: str) -> str:
        """The style sheet as seen from the stub at `of`."""
        return "../" * len([part for part in f"{self.base}{of}".split("/") if part]) + SHEET

    def moved(self, of: str) -> str:
        """The script of an old address as seen from it."""
        return self.sheet(of).removesuffix(SHEET) + MOVED

    def to(self, page: str, of: str, anchor: str = "") -> str:
        """The link from the stub at `of` to a page of the theme's site."""
        up = "../" * len([part for part in of.split("/") if part])
        hash = f"#{anchor}" if anchor else ""
        if self.files:
            return up + paths.built_file(page, files=True) + hash
        return (up + (f"{page}/" if page else "") or "./") + hash


def alert_stubs(model: SiteModel, shape: Shape) -> Iterator[tuple[str, str]]:
    """One page for each alertname: the alert's facts and the way to its SOP, or a choice where several rules share the name."""
    named = {**{each.name: () for each in model.watches}, **model.by_name}
    same: dict[str, list[str]] = {}
    for name in named:
        same.setdefault(paths.alert(name).lower(), []).append(name)
    for name in named:
        # On a file system that ignores case two names are one file: each then offers both.
        alike = same[paths.alert(name).lower()]
        yield paths.alert(name), _alert(model, name, {each: named[each] for each in alike}, shape)


def alias_pages(model: SiteModel, shape: Shape, taken: frozenset[str]) -> Iterator[tuple[str, str]]:
    """A page that leads on for each alias that is an id or a path. `taken` are addresses that have pages of their own, which win."""
    done = {each.lower() for each in taken} | {paths.alert(name).lower() for name in model.by_name}
    for id, view in model.sops.items():
        for alias in view.sop.aliases:
            old = alias_page(alias)
            if old is None or not _is_free(model, old):
                continue
            if old.lower() not in done and old.lower().removesuffix(".html") not in done:
                done.add(old.lower())
                yield old, _moved(model, old, id, shape)


def anchor_aliases(sop: Sop) -> tuple[str, ...]:
    """The anchors a SOP's page had before: what stands as `#name` among its aliases, in order, and is no anchor of the page today."""
    found = [each[1:] for each in sop.aliases if re.fullmatch(r"#[A-Za-z0-9][A-Za-z0-9_.:-]*", each)]
    return tuple(each for each in dict.fromkeys(found) if each not in sop.anchors)


def gone_pages(model: SiteModel, shape: Shape, taken: Collection[str]) -> Iterator[tuple[str, str]]:
    """A page at each address that a release gave out and that has nothing behind it now. `taken` are the addresses that have pages, stubs and
    aliases. None on a public site, where an old address may be the name of something internal, nor in a pack, which is a part of the site.
    """
    if model.public or model.files:
        return
    living = {each.lower() for each in taken}
    for released in sorted(model.ledger.site):
        address = alias_page(released) if released.startswith("/") else None
        if address is not None and _is_free(model, address) and address.lower() not in living:
            yield address, gone(model, address, shape)


def gone(model: SiteModel, address: str, shape: Shape) -> str:
    """The page of an address that was once given out and has nothing behind it now: never a bare 404. Where rules do not compile, that is
    why an alert is missing, and it says so."""
    language = shape.language
    sentence = tr(
        language, "This page is gone. Its address was given out once, so it says where to look instead."
    )
    if model.frozen:
        sentence = say(language, "banner_frozen_text", services=", ".join(sorted(model.frozen)))
    body = [
        f"<p>{_text(sentence)}</p>",
        f'<p><a class="go" href="{shape.to(paths.HOME, address)}">{_text(say(language, "home"))}</a></p>',
        _levels(model, language),
    ]
    return _page(shape, address, address.rpartition("/")[2], "".join(body))


def _is_free(model: SiteModel, address: str) -> bool:
    return address.partition("/")[0].lower() not in {*_GENERATORS, *model.project.site.languages}


def _alert(model: SiteModel, name: str, named: Mapping[str, Sequence[AlertView]], shape: Shape) -> str:
    every = [(each, view) for each, views in named.items() for view in views]
    choose = ""
    if len(every) > 1:
        choose = f"<p>{_text(tr(shape.language, 'Several rules use this name. Choose by service or expression.'))}</p>"
    blocks = [
        _choice(model, own, view, paths.alert(name), shape, single=len(every) == 1) for own, view in every
    ]
    watches = "".join(
        _watch(model, each, paths.alert(name), shape) for each in model.watches if each.name in named
    )
    return _page(shape, paths.alert(name), name, choose + "".join(blocks) + watches)


def _watch(model: SiteModel, watch: Watch, of: str, shape: Shape) -> str:
    """A generated alert: what it means, and the SOP its environment names."""
    sop = model.sops.get(watch.sop)
    words = f"<p>{_text(watch_sentence(watch, shape.language))}</p>"
    if sop is None:
        return words + _levels(model, shape.language)
    label = f"<b>{_text(watch.sop)}</b> {_text(sop.text(shape.language).title)}"
    return f'{words}<a class="go" href="{shape.to(paths.sop(watch.sop), of)}">{label}</a>'


def watch_sentence(watch: Watch, language: str) -> str:
    """What a generated alert means, as plain text."""
    sentence = "{severity}: Grafana cannot evaluate the alerts of {environment}, so they do not change state. Generated by tocsin."
    named = watch.severity or say(language, "no_severity")
    return tr(language, sentence, severity=named, environment=watch.environment)


def _choice(model: SiteModel, name: str, view: AlertView, of: str, shape: Shape, *, single: bool) -> str:
    language = shape.language
    tiers = [each for each in view.tiers if each.alert.name == name]
    service = view.source.service
    heading = (
        ""
        if single
        else f"<h2>{_text(view.id)}{f' ({_text(name)})' if name != view.source.name else ''}</h2>"
    )
    facts = f'<p>{_text(say(language, "service"))}: <a href="{shape.to(paths.service(service), of)}">{_text(service)}</a></p>'
    return heading + facts + _go(model, view, of, shape) + _table(tiers, language) + _expressions(view, tiers)


def _go(model: SiteModel, view: AlertView, of: str, shape: Shape) -> str:
    language = shape.language
    sop = model.sops.get(view.sop)
    if sop is not None:
        target = shape.to(paths.sop(view.sop), of, view.anchor)
        return f'<a class="go" href="{escape(target)}"><b>{_text(view.sop)}</b> {_text(sop.text(language).title)}</a>'
    internal = bool(view.source.sop_ref) and model.public
    sentence = (
        "The procedure for this alert is not public." if internal else "No procedure answers this alert."
    )
    words = f"<p><b>{_text(tr(language, sentence))}</b></p>"
    owner = owner_of(view)
    team = model.project.team(owner)
    if team is None:
        return words + _levels(model, language)
    link = f'<a href="{shape.to(paths.team(team.id), of)}">{_text(team.name or team.id)}</a>'
    return words + f"<p>{_text(tr(language, 'Call'))} {link}{_ways(team)}</p>"


def _ways(team: Team) -> str:
    ways = [each for each in (team.rota, team.chat, team.email, team.escalation) if each]
    return "".join(f", {_text(each)}" for each in ways)


def _levels(model: SiteModel, language: str) -> str:
    rows = "".join(
        f"<li>{_text(each.name)}: {_text(each.who)}</li>" for each in model.project.severities if each.who
    )
    return f"<p>{_text(tr(language, 'Call'))}</p><ul>{rows}</ul>" if rows else ""


def _table(tiers: Sequence[Tier], language: str) -> str:
    rows = []
    for tier in tiers:
        alert = tier.alert
        params = ", ".join(f"{key} {value}" for key, value in sorted(alert.params.items()))
        where = " / ".join(each for each in (alert.key.env, alert.key.level, alert.key.override) if each)
        cells = (where, alert.severity or say(language, "no_severity"), params, format_duration(alert.for_))
        rows.append("<tr>" + "".join(f"<td>{_text(each)}</td>" for each in cells) + "</tr>")
    if not rows:
        return f"<p>{_text(say(language, 'not_deployed'))}</p>"
    words = (
        say(language, "where"),
        say(language, "severity"),
        say(language, "thresholds"),
        tr(language, "For"),
    )
    head = "".join(f'<th scope="col">{_text(each)}</th>' for each in words)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _expressions(view: AlertView, tiers: Sequence[Tier]) -> str:
    found = dict.fromkeys(each.alert.expr for each in tiers) or {view.source.expr: None}
    return "".join(f"<pre>{escape(_clean(each, keep_lines=True), quote=False)}</pre>" for each in found)


def _moved(model: SiteModel, old: str, id: str, shape: Shape) -> str:
    target = shape.to(paths.sop(id), old)
    title = model.sops[id].text(shape.language).title
    url = model.project.site.url
    page = f"{paths.base(shape.language, model.project.site.languages)}{paths.sop(id)}"
    head = f'<script src="{shape.moved(old)}" data-to="{escape(target)}"></script>'
    head += f'<meta http-equiv="refresh" content="0; url={escape(target)}">'
    if url:
        head += f'<link rel="canonical" href="{escape(f"{url}/{page}/")}">'
    body = f"<p>{_text(tr(shape.language, 'This page moved to'))}</p>"
    body += f'<a class="go" href="{escape(target)}"><b>{_text(id)}</b> {_text(title)}</a>'
    return _page(shape, old, id, body, head, _MOVED_POLICY)


def _page(shape: Shape, of: str, title: str, body: str, head: str = "", policy: str = _POLICY) -> str:
    return (
        f'<!doctype html>\n<html lang="{shape.language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f'{head}<title>{_text(title)}</title><style>{_STYLE}</style><link rel="stylesheet" href="{shape.sheet(of)}"></head>\n'
        f"<body><main><h1>{_text(title)}</h1>\n{body}\n</main></body></html>\n"
    )


def _text(text: str) -> str:
    return escape(" ".join(_clean(text).split()))


def _clean(text: str, *, keep_lines: bool = False) -> str:
    return _CONTROL.sub(
        lambda match: (
            match[0] if keep_lines and match[0] in "\n\t" else "\ufffd" if not match[0].isspace() else " "
        ),
        text,
    )
