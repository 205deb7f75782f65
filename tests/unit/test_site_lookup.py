"""The lookup file: what is in it, in which order, that it is a script and nothing else, and how large it is for a large repository."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

from tests.site_building import KAFKA_SOP, LAG, PROJECT, TEXTS, model, site

from tocsin.emit.site.lookup import draft_address, first_step, lookup_js
from tocsin.emit.site.model import SiteModel

NOUNS = (
    *("Consumer", "Broker", "Replica", "Disk", "Inode", "Queue", "Certificate", "Gateway", "Latency"),
    *("Token", "Pod", "Node", "Volume", "Index", "Shard", "Leader", "Session", "Cache"),
)
VERBS = (
    *("Lag", "Failing", "Slow", "Saturated", "Expiring", "Missing", "Leaking"),
    *("Stalled", "Throttled", "Rejecting", "Flapping", "Down", "Behind"),
)
START, END = "window.TOCSIN_LOOKUP=", ";\n"


def data(script: str) -> dict[str, Any]:
    assert script.startswith(START)
    assert script.endswith(END)
    found = json.loads(script[len(START) : -len(END)])
    assert isinstance(found, dict)
    return found


def test_it_holds_what_a_responder_may_know() -> None:
    found = data(site()["static/assets/tocsin/lookup.js"])
    assert found["v"] == 1
    assert found["sops"][0] == [
        "SOP-KAFKA-007",
        "Consumer lag is growing",
        "P1",
        "team-streaming",
        "look at the group",
        ["orders delayed"],
        ["(?i)lease expired", "rebalancing"],
        ["ERR_KAFKA_021"],
        "消费积压持续增长",
        ["订单延迟"],
        "active",
        ["kafka"],
    ]
    assert [each[0] for each in found["sops"]] == ["SOP-KAFKA-007", "SOP-ORDERS-001", "SOP-SECRET-001"]
    assert found["alerts"] == [
        ["OrdersOdd", -1, "P2", "", "orders"],
        ["Down", 0, "P2", "", "kafka"],
        ["KafkaConsumerLagPage", 0, "P1", "mitigate", "kafka"],
        ["KafkaConsumerLagTicket", 0, "P2", "mitigate", "kafka"],
        ["Down", 2, "P1", "", "orders"],
    ]
    assert found["call"] == [["P1", "on call", "15m"], ["P2", "the team", ""]]
    assert found["marks"] == [["P1", "severity", "critical"], ["P2", "severity", "warning"]]
    assert found["draft"].startswith("https://git.example.org/ops/new/main/sops?filename=")


def test_a_public_one_holds_nothing_internal() -> None:
    found = data(site(public=True)["static/assets/tocsin/lookup.js"])
    assert [each[0] for each in found["sops"]] == ["SOP-KAFKA-007", "SOP-ORDERS-001"]
    assert ["Down", -1, "P1", "", "orders"] in found["alerts"]


def test_a_name_that_is_no_folder_says_its_folder() -> None:
    texts = {**TEXTS, "rules/kafka/lag.yaml": LAG.replace("alert: Down", 'alert: "a/b c"')}
    assert ["a/b c", 0, "P2", "", "kafka", "a~2Fb~20c"] in data(
        site(texts)["static/assets/tocsin/lookup.js"]
    )["alerts"]
    assert "static/a/a~2Fb~20c/index.html" in site(texts)


def test_text_ends_no_script_and_breaks_no_line() -> None:
    sop = KAFKA_SOP.replace("Consumer lag is growing", '"</script><!-- \\u2028 \\u0007"')
    script = lookup_js(model({**TEXTS, "sops/kafka/SOP-KAFKA-007.md": sop}))
    assert "<" not in script
    assert "\u2028" not in script
    assert script.count("\n") == 1
    assert data(script)["sops"][0][1].startswith("</script><!--")


def test_without_a_repository_there_is_no_draft() -> None:
    texts = {**TEXTS, "tocsin.yaml": PROJECT.replace(', repository: "https://git.example.org/ops"', "")}
    assert draft_address(model(texts).project) == ""
    assert "tocsin new sop" in site(texts)["en/docs/index.md"]


def test_the_first_step_changes_nothing() -> None:
    def step(text: str) -> str:
        return first_step(model({**TEXTS, "sops/kafka/SOP-KAFKA-007.md": text}).sops["SOP-KAFKA-007"].sop)

    bare = KAFKA_SOP.replace(
        "quick_checks: [{symptom: slow, log_pattern: 'rebalancing', check: look at the group}]\n", ""
    )
    assert step(bare) == ""
    fences = "\n<!-- tocsin: change undo=#rollback -->\n```sh\nrm it\n```\n\n<!-- tocsin: read -->\n```sh\n$ kubectl get pods\nmore\n```\n"
    assert step(bare + fences) == "kubectl get pods"
    assert step(KAFKA_SOP + fences) == "look at the group"
    assert len(step(KAFKA_SOP.replace("look at the group", "look " * 100))) == 120


def large() -> SiteModel:
    """2,000 SOPs and 10,000 alerts with names, titles and symptoms as varied as people write them."""
    from dataclasses import replace

    small = model()
    dice = random.Random(20261121)
    nouns = NOUNS
    verbs = VERBS
    words = [f"{a.lower()}{dice.choice(['', 's', '-' + str(dice.randint(1, 60))])}" for a in nouns * 6] + [
        each.lower() for each in verbs
    ]
    services = [
        f"{dice.choice(nouns).lower()}-{dice.choice(nouns).lower()}-{number}" for number in range(200)
    ]
    view, alert = small.sops["SOP-KAFKA-007"], small.alerts["kafka-down"]
    sops, alerts = {}, {}
    for number in range(2_000):
        id = f"SOP-{dice.choice(nouns).upper()}-{number:04d}"
        sop = replace(
            view.sop,
            id=id,
            title=" ".join(dice.choice(words) for _ in range(7)).capitalize(),
            services=(services[number % 200],),
            symptoms=tuple(" ".join(dice.choice(words) for _ in range(4)) for _ in range(2)),
            log_patterns=(f"(?i){dice.choice(words)} {dice.choice(words)} [0-9]+ms",),
            error_codes=(f"ERR_{dice.choice(nouns).upper()}_{dice.randint(1, 999):03d}",),
            quick_checks=(
                replace(
                    view.sop.quick_checks[0],
                    check=f"look at {dice.choice(words)} of {dice.choice(words)} first",
                ),
            ),
        )
        sops[id] = replace(view, sop=sop, languages={"en": sop})
    ids = list(sops)
    for number in range(10_000):
        name = f"{dice.choice(nouns)}{dice.choice(nouns)}{dice.choice(verbs)}{dice.choice(['', 'Page', 'Ticket', 'Critical'])}{number % 97}"
        source = replace(alert.source, id=f"alert-{number}", name=name, service=services[number % 200])
        alerts[source.id] = replace(
            alert, source=source, tiers=(), sop=ids[number % 2_000], anchor="mitigate"
        )
    return replace(small, sops=dict(sorted(sops.items())), alerts=alerts)


def test_a_large_repository_fits_a_phone() -> None:
    script = lookup_js(large())
    found = data(script)
    assert (len(found["sops"]), len(found["alerts"])) == (2_000, 10_000)
    size = len(gzip.compress(script.encode(), 9))
    assert 60_000 < size < 200_000, f"{size} bytes"
