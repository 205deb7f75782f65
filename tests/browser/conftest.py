"""What the browser tests share: one Chromium, and the built sites it looks at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.browser import sites
from tests.browser.chromium import running_chromium, serving


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def starter_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of this repository's own rules and SOPs."""
    return sites.build(sites.ROOT, tmp_path_factory.mktemp("starter")) / "site"


@pytest.fixture(scope="session")
def starter(starter_folder: Path) -> Iterator[str]:
    with serving(starter_folder) as address:
        yield address


@pytest.fixture(scope="session")
def hostile_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of `project/`: its texts attack their reader."""
    return sites.build(sites.HOSTILE, tmp_path_factory.mktemp("hostile")) / "site"


@pytest.fixture(scope="session")
def hostile(hostile_folder: Path) -> Iterator[str]:
    with serving(hostile_folder) as address:
        yield address
