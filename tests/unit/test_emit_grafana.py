"""Groups and provisioning files for Grafana, and everything a Grafana of some version cannot hold."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests import builders
from tests.builders import alert_source, environment, evaluator, group, origin, project, record, resolved

from tocsin.diag import Diagnostic
from tocsin.emit import grafana
from tocsin.emit.grafana_split import comparison_of
from tocsin.ir.compiled import CompiledAlert, Datasource, Resolved, Version
from tocsin.ir.digest import alert_digest
from tocsin.promql import Expr, canonical, parse
from tocsin.wire.grafana import Comparison, Facts, GrafanaGroup, decode, from_http, to_http

MAIN = Datasource(name="main", uid="prom-main", type="prometheus")
OTHER = Datasource(name="other", uid="prom-other", type="prometheus")
NEWEST: Version = (13, 3, 0)


def gf(version: Version = NEWEST, name: str = "gf", **more: Any) -> Any:
    """A Grafana."""
    return evaluator(name, kind="grafana", version=version, **more)


def env(*evaluators: Any, name: str = "prod", **more: Any) -> Any:
    """An environment of one Grafana with two data sources and a folder per service."""
    given = {
        "evaluators": evaluators or (gf(),),
        "datasources": (MAIN, OTHER),
        "default_datasource": "main",
        "folder": "{service}",
    }
    return environment(name, **(given | more))


def rule(id: str = "lag", name: str = "Lag", version: Version = NEWEST, **more: Any) -> CompiledAlert:
    """An alert evaluated by Grafana. `text` is its YAML, so that findings have places; `series_bound` goes
    to its source."""
    text, bound = more.pop("text", ""), more.pop("series_bound", None)
    written = origin(text) if text else origin()
    source = alert_source(id, name, origin=written, series_bound=bound, datasource=more.pop("says", None))
    given = {"evaluator": gf(version), "datasource": MAIN, "source": source} | more
    return builders.rule(id, name, **given)


def found(what: Resolved, where: Any = None, **more: Any) -> list[Diagnostic]:
    """The findings of `unsupported`."""
    where = where or env(gf(what.groups[0].evaluator.version))
    return list(grafana.unsupported(what, project(where), where, **more))


def codes(what: Resolved, where: Any = None, **more: Any) -> list[str]:
    """Their codes, notes left out."""
    return [each.code for each in found(what, where, **more) if each.code != "TOC709"]


def written(what: Resolved, where: Any = None) -> dict[str, Any]:
    """Path -> document."""
    where = where or env(gf(what.groups[0].evaluator.version))
    own = grafana.emit(what, project(where), where)
    return {
        each.path: json.loads(each.text)
        for each in (*own, *grafana.emit_together([what], project(where), where))
    }


def only_rule(what: Resolved, where: Any = None) -> Any:
    """The one rule of the service's own file."""
    document = next(doc for path, doc in written(what, where).items() if "evaluation." not in path)
    return document["groups"][0]["rules"][0]


# --- what is emitted -------------------------------------------------------------------------------------


def test_a_service_becomes_one_file_and_its_data_source_another() -> None:
    files = written(resolved(group(rule())))
    assert list(files) == [
        "grafana/prod/alert-template-kafka-prod.json",
        "grafana/prod/alert-template-evaluation.prom-main-prod.json",
    ]


def test_the_comparison_stays_in_promql_and_silence_is_fine() -> None:
    made = only_rule(resolved(group(rule(expr="lag > 5", for_="10m"))))
    a, b, c = (node["model"] for node in made["data"])
    assert (a["expr"], a["instant"], a["range"]) == ("lag > 5", True, False)
    assert (b["type"], b["expression"]) == ("math", "is_number($A) || is_nan($A) || is_inf($A)")
    assert (c["type"], c["expression"], c["conditions"]) == (
        "threshold",
        "B",
        [{"evaluator": {"type": "gt", "params": [0]}}],
    )
    assert (made["condition"], made["noDataState"], made["execErrState"], made["for"]) == (
        "C",
        "OK",
        "KeepLast",
        "10m",
    )
    assert (made["missing_series_evals_to_resolve"], made["isPaused"]) == (1, False)
    assert all(
        node["model"]["intervalMs"] == 1000 and node["model"]["maxDataPoints"] == 43200
        for node in made["data"]
    )


def test_the_measured_value_is_that_of_the_query() -> None:
    made = only_rule(
        resolved(
            group(
                rule(
                    annotations={"summary": "{{ $value | humanize }} on {{ $labels.x }}"},
                    labels={"v": "{{ $labels.x }}"},
                )
            )
        )
    )
    assert made["annotations"]["summary"] == "{{ $values.A.Value | humanize }} on {{ $labels.x }}"
    assert made["labels"]["v"] == "{{ $$labels.x }}"


def test_group_labels_are_the_rules_and_the_rule_wins() -> None:
    made = only_rule(resolved(group(rule(labels={"team": "rule"}), labels={"team": "group", "tier": "1"})))
    assert (made["labels"]["team"], made["labels"]["tier"]) == ("rule", "1")


def test_an_offset_moves_the_window_and_an_interval_has_a_default() -> None:
    files = written(resolved(group(rule(), query_offset="1m")))
    (made,) = files["grafana/prod/alert-template-kafka-prod.json"]["groups"]
    assert made["rules"][0]["data"][0]["relativeTimeRange"] == {"from": 660, "to": 60}
    assert made["interval"] == "1m"


def test_a_mirror_is_paused_and_needs_no_watch() -> None:
    files = written(resolved(group(rule(mirror=True, paused=True))))
    assert list(files) == ["grafana/prod/alert-template-kafka-prod.json"]
    assert files["grafana/prod/alert-template-kafka-prod.json"]["groups"][0]["rules"][0]["isPaused"] is True


def test_rules_of_other_evaluators_stay_out() -> None:
    elsewhere = builders.rule("other", evaluator=evaluator())
    assert written(resolved(group(elsewhere)), env()) == {}
    assert list(grafana.unsupported(resolved(group(elsewhere)), project(env()), env())) == []


def test_two_grafanas_have_a_folder_each() -> None:
    first, second = gf(name="one"), gf(name="two")
    where = env(first, second)
    both = resolved(group(rule(evaluator=first)), group(rule(evaluator=second, mirror=True, paused=True)))
    assert list(written(both, where)) == [
        "grafana/prod/one/alert-template-kafka-prod.json",
        "grafana/prod/two/alert-template-kafka-prod.json",
        "grafana/prod/one/alert-template-evaluation.prom-main-prod.json",
    ]
    assert [each.name for each in grafana.desired_together([both], project(where), where, "one")] == [
        "evaluation-failing-prom-main"
    ]
    assert grafana.desired_together([both], project(where), where, "two") == ()
    assert [each.name for each in grafana.desired(both, project(where), where, "two")] == ["lag"]


def test_groups_of_a_shared_folder_carry_their_service() -> None:
    where = env(folder="Alerts {env}")
    made = grafana.desired(resolved(group(rule())), project(where), where)[0]
    assert (made.folder, made.name) == ("Alerts prod", "kafka.lag")


def test_the_order_of_files_does_not_show_but_the_order_of_rules_does() -> None:
    one, two = group(rule("z", "Z"), rule("a", "A"), name="second"), group(rule("m", "M"), name="first")
    where = env()
    texts = {
        tuple(each.text for each in grafana.emit(resolved(*order), project(where), where))
        for order in ((one, two), (two, one))
    }
    assert len(texts) == 1
    first, second = json.loads(next(iter(texts))[0])["groups"]
    assert (first["name"], [each["title"] for each in second["rules"]]) == ("first", ["Z", "A"])


def test_both_surfaces_say_the_same() -> None:
    where = env()
    what = resolved(group(rule(keep_firing_for="5m")))
    made = grafana.desired(what, project(where), where)[0]
    over_http: Any = to_http(made, NEWEST)
    in_file = only_rule(what, where)
    same = (
        "uid",
        "title",
        "condition",
        "data",
        "noDataState",
        "execErrState",
        "for",
        "annotations",
        "isPaused",
    )
    assert {key: over_http["rules"][0][key] for key in same} == {key: in_file[key] for key in same}
    assert over_http["rules"][0]["keep_firing_for"] == in_file["keepFiringFor"] == "5m"


def test_folder_uids_are_short_stable_and_tell_titles_apart() -> None:
    here = project(env())
    made = [
        grafana.folder_uid(here, title)
        for title in ("Kafka", "kafka", "Überwachung: alles und noch viel mehr davon", "中文", "kafka")
    ]
    assert made[1] == made[4] and len(set(made)) == 4
    assert all(len(each) <= 40 and set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for each in made)


# --- the generated rule ------------------------------------------------------------------------------------


def watch(where: Any, **more: Any) -> Any:
    """The generated rule of the main data source."""
    (only,) = grafana.emit_together([resolved(group(rule(**more)))], project(where), where)
    assert only.path == "grafana/prod/alert-template-evaluation.prom-main-prod.json"
    return json.loads(only.text)["groups"][0]["rules"][0]


def test_failing_evaluation_alerts_once_per_data_source() -> None:
    where = env(evaluation_failing_sop="SOP-OPS-001#start")
    made = watch(where)
    assert (made["noDataState"], made["execErrState"], made["condition"]) == ("Alerting", "Alerting", "C")
    query, condition = (node["model"] for node in made["data"])
    assert query["expr"] == "vector(1)"
    assert condition["conditions"] == [{"evaluator": {"type": "lt", "params": [1]}}]
    assert made["annotations"]["sop_ref"] == "SOP-OPS-001#start"
    assert made["annotations"]["runbook_url"] == "https://runbooks.example.org/sop/SOP-OPS-001/#start"
    assert made["labels"] == {"severity": "critical", "rule_id": "evaluation-failing"}
    assert len(made["uid"]) <= 40


def test_services_share_the_watch_of_a_data_source() -> None:
    main, again = (
        Datasource(name="main", uid="a", type="prometheus"),
        Datasource(name="again", uid="a", type="prometheus"),
    )
    where = env(datasources=(main, again, OTHER))

    def service(name: str, source: Datasource) -> Resolved:
        return resolved(group(rule(name, service=name, datasource=source), service=name), service=name)

    every = [service("node", OTHER), service("kafka", again), service("http", main)]
    made = list(grafana.emit_together(every, project(where), where))
    assert [each.path.rpartition(".json")[0].rpartition("/")[2] for each in made] == [
        "alert-template-evaluation.a-prod",
        "alert-template-evaluation.prom-other-prod",
    ]
    assert "EvaluationFailing-main" in made[0].text
    assert list(grafana.emit_together(reversed(every), project(where), where)) == made


def test_the_watch_is_no_more_urgent_than_the_environment_allows() -> None:
    assert watch(env(max_severity="P2"))["labels"]["severity"] == "warning"


def test_a_rule_may_not_take_the_title_of_the_watch() -> None:
    assert codes(resolved(group(rule(name="evaluationfailing-main")))) == ["TOC704"]


# --- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"interval": "15s"}, "TOC702"),
        ({"interval": "0s"}, "TOC702"),
        ({"query_offset": "500ms"}, "TOC702"),
        ({"limit": 5}, "TOC711"),
        ({"name": "a/b"}, "TOC705"),
        ({"name": "a\\b"}, "TOC705"),
        ({"name": "ü" * 93}, "TOC705"),
        ({"interval": "10s"}, None),
        ({"query_offset": "30s"}, None),
        ({"name": "ü" * 92}, None),
        ({"name": "with space"}, None),
    ],
)
def test_a_group_grafana_cannot_hold(change: dict[str, Any], code: str | None) -> None:
    assert codes(resolved(group(rule(), **change))) == ([code] if code else [])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"datasource": None}, "TOC710"),
        ({"datasource": None, "says": "missing"}, None),
        ({"datasource": Datasource(name="logs", uid="l", type="loki")}, "TOC710"),
        ({"name": "x" * 191}, "TOC704"),
        ({"expr": 'a{b="$__interval"} > 1'}, "TOC715"),
        ({"expr": "a > 1 or b", "labels": {"grafana_folder": "x"}}, "TOC715"),
        ({"annotations": {"__dashboardUid__": "abc"}}, "TOC715"),
        ({"annotations": {"__dashboardUid__": "abc", "__panelId__": "one"}}, "TOC715"),
        ({"annotations": {"__dashboardUid__": "abc", "__panelId__": "1"}}, None),
        ({"expr": "1"}, "TOC716"),
        ({"expr": "vector(1)"}, None),
        ({"annotations": {"summary": '{{ with query "up" }}{{ end }}'}}, "TOC703"),
        ({"labels": {"x": "{{ $externalLabels.x }}"}}, "TOC703"),
        ({"shape": "split", "expr": "a > 1", "series_bound": 5}, None),
        ({"shape": "split", "expr": "a > 1"}, "TOC713"),
        ({"shape": "split", "expr": "a > b", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "a", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "a > bool 1", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "1 < a", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "a > Inf", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "a > 1 and b", "series_bound": 5}, "TOC713"),
        ({"shape": "split", "expr": "a > 1 > 2", "series_bound": 5}, None),
    ],
)
def test_a_rule_grafana_cannot_hold(change: dict[str, Any], code: str | None) -> None:
    assert codes(resolved(group(rule(**change)))) == ([code] if code else [])


@pytest.mark.parametrize(
    ("version", "file", "http"),
    [
        ((11, 6, 0), ["TOC701"], ["TOC701"]),
        ((12, 0, 0), ["TOC701"], []),
        ((12, 1, 1), ["TOC701"], []),
        ((12, 1, 2), [], []),
    ],
)
def test_keep_firing_for_is_refused_where_it_would_be_forgotten(
    version: Version, file: list[str], http: list[str]
) -> None:
    what = resolved(group(rule(version=version, keep_firing_for="5m")))
    assert codes(what) == file
    assert codes(what, surface="http") == http
    assert codes(resolved(group(rule(version=version)))) == []


def test_keep_firing_for_comes_with_a_note_on_what_it_does_not_do() -> None:
    said = [each.message for each in found(resolved(group(rule(keep_firing_for="5m"))))]
    assert len(said) == 1 and "`keep_firing_for`" in said[0]
    assert found(resolved(group(rule()))) == []


def test_below_9_4_nothing_but_the_version_is_said() -> None:
    what = resolved(group(rule(version=(9, 3, 2)), rule("b", "B", version=(9, 3, 2)), limit=9))
    (only,) = set(found(what))
    assert only.code == "TOC701" and "9.3.2" in only.message
    assert codes(resolved(group(rule(version=(9, 4, 0))))) == []


@pytest.mark.parametrize(
    ("version", "shape", "notes"),
    [
        ((9, 4, 0), "promql", ["keep_last", "missing_series"]),
        ((10, 4, 0), "split", ["keep_last", "missing_series", "inclusive_thresholds"]),
        ((11, 0, 0), "promql", ["missing_series"]),
        ((12, 1, 1), "split", ["missing_series"]),
        ((12, 1, 2), "split", []),
    ],
)
def test_each_difference_of_an_old_version_is_noted_once(
    version: Version, shape: str, notes: list[str]
) -> None:
    two = [
        rule(id, id.title(), version=version, shape=shape, expr="a > 1", series_bound=1)
        for id in ("one", "two")
    ]
    told = found(resolved(group(*two)))
    assert [each.subject for each in told] == [f"kafka/gf/{field}" for field in notes]
    assert {each.severity.name for each in told} <= {"note"}


def test_before_11_an_error_state_it_does_not_know_is_not_sent() -> None:
    assert only_rule(resolved(group(rule(version=(10, 4, 3)))))["execErrState"] == "OK"
    assert only_rule(resolved(group(rule(version=(11, 0, 0)))))["execErrState"] == "KeepLast"


def test_titles_meet_in_a_folder_whatever_their_case() -> None:
    what = resolved(
        group(rule("a", "Lag"), name="one"), group(rule("b", "lag"), rule("c", "Other"), name="two")
    )
    (only,) = found(what)
    assert (only.code, only.subject) == ("TOC704", "b")
    assert only.related[0].message == "`a` has it too"


@pytest.mark.parametrize(("version", "refused"), [((11, 6, 0), ["TOC704"]), ((12, 0, 0), [])])
def test_rules_an_override_made_disjoint_share_their_title_from_12_0_on(
    version: Version, refused: list[str]
) -> None:
    both = [rule(version=version), rule(version=version, override="batch")]
    assert codes(resolved(group(*both))) == refused
    assert codes(resolved(group(both[0], rule(version=version, level="page", name="Lag")))) == ["TOC704"]


def test_group_names_that_differ_in_case_alone_are_refused() -> None:
    what = resolved(group(rule("a", "A"), name="Lag"), group(rule("b", "B"), name="lag"))
    assert codes(what) == ["TOC705"]


def test_titles_of_several_services_meet_only_in_a_shared_folder() -> None:
    both = [resolved(group(rule(id, "Lag", service=id), service=id), service=id) for id in ("kafka", "node")]
    shared, apart = env(folder="Alerts"), env()
    assert [each.subject for each in grafana.unsupported_together(both, project(shared), shared)] == ["node"]
    assert list(grafana.unsupported_together(both, project(apart), apart)) == []


def test_two_environments_may_not_share_a_home() -> None:
    one = gf(url_env="GRAFANA_ONE")
    prod, staging = env(one), env(one, name="staging")
    told = list(grafana.unsupported_together([], project(prod, staging), staging))
    assert [each.code for each in told] == ["TOC705"]
    assert list(grafana.unsupported_together([], project(prod, staging), prod)) == []
    for other in (
        env(one, name="staging", folder="{env} {service}"),
        env(one, name="staging", org_id=2),
        env(gf(url_env="GRAFANA_TWO"), name="staging"),
    ):
        assert list(grafana.unsupported_together([], project(prod, other), other)) == []


def test_a_record_in_a_grafana_group_is_refused_not_dropped() -> None:
    assert codes(resolved(group(rule(), record()))) == ["TOC707"]


def test_a_hundred_rules_are_enough_for_a_group() -> None:
    rules = [rule(f"r{number}", f"R{number}") for number in range(101)]
    assert codes(resolved(group(*rules))) == ["TOC714"]
    assert codes(resolved(group(*rules[1:]))) == []


AUTHORED = """\
alert: Lag
id: lag
summary: "limit ${limit}: {{ $externalURL }}"
keep_firing_for: 5m
levels:
  page:
    keep_firing_for: 1m
    labels: {x: "{{ query }}"}
overrides:
  quiet:
    env: prod
    set: {keep_firing_for: 2m}
"""


def test_findings_point_at_the_character() -> None:
    what = rule(
        text=AUTHORED,
        annotations={"summary": "limit 100000: {{ $externalURL }}"},
        params={"limit": "100000"},
    )
    (only,) = found(resolved(group(what)))
    assert (only.code, only.span.slice(AUTHORED)) == ("TOC703", "$")
    assert (only.span.line, only.span.col) == (3, AUTHORED.splitlines()[2].index("$ext") + 1)


@pytest.mark.parametrize(("level", "override", "line"), [("", "", 4), ("page", "", 7), ("page", "quiet", 12)])
def test_a_refused_field_is_marked_where_it_was_said(level: str, override: str, line: int) -> None:
    what = rule(
        text=AUTHORED,
        level=level,
        override=override,
        keep_firing_for="5m",
        version=(12, 0, 0),
        annotations={},
    )
    refused = [each for each in found(resolved(group(what))) if each.code == "TOC701"]
    assert [each.span.line for each in refused] == [line]


def test_what_was_refused_has_no_form() -> None:
    where = env()
    for change in (
        {"datasource": None},
        {"shape": "split", "expr": "a"},
        {"annotations": {"summary": "{{ $externalURL }}"}},
    ):
        with pytest.raises(ValueError, match="refuses it"):
            grafana.desired(resolved(group(rule(**change))), project(where), where)


# --- the comparison of a split
# --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "query", "number"),
    [
        ("a > 5", "a", 5),
        ("(a > 5)", "a", 5),
        ("((\n  a > 5\n))", "a", 5),
        ("(a) > (5)", "(a)", 5),
        ("sum by (x) (rate(a[5m])) > 0.95", "sum by (x) (rate(a[5m]))", 0.95),
        ('a{b=">= 5"} > -1e3', 'a{b=">= 5"}', -1000),
        ("a > 1 > 2", "a > 1", 2),
        ("(a > 1) + 2 > 3", "(a > 1) + 2", 3),
        ("a # why > 1\n > 5 # so", "a # why > 1", 5),
        (
            "label_replace(a > 1, 'x', '$1', 'y', '(.*)') > 2",
            "label_replace(a > 1, 'x', '$1', 'y', '(.*)')",
            2,
        ),
    ],
)
def test_the_left_side_is_the_authors_text(text: str, query: str, number: float) -> None:
    comparison = comparison_of(text)
    assert isinstance(comparison, Comparison), comparison
    assert (comparison.query, comparison.number) == (query, number)
    whole, rejoined = parse(text), parse(comparison.text)
    assert isinstance(whole, Expr) and isinstance(rejoined, Expr)
    assert canonical(whole) == canonical(rejoined)


# --- live rules mean what was compiled
# ------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(9, 4, 0), (11, 6, 0), NEWEST])
@pytest.mark.parametrize("shape", ["promql", "split"])
@pytest.mark.parametrize("interval", ["30s", None])
def test_a_live_rule_has_the_digest_of_its_source(version: Version, shape: str, interval: str | None) -> None:
    alert = rule(
        version=version, shape=shape, expr="sum(a)  >  5.0", for_="10m", labels={"x": "{{ $labels.x }}"}
    )
    made = group(alert, interval=interval, query_offset="1m", labels={"tier": "1"})
    where = env(gf(version))
    sent = grafana.desired(resolved(made), project(where), where)[0]
    live = from_http(to_http(sent, version))
    assert isinstance(live, GrafanaGroup)
    facts = decode(live.rules[0], live.interval)
    assert isinstance(facts, Facts)

    def digest(expr: str, **more: Any) -> str:
        parsed = parse(expr)
        assert isinstance(parsed, Expr)
        return alert_digest(
            expr=canonical(parsed), limit=0, evaluator=alert.evaluator, datasource=MAIN, reads=(), **more
        )

    of_source = digest(
        alert.expr,
        name=alert.name,
        for_=alert.for_,
        keep_firing_for=alert.keep_firing_for,
        labels={**made.labels, **alert.labels},
        interval=made.interval,
        query_offset=made.query_offset,
        shape=shape,
    )
    of_live = digest(
        facts.expr,
        name=facts.name,
        for_=facts.for_,
        keep_firing_for=facts.keep_firing_for,
        labels=facts.labels,
        interval=facts.interval,
        query_offset=facts.query_offset,
        shape=facts.shape,
    )
    assert of_live == of_source
    changed = replace(live.rules[0], title="Other")
    assert decode(changed, live.interval) != facts
