"""The generated rule that says evaluation itself is failing: one per data source and environment.

tocsin's rules answer a failing query by keeping their last state (or, on a Grafana that cannot, by OK), which
is right for each of them and means that a broken data source is silent. This rule asks the data source for a
constant: it is quiet while an answer comes, and alerts on an error or on no answer. Nobody writes it, so it
has no source; what it says comes from tocsin.yaml alone.
"""

from __future__ import annotations

import hashlib

from tocsin.ir.compiled import Datasource
from tocsin.ir.duration import Duration
from tocsin.ir.project import Environment, Project, SeverityPolicy
from tocsin.resolve.texts import runbook_url
from tocsin.wire.grafana import GrafanaRule, watch_nodes
from tocsin.wire.grafana.shape import CONDITION

RULE_ID = "evaluation-failing"
TITLE = "EvaluationFailing"
INTERVAL = Duration(60_000)
FOR = Duration(300_000)
"""Long enough for a restart of the data source, short enough beside the alerts it stands in for."""


def watch_group(
    datasource: Datasource, project: Project, env: Environment
) -> tuple[str, Duration, GrafanaRule]:
    """Name, interval and the one rule of the group that watches `datasource`."""
    return f"{RULE_ID}-{datasource.uid}", INTERVAL, _rule(datasource, project, env)


def watch_title(datasource: Datasource) -> str:
    """The alertname of that rule; no authored alert of the same folder may have it."""
    return f"{TITLE}-{datasource.name}"


def watch_uid(datasource: Datasource, project: Project, env: Environment) -> str:
    """Its uid, reserved: 35 characters."""
    parts = "\x1f".join((project.name, env.name, datasource.uid))
    return f"{RULE_ID}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}"


def _rule(datasource: Datasource, project: Project, env: Environment) -> GrafanaRule:
    severity = _severity(project, env)
    labels = {} if severity is None else dict([severity.label])
    known = {"rule_id": RULE_ID, "service": "tocsin", "env": env.name}
    for name in project.inject_labels:
        if name in known:
            labels.setdefault(name, known[name])
    annotations = {
        "summary": f"Grafana cannot evaluate alerts on {datasource.name}",
        "description": f"Queries to the data source {datasource.name} ({datasource.uid}) fail or return "
        f"nothing. Alerts on it in {env.name} do not change state until it answers again: a fault that "
        "begins now is not reported.",
    }
    sop = env.evaluation_failing_sop
    added = {"sop_ref": sop, "runbook_url": runbook_url(project, sop), "service": "tocsin"}
    for key in project.inject_annotations:
        value = added.get(key)
        if value:
            annotations[key] = value
    return GrafanaRule(
        uid=watch_uid(datasource, project, env),
        title=watch_title(datasource),
        condition=CONDITION,
        data=watch_nodes(datasource),
        no_data="Alerting",
        exec_err="Alerting",
        for_=FOR,
        missing_series=1,
        labels=labels,
        annotations=annotations,
    )


def _severity(project: Project, env: Environment) -> SeverityPolicy | None:
    """The most urgent severity that pages and that the environment admits; the most urgent admitted one where
    none pages.
    """
    cap = project.severity(env.max_severity)
    admitted = [each for each in project.severities if cap is None or each.urgency >= cap.urgency]
    admitted.sort(key=lambda each: (not each.pages, each.urgency))
    return admitted[0] if admitted else None
