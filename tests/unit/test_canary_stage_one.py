"""Stage 1 on a Mimir that keeps groups in memory, and silences of an Alertmanager that answers as it is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.test_canary_overlay import UNTIL, compiled, deployed
from tests.unit.test_sync_mimir import Tenant, running, writes

from tocsin.canary.stages import SOON, abort, began, collect, found, let_go, muted, put, silenced
from tocsin.errors import Ambiguous, MachineError, Refused
from tocsin.wire.live import Silence

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OWNER = "shop/prod_canary"
ID = "c-0123456789"


@dataclass(slots=True)
class Keeper:
    """An Alertmanager. `lost` answers are of silences that are there, `deaf` ones of silences that are not."""

    there: list[Silence] = field(default_factory=list)
    lost: bool = False
    deaf: bool = False
    refuses: bool = False
    created: int = 0

    def silences(self) -> tuple[Silence, ...]:
        return tuple(self.there)

    def create(self, silence: Silence) -> str:
        if self.refuses:
            raise Refused("403", endpoint="POST x", status=403)
        self.created += 1
        id = silence.id or f"s{self.created}"
        if not self.deaf:
            self.there = [each for each in self.there if each.id != id]
            self.there.append(replace(silence, id=id, state="active"))
        if self.lost:
            raise Ambiguous("502", endpoint="POST x")
        return id


def test_one_canary_from_nothing_to_nothing(tmp_path: Path) -> None:
    made, side = compiled(tmp_path / "repo", "mimir")
    group, folder = deployed(made, side)
    keeper = Keeper()
    with running(Tenant(), owner=OWNER) as (target, server):
        assert silenced([keeper], ID, "load-high", UNTIL, 0, NOW, "me") == ("s1",)
        assert put(target, group, folder) and not put(target, group, folder)
        assert writes(server) == ["POST /prometheus/config/v1/rules/tocsin.shop.prod_canary.web"]
        (canary,) = found(target, OWNER)
        assert (canary.id, canary.key) == (ID, "load-high")
        assert collect(target, [keeper], OWNER, UNTIL - timedelta(hours=1)) == ()
        gone, silences = abort(target, [keeper], OWNER, "load-high", NOW)
        assert [each.id for each in gone] == [ID] and silences == 1
        assert found(target, OWNER) == ()
        (silence,) = keeper.there
        assert datetime.fromisoformat(silence.ends_at) == NOW + SOON
        assert abort(target, [keeper], OWNER, "load-high", NOW) == ((), 0)


def test_what_a_run_left_after_its_first_write_is_aborted_too(tmp_path: Path) -> None:
    keeper = Keeper()
    silenced([keeper], ID, "load-high/page", UNTIL, 0, NOW, "me")
    with running(Tenant(), owner=OWNER) as (target, _):
        for name in ("other", "load"):
            assert abort(target, [keeper], OWNER, name, NOW) == ((), 0)
        assert abort(target, [keeper], OWNER, "load-high", NOW) == ((), 1)


def test_gc_takes_what_is_past(tmp_path: Path) -> None:
    made, side = compiled(tmp_path / "repo", "mimir")
    group, folder = deployed(made, side)
    keeper = Keeper()
    silenced([keeper], ID, "load-high", UNTIL, 0, NOW, "me")
    with running(Tenant(), owner=OWNER) as (target, _):
        put(target, group, folder)
        assert [each.id for each in collect(target, [keeper], OWNER, UNTIL)] == [ID]
        assert found(target, OWNER) == () and collect(target, [keeper], OWNER, UNTIL) == ()


def test_a_silence_is_made_once() -> None:
    keeper = Keeper()
    for _ in range(3):
        silenced([keeper], ID, "a", UNTIL, 0, NOW, "me")
    assert keeper.created == 1
    assert began([keeper], ID, NOW) == UNTIL and began([keeper], "c-other", NOW) is None
    assert began([keeper], ID, UNTIL) is None
    assert [(each.id, each.key) for each in muted([keeper])] == [(ID, "a")]
    silenced([keeper], ID, "a", UNTIL + timedelta(days=1), 0, NOW, "me")
    assert keeper.created == 2, "one that ends too early is none"


def test_a_lost_answer_is_looked_up() -> None:
    keeper = Keeper(lost=True)
    assert silenced([keeper], ID, "a", UNTIL, 0, NOW, "me") == ("s1",)


@pytest.mark.parametrize(
    ("keepers", "said"),
    [
        ([], "nobody is known who could silence"),
        ([Keeper(), Keeper(refuses=True)], "cannot be silenced"),
        ([Keeper(deaf=True)], "is not there"),
        ([Keeper(deaf=True, lost=True)], "is not there"),
    ],
)
def test_without_a_silence_nothing_goes_on(keepers: list[Keeper], said: str) -> None:
    with pytest.raises(MachineError, match=said):
        silenced(keepers, ID, "a", UNTIL, 0, NOW, "me")


def test_a_silence_that_ends_soon_anyway_is_left() -> None:
    keeper = Keeper()
    silenced([keeper], ID, "a", UNTIL, 0, NOW, "me")
    assert let_go([keeper], ID, UNTIL + timedelta(hours=1)) == 0
    assert let_go([keeper], ID, NOW) == 1 and let_go([keeper], ID, NOW) == 0


def test_somebody_elses_namespace_is_not_written(tmp_path: Path) -> None:
    made, side = compiled(tmp_path / "repo", "mimir")
    group, folder = deployed(made, side)
    with running(Tenant(), owner="shop/prod") as (target, server):
        with pytest.raises(MachineError, match="not ours"):
            put(target, group, folder)
        assert writes(server) == []
