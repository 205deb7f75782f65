"""The fields of foreign groups and rules, judged one by one.

`Judge` collects what is wrong with one group or one rule; each function here reads one field through it and says what is wrong in a sentence that
names the rule and the field, because a line number alone means little in the log of a run over a thousand files.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tocsin.adopt.classify import HARMLESS, Reason, of_expression, of_name, of_template
from tocsin.adopt.duplicates import Blame
from tocsin.adopt.scalars import text_at
from tocsin.diag.diagnostic import Diagnostic, Related, diagnostic
from tocsin.diag.nearest import did_you_mean
from tocsin.diag.origin import Map, Origin
from tocsin.diag.span import Span
from tocsin.ir.duration import parse_duration
from tocsin.promql import PromqlProblem, parse
from tocsin.template import check as check_template

LATEST = (3, 99)
"""A template is refused only where no version would load it; the project file then names a version that does."""
TWICE = "Prometheus refuses a key written twice"
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")


class Judge:
    """Collects what is wrong with one group or one rule; anything that refuses ends up in `found` with
    `refused` set.
    """

    def __init__(self, origin: Origin, subject: str) -> None:
        self.origin = origin
        self.subject = subject
        self.found: list[Diagnostic] = []
        self.refused = False

    def refuse(self, span: Span, reason: Reason, field: str = "", related: Sequence[Related] = ()) -> None:
        """The group or rule cannot be carried, for this reason."""
        self.refused = True
        self.say(span, reason.code, reason.message, reason.help, field, related)

    def note(self, span: Span, message: str, help: str = "", field: str = "") -> None:
        """It is carried, and something about it should be known."""
        self.say(span, "TOC814", message, help, field)

    def say(
        self, span: Span, code: str, message: str, help: str, field: str, related: Sequence[Related] = ()
    ) -> None:
        """A finding about this group or rule."""
        # Every sentence names its rule and its field: the place alone is a line number to the reader of a
        # log.
        who = f"{self.subject}: " if self.subject else ""
        where = f"`{field}`: " if field else ""
        subject = f"{self.subject}/{field}" if field else self.subject
        self.found.append(
            diagnostic(code, span, f"{who}{where}{message}", help=help, subject=subject, related=related)
        )

    def mistake(self, span: Span, message: str, help: str = "", field: str = "") -> None:
        """It cannot be carried, because it is wrong."""
        self.refuse(span, Reason("TOC813", message, help), field)

    def blame(self, blamed: Blame) -> None:
        """Refuses it for keys written twice."""
        for each in blamed.get(self.origin.node.mark, ()):
            self.mistake(each.span, f"{each.message}; {TWICE}", each.help)


def expression_of(judge: Judge) -> str | None:
    """`expr` as text; None where it is no expression a rule can have."""
    origin = judge.origin
    text = text_at(origin, "expr")
    if text is None:
        judge.mistake(origin.value("expr"), "must be text", field="expr")
        return None
    if not text.strip():
        judge.mistake(origin.key("expr"), "a rule needs an expression", field="expr")
        return None
    parsed = parse(text)
    if isinstance(parsed, PromqlProblem):
        reason = of_expression(text, parsed.message)
        judge.refuse(
            origin.inside(parsed.offset, "expr") if reason.code == "TOC813" else origin.value("expr"),
            reason,
            "expr",
        )
        return None
    if parsed.kind not in ("vector", "scalar"):
        judge.mistake(
            origin.value("expr"),
            f"gives a {parsed.kind}, but a rule needs a vector or a number",
            "wrap it in a function that gives one, such as `rate()`",
            "expr",
        )
        return None
    return text


def only_known_keys(
    judge: Judge, known: Sequence[str], dialects: Mapping[str, str], without: frozenset[str]
) -> None:
    """Refuses keys that are no field of Prometheus, unless their value says what it does anyway or `without` names them."""
    for key, value in judge.origin.node.items():
        if key in known:
            continue
        span = judge.origin.key(key)
        if key in without:
            judge.note(span, "left behind, as `--without` says", field=key)
        elif key in HARMLESS and value in HARMLESS[key]:
            judge.note(span, "left behind: Prometheus does this anyway", field=key)
        elif key in dialects:
            judge.refuse(span, Reason("TOC811", f"only {dialects[key]} knows this field", _way_out(key)), key)
        else:
            meant = did_you_mean(key, known)
            help = (
                meant if meant.startswith("did") else f"remove it, or adopt the rest with `--without {key}`"
            )
            judge.refuse(span, Reason("TOC813", "Prometheus has no such field and refuses it", help), key)


def _way_out(key: str) -> str:
    if key in ("evaluation_delay", "eval_delay"):
        return "`query_offset` is Prometheus' word for it"
    return f"to adopt the rules without it: `--without {key}`"


def duration_of(judge: Judge, field: str) -> str | None:
    """A duration as it was written; None where nothing is written, or no duration."""
    if judge.origin.node.get(field) is None:
        return None
    text = text_at(judge.origin, field)
    if text is None or parse_duration(text) is None:
        span = judge.origin.value(field)
        judge.refuse(
            span,
            of_name(text or "", "a duration", "write it as in `1h30m`: units y, w, d, h, m, s, ms"),
            field,
        )
        return None
    return text


def limit_of(judge: Judge) -> int | None:
    """`limit` of a group."""
    value = judge.origin.node.get("limit")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        judge.mistake(judge.origin.value("limit"), "must be a whole number, 0 or more", field="limit")
        return None
    return value


def pairs_of(judge: Judge, field: str) -> Mapping[str, str]:
    """Labels or annotations, as text, in the author's order."""
    origin = judge.origin
    value = origin.node.get(field)
    if value is None:
        return {}
    if not isinstance(value, Map):
        judge.mistake(origin.value(field), "must be a mapping of names to text", field=field)
        return {}
    pairs: dict[str, str] = {}
    what = "a label name" if field == "labels" else "an annotation name"
    for name in value:
        text = text_at(origin, field, name)
        if field == "labels" and name == "__name__":
            judge.mistake(
                origin.key(field, name),
                "a rule cannot set the name of a series as a label",
                "`record:` names the series",
                f"{field}.{name}",
            )
        elif not _LABEL.match(name):
            judge.refuse(
                origin.key(field, name),
                strange_name(name, what, "letters, digits and `_`"),
                f"{field}.{name}",
            )
        elif text is None:
            judge.mistake(origin.value(field, name), "must be text", field=f"{field}.{name}")
        else:
            pairs[name] = text
    return pairs


def check_templates(judge: Judge, alert: str, field: str, pairs: Mapping[str, str]) -> None:
    """Refuses a label or annotation whose template Prometheus would not load."""
    for name, text in pairs.items():
        problem = check_template(text, LATEST, alert=alert)
        if problem is not None:
            reason = of_template(text, problem.message)
            judge.refuse(judge.origin.inside(problem.offset, field, name), reason, f"{field}.{name}")


def strange_name(name: str, what: str, rule: str) -> Reason:
    """A name outside the classic character set: Prometheus 3 takes some of them, the versions before it do
    not.
    """
    if re.fullmatch(r"[^\s{}\"'`%$<>()\[\]]+", name):
        help = f"use {rule}, which every supported version accepts"
        return Reason("TOC811", f"`{name}` is {what} only where Prometheus 3 accepts any characters", help)
    return of_name(name, what, f"use {rule}")
