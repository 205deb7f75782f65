"""Every span slices back to its own text: what stands under a key or a value parses to that key or value."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.diag import Map, Origin, Seq, SourceFile, Span
from tocsin.diag.origin import in_flow, mark_of, place_of
from tocsin.source.tree import read_document

# --- a document in every style: lines of YAML, and the data they are to mean

WORDS = st.text("abcXYZ09 äß中😀", min_size=1, max_size=12).map(str.strip).filter(bool)
PLAIN = WORDS.filter(lambda word: word[0] not in "0123456789").map(lambda word: " ".join(word.split()))
ANY_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"),
    max_size=16,
)
KEYS = st.text("abcdefgh_", min_size=1, max_size=6)


@st.composite
def scalars(draw: st.DrawFn, *, flow: bool) -> list[str]:
    """The lines of one scalar; those after the first still want their indentation."""
    styles = [
        "plain",
        "single",
        "double",
        "long single",
        "long double",
        *([] if flow else ["|", ">", "long"]),
    ]
    style = draw(st.sampled_from(styles))
    if style == "single":
        text = draw(ANY_TEXT).replace("'", "''")
        return [f"'{text}'"]
    if style == "double":
        text = draw(ANY_TEXT).replace("\\", "\\\\").replace('"', '\\"')
        return ['"' + text + draw(st.sampled_from(["", "\\n", "\\u00e4", "\\\\"])) + '"']
    if style == "long single":
        return [
            "'" + draw(PLAIN) + draw(st.sampled_from(["", "''"])),
            draw(PLAIN),
            "''" + draw(PLAIN) + "''" + "'",
        ]
    if style == "long double":
        return ['"' + draw(PLAIN), draw(PLAIN), draw(PLAIN) + '"']
    if style in ("|", ">"):
        chomping = draw(st.sampled_from(["", "-", "+"]))
        body = draw(
            st.lists(PLAIN | st.just("") | PLAIN.map(lambda word: "  " + word), min_size=1, max_size=4)
        )
        body[0] = draw(PLAIN)
        comment = draw(st.sampled_from(["", " # why"]))
        return [style + chomping + comment, *body]
    if style == "long":
        return draw(st.lists(PLAIN, min_size=2, max_size=4))
    return [
        draw(
            PLAIN | st.sampled_from(["5", "true", "0.5", "", "x: y".replace(": ", ":"), "a#b", "http://x/y"])
        )
    ]


@st.composite
def flows(draw: st.DrawFn, depth: int = 0) -> str:
    """A flow collection on one line."""
    kind = draw(st.sampled_from("[{"))
    items = []
    for key in draw(st.lists(KEYS, max_size=3, unique=True)):
        nested = depth < 2 and draw(st.booleans())
        value = draw(flows(depth + 1)) if nested else " ".join(draw(scalars(flow=True)))
        if not value:
            value = "x"
        items.append(f"{key}: {value}" if kind == "{" else value)
    return kind + ", ".join(items) + ("]" if kind == "[" else "}")


@st.composite
def blocks(draw: st.DrawFn, indent: int = 0, depth: int = 0) -> list[str]:
    """A block collection, each line indented."""
    lines = []
    is_list = depth > 0 and draw(st.booleans())
    pad = " " * indent
    for key in draw(st.lists(KEYS, min_size=1, max_size=4, unique=True)):
        lead = pad + ("- " if is_list else draw(st.sampled_from([f"{key}: ", f'"{key}": ', f"'{key}' : "])))
        lead += draw(st.sampled_from(["", "", "", "&a ", "!!str "])) if depth < 3 else ""
        what = draw(st.sampled_from(["scalar", "scalar", "flow", "block" if depth < 3 else "scalar"]))
        if what == "block":
            lines += [lead.split("&")[0].split("!")[0].rstrip(), *draw(blocks(indent + 2, depth + 1))]
        elif what == "flow":
            lines.append(lead.split("!")[0] + draw(flows()))
        else:
            first, *rest = draw(scalars(flow=False))
            below = " " * (indent + draw(st.sampled_from([2, 3, 6])))
            lines += [lead + first, *(below + each if each else "" for each in rest)]
        lines += draw(st.sampled_from([[], [], [""], [pad + "# a remark"]]))
    return lines


def leaves(origin: Origin) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """Every path of `origin` with the scalar there."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), origin.node)]
    while waiting:
        path, node = waiting.pop()
        if isinstance(node, Map):
            waiting += [((*path, key), each) for key, each in node.items()]
        elif isinstance(node, Seq):
            waiting += [((*path, index), each) for index, each in enumerate(node)]
        else:
            yield path, node


def meaning(written: str) -> object:
    """What `written` means as a document of its own, read by a loader that is not ours."""
    return yaml.load(written + "\n", Loader=yaml.BaseLoader)


def assert_slices_back(text: str) -> int:
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None, text
    origin, count = document.origin, 0
    for path, value in leaves(origin):
        if isinstance(path[-1], str):
            assert meaning(origin.key(*path).slice(text)) == path[-1], (path, text)
        written = origin.value(*path).slice(text)
        read = meaning(written)
        if isinstance(value, str):
            # `!!str` before nothing is the empty text.
            read = "" if read is None else read
            assert isinstance(read, str)
            # `|+` keeps blank lines below it, which are no part of the span.
            assert read.rstrip("\n") == value.rstrip("\n"), (path, written, text)
        else:
            assert yaml.safe_load(written) == value, (path, written, text)
        count += 1
    return count


@settings(max_examples=400, deadline=None)
@given(blocks())
def test_every_key_and_value_slices_back_to_itself(lines: list[str]) -> None:
    assert_slices_back("\n".join(lines) + "\n")


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_line_ends_of_windows_change_no_place(lines: list[str]) -> None:
    plain, windows = ("".join(each + end for each in lines) for end in ("\n", "\r\n"))
    first, second = (read_document(SourceFile(path="x.yaml", text=text))[0] for text in (plain, windows))
    assert first is not None and second is not None and first.origin is not None and second.origin is not None
    for path, _ in leaves(first.origin):
        assert first.origin.value(*path) == second.origin.value(*path)


@pytest.mark.parametrize(
    ("text", "path", "written"),
    [
        ("a: 5\n", ("a",), "5"),
        ("a: x # why\n", ("a",), "x"),
        ("a:\n  x y\n  z\nb: 1\n", ("a",), "x y\n  z"),
        ("a: x\n\n  y # why\n  # more\nb: 1\n", ("a",), "x\n\n  y"),
        ('a: "x\n  y"\n', ("a",), '"x\n  y"'),
        ("a: 'it''s'\n", ("a",), "'it''s'"),
        ("a: {b: c, d: [e, f g]}\n", ("a", "b"), "c"),
        ("a: {b: c, d: [e, f g]}\n", ("a", "d", 1), "f g"),
        ("a: {b: c,\n    d: e}\n", ("a", "d"), "e"),
        ("a: {b: c\n    d, e: f}\n", ("a", "b"), "c\n    d"),
        ("a: {b: , c: 1}\n", ("a", "b"), ""),
        ("a: [http://x, y:z]\n", ("a", 0), "http://x"),
        ("a: [http://x, y:z]\n", ("a", 1), "y:z"),
        ("a: |\n  x\n   y\n\n  z\nb: 1\n", ("a",), "|\n  x\n   y\n\n  z"),
        ("a:\n- |\n  x\n- y\n", ("a", 0), "|\n  x"),
        ("a:\n- b: |2-\n      x\n    y\n  c: 1\n", ("a", 0, "b"), "|2-\n      x\n    y"),
        ("a: >-\n\n  x\n# c\nb: 1\n", ("a",), ">-\n\n  x"),
        ("a: &n 5\n", ("a",), "5"),
        ("a: !!str &n 5\n", ("a",), "5"),
        ("a: &n\n  text\nb: *n\n", ("a",), "text"),
        ("a: &n\n  text\nb: *n\n", ("b",), "*n"),
        ("a: &n # nothing\nb: 1\n", ("a",), ""),
        ("a:\nb: 1\n", ("a",), ""),
        ("a: # nothing\nb: 1\n", ("a",), ""),
        ("a:\n  -\n    x\n  - y", ("a", 0), "x"),
        ("a: 中文 # ok\n", ("a",), "中文"),
        ("? a\n: b\n", ("a",), "b"),
        ("a: x", ("a",), "x"),
    ],
)
def test_value_spans(text: str, path: tuple[str | int, ...], written: str) -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None
    assert document.origin.value(*path).slice(text) == written


@pytest.mark.parametrize(
    ("text", "path", "written"),
    [
        ("a : 1\n", ("a",), "a"),
        ('"a b": 1\n', ("a b",), '"a b"'),
        ("a: {b, c: 1}\n", ("a", "b"), "b"),
        ('a: {"b":1}\n', ("a", "b"), '"b"'),
        ("a: {b: 1, c d: 2}\n", ("a", "c d"), "c d"),
        ("? a # why\n: b\n", ("a",), "a"),
        ("&n a: 1\n", ("a",), "a"),
        ("a:b: 1\n", ("a:b",), "a:b"),
    ],
)
def test_key_spans(text: str, path: tuple[str | int, ...], written: str) -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None
    assert document.origin.key(*path).slice(text) == written


def test_what_is_not_written_is_the_nearest_parent() -> None:
    text = "a:\n  b: {c: 1}\n"
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None
    origin = document.origin
    assert origin.value("a", "b", "nothing").slice(text) == "{c: 1}"
    assert origin.key("a", "nothing").slice(text) == "b: {c: 1}"
    assert origin.value("nothing").place == "x.yaml:1:1"
    assert not origin.wrote("a", "nothing")
    assert origin.wrote("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "offset", "place"),
    [
        ("e: up == 0\n", 3, "x.yaml:1:7"),
        ('e: "up == 0"\n', 3, "x.yaml:1:8"),
        ("e: |\n  up\n  == 0\n", 0, "x.yaml:2:3"),
        ("e: |\n  up\n  == 0\n", 3, "x.yaml:3:3"),
        ("e: |\n\n  up\n    == 0\n", 6, "x.yaml:4:5"),
        ("a: 1\ne: &x |-\n      sum(up)\n      > 5\n", 10, "x.yaml:4:9"),
    ],
)
def test_a_character_inside_a_value_has_its_place(text: str, offset: int, place: str) -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None
    span = document.origin.inside(offset, "e")
    value = document.origin.node["e"]
    assert isinstance(value, str)
    assert span.place == place
    assert span.slice(text) == value[offset]


@pytest.mark.parametrize("text", ["e: >\n  a\n  b\n", 'e: "a\\nb"\n', "e: a\n  b\n"])
def test_a_style_that_hides_its_characters_gives_the_whole_value(text: str) -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text=text))
    assert document is not None and document.origin is not None
    assert document.origin.inside(2, "e") == document.origin.value("e")


@given(st.integers(0, 2_000_000), st.integers(0, 2_000_000), st.booleans())
def test_a_mark_holds_every_place_a_source_can_have(line: int, column: int, flow: bool) -> None:
    mark = mark_of(line, column, flow=flow)
    assert place_of(mark) == (line, column)
    assert in_flow(mark) is flow


def test_located_data_survives_pickling() -> None:
    document, _ = read_document(SourceFile(path="x.yaml", text="a: [1, {b: c}]\n"))
    assert document is not None and document.origin is not None
    again = pickle.loads(pickle.dumps(document.origin))
    assert again == document.origin
    assert again.value("a", 1, "b") == document.origin.value("a", 1, "b") == Span("x.yaml", 1, 12, 1, 13)
