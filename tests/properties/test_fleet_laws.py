"""The check that remembers and forks says exactly what the pipeline says: cold, warm, and after every edit.

A cache that lies is worse than none, so a repository is edited step by step, as a person would and as nobody
would, while one cache goes through all of it; after each step its answer is held against a compilation from
nothing.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.properties.strategies import PROJECT, Texts, broken, plain, repositories, seed, sources

from tocsin import pipeline
from tocsin.cli import fleet
from tocsin.disk import fork
from tocsin.disk.cache import Cache
from tocsin.pipeline import compile_sources

TODAY = date(2026, 11, 1)
ROOT = Path("repository")
SLOW = [
    HealthCheck.too_slow,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
    HealthCheck.function_scoped_fixture,
]
few = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=SLOW,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)
Edit = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Watched:
    """Which services were compiled, and which pages read, in this process."""

    services: list[str]
    pages: list[str]


@pytest.fixture(params=["one process", "two processes"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the work is done, whatever this machine and the size of the repository would make of it."""
    two = request.param == "two processes"
    monkeypatch.setattr(fleet, "WORTH_FORKING", 0 if two else 10**12)
    monkeypatch.setattr(fleet, "cores", lambda: 2 if two else 1)
    assert not two or fork.cores() >= 1
    return str(request.param)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """What the check does again, to see that it remembers the rest."""
    seen = Watched(services=[], pages=[])
    compile_service, load_page = pipeline.compile_service, pipeline.load_page

    def compiling(loaded: Any, *rest: Any, **more: Any) -> Any:
        seen.services.append(loaded.service)
        return compile_service(loaded, *rest, **more)

    def loading(file: Any, *rest: Any) -> Any:
        seen.pages.append(file.path)
        return load_page(file, *rest)

    monkeypatch.setattr(fleet, "compile_service", compiling)
    monkeypatch.setattr(fleet, "load_page", loading)
    return seen


def agree(texts: Texts, cache: Cache, today: date = TODAY) -> None:
    """The remembering check against the pipeline, twice: the second time everything is known."""
    whole = compile_sources(sources(texts), today)
    wanted = (whole.diagnostics, whole.frozen)
    for _ in range(2):
        checked = fleet.check(sources(texts), today, cache, ROOT)
        assert (checked.diagnostics, checked.frozen) == wanted
        assert checked.fail_on == (whole.settings.project.fail_on if whole.settings is not None else None)


# Edits ------------------------------------------------------------------------------------------------------


def _alert(repository: dict[str, Any]) -> dict[str, Any]:
    alert: dict[str, Any] = repository["rules/queue/depth.yaml"]["groups"][0]["rules"][0]
    return alert


def _records(repository: dict[str, Any]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = repository["rules/traffic/totals.yaml"]["groups"][0]["rules"]
    return records


def _replace(path: str, old: str, new: str) -> Edit:
    def edit(repository: dict[str, Any]) -> None:
        assert old in repository[path]
        repository[path] = repository[path].replace(old, new)

    return edit


def _set(path: str, *steps: Any, value: Any) -> Edit:
    def edit(repository: dict[str, Any]) -> None:
        node = repository[path]
        for step in steps[:-1]:
            node = node[step]
        node[steps[-1]] = value

    return edit


def _drop(*paths: str) -> Edit:
    def edit(repository: dict[str, Any]) -> None:
        for path in paths:
            del repository[path]

    return edit


def _add(path: str, value: Any) -> Edit:
    return lambda repository: repository.update({path: value})


_QUEUE_SOP = "sops/queue/SOP-QUEUE-001.md"
_SHOP_SOP = "sops/shop/SOP-SHOP-001.md"
_RULE = ("groups", 0, "rules", 0)
_OTHER: dict[str, Any] = {
    "version": 1,
    "service": "other",
    "groups": [
        {
            "name": "other",
            "rules": [
                {"alert": "Other", "id": "Queue-Deep", "expr": "up == 0", "severity": "P2", "summary": "x"}
            ],
        }
    ],
}

EDITS: dict[str, tuple[Edit, str]] = {
    # A rule file: (the edit, a code that comes with it).
    "threshold": (_set("rules/queue/depth.yaml", *_RULE, "expr", value="up > "), "TOC401"),
    "broken rule file": (_set("rules/queue/depth.yaml", "groups", value=7), "TOC203"),
    "label gone": (_set("rules/queue/depth.yaml", *_RULE, "expr", value="sum(queue_depth) > 1"), "TOC503"),
    "owner": (_set("rules/queue/depth.yaml", "owner", value="team-none"), "TOC508"),
    "comment": (_add("rules/queue/new.yaml", "# tocsin: ignore[TOC401]\nversion: 1\nservice: queue\ngroups: []\n"), "TOC222"),
    "same group twice": (
        _add("rules/queue/again.yaml", {"version": 1, "service": "queue", "groups": [{"name": "depth", "rules": []}]}),
        "TOC303",
    ),
    "kept test": (_add("rules/queue/kept.promtool.yaml", "tests: {"), "TOC101"),
    "level": (_set("rules/shop/errors.yaml", "groups", 0, "rules", 1, "levels", "page", "limit", value=0), "TOC407"),
    # Another service.
    "id of another service": (_add("rules/other/other.yaml", _OTHER), "TOC302"),
    "record without the label": (
        _set("rules/traffic/totals.yaml", "groups", 0, "rules", 0, "expr", value="sum by (job) (rate(requests_total[5m]))"),
        "TOC503",
    ),
    "record in another group": (
        _set("rules/traffic/totals.yaml", "groups", 0, "interval", value="7m"),
        "TOC414",
    ),
    "file of records gone": (_drop("rules/traffic/totals.yaml"), ""),
    "service gone": (_drop("rules/queue/depth.yaml"), "TOC604"),
    "service gone for good": (
_drop("rules/queue/depth.yaml", "rules/queue/kept.promtool.yaml"),
        "TOC213",
    ),
    # Pages.
    "section gone": (_replace(_QUEUE_SOP, "## Mitigate", "## Elsewhere"), "TOC602"),
    "demanded section gone": (_replace(_QUEUE_SOP, "## Confirm", "## Elsewhere"), "TOC609"),
    "SOP deprecated": (_replace(_QUEUE_SOP, "status: active", "status: deprecated"), "TOC605"),
    "SOP replaced": (_replace(_QUEUE_SOP, "status: active", "status: deprecated\nreplaced_by: SOP-SHOP-001"), "TOC605"),
    "SOP a stub": (_replace(_QUEUE_SOP, "status: active", "status: active\nstub: true"), "TOC611"),
    "SOP renamed": (_replace(_QUEUE_SOP, "id: SOP-QUEUE-001", "id: SOP-QUEUE-002"), "TOC601"),
    "SOP gone": (_drop(_QUEUE_SOP), "TOC601"),
    "SOP moved down a line": (_replace(_QUEUE_SOP, "---\nid", "---\n# a comment\nid"), ""),
    "SOP twice": (lambda it: it.update({"sops/shop/SOP-QUEUE-001.md": it[_QUEUE_SOP]}), "TOC606"),
    "translation of nothing": (
        _replace("sops/shop/SOP-SHOP-001.zh.md", "of: SOP-SHOP-001", "of: SOP-NONE-001"),
        "TOC608",
    ),
    "link to nothing": (_replace(_SHOP_SOP, "SOP-QUEUE-001.md#mitigate", "SOP-QUEUE-009.md"), "TOC615"),
    "incident without alert": (_replace("incidents/INC-2026-001.md", "shop-errors", "shop-warnings"), "TOC617"),
    "incident gone": (_drop("incidents/INC-2026-001.md"), "TOC617"),
    "broken page": (_replace(_QUEUE_SOP, "---\n\n", "\n\n"), "TOC116"),
    # tocsin.yaml.
    "policy": (_set(PROJECT, "severities", "P2", "requires", value=["flow", "sop", "test"]), "TOC614"),
    "section demanded": (_set(PROJECT, "severities", "P2", "sop_sections", value=["rollback"]), "TOC609"),
    "check off": (_set(PROJECT, "checks", value={"TOC414": "off"}), ""),
    "check worse": (_set(PROJECT, "checks", value={"TOC414": "error"}), "TOC414"),
    "fail on": (_set(PROJECT, "fail_on", value="note"), ""),
    "parameter unused": (_set(PROJECT, "params", "nobody", value=1), "TOC405"),
    "parameter gone": (_set(PROJECT, "params", value={"window": "5m"}), "TOC404"),
    "environment": (
        _set(PROJECT, "environments", "dev", value={"evaluators": [{"name": "main", "kind": "prometheus", "version": "2.42"}]}),
        "TOC404",
    ),
    "shared folder": (_set(PROJECT, "environments", "prod", "folder", value="Alerts"), ""),
    "limit of all": (
        _set(PROJECT, "environments", "staging", "evaluators", value=[{"name": "main", "kind": "mimir", "version": "3.0", "limits": {"groups_per_tenant": 1}}]),
        "TOC706",
    ),
    "evaluation SOP": (_set(PROJECT, "environments", "prod", "evaluation_failing_sop", value="SOP-NONE-001"), "TOC601"),
    "no project": (_drop(PROJECT), "TOC207"),
    "broken project": (_set(PROJECT, "project", value=[1]), "TOC203"),
    "ledger": (_add("releases.json", "{"), ""),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
def test_after_an_edit_and_after_it_is_taken_back(what: str, processes: str, tmp_path: Path) -> None:
    cache = Cache(folder=tmp_path / "version")
    edit, code = EDITS[what]
    before, after = seed(), seed()
    edit(after)
    agree(plain(before), cache)
    agree(plain(after), cache)
    agree(plain(before), cache)
    found = {each.code for each in compile_sources(sources(plain(after)), TODAY).diagnostics}
    assert not code or code in found, found
    if code not in ("", "TOC414"):
        # An edit that changes no finding would show nothing.
        assert code not in {each.code for each in compile_sources(sources(plain(before)), TODAY).diagnostics}


@few
@given(steps=st.lists(st.sampled_from(sorted(EDITS)), min_size=2, max_size=6), number=st.integers(0, 2**32))
def test_after_any_edits_one_upon_another(processes: str, steps: list[str], number: int) -> None:
    chance = random.Random(number)
    with TemporaryDirectory() as folder:
        cache, repository, today = Cache(folder=Path(folder) / "version"), seed(), TODAY
        for step in steps:
            try:
                EDITS[step][0](repository)
            except (KeyError, IndexError, TypeError, AssertionError):
                # What it would change is no longer there: start over, with the cache as it is.
                repository = seed()
            if chance.random() < 0.2:
                today += timedelta(days=200)
            agree(plain(repository), cache, today)


@few
@given(repositories().map(plain), broken(), broken())
def test_over_repositories_that_have_nothing_in_common(
    processes: str, one: Texts, two: Texts, three: Texts
) -> None:
    with TemporaryDirectory() as folder:
        cache = Cache(folder=Path(folder) / "version")
        for texts in (one, two, three, one):
            agree(texts, cache)


def test_what_did_not_change_is_not_done_again(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that remembers nothing would agree with the pipeline, too."""
    monkeypatch.setattr(fleet, "WORTH_FORKING", 10**12)
    cache, repository = Cache(folder=tmp_path / "version"), seed()
    fleet.check(sources(plain(repository)), TODAY, cache, ROOT)
    assert sorted(watched.services) == ["queue", "shop", "traffic"]
    assert len(watched.pages) == 4
    done: dict[str, tuple[list[str], list[str]]] = {}
    steps: dict[str, Edit] = {
        "nothing": lambda it: None,
        "a rule": _set("rules/queue/depth.yaml", *_RULE, "for", value="11m"),
        "words of a page": _replace(_QUEUE_SOP, "kubectl get pods", "kubectl get all"),
        "a section": _replace(_QUEUE_SOP, "## Mitigate", "## Mitigate\n\n## Rollback"),
        "a record": _set(
            "rules/traffic/totals.yaml", *_RULE, "expr", value="sum by (job, zone) (rate(r[5m]))"
        ),
        "the project": _set(PROJECT, "site", "name", value="Books"),
    }
    for name, step in steps.items():
        watched.services.clear()
        watched.pages.clear()
        step(repository)
        fleet.check(sources(plain(repository)), TODAY, cache, ROOT)
        done[name] = (sorted(watched.services), [Path(each).stem for each in watched.pages])
    everything = ["queue", "shop", "traffic"]
    assert done["nothing"] == ([], [])
    assert done["a rule"] == (["queue"], [])
    assert done["words of a page"] == ([], ["SOP-QUEUE-001"])
    assert done["a section"] == (everything, ["SOP-QUEUE-001"])
    assert done["a record"] == (everything, [])
    assert done["the project"][0] == everything
    assert len(done["the project"][1]) == 4


def test_the_second_process_does_half(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were nothing ever done there, the two processes above would be one."""
    monkeypatch.setattr(fleet, "WORTH_FORKING", 0)
    monkeypatch.setattr(fleet, "cores", lambda: 2)
    fleet.check(sources(plain(seed())), TODAY, Cache(folder=tmp_path / "version"), ROOT)
    assert watched.services == ["queue", "traffic"]
    assert len(watched.pages) == 2


@pytest.mark.parametrize("blind", ["_key", "_world", "_ground"])
def test_a_memory_that_overlooks_something_is_noticed(
    blind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what tells one state of a repository from another stays the same. Some edit must show it."""
    monkeypatch.setattr(fleet, "WORTH_FORKING", 10**12)
    monkeypatch.setattr(fleet, blind, lambda *_: "the same")
    noticed = []
    for what, (edit, _) in EDITS.items():
        cache, repository = Cache(folder=tmp_path / what / "version"), seed()
        agree(plain(repository), cache)
        edit(repository)
        try:
            agree(plain(repository), cache)
        except AssertionError:
            noticed.append(what)
    assert len(noticed) >= 4, noticed


def test_a_damaged_memory_is_none(processes: str, tmp_path: Path) -> None:
    cache, texts = Cache(folder=tmp_path / "version"), plain(seed())
    agree(texts, cache)
    for kept in [path for path in tmp_path.rglob("*") if path.is_file()]:
        data = bytearray(kept.read_bytes())
        data[len(data) // 2] ^= 0xFF
        kept.write_bytes(data)
    agree(texts, cache)


def test_no_cache_and_a_cache_that_cannot_be_written_are_as_good(processes: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    agree(plain(seed()), Cache(folder=None))
    agree(plain(seed()), Cache(folder=tmp_path / "file" / "below"))


def test_another_tocsin_project_file_or_day_shares_nothing(
    watched: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "WORTH_FORKING", 10**12)
    cache, texts = Cache(folder=tmp_path / "version"), plain(seed())
    for today, version in ((TODAY, "1"), (TODAY, "2"), (TODAY + timedelta(days=1), "2")):
        watched.services.clear()
        monkeypatch.setattr(fleet, "__version__", version)
        fleet.check(sources(texts), today, cache, ROOT)
        assert len(watched.services) == 3
