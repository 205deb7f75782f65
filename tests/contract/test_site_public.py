"""`tocsin build --public`: what is marked internal is not in the site, in no file and under no name."""

from __future__ import annotations

from pathlib import Path

from tocsin.cli import main

PROJECT = """\
version: 1
project: shop
severities: {P1: {label: {severity: critical}, pages: true}}
teams: {ops: {name: Ops}}
site: {url: "https://runbooks.example.org"}
environments:
  prod:
    evaluators: [{name: main, kind: prometheus, version: "2.53"}]
    notifier: alertmanager
    verdict: advised
"""
RULES = """\
version: 1
service: db
owner: ops
groups:
  - name: main
    rules:
      - {alert: DbDown, id: db-down, expr: up == 0, severity: P1, for: 5m, sop_ref: SOP-DB-001, summary: it is down}
      - {alert: DbVault, id: db-vault, expr: up == 0, severity: P1, for: 5m, sop_ref: SOP-DB-002, summary: it is shut}
"""
SOP = """\
---
id: {id}
title: {title}
status: active
severity: P1
services: [db]
owner: ops
{more}
---

## Confirm

{text}
"""


def test_an_internal_page_leaves_no_trace(tmp_path: Path) -> None:
    for path, text in {
        "tocsin.yaml": PROJECT,
        "rules/db/main.yaml": RULES,
        "sops/db/SOP-DB-001.md": SOP.format(
            id="SOP-DB-001",
            title="The database is down",
            more="",
            text="See [the other](SOP-DB-002.md#confirm).",
        ),
        "sops/db/SOP-DB-002.md": SOP.format(
            id="SOP-DB-002", title="Where the quinces are", more="internal: true", text="Behind the medlars."
        ),
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def traces() -> set[str]:
        site = tmp_path / "dist" / "site"
        words = (b"SOP-DB-002", b"quinces", b"medlars")
        files = [each for each in site.rglob("*") if each.is_file()]
        assert len(files) > 20
        return {
            str(each.relative_to(site))
            for each in files
            if any(word in each.read_bytes() or word.decode() in str(each) for word in words)
        }

    assert main(["build", str(tmp_path)]) == 0
    assert "sop/SOP-DB-002/index.html" in traces()
    assert main(["build", "--public", str(tmp_path)]) == 0
    assert traces() == set()
    assert (tmp_path / "dist/site/a/DbVault/index.html").is_file()
