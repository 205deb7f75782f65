"""The metrics of the starter exist: what its rules and SOPs read is what real exporters serve.

`tests/metrics/<service>.txt` names the source of each metric. Sources that can be started here are asked: the
node exporter, Prometheus, and (on the node exporter's page) what every Go program has. The others are held
against the rules alone: a name that no list has, and a listed name that nothing reads, both fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.real import components, servers

from tocsin.promql import Expr, metrics, opaque_names, parse

ROOT = Path(__file__).resolve().parents[2]
LISTS = ROOT / "tests" / "metrics"
SERVICES = sorted(path.stem for path in LISTS.glob("*.txt"))
_RULES = {
    "groups": [
        {"name": "any", "interval": "1s", "rules": [{"record": "one", "expr": "vector(1)"}]},
    ]
}


def listed(service: str) -> dict[str, str]:
    """Metric -> source, of one list."""
    rows = (LISTS / f"{service}.txt").read_text(encoding="utf-8").splitlines()
    pairs = [re.split(r" {2,}", row, maxsplit=1) for row in rows if row.strip()]
    assert all(len(pair) == 2 for pair in pairs), pairs
    assert [pair[0] for pair in pairs] == sorted({pair[0] for pair in pairs}), "sorted, each once"
    return {pair[0]: pair[1] for pair in pairs}


def rules_of(service: str) -> Iterator[dict[str, object]]:
    for path in sorted((ROOT / "rules" / service).glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def expressions(service: str) -> Iterator[str]:
    """Every expression of the service's rules, its levels and its SOPs, parameters filled in with anything."""
    for rule in rules_of(service):
        levels = rule.get("levels", {})
        assert isinstance(levels, dict)
        for expr in (rule.get("expr"), *(level.get("expr") for level in levels.values())):
            if expr is not None:
                yield re.sub(r"\$\{\w+\}", "1", re.sub(r"\[\$\{\w+\}", "[5m", str(expr)))
    for path in sorted((ROOT / "sops" / service).glob("*.md")):
        yield from re.findall(r"^```promql\n(.*?)^```$", path.read_text(encoding="utf-8"), re.M | re.S)


def read_by(service: str) -> set[str]:
    """The metrics those expressions select, without the ones the starter records itself."""
    found: set[str] = set()
    for text in expressions(service):
        parsed = parse(text)
        assert isinstance(parsed, Expr), (text, parsed)
        assert not opaque_names(parsed), f"a selector without a name: {text}"
        found.update(metrics(parsed))
    recorded = {rule.get("record") for each in (ROOT / "rules").iterdir() for rule in rules_of(each.name)}
    return found - recorded


def served(page: str) -> set[str]:
    """The names on a page of metrics."""
    return {re.split(r"[{ ]", line)[0] for line in page.splitlines() if line and not line.startswith("#")}


def said_of(source: str) -> set[tuple[str, str]]:
    return {
        (service, name)
        for service in SERVICES
        for name, where in listed(service).items()
        if where.startswith(f"{source}: ")
    }


def test_every_service_has_a_list() -> None:
    folders = {path.name for top in ("rules", "sops") for path in (ROOT / top).iterdir() if path.is_dir()}
    assert sorted(folders) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_the_list_is_what_the_service_reads(service: str) -> None:
    assert sorted(read_by(service)) == sorted(listed(service))


def test_the_node_exporter_serves_them() -> None:
    wanted = said_of("node_exporter") | said_of("client_golang")
    assert {service for service, _ in wanted} == {"node", "orders-api"}
    every = {name for name, where in listed("node").items() if name != "up"}
    assert {("node", name) for name in every} <= wanted, "all but `up` come from the exporter"
    with servers.running_node_exporter(components.node_exporter()) as exporter:
        there = served(exporter.get("/metrics"))
    assert {each for each in wanted if each[1] not in there} == set()


def test_prometheus_serves_them(prometheus_binary: Path) -> None:
    wanted = said_of("prometheus")
    assert wanted
    config = "global: {scrape_interval: 1h}\nrule_files: [rules.yml]\n"
    with servers.running_prometheus(
        prometheus_binary, config, files={"rules.yml": yaml.dump(_RULES)}
    ) as server:
        there = served(server.get("/metrics"))
    assert {each for each in wanted if each[1] not in there} == set()
