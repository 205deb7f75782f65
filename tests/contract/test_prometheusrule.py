"""PrometheusRule objects, judged by the operator's own schema.

The schema does not know of unknown keys (a cluster prunes them without a word); that our keys are the right
ones is shown by promtool, which is strict: the groups of an object are those of the rule file.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.builders import environment, evaluator, group, project, record, resolved, rule
from tests.judges import judge

from tocsin.disk.process import Finished, find_tool, run
from tocsin.emit import kubernetes, prometheus
from tocsin.ir.compiled import Resolved

JUDGE = Path(__file__).parent.parent / "judges" / "prometheusrule.mjs"


def judged(objects: list[Any]) -> Finished:
    judge("@kubernetes-models/prometheus-operator/package.json")
    node = find_tool("node", "TOCSIN_NODE")
    return run([str(node), JUDGE.name], cwd=JUDGE.parent, timeout=300, input=json.dumps(objects))


def service() -> Resolved:
    return resolved(
        group(
            record(labels={"a": "1"}),
            rule(
                level="page",
                for_="1h30m",
                keep_firing_for="5m",
                annotations={"summary": "{{ $value }}\nmore: 积压"},
            ),
            interval="30s",
            limit=3,
            query_offset="1m",
            labels={"team": "a"},
        ),
        group(rule("b", "B", expr="1"), name="other"),
    )


def objects() -> list[Any]:
    env = environment(evaluators=(evaluator(), evaluator("second one")))
    artifacts = [each for at in (environment(), env) for each in kubernetes.emit(service(), project(), at)]
    return [each for artifact in artifacts for each in yaml.safe_load_all(artifact.text)]


def test_the_operator_takes_our_objects() -> None:
    finished = judged(objects())
    assert (finished.code, finished.err) == (0, "")
    assert finished.out == "2 taken, 0 refused\n"


FAULTS: dict[str, Callable[[Any], None]] = {
    "for is no duration": lambda each: each["spec"]["groups"][0]["rules"][1].update({"for": "five"}),
    "interval is no duration": lambda each: each["spec"]["groups"][0].update(interval="often"),
    "a label is a number": lambda each: each["spec"]["groups"][0]["rules"][0]["labels"].update(a=1),
    "a group has no name": lambda each: each["spec"]["groups"][0].pop("name"),
    "a rule has no expression": lambda each: each["spec"]["groups"][0]["rules"][0].pop("expr"),
    "limit is text": lambda each: each["spec"]["groups"][0].update(limit="3"),
    "it is something else": lambda each: each.update(kind="Prometheus"),
}


@pytest.mark.parametrize("spoil", FAULTS.values(), ids=FAULTS.keys())
def test_the_judge_refuses_a_planted_fault(spoil: Callable[[Any], None]) -> None:
    good, *_ = objects()
    bad = json.loads(json.dumps(good))
    spoil(bad)
    finished = judged([good, bad])
    assert finished.code == 1
    assert finished.out == "1 taken, 1 refused\n"


def test_an_object_s_groups_are_the_rule_file_s() -> None:
    (artifact,) = prometheus.emit(service(), project(), environment())
    assert objects()[0]["spec"] == yaml.safe_load(artifact.text)
