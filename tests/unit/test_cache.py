"""The cache: never believed, never in the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tocsin.disk.cache import Cache, open_cache


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    return open_cache("1.0")


def entries(folder: Path) -> list[Path]:
    return sorted(each for each in folder.rglob("*") if each.is_file())


def test_what_is_put_comes_back(cache: Cache) -> None:
    assert cache.get("key") is None
    cache.put("key", b"\0data")
    cache.put("other", b"")
    assert cache.get("key") == b"\0data"
    assert cache.get("other") == b""
    cache.put("key", b"newer")
    assert cache.get("key") == b"newer"


def test_another_version_sees_nothing(cache: Cache) -> None:
    cache.put("key", b"data")
    assert open_cache("1.1").get("key") is None
    assert open_cache("1.0").get("key") == b"data"


@pytest.mark.parametrize("damage", ["", "x", "cut", "flip", "other key"])
def test_a_damaged_entry_is_absent_and_goes(cache: Cache, damage: str) -> None:
    assert cache.folder is not None
    cache.put("key", b"data" * 100)
    (path,) = entries(cache.folder)
    whole = path.read_bytes()
    if damage == "other key":
        cache.put("other", b"data" * 100)
        (other,) = (each for each in entries(cache.folder) if each != path)
        other.replace(path)
    else:
        broken = {"cut": whole[:-1], "flip": whole[:50] + bytes([whole[50] ^ 1]) + whole[51:]}
        path.write_bytes(broken.get(damage, damage.encode()))
    assert cache.get("key") is None
    assert not path.exists()
    cache.put("key", b"again")
    assert cache.get("key") == b"again"


def test_a_folder_that_cannot_be_used_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "file"))
    cache = open_cache("1.0")
    cache.put("key", b"data")
    assert cache.get("key") is None
    assert cache.evict() == 0


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_CACHE", "off")
    cache = open_cache("1.0")
    cache.put("key", b"data")
    assert cache == Cache(folder=None)
    assert cache.get("key") is None


def test_its_place_follows_the_desktop_s_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOCSIN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert open_cache("1.0").folder == tmp_path / "xdg/tocsin/1.0"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_cache("1.0").folder == tmp_path / "home/.cache/tocsin/1.0"


def test_a_folder_that_others_may_write_to_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries are unpickled: whoever may write one may run code."""
    monkeypatch.setenv("TOCSIN_CACHE", str(tmp_path / "cache"))
    open_cache("1.0").put("key", b"data")
    for mode in (0o777, 0o720):
        (tmp_path / "cache/1.0").chmod(mode)
        assert open_cache("1.0").folder is None
    (tmp_path / "cache/1.0").chmod(0o700)
    assert open_cache("1.0").get("key") == b"data"


def test_what_is_unused_longest_goes_first_and_old_versions_before_all(cache: Cache) -> None:
    assert cache.folder is not None
    small = Cache(folder=cache.folder, limit=3_500)
    old = Cache(folder=cache.folder.parent / "0.9")
    old.put("ancient", b"x" * 500)
    for index, key in enumerate(("a", "b", "c", "d")):
        small.put(key, b"x" * 1000)
        newest = max(entries(cache.folder), key=lambda each: each.stat().st_ctime_ns)
        os.utime(newest, (time.time() - 1000 + index,) * 2)
    assert small.get("a") is not None, "a is used again, and so is the newest"
    assert small.evict() == 2
    assert [key for key in "abcd" if small.get(key) is not None] == ["a", "c", "d"]
    assert old.get("ancient") is None
    assert small.evict() == 0


def test_only_entries_are_evicted(cache: Cache) -> None:
    """The folder above may be anybody's: TOCSIN_CACHE names it, and the tests' programs lie in ~/.cache/tocsin."""
    assert cache.folder is not None
    home = cache.folder.parent
    others = [
        home / "real/usr/bin/promtool",
        home / "thesis.tex",
        home / "photos/20/beach.jpg",
        home / "a/b/c/ab" / ("0" * 62),
    ]
    for path in others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
        os.utime(path, (0, 0))
    cache.put("key", b"x")
    assert Cache(folder=cache.folder, limit=0).evict() == 1
    assert cache.get("key") is None
    assert all(path.is_file() for path in others)


def test_an_entry_larger_than_the_whole_is_not_kept(cache: Cache) -> None:
    assert cache.folder is not None
    Cache(folder=cache.folder, limit=10).put("key", b"x" * 11)
    assert entries(cache.folder) == []
