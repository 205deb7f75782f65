"""The checks that see SOPs and alerts together: shared links, numbers in prose, rules that changed since the review, stale translations."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pytest
from tests.unit.test_git import commit, git

from tocsin.cli import fleet, main
from tocsin.cli.workspace import history_of, past_of, read_history
from tocsin.diag import Diagnostic, SourceFile
from tocsin.disk.cache import open_cache
from tocsin.ir.history import NO_HISTORY, Change, History
from tocsin.ir.sop import source_hash
from tocsin.load.sops import load_sop
from tocsin.pipeline import Compilation, Past, Sources, compile_sources, no_past

TODAY = date(2026, 11, 21)
PROJECT = """\
version: 1
project: example
severities:
  P1: {label: {severity: critical}}
  P2: {label: {severity: warning}}
teams: {team-streaming: {name: Streaming}}
site: {url: https://runbooks.acme.test, languages: [en, zh]}
environments: {prod: {evaluators: [{name: prometheus, kind: prometheus, version: "2.53"}]}}
"""
LAG = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    rules:
      - alert: KafkaLag
        id: kafka-lag
        expr: kafka_consumergroup_lag > ${limit}
        sop_ref: SOP-KAFKA-001
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          page: {severity: P1, limit: 9500, for: 5m}
"""


def sop(id: str, extra: str = "", text: str = "") -> str:
    front = f"id: {id}\ntitle: T\nstatus: active\nservices: [kafka]\nowner: team-streaming\n"
    front = "".join(
        f"{row}\n"
        for row in front.splitlines()
        if not any(each.startswith(row.split(":")[0] + ":") for each in extra.split("\n"))
    )
    return (
        f"---\n{front}{extra}\n---\n# Consumers fall behind\n\n## Confirm\nLook.\n{text}\n## Mitigate\nAct.\n"
    )


def compiled(files: Mapping[str, str], past: Past = no_past) -> Compilation:
    """The compilation of a repository with those files."""
    texts = {"tocsin.yaml": PROJECT, **files}

    def below(folder: str) -> tuple[SourceFile, ...]:
        return tuple(
            SourceFile(path=path, text=text) for path, text in texts.items() if path.startswith(folder)
        )

    single = {
        name: SourceFile(path=name, text=texts[name])
        for name in ("tocsin.yaml", "releases.json")
        if name in texts
    }
    sources = Sources(
        project=single["tocsin.yaml"], ledger=single.get("releases.json"),
        rules=below("rules/"), sops=below("sops/"), incidents=below("incidents/"),
    )  # fmt: skip
    return compile_sources(sources, TODAY, past=past)


def found(code: str, files: Mapping[str, str], history: History = NO_HISTORY) -> list[Diagnostic]:
    return [each for each in compiled(files, lambda reviewed: history).diagnostics if each.code == code]


PAGE, RULES = "sops/kafka/SOP-KAFKA-001.md", "rules/kafka/lag.yaml"


def many(count: int, line: str) -> str:
    rows = "".join(
        f"      - {{alert: A{n}, id: a-{n}, severity: P2, expr: 'x{{n=\"{n}\"}} > 1', {line.format(n=n)}}}\n"
        for n in range(count)
    )
    return f"version: 1\nservice: kafka\nowner: team-streaming\ngroups:\n  - name: g\n    rules:\n{rows}"


@pytest.mark.parametrize(
    "line",
    [
        "sop_ref: SOP-KAFKA-001",
        "sop_ref: SOP-KAFKA-001#mitigate",
        "annotations: {{runbook_url: https://w.acme.test/x}}",
    ],
)
def test_a_link_that_many_share(line: str) -> None:
    assert found("TOC622", {PAGE: sop("SOP-KAFKA-001"), RULES: many(15, line)}) == []
    [said] = found("TOC622", {PAGE: sop("SOP-KAFKA-001"), RULES: many(16, line)})
    assert said.message.startswith("16 alerts lead to")
    wider = PROJECT.replace("languages:", "alerts_per_link: 16, languages:")
    assert found("TOC622", {PAGE: sop("SOP-KAFKA-001"), RULES: many(16, line), "tocsin.yaml": wider}) == []


def test_different_sections_are_different_links() -> None:
    rules = many(16, "sop_ref: SOP-KAFKA-001").replace("a-3, severity: P2", "a-3, severity: P2").replace(
        'n="3"} > 1\', sop_ref: SOP-KAFKA-001', 'n="3"} > 1\', sop_ref: SOP-KAFKA-001#mitigate'
    )  # fmt: skip
    assert found("TOC622", {PAGE: sop("SOP-KAFKA-001"), RULES: rules}) == []


@pytest.mark.parametrize(
    ("annotation", "code"),
    [
        ("runbook_url: TODO", "TOC621"),
        ("runbook_url: https://kafka.apache.org/", "TOC621"),
        ("dashboard: https://grafana.example.com/d/1", "TOC621"),
        ("dashboard: https://kafka.apache.org/", ""),
        ("runbook_url: https://w.acme.test/kafka/lag", ""),
        ("runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-001/", ""),
        ('runbook_url: "https://w.acme.test/{{ $labels.topic }}/x"', "TOC623"),
        ('runbook_url: "https://w.acme.test/x?t={{ $labels.topic }}"', ""),
        ('runbook_url: "https://w.acme.test/x#{{ $labels.topic }}"', ""),
        ('runbook_url: "https://w.acme.test/{{ $labels.type }}/x"', ""),
        ('dashboard: "{{ $externalURL }}/graph"', ""),
        ("note: TODO", ""),
    ],
)
def test_links_an_author_wrote(annotation: str, code: str) -> None:
    line = f"labels: {{type: web}}, annotations: {{{annotation}}}".replace("{", "{{").replace("}", "}}")
    said = compiled({RULES: many(1, line)}).diagnostics
    assert {each.code for each in said if each.code in ("TOC621", "TOC623")} == ({code} - {""})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("sop_ref: SOP-KAFKA-001", None),
        ("annotations: {runbook_url: https://w.acme.test/x}", None),
        ("sop_ref: SOP-KAFKA-001, annotations: {runbook_url: https://w.acme.test/x}", "leads elsewhere"),
        (
            "sop_ref: SOP-KAFKA-001, annotations: {runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-001/}",
            None,
        ),
        (
            "sop_ref: SOP-KAFKA-001#mitigate, annotations: {runbook_url: 'https://runbooks.acme.test/sop/SOP-KAFKA-001/?n={{ $labels.n }}'}",
            None,
        ),
        (
            "sop_ref: SOP-KAFKA-001, annotations: {runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-002/}",
            "leads elsewhere",
        ),
        (
            "annotations: {runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-009/}",
            "no SOP `SOP-KAFKA-009`",
        ),
        ("annotations: {runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-001/#mitigate}", None),
        (
            "annotations: {runbook_url: https://runbooks.acme.test/sop/SOP-KAFKA-001/#Mitigate}",
            "no section `#Mitigate`",
        ),
        ("annotations: {runbook_url: https://runbooks.acme.test/team/team-streaming/}", None),
    ],
)
def test_an_address_typed_past_the_sop(lines: str, said: str | None) -> None:
    rules = many(1, lines.replace("{", "{{").replace("}", "}}"))
    messages = [each.message for each in found("TOC638", {PAGE: sop("SOP-KAFKA-001"), RULES: rules})]
    assert len(messages) == (said is not None)
    assert all(said is not None and said in each for each in messages)


@pytest.mark.parametrize(
    ("text", "silent"),
    [
        ("The alert fires when the lag is above 5000.", True),
        ("The alert fires when the lag is above 5,000 records.", True),
        ("The alert fires when the lag exceeds 5k.", True),
        ("The alert fires above 95% of the quota (9500 records).", True),
        ("The alert fires when the lag is above 6000.", False),
        ("The threshold is 7000 records.", False),
        ("It fires after it was true for 10m.", True),
        ("It fires after it was true for 600 seconds.", True),
        ("It fires after it was true for 20 minutes.", False),
        ("告警阈值为 6000。", False),
        ("积压持续 5 分钟后告警。", True),
        ("积压持续 15 分钟后告警。", False),
        ("Keep looking for 20 minutes.", True),
        ("Restart at most 3 of them.", True),
        ("```text\nThe alert fires above 6000\n```", True),
        ("Raise the threshold to 6000 for example.", True),
    ],
)
def test_numbers_in_prose(text: str, silent: bool) -> None:
    said = found("TOC630", {PAGE: sop("SOP-KAFKA-001", text=text), RULES: LAG})
    assert (said == []) is silent
    assert found("TOC630", {PAGE: sop("SOP-KAFKA-001", "manual: true", text=text)}) == [], (
        "no rule, no contradiction"
    )


def change(day: str) -> Change:
    return Change(commit="c" * 40, at=f"{day}T10:00:00+00:00", author="a", subject="s")


REVIEWED = {PAGE: sop("SOP-KAFKA-001", 'review: {last: "2026-10-01", every: 90d}'), RULES: LAG}


def test_a_rule_that_changed_after_the_review() -> None:
    [said] = found(
        "TOC633", REVIEWED, History(head=change("2026-10-05"), alerts={"kafka-lag": change("2026-10-02")})
    )
    assert (said.span.file, said.span.line) == (PAGE, 7)
    assert "changed on 2026-10-02" in said.message
    assert (
        found(
            "TOC633", REVIEWED, History(head=change("2026-10-05"), alerts={"kafka-lag": change("2026-10-01")})
        )
        == []
    )
    assert found("TOC633", REVIEWED) == []


def test_git_is_asked_only_where_a_review_has_a_day() -> None:
    asked: list[dict[str, str]] = []

    def past(reviewed: Mapping[str, str]) -> History:
        asked.append(dict(reviewed))
        return NO_HISTORY

    compiled({PAGE: sop("SOP-KAFKA-001"), RULES: LAG}, past)
    compiled(
        {PAGE: sop("SOP-KAFKA-001", 'status: draft\nreview: {last: "2026-10-01", every: 90d}'), RULES: LAG},
        past,
    )
    assert asked == []
    compiled(REVIEWED, past)
    assert asked == [{"kafka-lag": "2026-10-01"}]


def test_a_translation_of_an_older_text() -> None:
    original, _ = load_sop(SourceFile(path=PAGE, text=sop("SOP-KAFKA-001")))
    assert original is not None
    zh = PAGE.replace(".md", ".zh.md")

    def files(extra: str) -> dict[str, str]:
        return {
            PAGE: sop("SOP-KAFKA-001", "manual: true"),
            zh: sop("SOP-KAFKA-001", f"manual: true\nlang: zh{extra}"),
        }

    assert found("TOC635", files(f'\nsource_hash: "{source_hash(original)}"')) == []
    [said] = found("TOC635", files('\nsource_hash: "000000000000"'))
    assert source_hash(original) in said.help
    assert found("TOC635", files("")) == [], "nothing is known, nothing is said"
    later = History(head=change("2026-10-05"), files={PAGE: change("2026-10-03"), zh: change("2026-10-02")})
    reviewed = {**files(""), **REVIEWED}
    assert len(found("TOC635", reviewed, later)) == 1
    sooner = History(head=change("2026-10-05"), files={PAGE: change("2026-10-01"), zh: change("2026-10-02")})
    assert found("TOC635", reviewed, sooner) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    page = sop("SOP-KAFKA-001", 'review: {last: "2026-05-01", every: 365d}')
    commit(root, {PAGE: page, RULES: LAG, "tocsin.yaml": PROJECT}, day=1)
    commit(root, {RULES: f"# only words\n{LAG}"}, day=2)
    return root


def test_history_from_a_real_repository(repository: Path) -> None:
    reviewed = {"kafka-lag": "2026-05-01"}
    assert read_history(repository, reviewed).alerts == {}
    name = commit(repository, {RULES: LAG.replace("5000", "6000")}, "higher", day=3)
    commit(repository, {RULES: LAG.replace("5000", "6000") + "# end\n"}, day=4)
    history = read_history(repository, reviewed)
    assert {id: each.commit for id, each in history.alerts.items()} == {"kafka-lag": name}
    assert history.head is not None and history.head.at[:10] == "2026-05-04"
    assert read_history(repository, {"kafka-lag": "2026-05-03"}).alerts == {}


def test_build_and_check_find_it_and_remember_no_older_head(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    old = 1_700_000_000
    check = ["check", str(repository), "--today", "2026-11-21"]

    def said() -> str:
        for folder, _, names in os.walk(repository):
            for each in names:
                if ".git" not in folder:
                    os.utime(Path(folder) / each, (old, old))
        main(check)
        return capsys.readouterr().out

    commit(repository, {RULES: LAG.replace("5000", "6000")}, day=3)
    assert "TOC633" in said()
    assert "TOC633" in said(), "from memory"
    git(repository, "commit", "-q", "--amend", "--no-edit", day=1)
    assert "TOC633" not in said(), "the same files, another HEAD"
    commit(repository, {RULES: LAG.replace("5000", "7000")}, day=3)
    assert main(["build", str(repository), "--no-site", "--today", "2026-11-21"]) == 0
    assert "TOC633" in capsys.readouterr().out


def test_the_fleet_says_what_the_story_says_and_history_is_read_once(
    repository: Path, tmp_path: Path
) -> None:
    from tocsin.cli.workspace import read_sources

    commit(repository, {RULES: LAG.replace("5000", "6000")}, day=3)
    sources, past = read_sources(repository), past_of(repository)
    whole = compile_sources(sources, TODAY, past=past)
    assert (
        fleet.check(sources, TODAY, open_cache("test"), repository, past=past).diagnostics
        == whole.diagnostics
    )
    assert "TOC633" in {each.code for each in whole.diagnostics}
    assert history_of(repository, whole) is whole.history
    assert history_of(repository, compile_sources(sources, TODAY)).files.keys() == whole.history.files.keys()
