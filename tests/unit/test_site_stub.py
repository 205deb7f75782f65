"""Pages outside the theme: the address of each alertname, old addresses that lead on, addresses whose page is gone."""

from __future__ import annotations

import re

import pytest
from tests.site_building import KAFKA_SOP, LAG, ORDERS, TEXTS, model, site

from tocsin.emit.site.stub import Shape, anchor_aliases, gone
from tocsin.ir.project import Ledger
from tocsin.ir.sop import alias_page


def stub(name: str, **more: object) -> str:
    return site(**more)[f"static/a/{name}/index.html"]


def test_a_stub_says_what_the_alert_is_and_leads_to_the_step() -> None:
    page = stub("KafkaConsumerLagPage")
    assert 'href="../../sop/SOP-KAFKA-007/#mitigate"' in page
    assert "Consumer lag is growing" in page
    assert "kafka_lag &gt; 10000" in page
    assert "kafka_lag &gt; 5000" not in page, "the other level has its own name"
    assert "<td>prod / page</td><td>P1</td><td>limit 10000</td><td>5m</td>" in page
    assert 'href="../../svc/kafka/"' in page


def test_a_stub_is_small_needs_nothing_and_can_run_nothing() -> None:
    made = site()
    stubs = [text for path, text in made.items() if path.startswith(("static/a/", "static/zh/a/"))]
    assert len(stubs) == 8
    for page in stubs:
        assert len(page.encode()) < 2_500
        assert "<script" not in page
        assert "src=" not in page
        assert re.search(r"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';", page)
        assert "color-scheme:light dark" in page
        assert not re.search(r'href="https?:', page)
    assert '<html lang="zh">' in made["static/zh/a/OrdersOdd/index.html"]
    assert "没有处置手册" in made["static/zh/a/OrdersOdd/index.html"]


def test_a_shared_name_is_a_choice() -> None:
    page = stub("Down")
    assert "Several rules use this name" in page
    assert page.index("orders-down") < page.index("kafka-down"), "the most urgent first"
    assert 'href="../../sop/SOP-KAFKA-007/"' in page
    assert 'href="../../sop/SOP-SECRET-001/"' in page
    assert page.count("<pre>") == 2
    assert "Several rules" not in stub("OrdersOdd")


def test_names_that_differ_in_case_alone_offer_each_other() -> None:
    texts = {
        **TEXTS,
        "rules/orders/up.yaml": ORDERS.replace("alert: OrdersOdd", "alert: KAFKAConsumerLagPage"),
    }
    made = site(texts)
    for name in ("KAFKAConsumerLagPage", "KafkaConsumerLagPage"):
        page = made[f"static/a/{name}/index.html"]
        assert "orders_odd" in page
        assert "kafka_lag" in page


def test_an_alert_nothing_answers_says_whom_to_call() -> None:
    page = stub("OrdersOdd")
    assert "No procedure answers this alert." in page
    assert 'href="../../team/team-orders/"' in page
    texts = {**TEXTS, "rules/kafka/lag.yaml": LAG.replace("        sop_ref: SOP-KAFKA-007\n", "")}
    page = site(texts)["static/a/Down/index.html"]
    assert "streaming@example.org" in page
    assert "https://rota.example.org/s" in page
    without = {**TEXTS, "rules/orders/up.yaml": ORDERS.replace("owner: team-orders", "owner: nobody-known")}
    page = site(without)["static/a/OrdersOdd/index.html"]
    assert "P1: on call" in page


def test_an_alias_leads_to_its_sop() -> None:
    made = site()
    moved = made["static/sop/SOP-KAFKA-LAG/index.html"]
    assert '<meta http-equiv="refresh" content="0; url=../../sop/SOP-KAFKA-007/">' in moved
    assert '<link rel="canonical" href="https://runbooks.example.org/sop/SOP-KAFKA-007/">' in moved
    assert '<a class="go" href="../../sop/SOP-KAFKA-007/">' in moved
    assert 'url=../../sop/SOP-KAFKA-007/"' in made["static/old/kafka-lag/index.html"]
    assert "https://runbooks.example.org/zh/sop/" in made["static/zh/old/kafka-lag/index.html"]
    assert not [path for path in made if "old-step" in path]


@pytest.mark.parametrize(
    ("alias", "address"),
    [
        ("SOP-OLD-001", "sop/SOP-OLD-001"),
        ("/old/x", "old/x"),
        ("/old/x/", "old/x"),
        ("/old/x.html", "old/x.html"),
        ("/old/x/index.html", "old/x"),
        ("#anchor", None),
        ("", None),
        ("/", None),
        ("..", None),
        ("/..", None),
        ("/../x", None),
        ("/a/../../x", None),
        ("/%2e%2e/x", None),
        ("/.git/x", None),
        ("/x./y", None),
        ("//evil.example/x", None),
        ("/x//y", None),
        ("https://evil.example/", None),
        ("javascript:alert(1)", None),
        ("/x\ny", None),
        ("/x\x00", None),
        ("/x\n", None),
        ("\\\\server\\x", None),
        ("/x\\..\\y", None),
        ("C:/x", None),
        ("/" + "x" * 500, None),
        ("/x/" + "x" * 250, None),
        ("X" * 250, None),
    ],
)
def test_an_alias_never_leaves_the_site(alias: str, address: str | None) -> None:
    assert alias_page(alias) == address


@pytest.mark.parametrize(
    "alias",
    [
        "SOP-ORDERS-001",
        "sop-orders-001",
        "/sop/SOP-ORDERS-001",
        "/sop/SOP-ORDERS-001.html",
        "/a/OrdersOdd",
        "/a/ordersodd",
        "/levels",
        "/zh/sop/SOP-ORDERS-001",
        "/assets/tocsin",
        "/search/x",
        "/404.html",
        "/sitemap.xml",
        "/index.html",
    ],
)
def test_an_alias_takes_no_place_that_is_taken(alias: str) -> None:
    path = "sops/kafka/SOP-KAFKA-007.md"
    texts = {
        **TEXTS,
        path: KAFKA_SOP.replace("aliases: [SOP-KAFKA-LAG, /old/kafka-lag", f"aliases: [{alias}"),
    }
    plain = {**TEXTS, path: KAFKA_SOP.replace("aliases: [SOP-KAFKA-LAG, /old/kafka-lag", "aliases: [")}
    with_alias, without = site(texts), site({**plain, path: plain[path].replace('[, "', '["')})
    assert set(with_alias) == set(without)


def test_old_anchors_are_named_for_the_page_itself() -> None:
    texts = {
        **TEXTS,
        "sops/kafka/SOP-KAFKA-007.md": KAFKA_SOP.replace(
            '"#old-step"', '"#old-step", "#verify", "#x y", "#old-step"'
        ),
    }
    assert anchor_aliases(model(texts).sops["SOP-KAFKA-007"].sop) == ("old-step",)


def test_a_page_that_is_gone_says_where_to_look() -> None:
    page = gone(model(), "svc/forgotten", Shape(language="en"))
    assert "gone" in page
    assert 'href="../../"' in page
    assert "P1: on call" in page
    assert 'href="../../index.html"' in gone(model(), "svc/forgotten", Shape(language="en", files=True))


def test_an_address_of_a_release_is_never_a_bare_404() -> None:
    released = dict.fromkeys(
        (
            "/sop/SOP-KAFKA-007/",
            "/sop/SOP-LOST-001/",
            "/a/LostAlert/",
            "/svc/lost~2Fone/",
            "/sop/SOP-KAFKA-LAG/",
        ),
        (),
    )
    odd = dict.fromkeys(("/../x/", "//evil/", "sop/x", "/assets/x/", "/zh/sop/X/", "/.git/"), ())
    ledger = Ledger(site={**released, **odd})
    before, made = site(), site(ledger=ledger)
    lost = {"sop/SOP-LOST-001", "a/LostAlert", "svc/lost~2Fone"}
    assert set(made) - set(before) == {
        f"static/{base}{each}/index.html" for each in lost for base in ("", "zh/")
    }
    assert "moved" in made["static/sop/SOP-KAFKA-LAG/index.html"]
    assert "This page is gone" in made["static/a/LostAlert/index.html"]
    assert (
        "do not compile" in site(ledger=ledger, frozen=frozenset({"orders"}))["static/a/LostAlert/index.html"]
    )
    assert set(site(ledger=ledger, public=True)) == set(site(public=True))
    assert set(site(ledger=ledger, files=True)) == set(site(files=True))
