"""The page of one SOP: the author's prose in the middle, and everything the compiler knows around it.

In: the model, one SOP and its prose, already made safe. Out: the Markdown file. The order is the responder's: is this the right page, what to look
at first, what to do, whom to call; then what led here, and last where the page comes from. Parts: `sop_facts`, `sop_alerts`, `sop_about`.

There is no `title` in front matter: the theme prints one raw into `<title>`, while the first heading goes through the generator's own escaping.
Anchors made here begin with `tocsin-` or `alert-`, so that they and those of an author's headings stay apart.
"""

from __future__ import annotations

import json
from html import escape

from tocsin.emit.site import markup, paths
from tocsin.emit.site.flow import beside_flows
from tocsin.emit.site.here import Here
from tocsin.emit.site.model import SiteModel, SopView
from tocsin.emit.site.releases import sop_releases
from tocsin.emit.site.sop_about import about, context, related, sop_link
from tocsin.emit.site.sop_alerts import ALERTS, alerts
from tocsin.emit.site.sop_facts import ESCALATION, escalation, facts
from tocsin.emit.site.stub import anchor_aliases
from tocsin.emit.site.words import language_name
from tocsin.ir.sop import Sop, source_hash

_JUMPS = (
    ("jump_confirm", ("confirm", "tocsin-checks")),
    ("jump_mitigate", ("mitigate",)),
    ("jump_verify", ("verify",)),
    ("jump_rollback", ("rollback",)),
    ("jump_escalate", ("escalate", ESCALATION)),
    ("jump_alerts", (ALERTS,)),
)
"""What a responder asks, and the sections that may answer, the best first."""
FOREIGN_BEGIN = '<div class="tocsin-foreign" data-lang="{language}" hidden></div>'
FOREIGN_END = '<div class="tocsin-native" hidden></div>'
"""Around prose in another language than the page's. Markdown cannot nest in our HTML, so these are marks: the pass over the built page may turn
them into one element with `lang`."""


def sop_page(model: SiteModel, view: SopView, language: str, body: str) -> str:
    """The Markdown file of one SOP in one language. `body` is its prose as safe Markdown, in the language of `view.text(language)`."""
    here = Here(model=model, page=paths.sop(view.sop.id), language=language)
    shown = view.text(language)
    signs, tiers = _signs(here, view), escalation(here, view)
    own = {"tocsin-checks"} if shown.quick_checks or view.sop.quick_checks else set()
    own |= {ALERTS, *([ESCALATION] if tiers else [])}
    parts = [
        _front_matter(view.sop),
        _title(here, shown),
        _other_anchors(view.sop, shown),
        _jumps(here, shown.anchors, own),
        *_banners(here, view),
        facts(here, view),
        signs,
        _placeholders(view),
        _marked(here, shown, beside_flows(body.strip("\n"), shown.language)),
        tiers,
        alerts(here, view),
        context(here, view),
        related(here, view),
        sop_releases(here, view),
        about(here, view),
    ]
    return "\n\n".join(each for each in parts if each) + "\n"


def _front_matter(sop: Sop) -> str:
    # A retired page stays at its address, but nobody should find it first.
    return "---\nsearch:\n  exclude: true\n---" if sop.status == "retired" else ""


def _title(here: Here, shown: Sop) -> str:
    lang = "" if shown.language == here.language else f" lang={shown.language}"
    return f"# {markup.plain(shown.title)} {{: #tocsin-top{lang} }}"


def _other_anchors(sop: Sop, shown: Sop) -> str:
    """Anchors that links may name and no heading of the text shown has: those the page had before, and in a translation those of the original.
    A link to one opens the page's beginning."""
    wanted = (*anchor_aliases(sop), *(each.anchor for each in sop.body.sections))
    marks = "".join(
        f'<a id="{escape(each)}"></a>' for each in dict.fromkeys(wanted) if each not in shown.anchors
    )
    return f'<div class="tocsin-anchors">{marks}</div>' if marks else ""


def _jumps(here: Here, anchors: frozenset[str], own: set[str]) -> str:
    links = []
    for key, targets in _JUMPS:
        target = next((each for each in targets if each in anchors or each in own), None)
        if target is not None:
            links.append(f'<a href="#{escape(target)}">{here.say(key)}</a>')
    label = here.say("jump")
    return f'<nav class="tocsin-jump" aria-label="{label}">\n{" ".join(links)}\n</nav>' if links else ""


def _banners(here: Here, view: SopView) -> list[str]:
    sop, shown = view.sop, view.text(here.language)
    found = []
    if sop.status in ("draft", "deprecated", "retired"):
        text = here.say(f"banner_{sop.status}_text")
        if sop.replaced_by is not None and sop.replaced_by in here.model.sops:
            text += " " + here.say("banner_replaced", link=sop_link(here, sop.replaced_by))
        found.append(_banner(here, "warning", f"banner_{sop.status}", text))
    if sop.stub:
        found.append(_banner(here, "danger", "banner_stub", here.say("banner_stub_text")))
    frozen = sorted(
        {each.source.service for each in view.alerts if each.source.service in here.model.frozen}
        | {each for each in sop.services if each in here.model.frozen}
    )
    if frozen:
        services = here.join([markup.plain(each) for each in frozen])
        found.append(
            _banner(here, "danger", "banner_frozen", here.say("banner_frozen_text", services=services))
        )
    if sop.meta.get("internal") is True:
        found.append(_banner(here, "info", "banner_internal", here.say("banner_internal_text")))
    if shown.language != here.language:
        text = here.say(
            "banner_untranslated_text", language=markup.plain(language_name(here.language, shown.language))
        )
        found.append(_banner(here, "info", "banner_untranslated", text))
    elif is_stale(view, shown):
        link = here.translated(sop.language, here.say("the_original"))
        found.append(_banner(here, "warning", "banner_stale", here.say("banner_stale_text", link=link)))
    return found


def is_stale(view: SopView, shown: Sop) -> bool:
    """Whether `shown` is a translation of an older text than the original's. One that does not say what it translated is not known to be."""
    said = shown.meta.get("source_hash")
    return shown is not view.sop and isinstance(said, str) and said != source_hash(view.sop)


def _banner(here: Here, kind: str, title: str, text: str) -> str:
    return f'!!! {kind} "{here.say(title)}"\n    {text}'


def _signs(here: Here, view: SopView) -> str:
    """What people notice, the lines a log shows, and what to look at first."""
    shown = view.text(here.language)
    symptoms = shown if shown.symptoms else view.sop
    parts = []
    if symptoms.symptoms:
        listed = "\n".join(f"- {here.authored(each, symptoms.language)}" for each in symptoms.symptoms)
        parts.append(f"## {here.say('symptoms')} {{: #tocsin-symptoms }}\n\n{listed}")
    checks = shown if shown.quick_checks else view.sop
    if checks.quick_checks:
        parts.append(f"## {here.say('quick_checks')} {{: #tocsin-checks }}\n\n{_checks(here, checks)}")
    if view.sop.log_patterns:
        listed = "\n".join(f"- {markup.code(each)}" for each in view.sop.log_patterns)
        parts.append(f"**{here.say('log_lines')}**\n\n{listed}")
    spots = view.sop.meta.get("known_blind_spots")
    blind = [each for each in spots if isinstance(each, dict)] if isinstance(spots, list) else []
    if blind:
        rows = [
            [here.authored(str(each.get(key, "")), view.sop.language) for key in ("what", "reason", "until")]
            for each in blind
        ]
        headers = [here.say(key) for key in ("what", "reason", "until")]
        parts.append(f"**{here.say('blind_spots')}**\n\n{markup.table(headers, rows)}")
    return "\n\n".join(parts)


def _checks(here: Here, sop: Sop) -> str:
    rows = [
        (
            here.authored(each.symptom, sop.language),
            markup.code(each.log_pattern),
            here.authored(each.check, sop.language),
        )
        for each in sop.quick_checks
    ]
    if any(row[1] for row in rows):
        return markup.table([here.say(key) for key in ("symptom", "log_pattern", "first_check")], rows)
    return markup.table(
        [here.say(key) for key in ("symptom", "first_check")], [(row[0], row[2]) for row in rows]
    )


def _placeholders(view: SopView) -> str:
    declared = view.sop.meta.get("placeholders")
    pairs = declared.items() if isinstance(declared, dict) else ()
    text = json.dumps({str(name): str(label) for name, label in pairs}, sort_keys=True)
    return f'<div class="tocsin-placeholders" data-map="{escape(text)}" hidden></div>'


def _marked(here: Here, shown: Sop, body: str) -> str:
    if not body or shown.language == here.language:
        return body
    return f"{FOREIGN_BEGIN.format(language=shown.language)}\n\n{body}\n\n{FOREIGN_END}"
