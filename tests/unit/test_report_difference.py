"""Two long texts are shown where they differ, and recording rules are counted apart from what calls somebody."""

from __future__ import annotations

import pytest
from tests.release_history import BROKERS, LAG, PROJECT, History

from tocsin.cli import app
from tocsin.report.difference import SPACES, apart

LONG = (
    "sum by (cluster, job) (rate(requests_total{job=~'api|web|worker', code=~'5..'}[5m]))"
    " / sum by (cluster, job) (rate(requests_total{job=~'api|web|worker'}[5m])) > 0.05"
)


def test_short_texts_are_whole_and_spaces_are_no_difference() -> None:
    assert apart("5000", "4000") == ("5000", "4000")
    assert apart("", "x") == ("", "x")
    assert apart("a  b\n", "a b") == (SPACES, SPACES)


def test_two_places_of_a_long_text_are_both_shown_and_nothing_between() -> None:
    old, new = apart(LONG, LONG.replace("[5m])) / ", "[9m])) / ").replace("> 0.05", "> 0.10"))
    assert "[5m]" in old and "[9m]" in new and "> 0.05" in old and "> 0.10" in new
    assert old.count("…") == new.count("…") == 2 and "requests_total" not in old + new


def test_what_is_put_in_is_shown_with_what_stands_around_it() -> None:
    old, new = apart(LONG, LONG + " and on (cluster) up{job='api'} == 1")
    assert (
        new.endswith("and on (cluster) up{job='api'} == 1") and new.startswith("…") and old.endswith("> 0.05")
    )
    old, new = apart("max " + LONG, LONG)
    assert old.startswith("max sum") and new.startswith("sum")


def test_layout_does_not_hide_the_difference() -> None:
    old, new = apart(LONG, LONG.replace("(", "( ").replace("> 0.05", "> 0.06"), 60)
    assert "0.05" in old and "0.06" in new


@pytest.mark.parametrize("other", ["completely(different[1h]) < 7 " * 8, LONG[::-1], "x" * 5000])
def test_texts_without_much_in_common_are_whole_up_to_the_room(other: str) -> None:
    for room in (60, 400):
        old, new = apart(LONG, other, room)
        assert old != new and max(len(old), len(new)) <= room
        assert old[:20] == LONG[:20]


def test_hostile_sizes_end_soon() -> None:
    one = " ".join(f"a{n}" for n in range(20_000))
    old, new = apart(one, one.replace("a7 ", "b7 ").replace("a19990 ", "c "))
    assert old.startswith("a0 a1") and "b7" in new and len(old) <= 400


def test_recording_rules_are_counted_apart_and_come_after_the_alerts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from click.testing import CliRunner

    top = tmp_path_factory.mktemp("shop")
    history = History(top)
    history.git("init", "-q")
    lag, brokers = "rules/kafka/lag.yaml", "rules/kafka/brokers.yaml"
    history.commit("start", {"tocsin.yaml": PROJECT, lag: LAG, brokers: BROKERS}, "Start")
    more = BROKERS + "      - {record: 'kafka:brokers:count', expr: count(kafka_brokers)}\n"
    history.commit("next", {brokers: more.replace("for: 2m", "for: 1m")}, "Next")
    done = CliRunner().invoke(app, ["diff", "HEAD~1..HEAD", "-C", str(top)], standalone_mode=False)
    assert done.stdout.startswith("1 rule more sensitive, 0 removed; 1 recording rule added; ")
    assert done.stdout.index("kafka-partitions-offline") < done.stdout.index("kafka:brokers:count")
    history.commit("gone", {brokers: BROKERS.replace("for: 2m", "for: 1m")}, "Gone")
    done = CliRunner().invoke(
        app, ["diff", "HEAD~1..HEAD", "-C", str(top), "--format", "markdown"], standalone_mode=False
    )
    assert done.stdout.startswith("### 1 recording rule removed\n")
    assert "its series is no longer written" in done.stdout and "fires" not in done.stdout
