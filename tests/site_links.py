"""The independent count of links between compiled rules and the built site. Imports nothing of tocsin.

In: a repository's folder and its output folder. Out: sentences, one for each link that does not hold; none where everything does. Rules are read with
plain PyYAML, provisioning with `json`, pages with the standard HTML parser; ids come from the HTML alone.

    every `runbook_url` of a compiled rule names a page of the site, and an id on it;
    every SOP page links to the stub of exactly those alerts whose `sop_ref` names it;
    every such stub links back to that page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import yaml


class _Reader(HTMLParser):
    """The ids and the link targets of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name == "href" and tag == "a" and value:
                self.targets.append(value)


@cache
def read_page(path: Path) -> _Reader:
    """One page, read once."""
    reader = _Reader()
    reader.feed(path.read_text(encoding="utf-8"))
    return reader


def page_at(site: Path, address: str) -> Path:
    """The file behind an address below the site's root."""
    name = unquote(address).strip("/")
    return site / name / "index.html" if name else site / "index.html"


def compiled_links(dist: Path) -> Iterator[tuple[str, str]]:
    """(where, runbook_url) of every compiled alert, for Prometheus and for Grafana."""
    for path in sorted((dist / "prometheus").rglob("*.yaml")):
        for group in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("groups", []):
            for rule in group["rules"]:
                if "runbook_url" in rule.get("annotations", {}):
                    yield f"{path.name}: {rule['alert']}", rule["annotations"]["runbook_url"]
    for path in sorted((dist / "grafana").rglob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")).get("groups", []):
            for rule in group["rules"]:
                if "runbook_url" in rule.get("annotations", {}):
                    yield f"{path.name}: {rule['title']}", rule["annotations"]["runbook_url"]


def dead_links(dist: Path, url: str) -> list[str]:
    """Every compiled link whose page or id is not there."""
    site, found = dist / "site", []
    for where, link in compiled_links(dist):
        # `{{ $labels.x | urlquery }}` is filled in by the server: for the page and the id it may be anything.
        parts = urlsplit(re.sub(r"\{\{.*?\}\}", "x", link).replace("&amp;", "&"))
        if not link.startswith(f"{url}/"):
            found.append(f"{where}: {link} is not on {url}")
            continue
        page = page_at(site, parts.path[len(urlsplit(url).path) :])
        if not page.is_file():
            found.append(f"{where}: no page for {link}")
        elif parts.fragment and unquote(parts.fragment) not in read_page(page).ids:
            found.append(f"{where}: no id for {link}")
    return found


def authored(root: Path) -> dict[str, set[str]]:
    """SOP -> the names of the alerts whose `sop_ref` names it, as people wrote them."""
    found: dict[str, set[str]] = {}
    for path in sorted((root / "rules").rglob("*.yaml")):
        if path.name.endswith(".promtool.yaml"):
            continue
        for group in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("groups", []):
            for rule in group.get("rules", []):
                if "sop_ref" in rule:
                    found.setdefault(rule["sop_ref"].partition("#")[0], set()).add(rule["id"])
    return found


def fired_names(dist: Path) -> dict[str, set[str]]:
    """Alert id -> the names it fires under, from the label every compiled rule carries."""
    found: dict[str, set[str]] = {}
    for path in sorted((dist / "prometheus").rglob("*.yaml")):
        for group in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("groups", []):
            for rule in group["rules"]:
                if "alert" in rule:
                    found.setdefault(rule["labels"]["rule_id"], set()).add(rule["alert"])
    return found


def provisioned(dist: Path) -> dict[str, set[str]]:
    """SOP -> the titles of the Grafana rules whose `sop_ref` names it: rules of services that no Prometheus has, and the generated ones."""
    found: dict[str, set[str]] = {}
    for path in sorted((dist / "grafana").rglob("*.json")):
        for group in json.loads(path.read_text(encoding="utf-8")).get("groups", []):
            for rule in group["rules"]:
                if "sop_ref" in rule.get("annotations", {}):
                    found.setdefault(rule["annotations"]["sop_ref"].partition("#")[0], set()).add(
                        rule["title"]
                    )
    return found


def one_way(root: Path, dist: Path) -> list[str]:
    """Every SOP page that does not list exactly its alerts, and every stub that does not lead back."""
    site, found = dist / "site", []
    names = fired_names(dist)
    wanted, provided = authored(root), provisioned(dist)
    for page in sorted((site / "sop").glob("*/index.html")):
        sop = page.parent.name
        stubs = {_below(site, page, each) for each in read_page(page).targets}
        listed = {unquote(each[2:].strip("/")) for each in stubs if each.startswith("a/") and each != "a/"}
        expected = {name for id in wanted.get(sop, set()) for name in names.get(id, set())}
        expected |= provided.get(sop, set())
        for name in sorted(expected - listed):
            found.append(f"{sop}: does not list {name}")
        for name in sorted(listed - expected):
            found.append(f"{sop}: lists {name}, whose sop_ref does not name it")
        for name in sorted(expected & listed):
            stub = page_at(site, f"a/{name}")
            if not stub.is_file():
                found.append(f"{sop}: {name} has no stub")
            elif f"sop/{sop}/" not in {_below(site, stub, each) for each in read_page(stub).targets}:
                found.append(f"{name}: its stub does not lead back to {sop}")
    for sop in sorted(wanted):
        if not (site / "sop" / sop / "index.html").is_file():
            found.append(f"{sop}: named by alerts, and has no page")
    return found


def _below(site: Path, page: Path, target: str) -> str:
    """The address below the site's root that a link on a page leads to; the target itself where it leads elsewhere."""
    base = "http://site/" + page.relative_to(site).as_posix().removesuffix("index.html")
    parts = urlsplit(urljoin(base, target))
    return parts.path.lstrip("/") if parts.netloc == "site" else target


def faults(root: Path, dist: Path, url: str) -> list[str]:
    """Everything that does not hold."""
    return [*dead_links(dist, url), *one_way(root, dist)]
