"""The table of what each version of each server understands."""

from __future__ import annotations

import pytest

from tocsin.wire.versions import TABLE, row, supports, version_text


def test_no_field_has_two_rows() -> None:
    keys = [(each.product, each.surface, each.field) for each in TABLE]
    assert len(set(keys)) == len(keys)


def test_a_row_holds_from_its_version_on_and_until_its_end() -> None:
    for each in TABLE:
        major, minor, patch = each.since
        assert supports(each.product, each.surface, each.field, each.since), each
        assert supports(each.product, each.surface, each.field, (major, minor, patch + 1)), each
        if each.since > (0, 0, 0):
            older = (
                (major, minor, patch - 1)
                if patch
                else (major, minor - 1, 99)
                if minor
                else (major - 1, 99, 0)
            )
            assert not supports(each.product, each.surface, each.field, older), each
        if each.until is not None:
            assert each.since < each.until and not supports(
                each.product, each.surface, each.field, each.until
            )


def test_every_row_says_where_it_is_from() -> None:
    assert [each for each in TABLE if len(each.source) < 8] == []


def test_grafanas_two_doors_know_the_same_fields() -> None:
    doors = {
        door: {each.field for each in TABLE if (each.product, each.surface) == ("grafana", door)}
        for door in ("http", "file")
    }
    assert doors["http"] == doors["file"] != set()


def test_files_learn_nothing_before_the_api() -> None:
    for each in TABLE:
        if each.product == "grafana" and each.surface == "file":
            over_http = row("grafana", "http", each.field)
            assert over_http is not None and over_http.since <= each.since


def test_a_field_in_no_row_is_our_bug() -> None:
    assert row("grafana", "http", "no_such_field") is None
    with pytest.raises(KeyError):
        supports("grafana", "http", "no_such_field", (13, 0, 0))


@pytest.mark.parametrize(
    ("version", "text"), [((2, 53, 0), "2.53"), ((12, 1, 2), "12.1.2"), ((13, 0, 0), "13.0")]
)
def test_a_version_reads_as_people_write_it(version: tuple[int, int, int], text: str) -> None:
    assert version_text(version) == text
