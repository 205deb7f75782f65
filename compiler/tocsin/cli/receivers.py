"""Who is notified afterwards: a plan with what the routing tree says of it, from a file or from the Grafana itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tocsin.cli.routes import config_tree
from tocsin.errors import Denied, RemoteError, UsageError
from tocsin.ir.project import Environment
from tocsin.sync.grafana_target import GrafanaTarget
from tocsin.sync.routes import from_policies, with_receivers
from tocsin.sync.values import Desired, Live, Plan, Target


def told_receivers(
    plan: Plan, live: Live, desired: Desired, target: Target, environment: Environment, config: Path | None
) -> Plan:
    """The plan with a note at each rule that notifies somebody else afterwards: by the tree of `config`, or by the policies of a Grafana that
    notifies itself. Policies that cannot be read are a note of the plan and no failure."""
    titles = {each.uid: each.title for each in (*live.folders, *desired.folders)}
    if config is not None:
        return with_receivers(plan, config_tree(config), titles)
    if environment.notifier != "grafana" or not isinstance(target, GrafanaTarget):
        return plan
    if not any(change.action != "none" for group in plan.groups for change in group.changes):
        # Nobody else is notified where nothing changes.
        return plan
    try:
        document = target.policies()
        if document is not None:
            return with_receivers(plan, from_policies(document, target.address), titles)
        why = "this Grafana tells none"
    except Denied as error:
        why = f"this token may not read them: {error.message}"
    except (RemoteError, UsageError) as error:
        why = error.message
    note = f"which receivers change is not known without the notification policies ({why})"
    return replace(plan, notes=(*plan.notes, note))
