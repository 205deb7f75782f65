"""What tocsin sends to Grafana fits the types of Grafana's own SDK: in as JSON, out as JSON, equal but for an exact list.

The SDK's types are generated from Grafana's schemas. Its 11.6 line is the newest that is published; it lacks two fields of a rule that came
later, and of a Prometheus query the two that Grafana's server itself adds to every query. A field that starts to survive fails here as well
as one that starts to vanish: then the list below is out of date, or what we send is.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import alerting, expr, prometheus
from tests.builders import project
from tests.contract.test_grafana_file import VERSIONS, service
from tests.equivalence.table import compilation
from tests.grafana.starter import starter

from tocsin.emit import grafana
from tocsin.ir.compiled import Resolved, Version
from tocsin.wire.grafana import to_http

LACKS = {
    "keep_firing_for",
    "missingSeriesEvalsToResolve",
    "data.prometheus.intervalMs",
    "data.prometheus.maxDataPoints",
}
"""What the line lacks: of a rule, and of the model of a Prometheus query."""
ADDS = {"orgID"}
"""What it writes though nobody gave it: a number that the server overwrites with the token's own."""


def _sent(version: Version) -> Iterator[dict[str, Any]]:
    what, env = service(version)
    for group in grafana.desired(what, project(env), env, env.evaluators[0].name):
        yield to_http(group, version)
    for group in grafana.desired_together([what], project(env), env, env.evaluators[0].name):
        yield to_http(group, version)


def _compiled(services: tuple[Resolved, ...], made: Any, env_name: str) -> Iterator[dict[str, Any]]:
    env = made.environment(env_name)
    assert env is not None
    for resolved in services:
        if resolved.env == env_name:
            for group in grafana.desired(resolved, made, env, "grafana"):
                yield to_http(group, (13, 3, 0))


def _everything() -> list[dict[str, Any]]:
    """Groups of the hostile service in four versions, of the starter library, of the equivalence project."""
    found = [group for version in VERSIONS for group in _sent(version)]
    for made, env in ((starter(), "prod"), (compilation(), "grafana")):
        assert made.settings is not None
        every = tuple(each for one in made.services for each in one.resolved)
        found += _compiled(every, made.settings.project, env)
    return found


GROUPS = _everything()


def _through(group: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    plugins.register_default_plugins()
    typed = alerting.RuleGroup.from_json(copy.deepcopy(group))
    return typed, json.loads(json.dumps(typed, cls=JSONEncoder))


def _leaves(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule's own fields, and those of its queries by what they query."""
    found = {key: value for key, value in rule.items() if key != "data"}
    for number, item in enumerate(rule["data"]):
        kind = item["model"]["datasource"]["type"]
        rest = {key: value for key, value in item.items() if key != "model"}
        found[f"{number} item"] = rest
        found |= {f"{number} data.{kind}.{key}": value for key, value in item["model"].items()}
    return found


def _name(key: str) -> str:
    return key.partition(" ")[2] or key


def test_there_are_groups_of_every_origin_and_every_kind_of_node() -> None:
    kinds = {type(item.model) for group in GROUPS for rule in _through(group)[0].rules for item in rule.data}
    assert kinds == {prometheus.Dataquery, expr.TypeMath, expr.TypeThreshold}
    titles = {rule["title"] for group in GROUPS for rule in group["rules"]}
    assert {"OrdersErrorBudgetBurnFast", "QueueOld", "SplitFires"} <= titles


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: str(group["title"]))
def test_a_group_passes_and_comes_back_equal_but_for_what_the_line_lacks(group: dict[str, Any]) -> None:
    back = _through(group)[1]
    assert {key: value for key, value in back.items() if key != "rules"} == {
        key: value for key, value in group.items() if key != "rules"
    }
    assert len(back["rules"]) == len(group["rules"])
    for sent, found in zip(group["rules"], back["rules"], strict=True):
        one, other = _leaves(sent), _leaves(found)
        assert {_name(key) for key in one.keys() - other.keys()} == LACKS & {_name(key) for key in one}
        assert other.keys() - one.keys() == ADDS - one.keys()
        both = one.keys() & other.keys()
        assert {key: one[key] for key in both} == {key: other[key] for key in both}


def test_every_field_of_the_list_is_really_sent_by_some_rule() -> None:
    sent = {_name(key) for group in GROUPS for rule in group["rules"] for key in _leaves(rule)}
    assert sent >= LACKS


def test_a_planted_unknown_field_is_noticed() -> None:
    group = copy.deepcopy(GROUPS[0])
    group["rules"][0]["another_field"] = 1
    found = _through(group)[1]["rules"][0]
    assert _leaves(group["rules"][0]).keys() - _leaves(found).keys() > {"another_field"}
