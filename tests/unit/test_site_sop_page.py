"""The page of a SOP, made from sources through the whole compiler and read back as the HTML a browser gets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from html.parser import HTMLParser

import markdown
import pytest

from tocsin.diag import SourceFile
from tocsin.emit.catalog import Contents
from tocsin.emit.site.finish import finish_page
from tocsin.emit.site.model import SiteModel, build_model
from tocsin.emit.site.sop_page import sop_page
from tocsin.emit.site.words import LANGUAGES, say
from tocsin.ir.history import NO_HISTORY, Change, History
from tocsin.ir.project import Ledger, Release, ReleasedChange
from tocsin.ir.sop import source_hash
from tocsin.pipeline import Sources, compile_sources

PROJECT = """\
version: 1
project: shop
severities:
  P1: {label: {severity: critical}, pages: true, respond_within: 15m, rto: 1h}
  P2: {label: {severity: warning}, respond_within: 8h}
teams:
  team-streaming: {name: Streaming, chat: "#streaming", rota: "https://rota.example.org/s", escalation: duty manager}
  team-orders: {name: Orders}
site:
  url: https://runbooks.example.org
  languages: [en, zh]
  repository: https://git.example.org/ops/rules
environments:
  prod:
    evaluators:
      - {name: prometheus, kind: prometheus, version: "2.53", web_url: "https://prom.example.org/p/"}
      - {name: grafana, kind: grafana, version: "12.1.2", web_url: "https://grafana.example.org"}
    services: {orders: grafana}
    datasources: {metrics: {uid: prom-main}}
  staging:
    evaluators:
      - {name: prometheus, kind: prometheus, version: "2.53"}
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
        expr: sum by (group) (lag) > ${limit}
        levels:
          ticket: {severity: P2, limit: 5000, for: 10m}
          page: {severity: P1, limit: 10000, for: 5m, keep_firing_for: 3m}
        overrides:
          quiet: {env: staging, set: {ticket.limit: 70000}}
        summary: "{{ $labels.group }} is behind"
      - alert: KafkaDown
        id: kafka-down
        sop_ref: SOP-KAFKA-008
        expr: up == 0
        severity: P1
        summary: down
"""
ORDERS = """\
version: 1
service: orders
owner: team-orders
groups:
  - name: orders
    rules:
      - alert: OrdersLate
        id: orders-late
        sop_ref: SOP-KAFKA-007
        expr: orders_late > 3
        severity: P2
        summary: orders are late
"""
SOP = """\
---
id: SOP-KAFKA-007
title: Consumers fall behind
status: active
severity: P1
services: [kafka]
owner: team-streaming
escalation: [{after: 15m, to: second on-call, send: [the lag]}]
review: {last: "2026-10-12", every: 180d, by: team-streaming}
exercised: {last: "2026-09-03", result: pass, took: 11m}
applies_to: {kafka: ">=2.6,<5"}
permissions: [Kafka ACL READ]
symptoms: [orders arrive late]
log_patterns: ['poll (timeout|expired)']
error_codes: [REBALANCE]
quick_checks:
  - {symptom: lag grows, check: count the members, log_pattern: 'retry|poison'}
incidents: [INC-2026-004]
placeholders: {GROUP: consumergroup}
---

## Confirm

```promql
sum(lag) > 1 and on () "a&b" != "c"
```

```mermaid
flowchart TD
  a[Lag is real] -- no --> b[Wait]
```

## Mitigate

See [the brokers](SOP-KAFKA-008.md).

## Verify

It is gone.
"""
OTHER = """\
---
id: SOP-KAFKA-008
title: Brokers are missing
status: active
services: [kafka]
owner: team-streaming
---

## Confirm

Look.
"""
CHINESE = """\
---
id: SOP-KAFKA-007
title: 消费组积压
status: active
services: [kafka]
owner: team-streaming
lang: zh
translation_of: SOP-KAFKA-007
{hash}symptoms: [订单迟到]
---

## 确认

看。
"""
INCIDENT = """\
---
id: INC-2026-004
title: Billing stood still
start: 2026-03-01T10:00:00Z
found_by: alert
services: [kafka]
alerts: [kafka-consumer-lag]
---

Text.
"""
SOPS = {"sops/kafka/SOP-KAFKA-007.md": SOP, "sops/kafka/SOP-KAFKA-008.md": OTHER}
EXTENSIONS = (
    "admonition",
    "attr_list",
    "tables",
    "toc",
    "pymdownx.details",
    "pymdownx.highlight",
    "pymdownx.superfences",
)
VOID = frozenset({"br", "hr", "img", "input", "meta"})


@dataclass(slots=True, kw_only=True)
class Element:
    """One element as a browser sees it."""

    tag: str
    attributes: Mapping[str, str]
    children: list[Element | str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child

    @property
    def text(self) -> str:
        parts = [each if isinstance(each, str) else each.text for each in self.children]
        return " ".join("".join(" " if each == "" else each for each in parts).split())

    def all(self, tag: str) -> list[Element]:
        return [each for each in self if each.tag == tag]

    def links(self) -> dict[str, str]:
        return {each.attributes["href"]: each.text for each in self.all("a")}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element(tag="", attributes={})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag=tag, attributes={name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag == "br":
            self.open[-1].children.append(" ")
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop().tag == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A rendered page."""

    source: str
    root: Element

    def section(self, anchor: str) -> Element:
        """What stands between the heading with this id and the next as high."""
        found: list[Element | str] | None = None
        level = ""
        for child in self.root.children:
            if isinstance(child, Element) and child.tag[:1] == "h" and child.tag[1:].isdigit():
                if found is not None and child.tag <= level:
                    break
                if child.attributes.get("id") == anchor:
                    found, level = [], child.tag
                    continue
            if found is not None:
                found.extend((child, " "))
        assert found is not None, f"no section #{anchor}"
        return Element(tag="section", attributes={}, children=found)

    @property
    def anchors(self) -> list[str]:
        return [each.attributes["id"] for each in self.root if "id" in each.attributes]

    def banners(self) -> dict[str, str]:
        boxes = [each for each in self.root if "admonition" in each.attributes.get("class", "").split()]
        return {box.all("p")[0].text: box.all("p")[1].text for box in boxes}


def rendered(source: str) -> Page:
    assert "\n---\n" not in source.removeprefix("---\n").partition("\n---\n")[2], "front matter in the middle"
    body = source.partition("\n---\n")[2] if source.startswith("---\n") else source
    reader = _Reader()
    reader.feed(markdown.markdown(body, extensions=list(EXTENSIONS)))
    reader.close()
    assert reader.open == [reader.root], "an element is not closed"
    return Page(source=source, root=reader.root)


def site(
    *,
    project: str = PROJECT,
    rules: tuple[str, ...] = (LAG, ORDERS),
    sops: Mapping[str, str] = SOPS,
    incident: str = INCIDENT,
    history: History = NO_HISTORY,
    ledger: Ledger | None = None,
    public: bool = False,
    frozen: frozenset[str] = frozenset(),
) -> SiteModel:
    sources = Sources(
        project=SourceFile(path="tocsin.yaml", text=project),
        ledger=None,
        rules=tuple(
            SourceFile(path=f"rules/{text.split('service: ')[1].split()[0]}/rules.yaml", text=text)
            for text in rules
        ),
        sops=tuple(SourceFile(path=path, text=text) for path, text in sops.items()),
        incidents=(SourceFile(path="incidents/INC-2026-004.md", text=incident),),
    )
    made = compile_sources(sources, date(2026, 11, 1))
    assert made.settings is not None, made.diagnostics
    contents = Contents(
        files=[file for each in made.services for file in each.loaded.files],
        every=[each for service in made.services for each in service.resolved],
        sops=[each.sop for each in made.pages if each.sop is not None],
        incidents=[each.incident for each in made.pages if each.incident is not None],
        frozen=frozen,
    )
    return build_model(contents, made.settings.project, ledger or Ledger(), history, public=public)


def page(model: SiteModel, id: str = "SOP-KAFKA-007", language: str = "en", body: str = "") -> Page:
    return rendered(sop_page(model, model.sops[id], language, body or "## Mitigate {: #mitigate }\n\nText."))


def changed(text: str, **front: str) -> str:
    """A SOP with lines of front matter replaced or added."""
    for key, value in front.items():
        lines = [each for each in text.split("\n") if not each.startswith(f"{key}:")]
        text = "\n".join([lines[0], f"{key}: {value}", *lines[1:]])
    return text


def test_it_lists_the_alerts_whose_sop_ref_names_it_and_no_other() -> None:
    model = site()
    for id, expected in (
        ("SOP-KAFKA-007", ["alert-kafka-consumer-lag", "alert-orders-late"]),
        ("SOP-KAFKA-008", ["alert-kafka-down"]),
    ):
        made = page(model, id)
        assert [each for each in made.anchors if each.startswith("alert-")] == expected
    assert "KafkaDown" not in page(model).source.replace("SOP-KAFKA-008", "")
    assert "up == 0" not in page(model).source


def test_an_alert_shows_each_level_as_compiled() -> None:
    lag = page(site()).section("alert-kafka-consumer-lag")
    rows = [[cell.text for cell in row.all("td")] for row in lag.all("tr") if len(row.all("td")) == 3]
    page_of, ticket = "for 5m keeps firing 3m", "for 10m"
    assert rows == [
        ["prod / page P1", f"limit = 10000 {page_of}", "prometheus unreleased"],
        ["prod / ticket P2", f"limit = 5000 {ticket}", "prometheus unreleased"],
        ["staging / page P1", f"limit = 10000 {page_of}", "prometheus unreleased"],
        ["staging / ticket P2", f"limit = 70000 {ticket}", "prometheus unreleased"],
    ]
    shown = [each.text for each in lag.all("pre")]
    assert shown == [f"sum by (group) (lag) > {limit}" for limit in (10000, 5000, 70000)]
    badges = [each.attributes["class"] for each in lag.all("span") if each.text == "P1"]
    assert set(badges) == {"tocsin-severity tocsin-urgency-0"}


def test_an_alert_leads_to_its_stub_its_step_and_its_source() -> None:
    links = page(site()).section("alert-kafka-consumer-lag").links()
    assert links["../../a/KafkaConsumerLagPage/"] == "/a/KafkaConsumerLagPage/"
    assert links["#mitigate"] == "Mitigate"
    assert links["https://git.example.org/ops/rules/blob/main/rules/kafka/rules.yaml#L7"]
    assert page(site()).section("alert-orders-late").links()["#tocsin-top"]


def test_expressions_open_where_they_run() -> None:
    made = page(site())
    prom = "https://prom.example.org/p/graph?g0.expr=sum%20by%20%28group%29%20%28lag%29%20%3E%20{}&g0.tab=0"
    lag = made.section("alert-kafka-consumer-lag").links()
    assert {each for each in lag if "prom.example" in each} == {prom.format(10000), prom.format(5000)}
    late = [each for each in made.section("alert-orders-late").links() if "grafana.example" in each]
    uid = site().alerts["orders-late"].tiers[0].alert.uid
    assert late == [f"https://grafana.example.org/alerting/grafana/{uid}/view"]
    queries = made.section("tocsin-queries").links()
    asked = "sum%28lag%29%20%3E%201%20and%20on%20%28%29%20%22a%26b%22%20%21%3D%20%22c%22"
    assert f"https://prom.example.org/p/graph?g0.expr={asked}&g0.tab=0" in queries
    assert queries["#confirm"] == "Confirm"


def test_nothing_links_to_a_server_without_an_address() -> None:
    bare = "\n".join(
        each.partition(", web_url")[0] + "}" if "web_url" in each else each for each in PROJECT.split("\n")
    )
    assert "Open in" not in page(site(project=bare)).root.text


def test_the_facts_a_responder_needs_come_first() -> None:
    made = page(site())
    facts = {row.all("td")[0].text: row for row in made.section("tocsin-top").all("tr")[:8] if row.all("td")}
    assert facts["Severity"].text == "Severity P1, respond within 15m, service back within 1h"
    assert "tocsin-urgency-0" in facts["Severity"].all("span")[0].attributes["class"]
    assert facts["Owner"].text.endswith(
        "Chat: #streaming On call: https://rota.example.org/s Escalation: duty manager"
    )
    assert facts["Review"].text.startswith(
        "Review last on 2026-10-12, by team-streaming, every 180d, due on "
    )
    due = facts["Review"].all("time")[0]
    assert due.attributes == {"class": "tocsin-due", "datetime": "2027-04-10"} and due.text == "2027-04-10"
    assert facts["Drill"].text == "Drill on 2026-09-03, passed, took 11m"
    assert facts["You need"].text == "You need Kafka ACL READ"
    assert facts["Applies to"].text == "Applies to kafka >=2.6,<5"
    checks = made.section("tocsin-checks").all("td")
    assert [each.text for each in checks] == ["lag grows", "retry|poison", "count the members"]
    assert [each.text for each in made.section("tocsin-symptoms").all("li")] == ["orders arrive late"]
    assert [each.text for each in made.section("tocsin-checks").all("li")] == ["poll (timeout|expired)"]
    order = [
        "tocsin-top",
        "tocsin-symptoms",
        "tocsin-checks",
        "mitigate",
        "tocsin-escalation",
        "tocsin-alerts",
    ]
    assert [each for each in made.anchors if each in order] == order


def test_the_jump_list_names_sections_that_are_there() -> None:
    nav = page(site()).root.all("nav")[0]
    assert nav.attributes["aria-label"] == "Jump to"
    assert list(nav.links()) == ["#confirm", "#mitigate", "#verify", "#tocsin-escalation", "#tocsin-alerts"]
    other = page(site(), "SOP-KAFKA-008").root.all("nav")[0]
    assert list(other.links()) == ["#confirm", "#tocsin-alerts"]


def test_never_reviewed_and_never_exercised_are_said() -> None:
    text = page(site(), "SOP-KAFKA-008").section("tocsin-top").text
    assert "Review never reviewed" in text and "Drill never exercised" in text and "due on" not in text


CHANGE = Change(
    commit="0123456789abcdef", at="2026-10-30T08:00:00+00:00", author="A", subject="Raise <b>it</b>"
)


def test_a_rule_that_changed_after_the_review_says_so() -> None:
    model = site(history=History(head=CHANGE, alerts={"kafka-consumer-lag": CHANGE}))
    box = page(model).banners()["The rule is newer than this text"]
    assert box == (
        "The rule changed on 2026-10-30 (0123456789, Raise <b>it</b>), after this procedure was last reviewed on "
        "2026-10-12."
    )
    assert "2026-10-30" not in page(model).section("alert-orders-late").text
    assert "newer than this text" not in page(site()).root.text


def test_the_last_change_is_git_s_or_none() -> None:
    path = "sops/kafka/SOP-KAFKA-007.md"
    known = History(head=CHANGE, files={path: CHANGE})
    about = page(site(history=known)).section("tocsin-about")
    assert "2026-10-30 (0123456789) Raise <b>it</b>" in about.text
    assert f"https://git.example.org/ops/rules/edit/main/{path}" in about.links()
    for history, said in (
        (History(head=CHANGE, shallow=True), "shallow clone"),
        (History(head=CHANGE), "unknown to Git"),
        (NO_HISTORY, "outside a Git repository"),
    ):
        about = page(site(history=history)).section("tocsin-about")
        assert said in about.text and not about.all("time")


def test_without_a_repository_the_path_is_shown() -> None:
    bare = "\n".join(each for each in PROJECT.split("\n") if "repository" not in each)
    made = page(site(project=bare))
    assert made.section("tocsin-about").links() == {}
    assert "sops/kafka/SOP-KAFKA-007.md" in made.section("tocsin-about").text
    assert "rules/kafka/rules.yaml:7" in made.section("alert-kafka-consumer-lag").text


def test_the_version_is_the_ledger_s() -> None:
    assert "Version unreleased" in page(site()).section("tocsin-about").text
    path = "sops/kafka/SOP-KAFKA-007.md"
    digest = hashlib.sha256(SOPS[path].encode()).hexdigest()[:24]
    for recorded, said in ((digest, "Version v2.1.0"), ("abc", "Version unreleased")):
        ledger = Ledger(release="v3", sops={"SOP-KAFKA-007": (recorded, "v2.1.0")})
        assert said in page(site(ledger=ledger)).section("tocsin-about").text


def test_related_pages_are_linked() -> None:
    links = page(site()).section("tocsin-related").links()
    assert links["../inc/INC-2026-004.md"] == "INC-2026-004 Billing stood still"
    assert links["SOP-KAFKA-008.md"] == "SOP-KAFKA-008 Brokers are missing"
    assert links["../err/REBALANCE.md"] == "REBALANCE"
    back = page(site(), "SOP-KAFKA-008").section("tocsin-related").links()
    assert back["SOP-KAFKA-007.md"] == "SOP-KAFKA-007 Consumers fall behind"


def test_a_diagram_has_its_words_beside_it() -> None:
    body = "## Confirm {: #confirm }\n\n```mermaid\nflowchart TD\n  a[Real] -- no --> b[Wait]\n```\n\n## Verify\n\nGone."
    for language, title, said in (
        ("en", "This diagram in words", "no: Wait"),
        ("zh", "流程图的文字说明", "no：Wait"),
    ):
        shown = site(sops=chinese())
        box = page(shown, language=language, body=body).section("confirm").all("details")[0]
        assert box.all("summary")[0].text == title and box.all("li")[0].text.startswith("Real")
        assert [each.text for each in box.all("ul")] == [said]
        assert "a[Real] -- no --> b[Wait]" in box.all("pre")[0].text


def test_placeholders_are_json_in_an_attribute() -> None:
    holder = next(each for each in page(site()).root if "data-map" in each.attributes)
    assert json.loads(holder.attributes["data-map"]) == {"GROUP": "consumergroup"}
    assert holder.attributes["class"] == "tocsin-placeholders"


@pytest.mark.parametrize(
    ("front", "title", "text"),
    [
        ({"status": "draft"}, "Draft", "approved"),
        (
            {"status": "deprecated", "replaced_by": "SOP-KAFKA-008"},
            "Deprecated",
            "SOP-KAFKA-008 Brokers are missing",
        ),
        ({"status": "retired"}, "Retired", "no longer used"),
        ({"stub": "true"}, "Not written yet", "no answer"),
        ({"internal": "true"}, "Internal", "left out of a public site"),
    ],
)
def test_a_page_that_is_not_an_answer_says_so(front: dict[str, str], title: str, text: str) -> None:
    made = page(site(sops={**SOPS, "sops/kafka/SOP-KAFKA-007.md": changed(SOP, **front)}))
    assert text in made.banners()[title]
    assert not page(site()).banners()


def test_a_retired_page_is_out_of_search() -> None:
    retired = site(sops={**SOPS, "sops/kafka/SOP-KAFKA-007.md": changed(SOP, status="retired")})
    assert page(retired).source.startswith("---\nsearch:\n  exclude: true\n---\n\n# ")
    assert page(site()).source.startswith("# ")


def test_rules_that_do_not_compile_are_said() -> None:
    said = page(site(frozen=frozenset({"orders", "else"}))).banners()
    assert said["The rules have mistakes"].startswith("The sources of orders do not compile.")


def test_a_public_page_names_nothing_internal() -> None:
    sops = {
        "sops/kafka/SOP-KAFKA-007.md": changed(SOP, status="deprecated", replaced_by="SOP-KAFKA-008"),
        "sops/kafka/SOP-KAFKA-008.md": changed(OTHER, internal="true"),
    }
    for public, shown in ((False, True), (True, False)):
        made = page(site(sops=sops, incident=changed(INCIDENT, internal="true"), public=public))
        for word in ("SOP-KAFKA-008", "Brokers are missing", "INC-2026-004", "Billing stood still"):
            assert (word in made.source) == shown


def test_without_alerts_the_page_says_whether_any_is_expected() -> None:
    quiet = {**SOPS, "sops/kafka/SOP-KAFKA-009.md": OTHER.replace("008", "009")}
    made = page(site(sops=quiet), "SOP-KAFKA-009")
    assert made.section("tocsin-alerts").text == "No alert leads here."
    quiet["sops/kafka/SOP-KAFKA-009.md"] = changed(OTHER.replace("008", "009"), manual="true")
    assert "started by hand" in page(site(sops=quiet), "SOP-KAFKA-009").section("tocsin-alerts").text


def chinese(**front: str) -> Mapping[str, str]:
    hash = f"source_hash: {front['source_hash']}\n" if front else ""
    return {**SOPS, "sops/kafka/SOP-KAFKA-007.zh.md": CHINESE.replace("{hash}", hash)}


def test_a_translation_takes_its_words_and_keeps_the_facts() -> None:
    made = page(site(sops=chinese()), language="zh", body="## 确认 {: #confirm }\n\n看。")
    assert made.root.all("h1")[0].text == "消费组积压" and "lang" not in made.root.all("h1")[0].attributes
    assert made.section("tocsin-symptoms").all("li")[0].text == "订单迟到"
    top = made.section("tocsin-top").text
    assert "15m 内响应" in top and "Kafka ACL READ" in top and "2027-04-10" in top
    assert made.section("tocsin-checks").all("span")[0].attributes == {
        "lang": "en"
    }  # it has no checks of its own
    assert made.section("tocsin-related").links()["../../../sop/SOP-KAFKA-007/"] == "English"
    english = page(site(sops=chinese()))
    assert "../../zh/sop/SOP-KAFKA-007/" in english.section("tocsin-related").links()
    assert not made.banners()


def test_a_missing_translation_shows_the_source_language_and_marks_it() -> None:
    made = page(site(), language="zh")
    assert made.banners()["尚未翻译"] == "以下正文为英文。"
    assert made.root.all("h1")[0].attributes["lang"] == "en"
    marks = [each.attributes.get("class") for each in made.root.all("div")]
    begin, end = marks.index("tocsin-foreign"), marks.index("tocsin-native")
    assert begin < end
    assert (
        made.source.index("tocsin-foreign")
        < made.source.index("## Mitigate")
        < made.source.index("tocsin-native")
    )
    assert "tocsin-foreign" not in page(site()).source
    assert "指向本手册的告警" in [each.text for each in made.root.all("h2")]


def test_the_finished_page_says_the_language_of_its_prose_without_scripts() -> None:
    source = sop_page(site(), site().sops["SOP-KAFKA-007"], "zh", "## Mitigate\n\nText.")
    html = markdown.markdown(source, extensions=list(EXTENSIONS))
    finished = finish_page(f"<html><head></head><body>{html}</body></html>", "sop/SOP-KAFKA-007/index.html")
    reader = _Reader()
    reader.feed(finished.html)
    prose = next(each for each in reader.root if each.attributes.get("lang") == "en" and each.tag == "div")
    assert [each.text for each in prose.all("h2")] == ["Mitigate"] and "Text." in prose.text
    assert "tocsin-native" not in finished.html and not finished.problems


def test_a_translation_of_an_older_text_says_so() -> None:
    hash = source_hash(site().sops["SOP-KAFKA-007"].sop)
    assert len(hash) == 12
    fresh = page(site(sops=chinese(source_hash=hash)), language="zh")
    assert not fresh.banners()
    stale = page(site(sops=chinese(source_hash="0123456789ab")), language="zh")
    assert "以 原文 为准" in stale.banners()["译文落后于原文"]


def test_the_hash_of_a_text_is_that_of_its_prose_alone() -> None:
    def hashed(text: str) -> str:
        model = site(sops={**SOPS, "sops/kafka/SOP-KAFKA-007.md": text})
        return source_hash(model.sops["SOP-KAFKA-007"].sop)

    assert hashed(SOP) == hashed(changed(SOP, title="Another"))
    assert hashed(SOP) != hashed(SOP.replace("It is gone.", "It is not."))


HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "[x](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "x {: onclick=alert(1) #own .c }",
    "a | b | `c` **d** &lt;i&gt; <!-- x -->",
    '"quoted" \\" !!! note',
    "</td></table></div><iframe src=//evil.example>",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_people_wrote_is_shown_and_never_obeyed(text: str) -> None:
    quoted = json.dumps(text)
    project = PROJECT.replace("name: Streaming", f"name: {quoted}").replace('"#streaming"', quoted)
    sop = changed(
        SOP,
        title=quoted,
        symptoms=f"[{quoted}]",
        log_patterns=f"[{quoted}]",
        permissions=f"[{quoted}]",
        applies_to=f"{{kafka: {quoted}}}",
        escalation=f"[{{after: 15m, to: {quoted}, send: [{quoted}]}}]",
        placeholders=f"{{GROUP: {quoted}}}",
        aliases=f"[{quoted}]",
        error_codes=f"[{quoted}]",
    ).replace(
        "check: count the members, log_pattern: 'retry|poison'", f"check: {quoted}, log_pattern: {quoted}"
    )
    sop = sop.replace("## Mitigate", f"## {text.replace('#', '')}")
    rules = LAG.replace('"{{ $labels.group }} is behind"', quoted)
    rules = rules.replace(
        "sum by (group) (lag) > ${limit}", json.dumps(f"count_values({quoted}, lag) > ${{limit}}")
    )
    incident = INCIDENT.replace("Billing stood still", quoted)
    model = site(
        project=project,
        rules=(rules.replace("#mitigate", ""), ORDERS),
        sops={**SOPS, "sops/kafka/SOP-KAFKA-007.md": sop},
        incident=incident,
        history=History(
            head=CHANGE,
            files={"sops/kafka/SOP-KAFKA-007.md": replace(CHANGE, subject=text)},
            alerts={"kafka-consumer-lag": replace(CHANGE, subject=text)},
        ),
    )
    harmless = {
        "h1",
        "h2",
        "h3",
        "p",
        "a",
        "nav",
        "ul",
        "ol",
        "li",
        "code",
        "span",
        "div",
        "pre",
        "table",
        "thead",
        "tbody",
    }
    harmless |= {"tr", "th", "td", "br", "strong", "time", "details", "summary"}
    for language in LANGUAGES:
        made = page(model, language=language)
        assert {each.tag for each in made.root} - {""} <= harmless
        for each in made.root:
            assert not [name for name in each.attributes if name.startswith("on")], each
            assert each.attributes.get("id") != "own"
        addresses = [each.attributes["href"] for each in made.root.all("a")]
        assert not [
            each
            for each in addresses
            if "javascript:" in each or "evil" in each.partition("g0.expr")[0].partition("/err/")[0]
        ]
        assert made.root.all("h1")[0].text == text
        assert text in [each.text for each in made.section("tocsin-symptoms").all("li")]
        assert text in [each.text for each in made.section("tocsin-checks").all("td")]
        assert text in [each.text for each in made.section("tocsin-escalation").all("td")]
        assert text in made.section("alert-kafka-consumer-lag").text
        assert text in made.section("tocsin-about").text
        holder = next(each for each in made.root if "data-map" in each.attributes)
        assert json.loads(holder.attributes["data-map"]) == {"GROUP": text}


def test_every_word_is_there_in_both_languages_with_the_same_blanks() -> None:
    from string import Formatter

    from tocsin.emit.site import words

    def blanks(text: str) -> set[str]:
        return {name for _, name, _, _ in Formatter().parse(text) if name}

    for key, row in words._WORDS.items():
        assert len(row) == len(LANGUAGES) and all(row), key
        assert blanks(row[0]) == blanks(row[1]), key
        assert not [each for each in row if set(each) & set('"<>[]`*_#|\\')], key
    assert say("fr", "home") == say("en", "home")
    with pytest.raises(KeyError):
        say("en", "no such words")


def test_releases_that_changed_it_or_its_alerts() -> None:
    def change(rule: str, **words: object) -> ReleasedChange:
        return ReleasedChange(rule=rule, envs=("prod",), class_="sensitivity", **words)  # type: ignore[arg-type]

    hot = change(
        "kafka-consumer-lag/page", direction="up", what=("params.limit: 9 -> <b>5</b>",), tickets=("OPS-1",)
    )
    other = change("node-down", reasons=("nobody asked",))
    releases = (
        Release(version="v1.1.0", date="2026-11-20", changes=(hot, other)),
        Release(version="v1.0.0", date="2026-11-01", sops=("SOP-KAFKA-007", "SOP-KAFKA-008.zh")),
    )
    shown = page(site(ledger=Ledger(releases=releases))).section("tocsin-releases")
    assert "more sensitive" in shown.text and "OPS-1" in shown.text and "the procedure's text" in shown.text
    assert "kafka-consumer-lag/pageprod" in shown.text.replace("\n", "").replace(" ", "")
    assert "params.limit: 9 -> <b>5</b>" in shown.text and not shown.all("b")
    assert "node-down" not in shown.text and "nobody asked" not in shown.text
    assert set(shown.links()) == {"../report/releases.md#v1.1.0", "../report/releases.md#v1.0.0"}
    with pytest.raises((KeyError, AssertionError, StopIteration)):
        page(site()).section("tocsin-releases")
