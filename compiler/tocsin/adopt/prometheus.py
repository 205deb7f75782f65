"""The story of `tocsin adopt prometheus`: foreign texts and the repository in, files to write and findings
out. Pure.

    read     shapes.read      a text -> rule sets, promtool tests
    judge    rules.judge      a rule set -> the groups Prometheus would load, a finding for everything else
    decide   decide.decide    a service, a file, ids, an owner, severities: from each set itself, from its neighbours only where names clash
    write    sources          the authored text, comments where they stood
    prove    prove.prove      the result is compiled before it is handed out; a rule the compiler refuses is refused at its foreign place

A set that was adopted before (its file says so in its second line) is left alone, so a second run writes
nothing and no edit is ever lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from tocsin.adopt.comments import Comments, scan
from tocsin.adopt.decide import LATER, Judged, Options, Plan, decide
from tocsin.adopt.duplicates import blame
from tocsin.adopt.existing import Existing
from tocsin.adopt.project_file import OLDEST, extended, fresh
from tocsin.adopt.prove import Proof, prove
from tocsin.adopt.rules import judge
from tocsin.adopt.shapes import ForeignTest, read
from tocsin.adopt.sources import source_text
from tocsin.adopt.unit_tests import AdoptedTests, adopt_tests
from tocsin.diag.diagnostic import Diagnostic, diagnostic, ordered
from tocsin.diag.source_file import SourceFile
from tocsin.ir.artifact import Artifact
from tocsin.pipeline import Sources, Watch, unwatched

ROUNDS = 4
"""Refusing a rule may change what its neighbours are called, so the proof runs again; two rounds have always
been enough.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What a run does. `files` are new or changed, by path below the repository."""

    files: tuple[Artifact, ...]
    diagnostics: tuple[Diagnostic, ...]
    rules: int
    carried: int
    already: Mapping[str, str]
    """Rule sets and test files that were adopted before -> the file they became."""
    other: int
    """Documents that hold no rules."""
    services: tuple[str, ...]
    tests: int
    kept_tests: int
    strict: tuple[str, ...]
    """Checks of a project that is not ours to loosen which the adopted rules fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Everything the foreign files hold."""

    judged: tuple[Judged, ...]
    tests: tuple[ForeignTest, ...]
    found: tuple[Diagnostic, ...]
    rules: int
    other: int


def adopt(
    files: Iterable[SourceFile],
    repository: Sources,
    existing: Existing,
    options: Options,
    *,
    project: str,
    today: date,
    watch: Watch = unwatched,
) -> Adoption:
    """Turns foreign rule files into sources. `repository` is what stands there now, `project` a name for it;
    `watch` sees
    each file go by.
    """
    everything = _read(files, options, watch)
    judged = [
        each for each in everything.judged if each.groups and each.rule_set.source not in existing.adopted
    ]
    known = {each.rule_set.source for each in everything.judged} | {
        each.file.path for each in everything.tests
    }
    already = {source: path for source, path in existing.adopted.items() if source in known}
    found = list(everything.found)
    oldest = OLDEST
    for _ in range(ROUNDS):
        plan = decide(judged, existing, options, oldest)
        tests = adopt_tests(everything.tests, plan.sets, already, _environment(existing))
        texts, unplaced = _texts(plan, tests)
        project_text = _project_text(repository, existing, plan, project)
        proof = prove(repository, project_text, texts, today, watch)
        if not proof.refused:
            break
        if (
            existing.project is None
            and oldest < LATER[0]
            and any(each.code == "TOC701" for each in proof.refused.values())
        ):
            oldest = LATER[
                0
            ]  # the project file is ours to write: it may name the version that loads these rules
            continue
        judged, said = _without_refused(judged, plan, proof)
        found.extend(said)
    ours = existing.project is None or existing.own_alerts == 0
    if ours and proof.mild:
        project_text = _project_text(repository, existing, plan, project, proof.mild)
    changed = [Artifact(path=path, text=text) for path, text in texts.items()]
    if judged and (repository.project is None or project_text != repository.project.text):
        changed.append(Artifact(path="tocsin.yaml", text=project_text))
    carried = sum(len(group.rules) for each in judged for group in each.groups)
    carried += sum(
        len(group.rules)
        for each in everything.judged
        if each.rule_set.source in existing.adopted
        for group in each.groups
    )
    return Adoption(
        files=tuple(sorted((*changed, *tests.kept))),
        diagnostics=ordered([*found, *plan.found, *tests.found, *unplaced]),
        rules=everything.rules,
        carried=carried,
        already=already,
        other=everything.other,
        services=tuple(sorted({each.place.service for each in plan.sets})),
        tests=tests.count,
        kept_tests=len(tests.kept),
        strict=() if ours else proof.mild,
    )


def _read(files: Iterable[SourceFile], options: Options, watch: Watch) -> _Read:
    judged: list[Judged] = []
    tests: list[ForeignTest] = []
    found: list[Diagnostic] = []
    rules = other = 0
    for file in watch(sorted(files, key=lambda each: each.path), "reading rule files"):
        reading = read(file)
        found.extend(reading.found)
        tests.extend(reading.tests)
        other += reading.other
        blamed = blame(reading.duplicates, (group.node for each in reading.sets for group in each.groups))
        for rule_set in reading.sets:
            groups, said = judge(rule_set, blamed, options.without)
            found.extend(said)
            rules += rule_set.rules
            # An empty group is carried too: somebody's dashboard may list it. One whose every rule was
            # refused is not.
            judged.append(
                Judged(
                    rule_set=rule_set, groups=tuple(each for each in groups if each.rules or not each.refused)
                )
            )
    return _Read(judged=tuple(judged), tests=tuple(tests), found=tuple(found), rules=rules, other=other)


def _texts(plan: Plan, tests: AdoptedTests) -> tuple[dict[str, str], list[Diagnostic]]:
    """The new rule files by path, and a note for each foreign file whose comments could not be placed."""
    texts: dict[str, str] = {}
    found: list[Diagnostic] = []
    comments: dict[tuple[str, str], Comments] = {}
    last = {(each.rule_set.file.path, each.rule_set.file.text): index for index, each in enumerate(plan.sets)}
    for index, each in enumerate(plan.sets):
        file = each.rule_set.file
        key = (file.path, file.text)
        if key not in comments:
            scanned = scan(file)
            if scanned is None:
                message = (
                    "its comments could not be told from its text with certainty, so they were left behind"
                )
                found.append(
                    diagnostic(
                        "TOC814",
                        each.groups[0].origin.value("name"),
                        message,
                        help="copy the ones you need by hand",
                        subject=file.path,
                    )
                )
            comments[key] = scanned or Comments()
        texts[f"rules/{each.path}"] = source_text(
            each, comments[key], tests.native.get(each.path, ()), last=last[key] == index
        )
    return texts, found


def _project_text(
    repository: Sources, existing: Existing, plan: Plan, project: str, mild: Sequence[str] = ()
) -> str:
    if repository.project is None or existing.project is None:
        return fresh(project, plan.needs, tuple(mild))
    return extended(repository.project.text, existing.project.node, plan.needs, tuple(mild))


def _environment(existing: Existing) -> str:
    environments = existing.project.node.get("environments") if existing.project is not None else None
    return next(iter(environments), "prod") if isinstance(environments, dict) else "prod"


def _without_refused(
    judged: Sequence[Judged], plan: Plan, proof: Proof
) -> tuple[list[Judged], list[Diagnostic]]:
    """The sets without what the compiler refuses, and the refusals at their foreign places."""
    remaining: list[Judged] = []
    found: list[Diagnostic] = []
    for each, adopted in zip(judged, plan.sets, strict=True):
        path = f"rules/{adopted.path}"
        groups = []
        for g, group in enumerate(each.groups):
            kept = []
            whole = proof.refused.get((path, g, -1)) or proof.refused.get((path, -1, -1))
            for r, rule in enumerate(group.rules):
                refusal = proof.refused.get((path, g, r)) or whole
                if refusal is None:
                    kept.append(rule)
                    continue
                span = rule.origin.value("expr")
                message = f"{rule.kind} `{rule.name}`: tocsin cannot carry it: {refusal.message}"
                found.append(
                    diagnostic(
                        "TOC813",
                        span,
                        message,
                        help=refusal.help or f"`tocsin explain {refusal.code}` says why",
                        subject=rule.name,
                    )
                )
            if kept or not group.rules:
                groups.append(
                    replace(group, rules=tuple(kept), refused=group.refused + len(group.rules) - len(kept))
                )
        if groups:
            remaining.append(Judged(rule_set=each.rule_set, groups=tuple(groups)))
    return remaining, found
