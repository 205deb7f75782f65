"""Comments of a foreign file: found where YAML has them, and only there."""

from __future__ import annotations

import pytest
from tests.adopting import foreign

from tocsin.adopt.comments import scan
from tocsin.diag.origin import mark_of
from tocsin.source.layout import Comment


def all_of(text: str) -> list[str]:
    found = scan(foreign(text))
    assert found is not None
    return [*found.rest(0, 10_000), *found.trailing]


@pytest.mark.parametrize(
    ("text", "comments"),
    [
        ("a: 1 # one\n", ["# one"]),
        ("# one\n# two\na: 1\n", ["# one", "# two"]),
        ("a: b#c\n", []),
        ("a: 'b # c'\nd: \"e # f\" # g\n", ["# g"]),
        ("a: 'it''s # x' # y\n", ["# y"]),
        ('a: "x \\" # y" # z\n', ["# z"]),
        ("a: |\n  # in the text\n  b\n# after\nc: 1\n", ["# after"]),
        ("a: | # beside\n  # in the text\nc: 1\n", ["# beside"]),
        ("a: >-\n\n  # in the text\n\n  # too\nc: 1 # c\n", ["# c"]),
        ("a: |2\n    # in\n  # in\nc: 1\n", []),
        ("- a: |\n    # in\n  b: 1 # b\n", ["# b"]),
        ("- |\n  # in\n- b # b\n", ["# b"]),
        ("a: [1, # one\n  'x # y', 2] # end\n", ["# one", "# end"]),
        ("a: {b: 'c # d', e: f} # g\n", ["# g"]),
        ("a: x('y',\n  'z # w')\nb: 1\n", ["# w')"]),
        ("a: x\n  'y z\nb: 1 # b\n", ["# b"]),
        ('a: "x\n  # in\n  y" # z\n', ["# z"]),
        ("a: &x !!str 'b # c' # d\n", ["# d"]),
        ("a:\n  # only\n", ["# only"]),
    ],
)
def test_comments_are_found_where_yaml_has_them(text: str, comments: list[str]) -> None:
    assert all_of(text) == comments


def test_where_the_scanner_and_yaml_disagree_there_are_no_comments() -> None:
    assert scan(foreign("--- |\n  # in the text\n  groups\n")) is None


def test_comments_belong_to_the_next_line_and_to_the_line_they_stand_beside() -> None:
    found = scan(foreign("# above\na: 1 # beside\n# of b\n\nb: 2\n# end\n"))
    assert found is not None

    assert found.take(mark_of(1, 0)) == Comment(before=("# above",), beside="# beside")
    assert found.take(mark_of(1, 0)) == Comment(), "each is handed out once"
    assert found.take(mark_of(4, 0)) == Comment(before=("# of b",))
    assert found.trailing == ["# end"]


def test_an_editor_s_modeline_stays_behind() -> None:
    assert all_of("# yaml-language-server: $schema=x\n# kept\na: 1\n") == ["# kept"]
