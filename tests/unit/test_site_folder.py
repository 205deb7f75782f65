"""What stands in `site/`: pages, styles and images are read; what could run code is a finding and goes nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tocsin.disk.files import read_image, read_tree, stat_tree
from tocsin.emit.site import paths
from tocsin.pipeline.site import TAKEN


def test_pages_styles_and_images_are_read(tmp_path: Path) -> None:
    site = tmp_path / "site" / "img"
    site.mkdir(parents=True)
    (site.parent / "guide.md").write_text("# Guide\n")
    (site.parent / "ours.css").write_text("h1 {}\n")
    (site / "x.PNG").write_bytes(b"\x89PNG")
    tree = read_tree(tmp_path)
    assert [each.path for each in tree.site] == ["site/guide.md", "site/ours.css"]
    assert tree.images == ("site/img/x.PNG",) and tree.diagnostics == ()
    assert read_image(tmp_path, "site/img/x.PNG") == b"\x89PNG"
    assert {row[0] for row in stat_tree(tmp_path)} == {"site/guide.md", "site/ours.css", "site/img/x.PNG"}


@pytest.mark.parametrize(
    "name",
    [
        "mkdocs.yml",
        "mkdocs.YAML",
        "hook.py",
        "overrides/main.html",
        "x.svg",
        "x.js",
        "x.jinja",
        "data.bin",
        "Makefile",
    ],
)
def test_anything_else_is_a_finding_and_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "site" / name
    path.parent.mkdir(parents=True)
    path.write_text("x\n")
    tree = read_tree(tmp_path)
    assert [(each.code, each.span.file) for each in tree.diagnostics] == [("TOC119", f"site/{name}")]
    assert tree.site == () and tree.images == ()


def test_an_image_that_leads_out_is_a_finding_and_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    (root / "site").mkdir(parents=True)
    (tmp_path / "secret.png").write_bytes(b"secret")
    (root / "site" / "x.png").symlink_to(tmp_path / "secret.png")
    tree = read_tree(root)
    assert [each.code for each in tree.diagnostics] == ["TOC114"] and tree.images == ()
    assert read_image(root, "site/x.png") is None
    assert read_image(root, "../secret.png") is None


def test_an_image_too_large_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "x.png").write_bytes(b"0" * 2_000_001)
    tree = read_tree(tmp_path)
    assert [each.code for each in tree.diagnostics] == ["TOC115"] and tree.images == ()


def test_every_address_of_the_site_s_own_is_taken() -> None:
    own = [
        value for name, value in vars(paths).items() if name.isupper() and isinstance(value, str) and value
    ]
    assert len(own) > 8
    assert {each.partition("/")[0] for each in own} <= TAKEN
