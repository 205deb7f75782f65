"""Addresses that are for ever: what the sources publish, what a release recorded, what is gone, and the aliases that lead on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.test_sop_checks_together import LAG, compiled, sop

from tocsin.check.addresses import alias_address
from tocsin.cli import main
from tocsin.ir.sop import alias_page
from tocsin.pipeline import published

PAGE = "sops/kafka/SOP-KAFKA-001.md"
RULES = "rules/kafka/lag.yaml"
BASE = {PAGE: sop("SOP-KAFKA-001", "error_codes: [E 1]"), RULES: LAG}


def codes(files: dict[str, str], code: str = "TOC634") -> list[str]:
    return [each.message for each in compiled(files).diagnostics if each.code == code]


def ledger(site: dict[str, list[str]]) -> str:
    return json.dumps({"site": site}, indent=2)


def test_every_page_that_is_addressed_is_published() -> None:
    incident = "---\nid: INC-2026-004\ntitle: T\nstart: 2026-10-02T08:00Z\nservices: [orders]\nfound_by: alert\n---\n## Cause\nx\n"
    files = {**BASE, "incidents/INC-2026-004.md": incident}
    assert dict(published(compiled(files))) == {
        "/a/KafkaLagPage/": (), "/a/KafkaLagTicket/": (), "/err/E~201/": (), "/inc/INC-2026-004/": ("cause",),
        "/sop/SOP-KAFKA-001/": ("confirm", "consumers-fall-behind", "mitigate"), "/svc/kafka/": (), "/team/team-streaming/": (),
    }  # fmt: skip


def test_nothing_is_gone_where_everything_is_there() -> None:
    site = {address: list(anchors) for address, anchors in published(compiled(BASE)).items()}
    assert codes({**BASE, "releases.json": ledger(site)}) == []


@pytest.mark.parametrize(
    ("released", "alias"),
    [
        ({"/sop/SOP-KAFKA-009/": ["x"]}, "SOP-KAFKA-009"),
        ({"/sop/SOP-KAFKA-009/": []}, "/sop/SOP-KAFKA-009/"),
        ({"/a/OldName/": []}, "/a/OldName"),
        ({"/svc/old/": []}, "/svc/old/index.html"),
        ({"/sop/SOP-KAFKA-001/": ["confirm", "old-step"]}, "#old-step"),
    ],
)
def test_what_was_released_and_is_gone_is_an_error_until_an_alias_takes_it(
    released: dict[str, list[str]], alias: str
) -> None:
    files = {**BASE, "releases.json": ledger(released)}
    [message] = codes(files)
    assert "was released and is gone" in message
    assert codes({**files, PAGE: sop("SOP-KAFKA-001", f"aliases: ['{alias}']")}) == []
    assert len(codes({**files, PAGE: sop("SOP-KAFKA-001", "aliases: [/another/one, '#another']")})) == 1


def test_the_place_is_the_line_of_the_ledger_or_the_page() -> None:
    text = ledger({"/a/KafkaLagPage/": [], "/a/Old/": [], "/sop/SOP-KAFKA-001/": ["old"]})
    found = [each for each in compiled({**BASE, "releases.json": text}).diagnostics if each.code == "TOC634"]
    assert [(each.span.file, each.span.line) for each in found] == [("releases.json", 4), (PAGE, 2)]


def test_of_a_frozen_service_nothing_is_said_to_be_gone() -> None:
    files = {**BASE, "releases.json": ledger({"/a/Old/": []}), RULES: "version: 1\nservice: [\n"}
    assert codes(files) == []


@pytest.mark.parametrize(
    "text", ['{"site": {"/a/": "abc"}}', '{"site": {"/a/": [1]}}', '{"site": []}', '{"site": {"/a/": null}}']
)
def test_a_ledger_of_another_shape_is_said_to_be_none(text: str) -> None:
    assert len(codes({**BASE, "releases.json": text}, "TOC203")) == 1


@pytest.mark.parametrize(
    "alias",
    [
        "../x",
        "/../x",
        "/a/../b",
        "//evil.test/x",
        "https://evil.test",
        "/a b",
        "/a\\b",
        "",
        "/",
        "/.git/config",
        "/x?y",
        "#",
        "# a",
        "/é",
    ],
)
def test_an_alias_stays_inside_the_site(alias: str) -> None:
    assert alias_address(alias) is None
    assert len(codes({**BASE, PAGE: sop("SOP-KAFKA-001", f"aliases: [{json.dumps(alias)}]")}, "TOC636")) == 1


@pytest.mark.parametrize(
    "alias", ["SOP-KAFKA-001", "/sop/SOP-KAFKA-001/", "/a/kafkalagpage", "#confirm", "/svc/kafka"]
)
def test_an_alias_takes_nothing_from_a_living_page(alias: str) -> None:
    assert len(codes({**BASE, PAGE: sop("SOP-KAFKA-001", f"aliases: ['{alias}']")}, "TOC636")) == 1


def test_two_pages_do_not_claim_one_alias() -> None:
    one, two = (
        sop("SOP-KAFKA-001", "aliases: [/old/lag]"),
        sop("SOP-KAFKA-002", "aliases: [/old/Lag/]\nmanual: true"),
    )
    found = codes({**BASE, PAGE: one, "sops/kafka/SOP-KAFKA-002.md": two}, "TOC636")
    assert found == ["`/old/Lag/` is an alias of `SOP-KAFKA-001` already"]


@pytest.mark.parametrize(
    "alias",
    [
        "SOP-OLD-001",
        "/old/x",
        "/old/x/",
        "/old/x/index.html",
        "../x",
        "//x",
        "/a/../b",
        "#x",
        "/.x",
        "",
        "/",
        "/x.",
    ],
)
def test_the_site_makes_a_page_for_the_aliases_that_count_here(alias: str) -> None:
    site, here = alias_page(alias), alias_address(alias)
    assert (f"/{site}/" if site else None) == here


def test_lock_records_and_keeps_what_was_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_CACHE", "off")
    from tests.unit.test_sop_checks_together import PROJECT

    for path, text in {
        **BASE,
        "tocsin.yaml": PROJECT,
        "releases.json": '{"release": "1.2.0", "rules": {}}',
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    build = ["build", str(tmp_path), "--no-site", "--lock", "--today", "2026-11-21"]
    assert main(build) == 0
    first = json.loads((tmp_path / "releases.json").read_text())
    assert (first["release"], first["rules"]) == ("1.2.0", {})
    assert first["site"]["/sop/SOP-KAFKA-001/"] == ["confirm", "consumers-fall-behind", "mitigate"]
    assert list(first["site"]) == sorted(first["site"])
    stamp = (tmp_path / "releases.json").stat().st_mtime_ns
    assert main(build) == 0
    assert (tmp_path / "releases.json").stat().st_mtime_ns == stamp, "nothing new, nothing written"
    (tmp_path / RULES).write_text(LAG.replace("KafkaLag", "KafkaDelay"))
    (tmp_path / PAGE).write_text(
        sop("SOP-KAFKA-001", "aliases: [/a/KafkaLagPage, /a/KafkaLagTicket]\nerror_codes: [E 1]")
    )
    assert main(build) == 0
    second = json.loads((tmp_path / "releases.json").read_text())
    assert {"/a/KafkaLagPage/", "/a/KafkaDelayPage/"} <= set(second["site"])
    assert main([*build, "--check"]) == 2
    (tmp_path / PAGE).write_text(sop("SOP-KAFKA-001"))
    capsys.readouterr()
    assert main(["check", str(tmp_path), "--today", "2026-11-21"]) == 1
    assert "`/a/KafkaLagPage/` was released and is gone" in capsys.readouterr().out
