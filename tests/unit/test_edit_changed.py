"""One value of a YAML file changed: every other character stays, and what cannot be done that way is refused."""

from __future__ import annotations

import pytest

from tocsin.source.edit import GONE, Steps, changed

TEXT = """\
# top
a: 1  # one
b: {c: 2, d: "x, y"}
list:
  - k: 'it''s'   # quoted
    t: |
      first
      second

    f: >-
      folded
    m:
      n: 1
      # about o
      o: 2
    e: {}
last: end
"""


@pytest.mark.parametrize(
    ("steps", "value", "old", "new"),
    [
        (("a",), 2.5, "a: 1  # one", "a: 2.5  # one"),
        (("b", "c"), 30, "{c: 2,", "{c: 30,"),
        (("b", "d"), "z", '"x, y"', '"z"'),
        (("b", "d"), 'a "b"', '"x, y"', '"a \\"b\\""'),
        (("list", 0, "k"), "isn't", "'it''s'   # quoted", "'isn''t'   # quoted"),
        (("list", 0, "t"), "one\n", "      first\n      second\n", "      one\n"),
        (("list", 0, "t"), "one\ntwo\n", "first\n      second", "one\n      two"),
        (("list", 0, "f"), "other", "folded", "other"),
        (("list", 0, "m", "n"), "on", "n: 1", 'n: "on"'),
        (("list", 0, "m", "p"), 3, "      o: 2\n", "      o: 2\n      p: 3\n"),
        (("list", 0, "x", "yy"), "z", "    e: {}\n", "    e: {}\n    x:\n      yy: z\n"),
        (("b", "e"), 1, '"x, y"}', '"x, y", e: 1}'),
        (("list", 0, "m", "n"), GONE, "      n: 1\n", ""),
        (("last",), GONE, "last: end\n", ""),
    ],
)
def test_a_change(steps: Steps, value: object, old: str, new: str) -> None:
    assert TEXT.count(old) == 1
    assert changed(TEXT, steps, value) == TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        (("b",), 1),
        (("list", 0), 1),
        (("list", 5, "k"), 1),
        (("b", "c"), GONE),
        (("nothing",), GONE),
        (("a", "b"), 1),
    ],
)
def test_what_is_refused(steps: Steps, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        changed(TEXT, steps, value)


def test_a_mapping_that_is_left_empty_goes() -> None:
    assert changed("a: 1\nb:\n  c: 2\nd: 3\n", ("b", "c"), GONE) == "a: 1\nd: 3\n"
