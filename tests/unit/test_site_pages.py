"""The site's pages through the real pipeline: which there are, that every link leads somewhere and back, that nothing hidden is told, and that no
name can do more than be shown.
"""

from __future__ import annotations

import ast
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from posixpath import dirname, join, normpath

import markdown
import pytest
from tests.site_building import (
    INCIDENT,
    KAFKA_SOP,
    LAG,
    PROJECT,
    TEXTS,
    broken,
    compiled,
    links,
    model,
    site,
)

import tocsin.emit.site
from tocsin.emit.site import paths, releases
from tocsin.emit.site.phrases import CHINESE
from tocsin.emit.site.targets import resolver
from tocsin.ir.history import Change, History
from tocsin.ir.sop import source_hash

INDEXES = {"index", "sop/index", "a/index", "svc/index", "team/index", "err/index", "inc/index"}
REPORTS = {"levels", "report/coverage", "report/freshness", "report/languages", "report/releases"}
THINGS = {
    "sop/SOP-KAFKA-007",
    "sop/SOP-ORDERS-001",
    "sop/SOP-SECRET-001",
    "svc/kafka",
    "svc/orders",
    "svc/vault-service",
    "team/team-streaming",
    "team/team-orders",
    "err/ERR_KAFKA_021",
    "err/ERR_VAULT",
    "inc/INC-2026-004",
    "inc/INC-2026-009",
}
EXTENSIONS = ("tables", "attr_list", "admonition", "toc", "pymdownx.superfences", "pymdownx.details")


def pages(made: dict[str, str], language: str = "en") -> dict[str, str]:
    """Page -> Markdown of one language."""
    start = f"{language}/docs/"
    return {
        path.removeprefix(start).removesuffix(".md"): text
        for path, text in made.items()
        if path.startswith(start) and path.endswith(".md")
    }


def built(page: str) -> str:
    """The folder a page's file is served at."""
    return page.removesuffix("index").rstrip("/") if page in INDEXES else page


def test_the_example_compiles() -> None:
    assert broken(compiled()) == []


def test_every_kind_of_page_is_there_in_every_language() -> None:
    made = site()
    assert set(pages(made)) == INDEXES | REPORTS | THINGS
    assert set(pages(made, "zh")) == set(pages(made))


def test_the_navigation_holds_index_pages_only() -> None:
    nav = site()["en/mkdocs.yml"].partition("nav:")[2]
    named = set(re.findall(r"([a-z/]+)\.md", nav))
    assert named == INDEXES | REPORTS


@pytest.mark.parametrize("public", [False, True])
def test_every_link_leads_to_a_page(public: bool) -> None:
    made = site(public=public)
    checked = 0
    for language, base in (("en", ""), ("zh", "zh/")):
        own = pages(made, language)
        for page, text in own.items():
            for target in links(text):
                if re.match(r"https?:|mailto:|#|https&#58;", target):
                    continue
                checked += 1
                target = target.partition("#")[0]
                if target.endswith(".md"):
                    assert normpath(join(dirname(page), target)).removesuffix(".md") in own, (page, target)
                    continue
                assert target.endswith("/"), (page, target)
                address = normpath(join(base, built(page), target))
                theirs = {normpath(join(each, built(name))) for each in ("", "zh") for name in own}
                assert f"static/{address}/index.html" in made or address in theirs, (page, target)
    for path, text in made.items():
        if path.startswith("static/") and path.endswith(".html"):
            for target in links(text):
                if target.startswith("https:"):
                    continue
                checked += 1
                address = normpath(join(dirname(path.removeprefix("static/")), target.partition("#")[0]))
                if address == "assets/tocsin/stub.css":
                    assert f"static/{address}" in made, (path, target)
                    continue
                language = "zh" if address.startswith("zh/") or address == "zh" else "en"
                name = address.removeprefix("zh").strip("/").removeprefix(".")
                assert name in {built(each) for each in pages(made, language)}, (path, target)
    assert checked > 100


def test_links_hold_in_both_directions() -> None:
    made = site()
    own = pages(made)

    def leads(page: str, other: str) -> bool:
        return f"{other}.md" in {
            normpath(join(dirname(page), each.partition("#")[0])) for each in links(own[page])
        }

    for left, right in (
        ("svc/kafka", "sop/SOP-KAFKA-007"),
        ("svc/kafka", "team/team-streaming"),
        ("svc/kafka", "inc/INC-2026-004"),
        ("svc/kafka", "err/ERR_KAFKA_021"),
        ("svc/orders", "sop/SOP-SECRET-001"),
        ("team/team-streaming", "sop/SOP-KAFKA-007"),
        ("inc/INC-2026-004", "sop/SOP-KAFKA-007"),
        ("inc/INC-2026-009", "sop/SOP-SECRET-001"),
    ):
        assert leads(left, right), (left, right)
        assert leads(right, left), (right, left)
    assert leads("err/ERR_KAFKA_021", "sop/SOP-KAFKA-007")
    for name, pages_ in {
        "KafkaConsumerLag": (
            "sop/SOP-KAFKA-007",
            "svc/kafka",
            "team/team-streaming",
            "inc/INC-2026-004",
            "err/ERR_KAFKA_021",
        ),
        "OrdersOdd": ("svc/orders", "team/team-orders", "report/coverage"),
    }.items():
        stubs = [each for each in made if re.fullmatch(rf"static/a/{name}\w*/index.html", each)]
        assert stubs, sorted(made)
        for page in pages_:
            assert any(
                f"../../{stub.removeprefix('static/').removesuffix('index.html')}" in links(own[page])
                for stub in stubs
            ), page
    # And not to each other, where nothing joins them.
    assert not leads("svc/orders", "inc/INC-2026-004")
    assert not leads("team/team-orders", "sop/SOP-KAFKA-007")


def test_a_public_site_has_no_trace_of_what_is_internal() -> None:
    words = (
        "SOP-SECRET-001",
        "hidden vault",
        "SOP-VAULT-OLD",
        "vault",
        "ERR_VAULT",
        "INC-2026-009",
        "Burglary",
        "Hush",
    )
    private, public = site(), site(public=True)
    for word in words:
        assert any(word in path or word in text for path, text in private.items()), word
        assert not [path for path, text in public.items() if word in path or word in text], word
    assert "not public" in public["static/a/Down/index.html"]


def test_a_public_site_says_no_commit_subject() -> None:
    change = Change(
        commit="c" * 40, at="2026-11-20T10:00:00+00:00", author="Ann", subject="open the hidden vault"
    )
    history = History(
        head=change, files={"sops/kafka/SOP-KAFKA-007.md": change, "sops/orders/SOP-SECRET-001.md": change}
    )
    assert "open the hidden vault" in site(history=history)["en/docs/index.md"]
    public = site(history=history, public=True)["en/docs/index.md"]
    assert "vault" not in public
    assert "SOP-KAFKA-007" in public.partition("{#changes}")[2]


def test_the_order_of_the_sources_changes_no_byte() -> None:
    first = site()
    order = list(TEXTS)
    for seed in range(3):
        random.Random(seed).shuffle(order)
        assert site(order=order) == first


def test_recent_changes_are_counted_from_the_commit_and_not_from_a_clock() -> None:
    def change(at: str, subject: str) -> Change:
        return Change(commit="ab" * 20, at=at, author="Ann", subject=subject)

    texts = dict(TEXTS)
    for number in range(10, 20):
        texts[f"sops/kafka/SOP-MANY-0{number}.md"] = KAFKA_SOP.replace(
            "SOP-KAFKA-007", f"SOP-MANY-0{number}"
        ).replace("aliases:", "x-aliases:")
    files = {
        f"sops/kafka/SOP-MANY-0{number}.md": change(f"2026-05-02T{number}:00:00+00:00", f"s{number}")
        for number in range(10, 20)
    }
    files["sops/kafka/SOP-KAFKA-007.md"] = change("2026-05-01T19:00:00+00:00", "older than a day")
    history = History(head=change("2026-05-02T20:00:00+00:00", "head"), files=files)
    home = site(texts, history=history)["en/docs/index.md"]
    recent = home.partition("{#changes}")[2]
    assert re.findall(r"\bs1\d\b", recent) == [f"s{number}" for number in range(19, 9, -1)]
    assert "older than a day" not in recent
    assert "2026-05-02 20:00" in recent
    assert "https&#58;" not in recent
    assert "https://git.example.org/ops/commit/" + "ab" * 6 in recent


def test_home_works_with_scripts_off_and_says_whom_to_call() -> None:
    home = site()["en/docs/index.md"]
    assert '<div id="tocsin-find">' in home
    assert home.index("SOP-KAFKA-007") < home.index("SOP-ORDERS-001"), "the most urgent first"
    noscript = re.search(r"<noscript>.*</noscript>", home)
    assert noscript is not None
    assert links(noscript[0]) == ["sop/", "a/", "err/", "svc/", "team/", "levels/"]
    nothing = home.partition("{#nothing}")[2].partition("##")[0]
    assert "on call" in nothing
    assert "/new/main/sops?filename=" in nothing
    assert site(public=True)["zh/docs/index.md"].count("../assets/tocsin/") == 2


def test_reports_say_where_nobody_is_watching() -> None:
    made = pages(site())
    coverage = made["report/coverage"]
    rows = {
        row.split("|")[1].strip(): [each.strip() for each in row.split("|")[2:-1]]
        for row in coverage.split("\n")
        if row.startswith("| [")
    }
    assert rows["[kafka](../svc/kafka.md)"] == ["○ none", "○ none", "◐ ticket", "● page"]
    assert rows["[orders](../svc/orders.md)"] == ["○ none", "○ none", "● page", "○ none"]
    bare = coverage.partition("{#alerts}")[2].partition("\n## ")[0]
    assert "OrdersOdd" in bare
    assert "Kafka" not in bare
    unused = coverage.partition("{#sops}")[2].partition("\n## ")[0]
    assert "SOP-ORDERS-001" in unused
    assert "started by hand" in unused
    assert "SOP-KAFKA-007" not in unused
    assert "the mirror" in coverage.partition("{#blind-spots}")[2]
    freshness = made["report/freshness"]
    assert '<time class="tocsin-due" datetime="2026-07-31">' in freshness
    assert freshness.index("SOP-ORDERS-001") < freshness.index("SOP-KAFKA-007"), "never reviewed comes first"


def test_reports_say_what_is_not_translated_and_what_is_stale() -> None:
    report = pages(site())["report/languages"]
    stale = report.partition("{#stale}")[2].partition("\n## ")[0]
    assert "SOP-KAFKA-007" in stale
    missing = report.partition("{#missing}")[2]
    assert "SOP-ORDERS-001" in missing
    assert "SOP-KAFKA-007" not in missing
    assert "| Chinese | 1 / 3 | 33 % |" in report
    fresh = source_hash(model().sops["SOP-KAFKA-007"].sop)
    path = "sops/kafka/SOP-KAFKA-007.zh.md"
    texts = {**TEXTS, path: TEXTS[path].replace("abcdef123456", f"'{fresh}'")}
    assert "SOP-KAFKA-007" not in pages(site(texts))["report/languages"]


def test_an_incident_says_how_long_each_step_took() -> None:
    page = pages(site())["inc/INC-2026-004"]
    rows = [
        row.split(" | ")
        for row in page.partition("{#tocsin-timeline}")[2].partition("\n## ")[0].split("\n")
        if "<time" in row
    ]
    assert [(row[0].strip("| "), row[2].strip("| ")) for row in rows] == [
        ("Began", "&#8203;"),
        ("Noticed", "7m"),
        ("Mitigated", "1h"),
        ("Ended", "2h30m"),
    ]
    assert "KafkaConsumerLag" in page.partition("{#tocsin-fired}")[2].partition("\n## ")[0]
    assert "Down" in page.partition("{#tocsin-missed}")[2].partition("\n## ")[0]
    assert "90000" in page
    assert page.rstrip().endswith("What we saw.")


def test_a_frozen_service_says_so() -> None:
    assert "do not compile" in site(frozen=frozenset({"kafka"}))["en/docs/svc/kafka.md"]
    assert "do not compile" not in site()["en/docs/svc/kafka.md"]


def test_kept_pages_go_through_the_same_writer() -> None:
    kept = (
        (
            "guide/on-call.md",
            "# On call\n\n<script>alert(1)</script>\n\nSee [lag](../../sops/kafka/SOP-KAFKA-007.md)\n",
        ),
        ("guide/on-call.zh.md", "# 值班\n\n值班说明\n"),
        ("secret.md", "---\ntitle: Plans\ninternal: true\n---\nburied treasure\n"),
        ("index.md", "# mine\n"),
        ("extra.css", "body{}\n"),
        ("logo.png", b"\x89PNG"),
    )
    made = site(kept=kept)
    page = made["en/docs/guide/on-call.md"]
    assert "<script" not in page
    assert "../sop/SOP-KAFKA-007.md" in page
    assert "值班说明" in made["zh/docs/guide/on-call.md"]
    assert "buried treasure" in made["en/docs/secret.md"]
    assert made["en/docs/extra.css"] == "body{}\n"
    assert "extra.css" in made["zh/mkdocs.yml"]
    assert "tocsin-find" in made["en/docs/index.md"], "ours is not replaced"
    public = site(kept=kept, public=True)
    assert not [path for path, text in public.items() if "treasure" in text or "secret" in path]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("#verify", "#verify"),
        ("SOP-KAFKA-007.md", "SOP-KAFKA-007.md"),
        ("../kafka/SOP-KAFKA-007.zh.md#mitigate", "SOP-KAFKA-007.md#mitigate"),
        ("../../incidents/INC-2026-004.md", "../inc/INC-2026-004.md"),
        ("../../site/img/a.png", "../img/a.png"),
        ("../../site/img/b.png", None),
        ("picture.png", None),
        ("SOP-NONE-001.md", None),
        ("../../../etc/passwd", None),
        ("../../tocsin.yaml", None),
        ("https://example.com/x#y", "https://example.com/x#y"),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("data:text/html,x", None),
        ("//evil.example", None),
        ("", None),
    ],
)
def test_links_in_prose_lead_to_the_generated_page(target: str, expected: str | None) -> None:
    resolve = resolver(
        model(), "sops/orders/SOP-ORDERS-001.md", "sop/SOP-ORDERS-001", frozenset({"site/img/a.png"})
    )
    assert resolve(target) == expected


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>{: onclick=alert(3) } `` | [x](javascript:alert(4)) \"'\\"
CODES = [
    "a/b",
    "A/B",
    "..",
    "README",
    "index",
    "../../etc/passwd",
    "ERR|x",
    "```",
    "{.x}",
    "错误",
    "x" * 300,
    "a b",
]


def hostile() -> dict[str, str]:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    codes = ", ".join(quoted(each) for each in CODES)
    sop = KAFKA_SOP.replace("title: Consumer lag is growing", f"title: {quoted(HOSTILE)}")
    sop = sop.replace("symptoms: [orders delayed]", f"symptoms: [{quoted(HOSTILE)}]")
    sop = sop.replace("services: [kafka]", f"services: [kafka, {quoted(HOSTILE)}, '../up', README]")
    sop = sop.replace("error_codes: [ERR_KAFKA_021]", f"error_codes: [{codes}, {quoted(HOSTILE)}]")
    sop = sop.replace("reason: no metric", f"reason: {quoted(HOSTILE)}")
    incident = INCIDENT.replace("title: Billing stood still", f"title: {quoted(HOSTILE)}").replace(
        "a bad deploy", quoted(HOSTILE)
    )
    return {
        **TEXTS,
        "tocsin.yaml": PROJECT.replace("name: Streaming", f"name: {quoted(HOSTILE)}").replace(
            "who: on call", f"who: {quoted(HOSTILE)}"
        ),
        "rules/kafka/lag.yaml": LAG.replace("alert: Down", f"alert: {quoted(HOSTILE)}").replace(
            "signal: errors", f"signal: {quoted(HOSTILE)}"
        ),
        "sops/kafka/SOP-KAFKA-007.md": sop,
        "incidents/INC-2026-004.md": incident,
    }


class Seen(HTMLParser):
    """Elements and attributes that could run something, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.running: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name.startswith("on") or re.match(r"\s*(javascript|data|vbscript):", value or "", re.I):
                self.running.append(f"{tag} {name}={value}")
        if tag in ("iframe", "img", "object", "embed", "svg", "base") or (
            tag == "script" and "src" not in dict(attrs)
        ):
            self.running.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_a_hostile_name_is_shown_and_does_nothing() -> None:
    made = site(hostile())
    shown = 0
    for path, text in made.items():
        html = text
        if path.endswith(".md"):
            front = re.match(r"---\n(.*?)\n---\n", text, re.S)
            assert front is None or "<" not in front[1], path
            html = markdown.markdown(text[front.end() if front else 0 :], extensions=list(EXTENSIONS))
        elif not path.endswith(".html"):
            continue
        seen = Seen()
        seen.feed(html)
        assert seen.running == [], path
        shown += HOSTILE in " ".join(" ".join(seen.text).split()) or "alert(1)" in "".join(seen.text)
    assert shown > 20


def test_names_of_any_characters_have_files_of_their_own() -> None:
    made = site(hostile())
    files = [each for each in made if each.startswith("en/docs/err/")]
    assert len(files) == len(CODES) + 3  # the hostile one, another page's, and the index
    for path in made:
        assert re.fullmatch(r"[A-Za-z0-9._~/-]+", path), path
        assert all(0 < len(part) < 200 and part not in (".", "..") for part in path.split("/")), path
    assert len({paths.segment(each) for each in CODES}) == len(CODES)
    assert paths.segment("KafkaConsumerLag") == "KafkaConsumerLag"
    assert paths.segment("a~2Fb") != paths.segment("a/b")
    assert paths.segment("x" * 300) != paths.segment("x" * 301)


def test_a_site_that_opens_from_disk_links_to_files() -> None:
    made = site(files=True)
    names = {path.removeprefix("static/") for path in made if path.startswith("static/")}
    names |= {paths.built_file(built(page), files=True) for page in pages(made)}
    names |= {f"zh/{paths.built_file(built(page), files=True)}" for page in pages(made, "zh")}
    checked = 0
    for page, text in pages(made).items():
        for target in re.findall(r'href="([^"#:]+)"', text):
            checked += 1
            assert normpath(join(dirname(paths.built_file(built(page), files=True)), target)) in names, (
                page,
                target,
            )
    for path, text in made.items():
        if path.startswith("static/") and path.endswith(".html"):
            for target in re.findall(r'href="([^"#:]+)["#]', text):
                checked += 1
                assert normpath(join(dirname(path.removeprefix("static/")), target)) in names, (path, target)
    assert checked > 40


def test_every_sentence_has_its_chinese() -> None:
    asked: set[str] = set()
    for file in sorted(Path(tocsin.emit.site.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr":
                asked |= {
                    each.value
                    for each in ast.walk(node.args[1])
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                }
    # Said through a variable.
    asked |= {
        "Alerts that fired",
        "Alerts that should have fired",
        "No procedure answers this alert.",
        "The procedure for this alert is not public.",
        *releases.WORDS.values(),
        "{severity}: Grafana cannot evaluate the alerts of {environment}, so they do not change state. Generated by tocsin.",
    }
    assert asked == set(CHINESE)


def test_an_old_anchor_still_opens_its_page() -> None:
    made = site()
    assert '<a id="old-step"></a>' in made["en/docs/sop/SOP-KAFKA-007.md"]
    assert '<a id="old-step"></a>' in made["zh/docs/sop/SOP-KAFKA-007.md"]
    assert "tocsin-anchors" not in made["en/docs/sop/SOP-ORDERS-001.md"]


def test_a_translation_has_the_anchors_of_the_original() -> None:
    path = "sops/kafka/SOP-KAFKA-007.md"
    original = f"{TEXTS[path]}\n## A broker is gone\n\nText.\n"
    translation = "---\nid: SOP-KAFKA-007\ntitle: t\nstatus: active\nservices: [kafka]\nowner: team-streaming\nlang: zh\n"
    translation += "translation_of: SOP-KAFKA-007\n---\n\n## 缓解\n\nx\n"
    made = site({**TEXTS, path: original, path.replace(".md", ".zh.md"): translation})
    page = made["zh/docs/sop/SOP-KAFKA-007.md"]
    assert '<a id="a-broker-is-gone"></a>' in page
    assert '<a id="mitigate"></a>' not in page and "{: #mitigate }" in page
    assert '<a id="a-broker-is-gone"></a>' not in made["en/docs/sop/SOP-KAFKA-007.md"]


def test_a_generated_alert_leads_to_the_sop_its_environment_names() -> None:
    project = PROJECT.replace(
        'evaluators: [{name: main, kind: prometheus, version: "3.5"}]',
        'evaluators: [{name: main, kind: grafana, version: "12.1.2"}]\n'
        "    datasources: {metrics: {uid: prom-main, type: prometheus}}\n"
        "    evaluation_failing_sop: SOP-ORDERS-001",
    )
    texts = {**TEXTS, "tocsin.yaml": project}
    assert broken(compiled(texts)) == []
    made = site(texts)
    stub = made["static/a/EvaluationFailing-metrics/index.html"]
    assert 'href="../../sop/SOP-ORDERS-001/"' in stub
    assert "P1: Grafana cannot evaluate the alerts of prod" in stub
    assert "../../a/EvaluationFailing-metrics/" in links(made["en/docs/sop/SOP-ORDERS-001.md"])
    assert "No alert leads here" not in made["en/docs/sop/SOP-ORDERS-001.md"]
    assert "EvaluationFailing-metrics" in made["en/docs/a/index.md"]
    assert '["EvaluationFailing-metrics",1,"P1","",""]' in made["static/assets/tocsin/lookup.js"]
    assert (
        "SOP-ORDERS-001"
        not in made["en/docs/report/coverage.md"].partition("{#sops}")[2].partition("\n## ")[0]
    )


def test_an_authors_own_anchor_is_not_taken_on_an_incident() -> None:
    made = site(
        {
            **TEXTS,
            "incidents/INC-2026-004.md": INCIDENT + "\n## Timeline\n\n09:00 it began\n\n## Actions\n\nnone\n",
        }
    )
    page = made["en/docs/inc/INC-2026-004.md"]
    anchors = re.findall(r"\{:? ?#([a-z-]+)", page)
    assert {"timeline", "actions", "tocsin-timeline", "tocsin-actions"} <= set(anchors)
    assert len(anchors) == len(set(anchors))
