"""PrometheusRule objects for the Prometheus operator: one file per service, environment and evaluator.

In: a service compiled for an environment. Out: `kubernetes/<env>/<service>.prometheusrule.yaml` (the
evaluator's name as a folder between where there are several), with the same groups as the rule file. The
operator renders an object into a ConfigMap and refuses one of more than 512 KiB (`MaxConfigMapDataSize`, half
of what a Secret may hold), so a large service becomes several objects in its file, cut between groups; only a
single group over the limit is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tocsin.diag import Diagnostic, diagnostic
from tocsin.emit.prometheus import by_evaluator, folder, group_node, header
from tocsin.emit.split import parts
from tocsin.emit.yamltext import Node, dump
from tocsin.ir.artifact import Artifact
from tocsin.ir.compiled import CompiledAlert, CompiledGroup, Evaluator, Resolved
from tocsin.ir.project import Environment, Project

NAME = "kubernetes"
MAX_BYTES = 512 * 1024 - 4096
"""The operator's limit, less what its own rendering may add to ours."""
_NOT_DNS = re.compile(r"[^a-z0-9]+")


def emit(resolved: Resolved, project: Project, environment: Environment) -> Iterator[Artifact]:
    """The objects of one service."""
    for evaluator, groups in by_evaluator(resolved):
        where = f"kubernetes/{environment.name}/{folder(environment, evaluator)}"
        name = _object_name(resolved.service, environment, evaluator)
        texts = [
            # A service's name has no dot, so no other service owns this name.
            dump(_object(name if number == 1 else f"{name}.{number}", nodes, project, environment))
            for number, nodes in enumerate(_filled(groups), 1)
        ]
        comment = "".join(f"# {line}\n" for line in header(groups, project, environment))
        path = f"{where}{resolved.service}.prometheusrule.yaml"
        yield Artifact(path=path, text=comment + "---\n".join(texts))


def unsupported(resolved: Resolved, project: Project, environment: Environment) -> Iterator[Diagnostic]:
    """Groups that no object can hold."""
    for _, groups in by_evaluator(resolved):
        for group in groups:
            size = max(_size(part) for part in parts(group))
            if size > MAX_BYTES:
                limit = f"the Prometheus operator takes {MAX_BYTES // 1024} in an object"
                yield diagnostic(
                    "TOC718",
                    group.origin.value("name"),
                    f"`{group.name}` is {size // 1024} KiB, and {limit}",
                    help="split the group; where nobody uses the operator, set `TOC718: off` in tocsin.yaml",
                    subject=f"{group.service}/{group.name}",
                )


def _filled(groups: list[CompiledGroup]) -> Iterator[list[Node]]:
    """Groups in order, as many in one object as it holds."""
    nodes: list[Node] = []
    filled = 0
    for group in groups:
        for part in parts(group):
            size = _size(part)
            if nodes and filled + size > MAX_BYTES:
                yield nodes
                nodes, filled = [], 0
            nodes.append(group_node(part))
            filled += size
    yield nodes


def _size(group: CompiledGroup) -> int:
    """The bytes of a group in an object; a safe guess for the many that are nowhere near the limit."""
    texts = sum(
        len(rule.expr)
        + sum(map(len, rule.labels.values()))
        + (sum(map(len, rule.annotations.values())) if isinstance(rule, CompiledAlert) else 0)
        for rule in group.rules
    )
    # A character is 4 bytes at most; keys, names, durations and indentation take less than 2 KB of a rule.
    guess = 4 * texts + 2000 * len(group.rules)
    return guess if guess < MAX_BYTES // 16 else len(dump([group_node(group)]).encode())


def _object(name: str, groups: list[Node], project: Project, environment: Environment) -> Node:
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": name,
            "labels": {"app.kubernetes.io/managed-by": "tocsin"},
            "annotations": {"tocsin_owner": f"{project.name}/{environment.name}"},
        },
        "spec": {"groups": groups},
    }


def _object_name(service: str, environment: Environment, evaluator: Evaluator) -> str:
    """A DNS-1123 subdomain: the service's name, and the evaluator's where there are several."""
    name = _NOT_DNS.sub("-", f"tocsin-{service}".lower()).strip("-")
    if folder(environment, evaluator):
        name += "." + _NOT_DNS.sub("-", evaluator.name.lower()).strip("-")
    return name[:240].rstrip("-.")
