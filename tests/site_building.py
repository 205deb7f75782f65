"""A small repository in memory and the site made of it, through the real pipeline: what the tests of the site's pages share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from tocsin.diag import Severity, SourceFile
from tocsin.emit.catalog import Contents
from tocsin.emit.site import SiteInput, emit_site
from tocsin.emit.site.model import SiteModel, build_model
from tocsin.pipeline import Compilation, Sources, compile_sources

TODAY = date(2026, 11, 21)
PROJECT = """\
version: 1
project: example
severities:
  P1: {label: {severity: critical}, pages: true, respond_within: 15m, rto: 1h, trigger: users are hurt, who: on call}
  P2: {label: {severity: warning}, who: the team}
teams:
  team-streaming: {name: Streaming, chat: "#streaming", email: streaming@example.org, rota: "https://rota.example.org/s"}
  team-orders: {name: Orders}
site: {url: "https://runbooks.example.org", languages: [en, zh], repository: "https://git.example.org/ops"}
environments:
  prod:
    evaluators: [{name: main, kind: prometheus, version: "3.5"}]
"""
LAG = """\
version: 1
service: kafka
owner: team-streaming
groups:
  - name: lag
    rules:
      - alert: KafkaConsumerLag
        id: kafka-consumer-lag
        sop_ref: SOP-KAFKA-007#mitigate
        signal: saturation
        expr: kafka_lag > ${limit}
        levels:
          page: {severity: P1, for: 5m, limit: 10000}
          ticket: {severity: P2, for: 10m, limit: 5000}
        summary: far behind
      - alert: Down
        id: kafka-down
        sop_ref: SOP-KAFKA-007
        signal: errors
        expr: up{job="kafka"} == 0
        severity: P2
        summary: down
"""
ORDERS = """\
version: 1
service: orders
owner: team-orders
groups:
  - name: up
    rules:
      - alert: Down
        id: orders-down
        sop_ref: SOP-SECRET-001
        signal: errors
        expr: up{job="orders"} == 0
        severity: P1
        summary: down
      - alert: OrdersOdd
        id: orders-odd
        expr: orders_odd > 3
        severity: P2
        summary: odd
"""
KAFKA_SOP = """\
---
id: SOP-KAFKA-007
title: Consumer lag is growing
status: active
services: [kafka]
owner: team-streaming
severity: P1
aliases: [SOP-KAFKA-LAG, /old/kafka-lag, "#old-step"]
symptoms: [orders delayed]
log_patterns: ['(?i)lease expired']
error_codes: [ERR_KAFKA_021]
review: {last: 2026-05-02, every: 90d}
quick_checks: [{symptom: slow, log_pattern: 'rebalancing', check: look at the group}]
known_blind_spots: [{what: the mirror, reason: no metric, until: 2027-01-01}]
---

## Mitigation

See [the other](../orders/SOP-ORDERS-001.md#verify) and [that night](../../incidents/INC-2026-004.md).

## Verification

All is well.
"""
KAFKA_ZH = """\
---
id: SOP-KAFKA-007
title: 消费积压持续增长
status: active
services: [kafka]
owner: team-streaming
severity: P1
lang: zh
translation_of: SOP-KAFKA-007
source_hash: abcdef123456
symptoms: [订单延迟]
---

## 缓解

重启。
"""
ORDERS_SOP = """\
---
id: SOP-ORDERS-001
title: Orders are late
status: active
services: [orders]
owner: team-orders
severity: P2
manual: true
---

## Mitigation

Wait. This once was [elsewhere](SOP-SECRET-001.md).

## Verification

Ask.
"""
SECRET_SOP = """\
---
id: SOP-SECRET-001
title: The hidden vault
status: active
services: [orders, vault-service]
owner: team-orders
severity: P1
internal: true
aliases: [SOP-VAULT-OLD]
symptoms: [vault smells]
error_codes: [ERR_VAULT]
log_patterns: [vault gone]
---

## Mitigation

Hush.
"""
INCIDENT = """\
---
id: INC-2026-004
title: Billing stood still
start: 2026-03-01T10:00:00Z
detected: 2026-03-01T10:07:00Z
mitigated: 2026-03-01T11:00:00+00:00
end: 2026-03-01T13:30:00+01:00
found_by: alert
severity: P1
services: [kafka]
alerts: [kafka-consumer-lag]
missed: [kafka-down]
sops: [SOP-KAFKA-007]
cause: a bad deploy
metrics: [{name: lag, normal: 10, fault: 90000}]
actions: [{what: write a test, owner: team-streaming, due: 2026-04-01, done: true}]
---

What we saw.
"""
SECRET_INCIDENT = """\
---
id: INC-2026-009
title: Burglary at night
start: 2026-03-01T10:00:00Z
found_by: person
services: [orders]
alerts: [orders-odd]
sops: [SOP-SECRET-001]
internal: true
---

Hush.
"""
TEXTS: Mapping[str, str] = {
    "tocsin.yaml": PROJECT,
    "rules/kafka/lag.yaml": LAG,
    "rules/orders/up.yaml": ORDERS,
    "sops/kafka/SOP-KAFKA-007.md": KAFKA_SOP,
    "sops/kafka/SOP-KAFKA-007.zh.md": KAFKA_ZH,
    "sops/orders/SOP-ORDERS-001.md": ORDERS_SOP,
    "sops/orders/SOP-SECRET-001.md": SECRET_SOP,
    "incidents/INC-2026-004.md": INCIDENT,
    "incidents/INC-2026-009.md": SECRET_INCIDENT,
}


def compiled(texts: Mapping[str, str] = TEXTS, order: Iterable[str] | None = None) -> Compilation:
    """The repository `texts`, read in `order`, compiled."""
    files = [SourceFile(path=path, text=texts[path]) for path in (order or texts)]

    def below(folder: str) -> tuple[SourceFile, ...]:
        return tuple(each for each in files if each.path.startswith(folder))

    sources = Sources(
        project=SourceFile(path="tocsin.yaml", text=texts["tocsin.yaml"]),
        ledger=None,
        rules=below("rules/"),
        sops=below("sops/"),
        incidents=below("incidents/"),
    )
    return compile_sources(sources, TODAY)


def broken(compilation: Compilation) -> list[str]:
    """Its findings that keep a site from being built."""
    return [
        f"{each.code} {each.message}" for each in compilation.diagnostics if each.severity is Severity.error
    ]


def contents(compilation: Compilation, frozen: frozenset[str] = frozenset()) -> Contents:
    """What the site is made from."""
    return Contents(
        files=[file for service in compilation.services for file in service.loaded.files],
        every=[each for service in compilation.services for each in service.resolved],
        sops=[page.sop for page in compilation.pages if page.sop is not None],
        incidents=[page.incident for page in compilation.pages if page.incident is not None],
        frozen=frozen,
    )


def model(texts: Mapping[str, str] = TEXTS, **more: Any) -> SiteModel:
    """The site's model of `texts`."""
    made = compiled(texts)
    assert made.settings is not None, made.diagnostics
    return build_model(contents(made), made.settings.project, made.settings.ledger, **more)


def site(texts: Mapping[str, str] = TEXTS, order: Iterable[str] | None = None, **more: Any) -> dict[str, str]:
    """Path -> text of everything the site is built from."""
    made = compiled(texts, order)
    assert made.settings is not None, made.diagnostics
    frozen, ledger = more.pop("frozen", frozenset()), more.pop("ledger", made.settings.ledger)
    given = SiteInput(contents=contents(made, frozen), project=made.settings.project, ledger=ledger, **more)
    artifacts = list(emit_site(given))
    found = {each.path: each.text for each in artifacts}
    assert len(found) == len(artifacts), "two artifacts at one path"
    return found


def links(markdown: str) -> list[str]:
    """The targets of the links in a generated page, Markdown's and HTML's, as written."""
    return re.findall(r"\]\(([^()\s]+)\)", markdown) + re.findall(r'href="([^"]*)"', markdown)
