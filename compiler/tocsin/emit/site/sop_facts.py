"""The head of a SOP's page: what a responder must know before the first step, and whom to call when the steps do not help.

In: front matter and the project's policy. Out: Markdown. A translation says little in its own front matter: what it leaves out is the original's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tocsin.emit.site import markup, paths
from tocsin.emit.site.here import Here
from tocsin.emit.site.model import SopView
from tocsin.emit.site.parts import contact, due
from tocsin.ir.duration import format_duration
from tocsin.ir.sop import Sop, content_digest, ledger_name

ESCALATION = "tocsin-escalation"
"""The anchor of the tiers in front matter."""


def facts(here: Here, view: SopView) -> str:
    """The table of facts."""
    sop = view.sop
    rows = [
        (here.say("severity"), _severity(here, sop)),
        (here.say("status"), here.say(f"status_{sop.status}")),
        (here.say("owner"), _owner(here, sop.owner)),
        (here.say("review"), _review(here, sop)),
        (here.say("exercised"), _exercised(here, sop)),
        (here.say("permissions"), _permissions(here, view)),
        (here.say("applies_to"), _applies_to(sop)),
    ]
    return markup.table((here.say("what"), here.say("value")), [each for each in rows if each[1]])


def escalation(here: Here, view: SopView) -> str:
    """The tiers of escalation with their heading; `""` where front matter names none."""
    sop = _saying(view, here.language, "escalation")
    rows = []
    for tier in _mappings(sop.meta.get("escalation")):
        send = [here.authored(each, sop.language) for each in _texts(tier.get("send"))]
        rows.append(
            (
                markup.plain(_text(tier, "after")),
                here.authored(_text(tier, "to"), sop.language),
                "<br>".join(send),
            )
        )
    if not rows:
        return ""
    headers = (here.say("escalate_after"), here.say("escalate_to"), here.say("escalate_send"))
    return f"## {here.say('escalation')} {{: #{ESCALATION} }}\n\n{markup.table(headers, rows)}"


def _severity(here: Here, sop: Sop) -> str:
    policy = here.model.project.severity(sop.severity)
    parts = [here.severity(sop.severity)]
    if policy is not None and policy.respond_within is not None:
        parts.append(here.say("respond_in", time=markup.plain(format_duration(policy.respond_within))))
    rto = sop.rto or (format_duration(policy.rto) if policy is not None and policy.rto is not None else "")
    if rto:
        parts.append(here.say("restore_in", time=markup.plain(rto)))
    budget = _mapping(sop.meta.get("budget"))
    for key in ("mitigate", "recover"):
        if _text(budget, key):
            parts.append(here.say(f"budget_{key}", time=markup.plain(_text(budget, key))))
    return here.join(parts)


def version(here: Here, sop: Sop) -> str:
    """The release in which the SOP last changed, as the ledger has it."""
    digest, released = here.model.ledger.sops.get(ledger_name(sop), ("", ""))
    return markup.plain(released) if digest == content_digest(sop) else here.say("unreleased")


def _owner(here: Here, owner: str) -> str:
    team = here.model.project.team(owner)
    if team is None:
        return markup.plain(owner)
    parts = [here.to(paths.team(team.id), markup.plain(team.name))]
    for key, said in (
        ("chat", team.chat),
        ("rota", team.rota),
        ("escalation", team.escalation),
        ("email", team.email),
    ):
        if said:
            parts.append(f"{here.say(key)}{here.say('colon')}{contact(said)}")
    return "<br>".join(parts)


def _review(here: Here, sop: Sop) -> str:
    if sop.review is None:
        return here.say("never_reviewed")
    by = _text(_mapping(sop.meta.get("review")), "by")
    until = due(sop.review)
    return here.join(
        [
            here.say("review_last", day=markup.plain(sop.review.last)),
            here.say("review_by", who=markup.plain(by)) if by else "",
            here.say("review_every", time=markup.plain(sop.review.every)),
            here.say("review_due", day=f'<time class="tocsin-due" datetime="{until}">{until}</time>')
            if until
            else "",
        ]
    )


def _exercised(here: Here, sop: Sop) -> str:
    done = _mapping(sop.meta.get("exercised"))
    last, result = _text(done, "last"), _text(done, "result")
    if not last:
        return here.say("never_exercised")
    drill, took = _text(done, "drill"), _text(done, "took")
    return here.join(
        [
            here.say("exercised_on", day=markup.plain(last)),
            here.say(f"result_{result}") if result in ("pass", "partial", "fail") else "",
            here.say("exercised_took", time=markup.plain(took)) if took else "",
            here.say("drill", name=markup.plain(drill)) if drill else "",
        ]
    )


def _permissions(here: Here, view: SopView) -> str:
    sop = _saying(view, here.language, "permissions")
    return "<br>".join(here.authored(each, sop.language) for each in _texts(sop.meta.get("permissions")))


def _applies_to(sop: Sop) -> str:
    pairs = _mapping(sop.meta.get("applies_to")).items()
    return "<br>".join(f"{markup.plain(name)} {markup.code(str(each))}" for name, each in pairs)


def _saying(view: SopView, language: str, key: str) -> Sop:
    """The text that says `key`: the translation where it does, else the original."""
    shown = view.text(language)
    return shown if shown.meta.get(key) else view.sop


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> Iterator[Mapping[str, object]]:
    for each in value if isinstance(value, list) else ():
        if isinstance(each, Mapping):
            yield each


def _texts(value: object) -> tuple[str, ...]:
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def _text(value: Mapping[str, object], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""
