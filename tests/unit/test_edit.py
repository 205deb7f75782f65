"""Adding to YAML that a person wrote: the value is there, and every line that was there still is."""

from __future__ import annotations

import pytest
import yaml

from tocsin.source.edit import Addition, added

PROJECT = """\
# our project
version: 1
project: shop   # never changes

severities:
  P1:
    label: {severity: critical}   # pages
    respond_within: 5m
  # the quiet one
  P3:
    label: {severity: info}

teams:
  'team-a':
    name: "Team A"

# where rules run
environments:
  prod:
    evaluators:
      - name: main
        kind: prometheus
        version: "2.53"
"""


def lines_kept(before: str, after: str) -> bool:
    """Every line of `before` is in `after`, in the same order."""
    rest = iter(after.split("\n"))
    return all(line in rest for line in before.rstrip("\n").split("\n"))


@pytest.mark.parametrize(
    ("addition", "path"),
    [
        (Addition(path=("teams", "unowned"), value={"name": "Nobody yet"}), ("teams", "unowned")),
        (
            Addition(path=("severities", "P2"), value={"label": {"severity": "warning"}}, before="P3"),
            ("severities", "P2"),
        ),
        (Addition(path=("severities", "P9"), value={"label": {"severity": "none"}}), ("severities", "P9")),
        (Addition(path=("labels", "inject"), value=[], comment="Nothing is added."), ("labels", "inject")),
        (Addition(path=("unranked",), value=True, before="teams"), ("unranked",)),
        (Addition(path=("checks", "TOC413"), value="warning"), ("checks", "TOC413")),
    ],
)
def test_an_addition_keeps_every_line_and_reads_back(addition: Addition, path: tuple[str, ...]) -> None:
    text = added(PROJECT, [addition])

    assert lines_kept(PROJECT, text), text
    value = yaml.safe_load(text)
    for key in path:
        value = value[key]
    assert value == addition.value


def test_what_is_there_is_never_changed() -> None:
    additions = [
        Addition(path=("teams", "team-a"), value={"name": "Somebody else"}),
        Addition(path=("version",), value=2),
        Addition(path=("project", "name"), value="no mapping stands there"),
    ]

    assert added(PROJECT, additions) == PROJECT


def test_adding_twice_is_adding_once() -> None:
    additions = [
        Addition(path=("teams", "b"), value={"name": "B"}),
        Addition(path=("checks", "TOC413"), value="warning"),
    ]
    once = added(PROJECT, additions)

    assert added(once, additions) == once


def test_an_entry_goes_before_the_sibling_it_names() -> None:
    text = added(
        PROJECT, [Addition(path=("severities", "P2"), value={"label": {"severity": "warning"}}, before="P3")]
    )

    assert list(yaml.safe_load(text)["severities"]) == ["P1", "P2", "P3"]
    assert text.index("P2:") < text.index("# the quiet one") < text.index("P3:")


def test_an_appended_key_stands_below_the_last_one_and_above_the_comment_of_the_next_section() -> None:
    text = added(PROJECT, [Addition(path=("teams", "b"), value={"name": "B"})])

    assert (
        text.index("Team A")
        < text.index("  b:")
        < text.index("# where rules run")
        < text.index("environments:")
    )


def test_a_new_section_gets_its_comment_above_it() -> None:
    text = added(PROJECT, [Addition(path=("labels", "inject"), value=[], comment="Nothing is added.")])

    assert "# Nothing is added.\nlabels:\n  inject: []\n" in text


def test_lists_keep_the_indentation_they_have() -> None:
    flush = (
        "environments:\n  prod:\n    evaluators:\n    - name: main\n      kind: prometheus\nteams:\n  a: {}\n"
    )

    assert lines_kept(flush, added(flush, [Addition(path=("teams", "b"), value={"name": "B"})]))


def test_words_that_yaml_1_1_misreads_are_quoted() -> None:
    text = added(PROJECT, [Addition(path=("severities", "no"), value={"label": {"severity": "on"}})])

    assert yaml.safe_load(text)["severities"]["no"] == {"label": {"severity": "on"}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("teams: {}\n", "teams: {b: {name: B}}\n"),
        ("teams: {a: {name: A}}\n", "teams: {a: {name: A}, b: {name: B}}\n"),
        ("teams: {a: {name: 'x}'}}  # ours\n", "teams: {a: {name: 'x}'}, b: {name: B}}  # ours\n"),
        ("teams:\nversion: 1\n", "teams:\n  b:\n    name: B\nversion: 1\n"),
        ("teams:\n    a:\n        name: A\n", "teams:\n    a:\n        name: A\n    b:\n      name: B\n"),
        (
            "teams:\n  a:\n    name: A\n  # the end\n",
            "teams:\n  a:\n    name: A\n  # the end\n  b:\n    name: B\n",
        ),
        ("version: 1", "version: 1\nteams:\n  b:\n    name: B\n"),
        (
            "teams:\n  a:\n    name: |\n      A\n\n\nversion: 1\n",
            "teams:\n  a:\n    name: |\n      A\n  b:\n    name: B\n\n\nversion: 1\n",
        ),
    ],
)
def test_every_way_to_write_a_mapping_can_be_added_to(before: str, after: str) -> None:
    text = added(before, [Addition(path=("teams", "b"), value={"name": "B"})])

    assert text == after
    assert yaml.safe_load(text)["teams"]["b"] == {"name": "B"}


def test_only_a_mapping_can_be_added_to() -> None:
    with pytest.raises(TypeError):
        added("- a\n", [Addition(path=("b",), value=1)])
