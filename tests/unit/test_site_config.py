"""The generated mkdocs.yml, read back with plain PyYAML: what is in it, and that no value of tocsin.yaml can put more there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from tocsin.diag import SourceFile
from tocsin.emit.catalog import Contents
from tocsin.emit.site.config import mkdocs_yml
from tocsin.emit.site.model import build_model
from tocsin.ir.project import Ledger, Project, Site
from tocsin.project import read_project

PROJECT = """\
version: 1
project: example
site: {url: "https://runbooks.example.com/x", languages: [en, zh]}
environments:
  prod:
    evaluators: [{name: p, kind: prometheus, version: "2.53"}]
"""


def project() -> Project:
    found, problems = read_project(SourceFile(path="tocsin.yaml", text=PROJECT))
    assert found is not None, problems
    return found


def config(language: str = "en", *, pack: bool = False, **site: Any) -> dict[str, Any]:
    base = project()
    changed = replace(base, site=replace(base.site, **site))
    model = build_model(Contents(files=(), every=()), changed, Ledger())
    text = mkdocs_yml(model, language, [("Home", "index.md")], styles=["ours.css"], pack=pack)
    # The one tag is ours, on a line of its own; any other makes the safe reader stop.
    read: dict[str, Any] = yaml.safe_load(
        text.replace("format: !!python/name:pymdownx.superfences.fence_code_format\n", "format: x\n")
    )
    return read


def test_only_search_and_no_fonts() -> None:
    read = config()
    assert [list(each) for each in read["plugins"]] == [["search"]]
    assert read["theme"]["font"] is False
    assert "hooks" not in read and "custom_dir" not in read["theme"] and "repo_url" not in read
    assert read["nav"] == [{"Home": "index.md"}] and read["extra_css"][-1] == "ours.css"


def test_dead_links_and_anchors_are_warnings_so_that_strict_stops() -> None:
    assert set(config()["validation"]["links"].values()) == {"warn"}


def test_chinese_search_splits_where_the_generator_marks_words() -> None:
    search = config("zh")["plugins"][0]["search"]
    assert search["lang"] == ["en", "zh"]
    words = [
        each
        for each in re.split(search["separator"], "消费\u200b组\u200b落后，重启。KafkaConsumerLag")
        if each
    ]
    assert words == ["消费", "组", "落后", "重启", "Kafka", "Consumer", "Lag"]
    assert config("en")["plugins"][0]["search"]["lang"] == ["en"]


def test_each_language_has_its_address_and_one_copy_of_our_files() -> None:
    assert config()["site_url"] == "https://runbooks.example.com/x/"
    zh = config("zh")
    assert zh["site_url"] == "https://runbooks.example.com/x/zh/" and zh["extra_css"][0].startswith(
        "../assets/"
    )
    assert [each["link"] for each in zh["extra"]["alternate"]] == ["../", "../zh/"]


@pytest.mark.parametrize(
    "value",
    [
        "!ENV [HOME]",
        "!!python/object/apply:os.system [id]",
        "x\nhooks: [h.py]",
        "a: b",
        "tocsin-fence-format",
        "format: tocsin-fence-format",
        '"',
        "</title><script>alert(1)</script>",
    ],
)
def test_no_value_becomes_syntax(value: str) -> None:
    read = config(name=value, description=value, copyright=value)
    assert "hooks" not in read
    for key in ("site_name", "site_description", "copyright"):
        assert "<" not in read[key] and read[key].count("\n") == value.count("\n")
    assert read["site_name"].replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"') == value


def test_a_pack_opens_from_disk_with_our_own_worker() -> None:
    read = config(pack=True)
    assert read["use_directory_urls"] is False and "offline" in read["plugins"]
    assert ["iframe-worker" in each and "//" not in each for each in read["extra"]["polyfills"]] == [True]
    assert config()["use_directory_urls"] is True


@pytest.mark.parametrize(
    "site",
    [
        "palette: {primary: '#fff'}",
        "logo: ../secret.png",
        "logo: logo.svg",
        "favicon: /etc/x.png",
        "hooks: [h.py]",
        "theme: {custom_dir: x}",
    ],
)
def test_tocsin_yaml_takes_no_other_setting(site: str) -> None:
    text = PROJECT.replace("languages: [en, zh]", site)
    _, problems = read_project(SourceFile(path="tocsin.yaml", text=text))
    assert any(each.severity.name == "error" and each.span.line == 3 for each in problems)


def test_plain_settings_arrive() -> None:
    text = PROJECT.replace("languages: [en, zh]", "palette: {primary: teal}, logo: img/l.png, copyright: Us")
    found, problems = read_project(SourceFile(path="tocsin.yaml", text=text))
    assert found is not None and problems == ()
    assert found.site == Site(
        url="https://runbooks.example.com/x", primary="teal", logo="img/l.png", copyright="Us"
    )
