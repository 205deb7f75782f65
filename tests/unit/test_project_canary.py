"""The canary's parts of tocsin.yaml: what they become, and what is said of what they cannot be."""

from __future__ import annotations

from datetime import date

import pytest

from tocsin.check import CatalogView, waivers
from tocsin.check.view import SopIndex
from tocsin.diag import SourceFile
from tocsin.ir.canary import DEFAULT_GATES, GATES, CanaryPolicy, GateLimits, HistorySource, WaivedGate
from tocsin.ir.project import Project
from tocsin.project import read_project

TOP = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, pages: true}
  P2: {label: {severity: warning}}
environments:
  prod:
    evaluators:
      - {name: main, kind: prometheus, version: "2.53"}
    datasources: {metrics: {uid: abc}}
"""


def project(text: str = "", top: str = TOP) -> Project:
    found, said = read_project(SourceFile(path="tocsin.yaml", text=top + text))
    assert found is not None, said
    return found


def findings(text: str, top: str = TOP) -> list[tuple[str, int, str, str]]:
    """(code, line, message, help) of every finding."""
    _, said = read_project(SourceFile(path="tocsin.yaml", text=top + text))
    return [(each.code, each.span.line, each.message, each.help) for each in said]


def policy(text: str) -> CanaryPolicy:
    indented = "".join(f"  {line}\n" for line in text.splitlines())
    return project(f"canary:\n{indented}").canary


def test_without_a_section_everything_has_its_default() -> None:
    found = project().canary
    bare = CanaryPolicy()
    assert (found.window, found.expires, found.group_by) == (bare.window, bare.expires, bare.group_by)
    assert (found.scope, found.complete, found.waivers, found.rollback) == (
        {},
        frozenset(),
        (),
        bare.rollback,
    )
    assert found.limits(None) == DEFAULT_GATES
    assert [each.canary.stages for each in project().severities] == [(0,), (0,)]
    assert project().environments[0].history is None


def test_a_severity_that_pages_is_held_to_more() -> None:
    found = project().canary
    assert found.limits("P1")["pages"].at_most["new_per_day"] == 1
    assert found.limits("P2")["pages"].at_most["new_per_day"] == 5
    assert found.limits("P1")["unit-test"].critical and not found.limits("P2")["unit-test"].critical
    assert not found.limits(None)["unit-test"].critical


def test_everything_is_read() -> None:
    found = policy(
        """\
window: 7d
expires: 3d
group_by: [alertname]
scope: {cluster: canary-1}
budget: {requests: 100, time: 90s}
complete: [kafka]
waivers:
  - {rule: kafka-lag/page, gate: pages, by: dana, reason: load test, expires: "2026-12-01"}
rollback: {flaps: auto, peak: ask}"""
    )
    assert (found.window, found.expires, found.group_by) == (7 * 86_400_000, 3 * 86_400_000, ("alertname",))
    assert found.scope == {"cluster": "canary-1"} and found.complete == {"kafka"}
    assert (found.budget.requests, found.budget.time) == (100, 90_000)
    assert found.waivers == (
        WaivedGate(
            rule="kafka-lag/page", gate="pages", by="dana", reason="load test", expires=date(2026, 12, 1)
        ),
    )
    assert found.rollback == {"peak": "ask", "errors": "auto", "flaps": "auto", "other": "ask"}


def test_gates_are_layered() -> None:
    found = policy(
        """\
gates:
  default: {pages: {ratio: 2}, detection-delay: {rise: 90s}, flaps: {critical: true}}
  P1: {pages: {ratio: 1.1, expected: 8}, duration: {mean: 1h, warn_below: 0.25}}"""
    )
    assert found.limits("P2")["pages"].at_most["ratio"] == found.limits(None)["pages"].at_most["ratio"] == 2
    urgent = found.limits("P1")
    assert (urgent["pages"].at_most["ratio"], urgent["pages"].at_least["expected"]) == (1.1, 8)
    assert urgent["pages"].at_most["extra_per_week"] == 3
    assert urgent["detection-delay"].at_most["rise"] == 90
    assert urgent["flaps"] == GateLimits(critical=True, at_most=DEFAULT_GATES["flaps"].at_most)
    assert urgent["duration"].at_most == {"warn_above": 2, "mean": 3600}
    assert urgent["duration"].at_least == {"warn_below": 0.25}


@pytest.mark.parametrize("gate", GATES)
def test_every_limit_can_be_written_and_loosens_the_way_it_should(gate: str) -> None:
    """The schema, the defaults and the reader know the same limits."""
    default = DEFAULT_GATES[gate]  # type: ignore[index]
    for side, grow in (("at_most", 1), ("at_least", -1)):
        for name, value in getattr(default, side).items():
            looser = max(0, value + grow)
            if looser > 1 and value <= 1:
                looser = 1  # a share
            written = f"{looser:g}s" if (gate, name) == ("detection-delay", "rise") else f"{looser:g}"
            found = policy(f"gates: {{default: {{{gate}: {{{name}: {written}}}}}}}").limits(None)[gate]  # type: ignore[index]
            assert getattr(found, side)[name] == looser
            assert default.looser_than(found) is False and found.looser_than(default) is (looser != value)


@pytest.mark.parametrize(
    ("written", "paging", "ticket"),
    [("", 24, 6), ("canary: {stages: [0, 3]}, ", 24, 6), ("canary: {watch: 2h}, ", 2, 2)],
)
def test_who_pages_is_watched_for_longer(written: str, paging: int, ticket: int) -> None:
    found = project(top=TOP.replace("{label", f"{{{written}label"))
    assert [each.canary.watch // 3_600_000 for each in found.severities] == [paging, ticket]


def test_stages_and_history() -> None:
    top = TOP.replace("P2: {", "P2: {canary: {stages: [3], watch: 6h}, ").replace(
        "    datasources:",
        "    history: {kind: mimir, url_env: PROMETHEUS_HISTORY_URL, tenant: a}\n    datasources:",
    )
    found = project(top=top)
    assert found.severities[1].canary.stages == (0, 3)
    assert (found.severities[1].canary.watch, found.severities[1].canary.soak) == (21_600_000, 86_400_000)
    assert found.environments[0].history == HistorySource(
        kind="mimir", url_env="PROMETHEUS_HISTORY_URL", tenant="a"
    )


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "help"),
    [
        ("  gates: {P1: {page: {ratio: 2}}}", "TOC201", 12, "`page` is not a key of `P1`", "did you mean `pages`?"),
        ("  gates: {P1: {pages: {ration: 2}}}", "TOC201", 12, "`ration` is not a key of `pages`", "did you mean `ratio`?"),
        ("  gates: {P9: {pages: {ratio: 2}}}", "TOC505", 12, "`P9` is no severity of the policy", "P1"),
        ("  gates: {defualt: {pages: {ratio: 2}}}", "TOC505", 12, "`defualt` is no severity", "`default`"),
        ("  gates: {P1: {errors: {share: 2}}}", "TOC204", 12, "`share` must be at most 1, not 2", ""),
        ("  gates: {P1: {pages: {ratio: 9999999999}}}", "TOC204", 12, "`ratio` must be at most 1000000000", ""),
        ("  window: 0s", "TOC205", 12, "`window` must last between", "write 14d"),
        ("  expires: 9999999999999999y", "TOC205", 12, "`expires` must last between", "write 14d"),
        ("  gates: {P1: {detection-delay: {rise: 5}}}", "TOC203", 12, "`rise` must be text: a duration", ""),
        ("  waivers:\n    - {rule: a, gate: page, by: b, reason: c, expires: '2026-12-01'}", "TOC204", 13, "`gate` cannot be `page`", "pages"),
        ("  waivers:\n    - {rule: a, gate: pages, by: b, expires: '2026-12-01'}", "TOC202", 13, "no `reason`", ""),
        ("  waivers:\n    - {rule: a, gate: pages, by: b, reason: c, expires: soon}", "TOC204", 13, "`soon` is not a day", ""),
        ("  rollback: {peak: maybe}", "TOC204", 12, "`peak` cannot be `maybe`", ""),
        ("  window: two weeks", "TOC205", 12, "`two weeks` is not a duration", ""),
        ("  expire: 3d", "TOC201", 12, "`expire` is not a key of `canary`", "`expires`"),
    ],
)  # fmt: skip
def test_what_cannot_be_has_a_place(text: str, code: str, line: int, message: str, help: str) -> None:
    (found,) = findings(f"canary:\n{text}\n")
    assert found[:2] == (code, line) and message in found[2] and help in found[3]


@pytest.mark.parametrize(
    ("stages", "scope", "says"),
    [
        ("[0, 1, 2]", False, "there is none"),
        ("[0, 2]", True, "stage 1 is not run"),
        ("[0, 1, 2, 3]", True, ""),
        ("[3]", False, ""),
    ],
)
def test_stages_that_have_nothing_to_stand_on(stages: str, scope: bool, says: str) -> None:
    top = TOP.replace("P2: {", f"P2: {{canary: {{stages: {stages}}}, ")
    found = findings("canary: {scope: {cluster: canary-1}}\n" if scope else "", top)
    assert [(each[0], each[1]) for each in found] == ([("TOC823", 5)] if says else [])
    assert says in "".join(each[2] for each in found)


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ("{kind: grafana, datasource: metrics}", ""),
        ("{kind: grafana}", ""),
        ("{kind: grafana, datasource: metric}", "`metric` is no data source of `prod`"),
        ("{kind: prometheus}", ""),
    ],
)
def test_history_through_grafana_needs_a_data_source(history: str, says: str) -> None:
    top = TOP.replace("    datasources:", f"    history: {history}\n    datasources:")
    found = findings("", top)
    assert [(each[0], each[1]) for each in found] == ([("TOC210", 10)] if says else [])
    assert says in "".join(each[2] for each in found)


def test_history_through_a_grafana_without_data_sources() -> None:
    top = TOP.replace("    datasources: {metrics: {uid: abc}}", "    history: {kind: grafana}")
    assert [each[:2] for each in findings("", top)] == [("TOC210", 10)]


def test_an_address_is_named_and_never_written() -> None:
    top = TOP.replace(
        "    datasources:", "    history: {kind: thanos, url_env: SECRET_TOKEN}\n    datasources:"
    )
    assert [each[0] for each in findings("", top)] == ["TOC204"]


def test_a_day_that_never_comes_waives_nothing() -> None:
    found = policy("waivers: [{rule: a, gate: pages, by: b, reason: c, expires: '2026-02-30'}]")
    assert found.waivers[0].expires == date.min


def test_a_severity_that_pages_demands_a_test_whatever_it_is_called() -> None:
    top = TOP.replace("P1: {", "urgent: {").replace("P2: {", "P0: {")
    found = project(top=top).canary
    assert found.limits("urgent")["unit-test"].critical and found.limits("P0")["unit-test"].critical


# --- waivers that outlived their day or their rule ---------------------------------------------


def told(today: date, frozen: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """(code, line) of what the checks say of one waiver, of a rule that nobody has."""
    waiver = "canary:\n  waivers:\n    - rule: gone/page\n      gate: pages\n      by: dana\n      reason: x\n      expires: '2026-11-21'\n"
    index = SopIndex.of(())
    view = CatalogView(
        services=(),
        sops=(),
        index=index,
        incidents=(),
        project=project(waiver),
        frozen=frozen,
        today=today,
        site_files=frozenset(),
    )
    return [
        (each.code, each.span.line) for check in (waivers.expired, waivers.unused) for each in check(view)
    ]


def test_a_waiver_holds_through_its_last_day() -> None:
    assert told(date(2026, 11, 21)) == [("TOC822", 13)]
    assert told(date(2026, 11, 22)) == [("TOC821", 17), ("TOC822", 13)]


def test_rules_of_a_frozen_service_are_not_known_to_be_gone() -> None:
    assert told(date(2026, 11, 21), frozenset({"kafka"})) == []
