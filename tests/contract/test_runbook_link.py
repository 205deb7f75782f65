"""The address an alert carries, as a real Prometheus expands it: the labels arrive in the query, whatever they hold."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml
from tests.builders import project
from tests.real.components import VERSIONS, promtool

from tocsin.ir.project import Site
from tocsin.resolve.texts import runbook_link

AWKWARD = "a b&c=d#e?f/é%"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_labels_of_the_alert_reach_the_page(tmp_path: Path, version: str) -> None:
    made = runbook_link(
        project(site=Site(url="https://r.example.org")), "SOP-A-001#verify", ("cluster", "group")
    )
    assert made is not None
    rule = {"alert": "A", "expr": "lag > 0", "annotations": {"runbook_url": made}}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]}))
    labels = {"cluster": "prod-1", "group": AWKWARD}
    expanded = f"https://r.example.org/sop/SOP-A-001/?cluster=prod-1&group={'a+b%26c%3Dd%23e%3Ff%2F%C3%A9%25'}#verify"
    series = f'lag{{cluster="prod-1",group="{AWKWARD}"}}'
    case = {
        "eval_time": "1m",
        "alertname": "A",
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": {"runbook_url": expanded}}],
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": series, "values": "1x3"}],
        "alert_rule_test": [case],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    run = subprocess.run(
        [promtool(version), "test", "rules", "test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    parts = urlsplit(expanded)
    assert (parts.path, parts.fragment) == ("/sop/SOP-A-001/", "verify")
    assert parse_qs(parts.query) == {"cluster": ["prod-1"], "group": [AWKWARD]}


def test_without_identity_the_address_is_the_page_alone() -> None:
    site = project(site=Site(url="https://r.example.org"))
    assert runbook_link(site, "SOP-A-001", ()) == "https://r.example.org/sop/SOP-A-001/"
    assert runbook_link(site, None, ("a",)) is None
