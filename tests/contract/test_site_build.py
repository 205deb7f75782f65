"""The site on disk: built once, whole or not at all, the same bytes twice, and left alone where nothing changed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from tests.contract.test_site_links import copy_of_sources

from tocsin.cli import main
from tocsin.diag import SourceFile
from tocsin.disk import site as disk
from tocsin.emit.site.prose import render_body
from tocsin.errors import MachineError
from tocsin.ir.artifact import Artifact
from tocsin.source.markdown import read_body

TODAY = "2026-11-21"
MKDOCS = "site_name: x\ntheme: {name: material, font: false}\nplugins: []\n"
STRICT = "validation: {links: {anchors: warn, not_found: warn}}\n"


def small(body: str, *more: Artifact) -> disk.Plan:
    """A plan of one page."""
    files = [
        Artifact(path="en/mkdocs.yml", text=MKDOCS + STRICT),
        Artifact(path="en/docs/index.md", text=f"# Home\n\n{body}\n"),
        *more,
    ]
    return disk.plan(files, {"en/docs/x.png": b"png"}, root="en", version="1", maker="m")


def finish(html: str, path: str, theme: str) -> tuple[str, tuple[str, ...]]:
    return html.replace("<head>", "<head><!-- finished -->"), ("bad page",) if "REFUSED" in html else ()


def build(plan: disk.Plan, out: Path, name: str = "site") -> bool:
    return disk.build(plan, out, finish, lambda text: text, name=name)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        each.relative_to(folder).as_posix(): each.read_bytes() for each in folder.rglob("*") if each.is_file()
    }


def test_two_builds_in_two_places_are_byte_for_byte_the_same(tmp_path: Path) -> None:
    sites = []
    for name, seed in (("a", "1"), ("b/deeper", "2")):
        root = tmp_path / name
        root.parent.mkdir(exist_ok=True)
        copy_of_sources(root)
        done = subprocess.run(
            [sys.executable, "-m", "tocsin", "build", str(root), "--today", TODAY, "--min-severity", "error"],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin", "TOCSIN_CACHE": str(tmp_path / "cache")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        sites.append(tree(root / "dist" / "site"))
    assert len(sites[0]) > 100 and sites[0] == sites[1]
    pages = [text for path, text in sites[0].items() if path.endswith(".html")]
    assert len(pages) > 50 and all(b'http-equiv="Content-Security-Policy"' in each for each in pages)
    assert "assets/tocsin/mermaid.min.js" in sites[0] and "zh/assets/tocsin/tocsin.css" not in sites[0]
    assert not any(path.endswith(".map") for path in sites[0])


def test_nothing_changed_nothing_built(tmp_path: Path) -> None:
    assert build(small("text"), tmp_path) is True
    before = (tmp_path / "site").stat().st_ino
    assert build(small("text"), tmp_path) is False
    assert (tmp_path / "site").stat().st_ino == before
    assert build(small("other text"), tmp_path) is True


def test_a_file_that_went_missing_is_built_again(tmp_path: Path) -> None:
    build(small("text"), tmp_path)
    (tmp_path / "site" / "index.html").unlink()
    assert build(small("text"), tmp_path) is True and (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("body", ["[x](gone.md)", "[x](#gone)", "REFUSED"])
def test_a_dead_link_keeps_the_old_site_and_ends_with_1(tmp_path: Path, body: str) -> None:
    build(small("old"), tmp_path)
    before = tree(tmp_path / "site")
    with pytest.raises(disk.SiteError) as raised:
        build(small(body), tmp_path)
    assert raised.value.exit_code == 1
    assert "index.md" in raised.value.message or "bad page" in raised.value.message
    assert tree(tmp_path / "site") == before


def test_every_heading_has_the_anchor_the_checks_know(tmp_path: Path) -> None:
    """Repeated headings, underscores, odd ids: the generator, which compares links with ids in strict mode, agrees with our own reading."""
    headings = [
        "Twice",
        "Twice",
        "Twice",
        "check_http is red",
        "`__init__` fails",
        "__x__",
        "!!!",
        "网络",
        "网络",
        "a___b_c___d",
    ]
    headings += ["own {#_own_}", "quoted {#a'b\"c`d}", "angle {#<b>&amp;*x*}", "dots {#a.b:c}"]
    source = "\n\n".join(f"## {each}" for each in headings)
    anchors = [each.anchor for each in read_body(SourceFile(path="x.md", text=source), source, 1).sections]
    links = "\n\n".join(f"[to](<#{each}>)" for each in anchors if re.fullmatch(r"[\w-]+", each))
    text = f"{source}\n\n{links}\n"
    body = render_body(read_body(SourceFile(path="x.md", text=text), text, 1), resolve=lambda target: target)
    given = (
        small(body).files["en/mkdocs.yml"].decode()
        + "markdown_extensions: [attr_list, {toc: {permalink: true}}]\n"
    )
    plan = disk.plan(
        [
            Artifact(path="en/mkdocs.yml", text=given),
            Artifact(path="en/docs/index.md", text=f"# Home\n\n{body}"),
        ],
        {},
        root="en",
        version="1",
        maker="m",
    )
    assert build(plan, tmp_path) is True
    html = (tmp_path / "site/index.html").read_text()
    ids = [unescape(each) for each in re.findall(r'\bid="([^"]*)"', html)]
    assert all(ids.count(each) == 1 for each in anchors), [each for each in anchors if ids.count(each) != 1]


def test_static_files_lie_over_the_pages_and_are_finished(tmp_path: Path) -> None:
    build(small("x", Artifact(path="static/a/X/index.html", text="<head></head>")), tmp_path)
    assert (tmp_path / "site/a/X/index.html").read_text() == "<head><!-- finished --></head>"
    assert "<!-- finished -->" in (tmp_path / "site/index.html").read_text()
    assert (tmp_path / "site/x.png").read_bytes() == b"png"


def test_no_title_keeps_a_page_from_the_last_pass(tmp_path: Path) -> None:
    title = 'http-equiv="Content-Security-Policy" and "</html>"'
    page = Artifact(path="en/docs/odd.md", text=f"---\ntitle: '{title}'\n---\n\n# Odd\n")
    build(small("x", page), tmp_path)
    assert "<!-- finished -->" in (tmp_path / "site/odd/index.html").read_text()


def test_work_for_the_time_of_the_generator_is_done_once_and_only_where_a_site_is_built(
    tmp_path: Path,
) -> None:
    done: list[str] = []

    def built() -> bool:
        return disk.build(
            small("x"), tmp_path, finish, lambda text: text, meanwhile=lambda: done.append("work")
        )

    assert built() is True and done == ["work"]
    assert built() is False and done == ["work"]


def test_an_interrupted_swap_is_mended(tmp_path: Path) -> None:
    build(small("old"), tmp_path)
    before = tree(tmp_path / "site")
    (tmp_path / "site").rename(tmp_path / ".work" / "old")
    assert build(small("old"), tmp_path) is False
    assert tree(tmp_path / "site") == before


def test_a_folder_that_is_no_site_of_ours_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine.txt").write_text("mine")
    with pytest.raises(MachineError, match="did not build"):
        build(small("x"), tmp_path)
    assert (tmp_path / "site" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["site", ".work"])
def test_nothing_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    out, elsewhere = tmp_path / "dist", tmp_path / "elsewhere"
    out.mkdir()
    elsewhere.mkdir()
    (out / name).symlink_to(elsewhere)
    with pytest.raises(MachineError, match="symbolic link"):
        build(small("x"), out)
    assert list(elsewhere.iterdir()) == []


def test_two_builds_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    with disk.locked(tmp_path / ".work"), pytest.raises(MachineError, match="another tocsin"):
        build(small("x"), tmp_path)


def test_a_missing_generator_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "_PROGRAMS", ("no-such-program",))
    with pytest.raises(MachineError) as raised:
        small("x")
    assert "tocsin[site]" in raised.value.help and "--no-site" in raised.value.help


def test_check_compares_and_a_pack_holds_one_team(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = copy_of_sources(tmp_path / "repository")
    words = [str(root), "--today", TODAY, "--min-severity", "error"]
    assert main(["build", *words, "--pack", "team-streaming"]) == 0
    pack = root / "dist/pack/team-streaming"
    assert sorted(each.name for each in (pack / "sop").glob("*.html") if each.name != "index.html") == [
        "SOP-KAFKA-007.html",
        "SOP-KAFKA-008.html",
    ]
    assert (pack / "print.html").is_file() and (pack / "card.html").is_file()
    assert not (root / "dist/site").exists() and not (root / "dist/prometheus").exists()
    assert main(["build", *words, "--pack", "team-streaming", "--check"]) == 0
    shutil.rmtree(pack)
    assert main(["build", *words, "--pack", "team-streaming", "--check"]) == 1
    assert main(["build", *words, "--pack", "nobody"]) == 2
    assert "there is no team `nobody`" in capsys.readouterr().err


def test_a_generator_that_waits_makes_the_same_site(tmp_path: Path) -> None:
    plan = small("words")
    assert build(plan, tmp_path / "one")
    with disk.waiting(tmp_path) as ready:
        assert disk.build(plan, tmp_path / "two", finish, lambda text: text, ready=ready)
        assert not ready.runs()
    assert tree(tmp_path / "one" / "site") == tree(tmp_path / "two" / "site")


def test_a_generator_nobody_needed_ends(tmp_path: Path) -> None:
    with disk.waiting(tmp_path) as ready:
        assert ready.runs()
    assert not ready.runs()


def test_many_pages_have_a_generator_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tocsin.cli import build as command

    root = tmp_path / "repository"
    copy_of_sources(root)
    monkeypatch.setattr(command, "_MANY", 0)
    started = []
    early = command._early
    monkeypatch.setattr(
        command, "_early", lambda stack, top: started.append(early(stack, top)) or started[-1]
    )
    assert main(["build", "--min-severity", "error", str(root)]) == 0
    assert len(started) == 1 and not started[0].runs()
    assert (root / "dist/site/sop/SOP-KAFKA-007/index.html").is_file()
