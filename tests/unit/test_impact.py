"""What a change means for people: the facts of a pull request's report, and the report itself, whatever stands in the sources."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from markdown_it import MarkdownIt
from tests.builders import environment, evaluator, group, project, record, rule

from tocsin.cli.post import body_of
from tocsin.diff import compare
from tocsin.diff.changes import RuleChange
from tocsin.diff.sops import SopChange
from tocsin.ir.compiled import CompiledAlert, CompiledRule, Resolved, RuleKey
from tocsin.ir.project import Project
from tocsin.ir.rule import AlertSource
from tocsin.release.entries import Why
from tocsin.release.impact import Canary, Facts, Known, facts_of
from tocsin.report.as_markdown import LIMIT
from tocsin.report.difference import Difference
from tocsin.report.impact import Impact, as_json, as_markdown
from tocsin.sync.overrides import Overridden
from tocsin.sync.routes import Route, from_config
from tocsin.sync.values import Change, GroupPlan, Place, Plan, Rule, Server
from tocsin.verdict import Record
from tocsin.wire.live import Matcher, Silence

SCHEMA = json.loads(files("tocsin").joinpath("schemas/diff.schema.json").read_text())
PROJECT = project(environment(verdict="required"))
WHY = Why(reasons=("orders were late",), tickets=("INFRA-2891",))
DAYS = [{"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "18:00"}]}]
CONFIG: dict[str, Any] = {
    "time_intervals": [
        {"name": "office", "time_intervals": DAYS},
        {"name": "nights", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "06:00"}]}]},
    ],
    "route": {
        "receiver": "default",
        "routes": [
            {"receiver": "phone", "matchers": ['severity="critical"']},
            {"receiver": "mail", "matchers": ['severity="warning"'], "active_time_intervals": ["office"]},
            {"receiver": "chat", "matchers": ['severity="info"'], "mute_time_intervals": ["nights"]},
        ],
    },
}  # fmt: skip


def changes(old: Iterable[CompiledRule], new: Iterable[CompiledRule]) -> tuple[RuleChange, ...]:
    def side(rules: Iterable[CompiledRule]) -> list[Resolved]:
        rules = tuple(rules)
        return [
            Resolved(env=each.key.env, service=each.service, groups=(group(each, name=each.key.text),))
            for each in rules
        ]

    return compare(side(old), side(new))


def facts(old: CompiledRule | None, new: CompiledRule | None, **more: Any) -> Facts:
    known = Known(**{key: more.pop(key) for key in list(more) if key in Known.__dataclass_fields__})
    found = changes([old] if old else [], [new] if new else [])
    given: dict[str, Any] = {"why": WHY, "project": PROJECT, "standing": ()} | more
    return facts_of(found, given["why"], given["project"], given["standing"], known)


def plan(change: Change, env: str = "prod") -> Plan:
    place = Place("rules.yaml", "lag")
    row = GroupPlan(place=place, service="kafka", before=None, after=None, changes=(change,))
    server = Server(kind="prometheus", identity="http://127.0.0.1", version="3.5.0")
    return Plan(environment=env, owner="x", server=server, live="", folders=(), groups=(row,))


def planned(compiled: CompiledAlert, **more: Any) -> Change:
    body = Rule(uid=compiled.uid, title=compiled.name, kind="alert", body={}, key=compiled.key.text)
    given: dict[str, Any] = {"action": "update", "effect": "resolves-and-refires"} | more
    return Change(rule=body, before=body, place=Place("rules.yaml", "lag"), **given)


def of_record(old: CompiledRule, new: CompiledRule, **more: Any) -> Record:
    document = {
        "stages": [
            {
                "metrics": {
                    "old": {"pages_per_day": 2, "recall": 0.5},
                    "new": {"pages_per_day": 1, "recall": 1},
                }
            }
        ]
    }
    given: dict[str, Any] = {
        "id": "r1", "created": date(2026, 11, 20), "expires": date(2027, 1, 1), "tool": "1", "key": new.key, "old_digest": old.digest,
        "new_digest": new.digest, "verdict": "pass", "policy": {}, "stages": (), "signature": "s", "document": document,
    } | more  # fmt: skip
    return Record(**given)


OLD = rule(severity="P2", sop_ref="SOP-KAFKA-007#mitigate", for_="5m")
NEW = rule(severity="P1", sop_ref="SOP-KAFKA-007#mitigate", for_="5m")


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        (None, NEW, "starts"),
        (NEW, None, "resolves"),
        (OLD, NEW, "resolves-and-refires"),
        (OLD, rule(severity="P2", for_="6m", sop_ref=OLD.sop_ref), "for-restarts"),
        (OLD, replace(NEW, evaluator=evaluator("other")), "resolves-and-refires"),
        (OLD, replace(OLD, annotations={"summary": "x"}, digest=OLD.digest), "none"),
    ],
)
def test_what_it_does_to_alerts_that_fire(
    old: CompiledRule | None, new: CompiledRule | None, effect: str
) -> None:
    found = facts(old, new).effects["prod"]
    # A Prometheus keeps what waits when `for` changes; both words are the server's own behaviour, none is a guess.
    assert found == effect or (
        effect == "for-restarts" and found in ("none", "for-restarts", "resolves-and-refires")
    )


@pytest.mark.parametrize(
    ("severity", "day", "night"),
    [("P1", "phone", "phone"), ("P2", "mail", ""), ("P3", "chat", "")],
)
def test_who_is_notified_by_day_and_at_night(severity: str, day: str, night: str) -> None:
    tree = from_config(CONFIG, "alertmanager.yml")
    found = facts(None, rule(severity=severity), tree=tree).receivers["prod"]
    assert found is not None
    assert (found.day, found.night) == (("", day), ("", night))
    gone = facts(rule(severity=severity), None, tree=tree).receivers["prod"]
    assert gone is not None and (gone.day, gone.night) == ((day, ""), (night, ""))


def test_an_interval_without_times_or_days_is_always() -> None:
    for interval in ({}, {"times": []}, {"weekdays": []}, {"weekdays": ["wednesday"]}):
        config = {
            "time_intervals": [{"name": "always", "time_intervals": [interval]}],
            "route": {"receiver": "a", "routes": [{"receiver": "b", "mute_time_intervals": ["always"]}]},
        }
        found = facts(None, NEW, tree=from_config(config, "x")).receivers["prod"]
        assert found is not None and (found.day[1], found.night[1]) == ("", ""), interval


def test_a_receiver_that_depends_on_a_series_says_so() -> None:
    node = Route(receiver="b", matchers=(Matcher(name="cluster", value="a", is_regex=False, is_equal=True),))
    found = facts(OLD, NEW, tree=Route(receiver="a", routes=(node,))).receivers["prod"]
    assert found is not None and found.day[1] == "b (depends on cluster), a (depends on cluster)"


def test_nobody_asked_is_none_and_never_nothing() -> None:
    found = facts(OLD, NEW)
    assert found.receivers == {} and found.active == {} and found.canary == {} and found.silences == ()
    assert facts(record(), None).tested is None


def test_a_canarys_numbers_come_from_its_record() -> None:
    found = facts(OLD, NEW, records=(of_record(OLD, NEW),)).canary["prod"]
    assert found == Canary(verdict="pass", pages_per_week=(14.0, 7.0), recall=(0.5, 1.0), signed=True)
    other = of_record(OLD, NEW, id="r2", verdict="fail", signature="", created=date(2026, 11, 21))
    found = facts(OLD, NEW, records=(of_record(OLD, NEW), other)).canary["prod"]
    assert (found.verdict, found.signed) == ("fail", False)


@pytest.mark.parametrize(
    "more", [{"old_digest": "0" * 24}, {"new_digest": "f" * 24}, {"key": RuleKey("dev", "x")}]
)
def test_a_record_of_another_change_says_nothing(more: dict[str, Any]) -> None:
    found = facts(OLD, NEW, records=(of_record(OLD, NEW, **more),))
    assert found.canary == {} and "no-verdict" in found.risks


def test_a_report_outranks_a_record() -> None:
    told = Canary(verdict="quiet", pages_per_week=(1.0, None), exactness="exact", drawn=("▁", "█"))
    found = facts(OLD, NEW, records=(of_record(OLD, NEW),), canaries={NEW.key: told})
    assert found.canary == {"prod": told}


def test_a_plan_says_what_fires_now_and_which_silences_end() -> None:
    silence = Silence(matchers=(), starts_at="", ends_at="", created_by="ada", comment="disk swap")
    found = facts(OLD, NEW, plans=(plan(planned(NEW, pending=1, firing=2, silences_lost=(silence,))),))
    assert found.active == {"prod": (1, 2)} and found.silences == ("disk swap",)
    assert {"silences", "refires"} <= set(found.risks)
    idle = facts(OLD, NEW, plans=(plan(planned(NEW)),))
    assert idle.active == {"prod": (0, 0)} and "refires" not in idle.risks
    for other in (
        plan(planned(NEW), env="dev"),
        plan(planned(NEW, action="none")),
        plan(planned(rule("other"))),
    ):
        assert facts(OLD, NEW, plans=(other,)).active == {}


def test_the_last_alert_that_pages_and_the_last_of_an_sli_are_told() -> None:
    page, ticket = rule("page"), rule("ticket", severity="P2")
    assert "single" in facts(page, None, standing=(ticket,)).risks
    assert "single" in facts(page, None, standing=(replace(page, key=RuleKey("dev", "other")),)).risks
    assert "single" in facts(page, None, standing=(replace(rule("other"), service="web"),)).risks
    assert "single" not in facts(page, None, standing=(rule("other"),)).risks
    assert "single" not in facts(ticket, None, standing=()).risks
    sli = replace(ticket, source=_with_sli(ticket.source, "delay"))
    assert "single" in facts(sli, None, standing=(page,)).risks
    assert "single" not in facts(sli, None, standing=(replace(rule("b"), source=sli.source),)).risks


def _with_sli(source: AlertSource, sli: str) -> AlertSource:
    return replace(source, sli=sli)


def test_what_a_reviewer_should_look_at() -> None:
    assert set(facts(OLD, NEW).risks) == {"no-test", "no-verdict", "sop-unread", "refires"}
    tested = frozenset({(NEW.key.id, NEW.key.level)})
    known = {"tested": tested, "read_again": frozenset({"SOP-KAFKA-007"}), "records": (of_record(OLD, NEW),)}
    assert facts(OLD, NEW, **known).risks == ("refires",)
    assert "verdict-failed" in facts(OLD, NEW, records=(of_record(OLD, NEW, verdict="fail"),)).risks
    assert "no-reason" in facts(OLD, NEW, why=Why(reasons=("x",))).risks
    assert "no-reason" not in facts(None, NEW, why=Why()).risks
    assert "no-sop" in facts(None, rule()).risks and "no-sop" not in facts(rule(), None).risks
    assert "no-verdict" not in facts(OLD, NEW, project=project()).risks
    words = replace(OLD, annotations={"summary": "x"})
    assert facts(OLD, words, why=Why()).risks == ()


# --- the report


def impact(rules: tuple[RuleChange, ...], known: Known | None = None, **more: Any) -> Impact:
    given: dict[str, Any] = {"last": "v1.2.0"} | more
    whys = given.pop("whys", {})
    sops, frozen = given.pop("sops", ()), given.pop("frozen", ())
    mine: Project = given.pop("project", PROJECT)
    found = Difference(
        base="a" * 40,
        head="b" * 40,
        rules=rules,
        whys=whys,
        project=mine,
        version="1",
        sops=sops,
        frozen=frozen,
    )
    told = tuple(facts_of(row.changes, row.why, mine, (), known or Known()) for row in found.rows)
    return Impact(difference=found, facts=told, project=mine, **given)


HOSTILE = (
    "</code></details><img src=x onerror=alert(1)><!-- `a` ```\n| b | @everyone #1 [x](javascript:alert(1)) ![p](http://x/) "
    "&lt; \x1b[31m \u202e https://evil.example www.evil.example **c** <script>"
)
TAGS = re.compile(r"<(/?[a-z][a-z0-9]*)", re.IGNORECASE)
OURS = {
    "h3",
    "p",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "code",
    "details",
    "summary",
    "ul",
    "li",
    "pre",
    "a",
}


def rendered(text: str) -> str:
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)


def hostile() -> Impact:
    old = rule(
        "a",
        name=HOSTILE,
        severity="P2",
        expr='up{a="`</code>|"} > 1',
        labels={"team": "x"},
        sop_ref="SOP-A-001",
    )
    new = rule(
        "a", name=HOSTILE, severity="P1", expr=f"up{{a={json.dumps(HOSTILE)}}} > 1", labels={"team": HOSTILE}, sop_ref="SOP-A-001",
        runbook_url=f"https://runbooks.example.org/{HOSTILE}", annotations={"summary": HOSTILE}, service="kafka",
    )  # fmt: skip
    found = changes([old], [new])
    canary = Canary(verdict=HOSTILE, failed=(HOSTILE,), exactness=HOSTILE, drawn=(HOSTILE, HOSTILE))
    silence = Silence(matchers=(), starts_at="", ends_at="", created_by="ada", comment=HOSTILE)
    known = Known(
        canaries={new.key: canary},
        tree=Route(receiver=HOSTILE),
        plans=(plan(planned(new, firing=1, silences_lost=(silence,))),),
    )
    sop = SopChange(
        id="SOP-A-001",
        language="en",
        old_hash="1",
        new_hash="2",
        old_path="a",
        new_path="b",
        title=HOSTILE,
    )
    word = Overridden(key="a", digest="", by=HOSTILE, at="2026-11-21T00:00:00Z", reason=HOSTILE)
    whys = {"a": Why(reasons=(HOSTILE,), tickets=(HOSTILE,))}
    return impact(found, known, whys=whys, sops=(sop,), overrides=(word,), frozen=(HOSTILE,))


def test_hostile_text_is_shown_and_is_nothing_else() -> None:
    text = as_markdown(hostile())
    page = rendered(text)
    tags = {each.removeprefix("/").lower() for each in TAGS.findall(page)}
    assert tags <= OURS, tags - OURS
    assert page.count("<details") == page.count("</details>") == 1
    assert page.count("<table") == 1 and page.count("<h3") == 1 and "<!--" not in page
    assert re.findall(r'href="([^"]*)"', page)[0].startswith("https://runbooks.example.org/%3C")
    assert len(re.findall(r"<a ", page)) == 1
    assert "\x1b" not in text and "\u202e" not in text
    # What a code host would link or call is broken up in words; in a fence it does neither.
    words = re.sub(r"<pre>.*?</pre>|<a [^>]*>", "", page, flags=re.DOTALL)
    assert not [each for each in ("@everyone", "#1 ", "://evil", "www.evil") if each in words]
    row = re.search(r"<tbody>(.*?)</tbody>", page, re.DOTALL)
    assert row is not None and row[1].count("<td") == 5
    fences = re.findall(r"<pre><code[^>]*>(.*?)</code></pre>", page, re.DOTALL)
    assert all(each.count("\n") <= 2 for each in fences)
    # A backtick of an expression is part of it.
    assert "<code>up{a=&quot;`&lt;/code&gt;|&quot;} &gt; 1</code>" in page


def test_hostile_text_in_json_fits_the_schema() -> None:
    document = json.loads(as_json(impact(changes([OLD], [NEW]), last="v1.2.0")))
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    silence = Silence(matchers=(), starts_at="", ends_at="", created_by="ada", comment=HOSTILE)
    known = Known(
        records=(of_record(OLD, NEW),),
        tree=Route(receiver="r"),
        plans=(plan(planned(NEW, firing=1, silences_lost=(silence,))),),
    )
    word = Overridden(key="a", digest="", by=HOSTILE, at="2026-11-21T00:00:00Z", reason=HOSTILE)
    full = json.loads(as_json(impact(changes([OLD], [NEW]), known, overrides=(word,))))
    jsonschema.Draft202012Validator(SCHEMA).validate(full)
    found = full["rules"][0]["impact"]
    assert found["receivers"] == {"day": {"old": "r", "new": "r"}, "night": {"old": "r", "new": "r"}}
    assert (found["pending"], found["firing"], found["canary"]["signed"]) == (0, 1, True)
    assert full["overrides"][0]["by"] == HOSTILE and full["last_release"] == "v1.2.0"
    found["risks"].append("unheard-of")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(full)


def test_three_thousand_rules_fit_and_the_gravest_are_there() -> None:
    names = [f"rule-{number:04}" for number in range(3000)]
    old = [rule(each, name=each, severity="P2", expr=f"up > {len(each)}") for each in names]
    new = [rule(each, name=each, severity="P2", expr=f"up > {len(each)}", for_="5m") for each in names[:-1]]
    sops = tuple(
        SopChange(id=f"SOP-A-{number:04}", language="en", old_hash="1", new_hash="2", old_path="a", new_path="b", title="t")
        for number in range(2000)
    )  # fmt: skip
    frozen = tuple(f"service-{number}" for number in range(3000))
    text = as_markdown(impact(changes(old, new), sops=sops, frozen=frozen))
    assert len(text) <= LIMIT and len(text) > LIMIT // 2
    assert body_of(text) == text, "what is posted is what was made, to its last line"
    first = text.index("<details")
    assert "<code>rule-2999</code> removed" in text[first : first + 80]
    shown = text.count("<details")
    assert f"{3001 - shown} rules are left out here" in text and "tocsin diff --format json" in text
    page = rendered(text)
    assert page.count("<details") == page.count("</details>") == shown
    assert "1,950 more procedures" in text and "service-19 and 2,980 more" in text


def test_what_is_left_out_is_named_as_far_as_there_is_room() -> None:
    names = [f"rule-{number:03}" for number in range(200)]
    old = [rule(each, name=each, expr="up > " + "1 + " * 90 + "1") for each in names]
    new = [rule(each, name=each, expr="up > " + "2 + " * 90 + "1") for each in names]
    text = as_markdown(impact(changes(old, new)))
    assert body_of(text) == text
    left = re.search(r"(\d+) rules are left out here", text)
    assert left is not None and int(left[1]) + text.count("<details") == 201
    assert "rule-199" in text[left.start() :]


def test_nothing_changes_is_a_short_report() -> None:
    assert as_markdown(impact(())) == f"### nothing changes\n\n{'a' * 12} → {'b' * 12}\n"
