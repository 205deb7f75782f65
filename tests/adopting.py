"""Values for the tests of adoption: foreign texts in, one word each."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from tocsin.adopt import Adoption, Options, adopt, survey
from tocsin.adopt.ids import Named
from tocsin.adopt.naming import Place, guess
from tocsin.adopt.rules import Rule, judge
from tocsin.adopt.shapes import RuleSet, read
from tocsin.diag import Map, Origin, SourceFile
from tocsin.pipeline import Sources

TODAY = date(2026, 1, 1)


def foreign(text: str, path: str = "alerts.yml") -> SourceFile:
    """A text of somebody else's."""
    return SourceFile(path=path, text=text)


def only_set(text: str, path: str = "alerts.yml") -> RuleSet:
    """The one rule set of a text."""
    (found,) = read(foreign(text, path)).sets
    return found


def placed(path: str, text: str) -> Place:
    """Where a text's rules would go."""
    rule_set = only_set(text, path)
    return guess(rule_set, judge(rule_set, {})[0])


def named(
    name: str,
    *,
    kind: str = "alert",
    service: str = "kafka",
    group: str = "g",
    severity: str = "",
    expr: str = "up",
    for_: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> Named:
    """A rule that waits for its id."""
    own = {**(labels or {}), **({"severity": severity} if severity else {})}
    rule = Rule(
        origin=Origin("alerts.yml", "", Map()),
        kind=kind,
        name=name,
        expr=expr,
        for_=for_,
        keep_firing_for=None,
        labels=own,
        annotations={},
    )
    return Named(rule=rule, service=service, group=group, severity=severity)


def sources(texts: Mapping[str, str] | None = None) -> Sources:
    """A repository with these files."""
    files = {path: SourceFile(path=path, text=text) for path, text in (texts or {}).items()}
    return Sources(
        project=files.get("tocsin.yaml"),
        ledger=None,
        rules=tuple(
            each
            for path, each in files.items()
            if path.startswith("rules/") and not path.endswith(".promtool.yaml")
        ),
        sops=(),
        incidents=(),
        promtool=tuple(each for path, each in files.items() if path.endswith(".promtool.yaml")),
    )


def adopted(
    texts: Mapping[str, str] | str,
    repository: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Adoption:
    """What adopting `texts` (path -> text, or one text) into a repository gives."""
    rows = {"alerts.yml": texts} if isinstance(texts, str) else texts
    here = sources(repository)
    existing = survey(here.project, here.rules, here.promtool)
    files = [foreign(text, path) for path, text in rows.items()]
    return adopt(files, here, existing, options or Options(), project="shop", today=TODAY)


def written(result: Adoption) -> dict[str, str]:
    """The files of an adoption by path."""
    return {each.path: each.text for each in result.files}
