"""The repository's own starter library and the equivalence project, compiled for the Grafana at hand.

What that version cannot express would be refused by the compiler, so for an older one `keep_firing_for` is taken out of the sources. The
project gets a name of the run's own, so that uids and folders are the run's own as well.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

from tests.equivalence.table import PROJECT
from tests.grafana.capabilities import Version

from tocsin.diag import SourceFile
from tocsin.disk.files import read_tree
from tocsin.pipeline import Compilation, Sources, compile_sources
from tocsin.sync.grafana import desired_grafana
from tocsin.sync.values import Desired

ROOT = Path(__file__).resolve().parents[2]
TODAY = date(2026, 11, 21)
ENVIRONMENTS = {"orders-api": "prod", "shop": "grafana"}
"""The service that each of the two has for Grafana, and its environment."""


@cache
def starter() -> Compilation:
    """The starter library as it is."""
    return _compiled(ROOT, "", "", None)


def desired(service: str, version: Version, name: str, datasource: str) -> Desired:
    """What a Grafana of that version should hold of `orders-api` (starter) or `shop` (equivalence); `name` is in
    the project's name and in every folder's title, `datasource` is a uid.
    """
    made = _compiled(ROOT if service == "orders-api" else PROJECT, name, datasource, version)
    assert made.settings is not None
    errors = [each.message for each in made.diagnostics if each.severity.name == "error"]
    assert errors == [] and service not in made.frozen, errors
    env = made.settings.project.environment(ENVIRONMENTS[service])
    assert env is not None
    every = [each for one in made.services for each in one.resolved if each.service == service]
    return desired_grafana(every, made.settings.project, env, "grafana", made.frozen, version)


def _compiled(root: Path, name: str, datasource: str, version: Version | None) -> Compilation:
    tree = read_tree(root)
    project, rules = tree.project, tree.rules
    if version is not None:
        assert project is not None
        project = replace(project, text=_adapted(project.text, name, datasource, version))
        if version < (12, 1, 2):
            rules = tuple(_without_keep(each) for each in rules)
    sources = Sources(project=project, ledger=None, rules=rules, sops=tree.sops, incidents=tree.incidents)
    return compile_sources(sources, TODAY)


def _adapted(text: str, name: str, datasource: str, version: Version) -> str:
    said = ".".join(map(str, version))
    text = re.sub(r"(?m)^project: .*$", f"project: contract-{name}", text)
    text = re.sub(r'(kind: grafana, version: )"[^"]*"', rf'\1"{said}"', text)
    text = text.replace("uid: prom-main", f"uid: {datasource}")
    # The one environment with a Grafana in each project; its folders are this run's.
    folder = rf'\1folder: "contract {name} {{service}}"\n\1datasources:'
    text, found = re.subn(r"(?m)^( +)datasources:", folder, text)
    assert found == 1, (
        "not one environment with data sources: folders would not be this run's, and be left behind"
    )
    return text


def _without_keep(file: SourceFile) -> SourceFile:
    return replace(file, text=re.sub(r"(?m)^ +keep_firing_for: .*\n", "", file.text))
