"""`tocsin adopt` and `tocsin init` at the command line: what they write, what they say, how they end."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tocsin.cli import main

RULES = "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0, labels: {severity: critical}}\n  - {alert: Bad, expr: sum(up}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, with somebody's rules beside it."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "web.yml").write_text(RULES, encoding="utf-8")
    repository = tmp_path / "shop"
    repository.mkdir()
    monkeypatch.chdir(repository)
    return repository


def files(folder: Path) -> dict[str, str]:
    return {
        each.relative_to(folder).as_posix(): each.read_text() for each in folder.rglob("*") if each.is_file()
    }


def test_adopt_writes_sources_a_project_and_schemas_and_names_what_it_refuses(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["adopt", "prometheus", "../theirs", "--format", "json"])

    out, err = capsys.readouterr()
    (finding,) = json.loads(out)["findings"]
    assert code == 1, "a rule was refused"
    assert (finding["code"], finding["file"], finding["line"]) == ("TOC813", "../theirs/web.yml", 5)
    assert "carried 1 of 2 rules" in err
    assert {"tocsin.yaml", "rules/web/alerts.yaml", ".tocsin/schemas/rules.schema.json"} <= set(files(here))
    assert main(["check"]) == 0


def test_a_second_run_changes_nothing(here: Path) -> None:
    main(["adopt", "prometheus", "../theirs"])
    before = files(here)

    main(["adopt", "prometheus", "../theirs", "."])

    assert files(here) == before


def test_a_folder_without_rules_is_said_to_be_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "empty").mkdir()
    os.mkfifo(here / "empty" / "pipe.yaml")

    assert main(["adopt", "prometheus", "empty"]) == 0
    assert (
        "no rules were found; a folder's files are read where they end in .yaml, .yml"
        in capsys.readouterr().err
    )

    (here / "empty" / "board.yaml").write_text("title: Board\n")
    assert main(["adopt", "prometheus", "empty"]) == 0
    assert "1 document without rules of a Prometheus\n" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["adopt", "prometheus", "../theirs", "--dry-run"])

    assert files(here) == {}
    assert "  rules/web/alerts.yaml" in capsys.readouterr().err


def test_options_reach_the_sources(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "adopt",
            "prometheus",
            "../theirs",
            "--service",
            "shop",
            "--owner",
            "sre",
            "--severity-map",
            "critical=P1",
            "--label",
            "rule_id",
        ]
    )

    made = files(here)
    assert "owner: sre" in made["rules/shop/web.yaml"] and "severity: P1" in made["rules/shop/web.yaml"]
    assert "inject: [rule_id]" in made["tocsin.yaml"]
    assert "starts the state of all of them anew" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--into", "elsewhere"],
        ["--service", "Not A Name"],
        ["--severity-map", "critical"],
        ["--label", "none", "--label", "rule_id"],
        ["--label", "nonsense"],
    ],
)
def test_a_wrong_command_line_ends_with_2_and_writes_nothing(here: Path, options: list[str]) -> None:
    assert main(["adopt", "prometheus", "../theirs", *options]) == 2
    assert files(here) == {}


def test_originals_inside_the_rules_folder_are_not_overwritten(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "rules" / "web").mkdir(parents=True)
    (here / "rules" / "web" / "alerts.yaml").write_text(RULES, encoding="utf-8")

    main(["adopt", "prometheus", "rules"])

    assert (here / "rules" / "web" / "alerts.yaml").read_text() == RULES
    assert "# Adopted from rules/web/alerts.yaml" in (here / "rules" / "web" / "alerts-2.yaml").read_text()
    assert "remove them" in capsys.readouterr().err


def test_a_file_that_is_no_text_or_far_too_wide_is_a_finding(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here.parent / "theirs" / "binary.yml").write_bytes(b"groups: \xff\xfe\x00")
    (here.parent / "theirs" / "wide.json").write_text('{"groups": "' + "x" * 1_000_001 + '"}')

    main(["adopt", "prometheus", "../theirs", "--format", "json"])

    found = {(each["file"], each["code"]) for each in json.loads(capsys.readouterr().out)["findings"]}
    assert {("../theirs/binary.yml", "TOC110"), ("../theirs/wide.json", "TOC816")} <= found


def test_hidden_folders_links_and_compiled_output_are_not_read(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = here.parent / "theirs"
    (theirs / ".git").mkdir()
    (theirs / ".git" / "x.yml").write_text(RULES)
    (theirs / "link.yml").symlink_to(theirs / "web.yml")
    (theirs / "dist").mkdir()
    (theirs / "dist" / ".tocsin-files").write_text("")
    (theirs / "dist" / "x.yml").write_text(RULES)

    main(["adopt", "prometheus", "../theirs"])

    assert "carried 1 of 2 rules" in capsys.readouterr().err


def test_adopting_into_a_project_that_adds_labels_by_default_asks_first(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["init"])

    assert main(["adopt", "prometheus", "../theirs"]) == 2
    assert "--label none" in capsys.readouterr().err
    assert not (here / "rules" / "theirs").exists()


def test_init_makes_a_repository_that_passes_check(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init"]) == 0
    before = files(here)
    assert main(["check"]) == 0
    assert "TOC611" in capsys.readouterr().out, "the stub is said to be one"

    assert main(["init"]) == 0
    assert files(here) == before, "nothing that exists is changed"


def test_a_bare_init_is_a_project_file_and_empty_folders(here: Path) -> None:
    assert main(["init", "--bare"]) == 0

    made = [each for each in files(here) if not each.startswith(".tocsin/")]
    assert sorted(made) == [
        ".gitignore",
        "incidents/.gitkeep",
        "rules/.gitkeep",
        "sops/.gitkeep",
        "tocsin.yaml",
    ]
    assert main(["check"]) == 0
    main(["adopt", "prometheus", "../theirs"])
    assert main(["check"]) == 0


def test_init_keeps_a_project_file_that_is_there(here: Path) -> None:
    (here / "tocsin.yaml").write_text("# mine\n")

    main(["init", "--bare"])

    assert (here / "tocsin.yaml").read_text() == "# mine\n"


def test_nothing_is_written_through_a_link(here: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (here / "rules").symlink_to(tmp_path / "outside")

    assert main(["init"]) == 3
    assert list((tmp_path / "outside").iterdir()) == []
