"""What tocsin writes for Grafana, judged by something that is not tocsin.

Everywhere: files of several versions against golden ones and against `grafana_file_format`, which was
written from Grafana's side. With GRAFANA_URL and GRAFANA_TOKEN in the environment also a real Grafana on
this machine (a forwarded port will do) that has a Prometheus data source: rules are sent over HTTP, read
back, and watched while they evaluate. `TOCSIN_UPDATE_GOLDEN=1` writes the golden files anew.
"""

from __future__ import annotations

import copy
import json
import os
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from tests.builders import alert_source, environment, evaluator, group, project, resolved
from tests.builders import rule as built
from tests.contract.grafana_file_format import problems

from tocsin.emit import grafana
from tocsin.ir.compiled import CompiledAlert, Datasource, Resolved, Version
from tocsin.ir.project import Environment
from tocsin.wire.grafana import GrafanaGroup, canonical_group, file_text, from_http, to_http

GOLDEN = Path(__file__).parent / "grafana_golden"
URL = os.environ.get("GRAFANA_URL", "")
VERSIONS: tuple[Version, ...] = ((9, 4, 0), (11, 6, 0), (12, 1, 2), (13, 3, 0))
MAIN = Datasource(name="main", uid="prom-main", type="prometheus")
SEVEN = 'label_replace(vector(7), "cluster", "prod-a", "", "")'
HOSTILE = 'nel \x85 del \x7f line \u2028 bom \ufeff crab \U0001f980 quote " back \\ 中文 $HOME $$x ${HOME}'


def service(version: Version, datasource: Datasource = MAIN) -> tuple[Resolved, Environment]:
    """One service that uses everything the file format has a trap for, and fires where `fires` says."""
    server = evaluator("gf", kind="grafana", version=version)

    def rule(id: str, name: str, expr: str, **more: Any) -> CompiledAlert:
        source = alert_source(id, name, series_bound=10)
        return built(id, name, expr=expr, evaluator=server, datasource=datasource, source=source, **more)

    newest = {"keep_firing_for": "1m"} if version >= (12, 1, 2) else {}
    lag = group(
        rule(
            "fires",
            "Fires$HOME",
            f"{SEVEN} > 5",
            labels={"of": "{{ $labels.cluster }} $HOME ${HOME} $$5", "tier": "1"},
            annotations={"summary": "{{ $labels.cluster }}: {{ $value | humanize }} for $5", "raw": HOSTILE},
        ),
        rule("quiet", "Quiet", f"{SEVEN} > 8", for_="90s", annotations={}, **newest),
        rule("mirrored", "Mirrored", f"{SEVEN} > 5", mirror=True, paused=True),
        name="lag of $HOME",
        interval="10s",
        labels={"tier": "0", "region": "eu"},
    )
    split = group(
        rule("split-fires", "SplitFires", f"{SEVEN} >= 7", shape="split"),
        rule("split-quiet", "SplitQuiet", f"{SEVEN} < 1e-7", shape="split"),
        rule("split-unequal", "SplitUnequal", f"{SEVEN} != 5", shape="split"),
        name="split",
        interval="10s",
        query_offset="2s",
    )
    env = environment(
        evaluators=(server,),
        datasources=(datasource,),
        default_datasource="main",
        folder="$cost {service}",
        evaluation_failing_sop="SOP-OPS-001",
    )
    return resolved(lag, split), env


def files(version: Version) -> dict[str, str]:
    """File name -> text."""
    what, env = service(version)
    found = grafana.unsupported(what, project(env), env)
    assert [each.code for each in found if each.code != "TOC709"] == []
    made = (*grafana.emit(what, project(env), env), *grafana.emit_together([what], project(env), env))
    return {Path(each.path).name: each.text for each in made}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_file_is_byte_for_byte_what_a_reviewer_saw(version: Version) -> None:
    folder = GOLDEN / ".".join(map(str, version[:2]))
    if os.environ.get("TOCSIN_UPDATE_GOLDEN"):
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files(version).items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    assert {path.name: path.read_bytes().decode() for path in folder.iterdir()} == files(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_judge_finds_nothing(version: Version) -> None:
    assert {
        name: problems(text, version) for name, text in files(version).items() if problems(text, version)
    } == {}


def at(document: Any, path: str) -> tuple[Any, Any]:
    """The container and key of a slash-separated path."""
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in steps:
        document = document[step]
    return document, last


RULE = "groups/0/rules/0"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("apiVersion", 2, "top keys"),
        ("groups/0/interval", "15s", "interval"),
        ("groups/0/interval", 10, "interval"),
        ("groups/0/name", "a/b", "group name"),
        ("groups/0/name", "lag of $HOME", "environment variable"),
        ("groups/0/folder", "", "folder"),
        ("groups/0/orgId", 0, "orgId"),
        ("groups/0/rules", [], "no rules"),
        ("groups/0/limit", 5, "limit is unknown"),
        ("groups/1/name", "LAG OF $$HOME", "twice"),
        (f"{RULE}/uid", "a" * 41, "uid"),
        ("groups/1/rules/0/uid", "0123", None),
        (f"{RULE}/title", "", "title"),
        (f"{RULE}/for", "5 minutes", "for"),
        (f"{RULE}/for", 300, "for"),
        (f"{RULE}/keep_firing_for", "1m", "unknown"),
        (f"{RULE}/keepFiringFor", "1m", None),
        (f"{RULE}/execErrState", "KeepLastState", "execErrState"),
        (f"{RULE}/labels/of", "{{ $labels.cluster }}", "environment variable"),
        (f"{RULE}/labels/n", 5, "no text"),
        (f"{RULE}/annotations/summary", "{{ $value }}", "$value"),
        (f"{RULE}/annotations/summary", "{{ $values.A.Value }} for $value", None),
        (f"{RULE}/condition", "D", "condition"),
        (f"{RULE}/data/0/model/range", True, "instant"),
        (f"{RULE}/data/0/model/refId", "B", "refId"),
        (f"{RULE}/data/0/relativeTimeRange/from", 0, "range"),
        (f"{RULE}/data/0/relativeTimeRange/from", "600", "range"),
        (f"{RULE}/data/1/model/expression", "$Z > 1", "reads"),
        (f"{RULE}/data/1/model/type", "classic_conditions", "expression of type"),
        (f"{RULE}/data/2/model/conditions/0/evaluator/type", "above", "threshold"),
        (f"{RULE}/data/2/model/conditions", [], "threshold"),
    ],
)
def test_the_judge_sees_a_planted_fault(path: str, value: Any, says: str | None) -> None:
    document = json.loads(files((13, 3, 0))["alert-template-kafka-prod.json"])
    container, key = at(document, path)
    container[key] = value
    found = problems(file_text(document), (13, 3, 0))
    assert any(says in each for each in found) if says else found == []


@pytest.mark.parametrize(
    ("since", "older"), [((13, 3, 0), (12, 1, 1)), ((11, 6, 0), (11, 5, 0)), ((11, 6, 0), (10, 4, 0))]
)
def test_the_judge_knows_what_an_older_version_lacks(since: Version, older: Version) -> None:
    assert problems(files(since)["alert-template-kafka-prod.json"], older) != []


def test_the_judge_allows_equal_titles_from_12_0_on() -> None:
    for version, wrong in (((11, 6, 0), True), ((12, 1, 2), False)):
        document = json.loads(files(version)["alert-template-kafka-prod.json"])
        container, key = at(document, "groups/0/rules/1/title")
        container[key] = "fires$$home"
        assert any("twice" in each for each in problems(file_text(document), version)) is wrong


def test_the_judge_reads_as_yaml_does() -> None:
    assert problems('{"apiVersion": 1, "groups": [], "x": "\x85"}', (13, 3, 0)) == [
        "YAML and JSON readers disagree about it"
    ]


# --- a real Grafana
# ------------------------------------------------------------------------------------------

Call = Callable[..., tuple[int, Any]]


def grafana_call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of one request to the Grafana in the environment."""
    headers = {
        "Authorization": f"Bearer {os.environ.get('GRAFANA_TOKEN', '')}",
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL.rstrip("/") + path, method=method, headers=headers, data=data)
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except HTTPError as failure:
        return failure.code, failure.read().decode(errors="replace")


def expect(wanted: int, answer: tuple[int, Any]) -> Any:
    """The body of an answer of that status."""
    assert answer[0] == wanted, answer
    return answer[1]


def real_groups() -> tuple[Version, tuple[GrafanaGroup, ...]]:
    """The service's groups for the real server's version and its default Prometheus data source."""
    told = expect(200, grafana_call("GET", "/api/health"))["version"]
    major, minor, patch = told.split("-")[0].split("+")[0].split(".")
    found = expect(200, grafana_call("GET", "/api/datasources"))
    sources = [each for each in found if each["type"] == "prometheus"]
    sources.sort(key=lambda each: not each["isDefault"])
    assert sources, "the Grafana needs a Prometheus data source"
    version = (int(major), int(minor), int(patch))
    what, env = service(version, Datasource(name="main", uid=sources[0]["uid"], type="prometheus"))
    own = grafana.desired(what, project(env), env)
    return version, (*own, *grafana.desired_together([what], project(env), env, "gf"))


def cleaned(groups: tuple[GrafanaGroup, ...]) -> None:
    """Nothing of an earlier run stays: its rules and folders are deleted, there or not."""
    for made in groups:
        for each in made.rules:
            expect(204, grafana_call("DELETE", f"/api/v1/provisioning/alert-rules/{each.uid}"))
    for folder in {made.folder_uid for made in groups}:
        status, _ = grafana_call("DELETE", f"/api/folders/{folder}?forceDeleteRules=true")
        assert status in (200, 404)


@pytest.fixture(scope="module")
def sent() -> Iterator[tuple[Version, tuple[GrafanaGroup, ...], tuple[GrafanaGroup, ...]]]:
    """Version, the groups as sent and as read back; everything is deleted afterwards."""
    version, groups = real_groups()
    cleaned(groups)
    read: list[GrafanaGroup] = []
    for made in groups:
        if grafana_call("GET", f"/api/folders/{made.folder_uid}")[0] == 404:
            expect(200, grafana_call("POST", "/api/folders", {"uid": made.folder_uid, "title": made.folder}))
        body: Any = to_http(made, version)
        name = urllib.parse.quote(made.name, safe="")
        path = f"/api/v1/provisioning/folder/{made.folder_uid}/rule-groups/{name}"
        if version < (11, 6, 0):
            # Older servers create no rule of a chosen uid with the group.
            for each in body["rules"]:
                expect(201, grafana_call("POST", "/api/v1/provisioning/alert-rules", copy.deepcopy(each)))
        expect(200, grafana_call("PUT", path, body))
        back = from_http(expect(200, grafana_call("GET", path)))
        assert isinstance(back, GrafanaGroup), back
        read.append(back)
    yield version, groups, tuple(read)
    cleaned(groups)


def states(folder: str, wanted: dict[str, str]) -> dict[str, Any]:
    """Title -> the rule as the server reports it, as soon as the states are as wanted, or after five minutes."""
    deadline = time.monotonic() + 300
    while True:
        found = expect(200, grafana_call("GET", "/api/prometheus/grafana/api/v1/rules"))["data"]["groups"]
        rules = {each["name"]: each for one in found if one["file"] == folder for each in one["rules"]}
        if {name: rules[name]["state"] for name in wanted if name in rules} == wanted:
            return rules
        if time.monotonic() > deadline:
            return rules
        time.sleep(2)


if URL:

    def unpaused(made: GrafanaGroup) -> GrafanaGroup:
        return canonical_group(replace(made, rules=tuple(replace(each, paused=False) for each in made.rules)))

    def test_a_server_gives_back_what_it_was_given(sent: Any) -> None:
        version, groups, read = sent
        for made, back in zip(groups, read, strict=True):
            expected = from_http(to_http(made, version))
            assert isinstance(expected, GrafanaGroup)
            assert unpaused(back) == unpaused(expected)

    def test_a_server_keeps_a_mirror_paused(sent: Any) -> None:
        _, groups, read = sent
        for made, back in zip(groups, read, strict=True):
            assert [each.paused for each in back.rules] == [each.paused for each in made.rules]

    def test_a_server_tells_a_changed_rule_from_an_unchanged_one(sent: Any) -> None:
        _, _, read = sent
        changed = replace(read[0], rules=(replace(read[0].rules[0], title="Other"), *read[0].rules[1:]))
        assert unpaused(changed) != unpaused(read[0])

    def test_a_server_fires_exactly_the_rules_that_should(sent: Any) -> None:
        _, groups, _ = sent
        wanted = {
            "Fires$HOME": "firing",
            "Quiet": "inactive",
            "SplitFires": "firing",
            "SplitQuiet": "inactive",
            "SplitUnequal": "firing",
        }
        found = states(groups[0].folder, wanted)
        assert {name: (found[name]["state"], found[name]["health"]) for name in wanted} == {
            name: (state, "ok") for name, state in wanted.items()
        }
        (alert,) = [each for each in found["Fires$HOME"]["alerts"] if each["state"].startswith("Alerting")]
        assert (
            alert["labels"].items()
            >= {"of": "prod-a $HOME ${HOME} $$5", "tier": "1", "region": "eu", "cluster": "prod-a"}.items()
        )
        assert alert["annotations"] == {"summary": "prod-a: 7 for $5", "raw": HOSTILE}
