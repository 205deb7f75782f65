"""What each severity asks for: when it is called, who answers, how soon. In: the policy of tocsin.yaml. Out: one page, and its table."""

from __future__ import annotations

from tocsin.emit.site import paths
from tocsin.emit.site.markup import code, plain, table
from tocsin.emit.site.model import SiteModel
from tocsin.emit.site.nav import sop_table
from tocsin.emit.site.parts import page, severity
from tocsin.emit.site.phrases import tr
from tocsin.emit.site.words import say
from tocsin.ir.duration import format_duration
from tocsin.ir.project import SeverityPolicy


def level_table(model: SiteModel, language: str, of: str) -> str:
    """The severities, the most urgent first."""
    rows = [_row(model, each, language) for each in model.project.severities]
    headers = [say(language, each) for each in ("severity", "trigger", "respond_within", "rto", "who")]
    return table([*headers, tr(language, "Pages somebody"), tr(language, "Label")], rows)


def _row(model: SiteModel, policy: SeverityPolicy, language: str) -> tuple[str, ...]:
    times = (policy.respond_within, policy.rto)
    return (
        severity(model, policy.name, language),
        plain(policy.trigger),
        *(plain(format_duration(each)) if each is not None else "" for each in times),
        plain(policy.who),
        say(language, "yes" if policy.pages else "no"),
        code("=".join(policy.label)),
    )


def levels_page(model: SiteModel, language: str) -> str:
    """The page of response levels, with the SOPs written for each."""
    blocks = [level_table(model, language, paths.LEVELS)]
    for policy in model.project.severities:
        ids = tuple(id for id, each in model.sops.items() if each.sop.severity == policy.name)
        blocks.append(f"## {plain(policy.name)} {{#level-{policy.urgency}}}")
        blocks.append(sop_table(model, language, paths.LEVELS, ids))
    return page(say(language, "levels"), *blocks)
