"""Ignores: which comments are read, what they silence, and what is said about them."""

from __future__ import annotations

from datetime import date

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tocsin.diag.comments import comments
from tocsin.diag.diagnostic import Diagnostic, diagnostic
from tocsin.diag.ignores import apply, read_ignores
from tocsin.diag.source_file import SourceFile
from tocsin.diag.span import Span
from tocsin.diag.yaml_lines import YamlScan

TODAY = date(2026, 11, 21)
GOOD = "tocsin: ignore[TOC512] until=2027-03-01 -- no labels to tell apart"

RULES = """\
version: 1
service: kafka
groups:
  # {here}
  - name: lag
    rules:
      - alert: One
        id: one
        expr: |
          sum(up)
          == 0
      - alert: Two
        id: two
        expr: up == 0
  - name: other
    rules: []
"""


def yaml_file(text: str) -> SourceFile:
    return SourceFile(path="rules/kafka/lag.yaml", text=text)


def sop_file(text: str) -> SourceFile:
    return SourceFile(path="sops/kafka/SOP-KAFKA-001.md", text=text)


def found_at(line: int, code: str = "TOC512", file: str = "rules/kafka/lag.yaml") -> Diagnostic:
    return diagnostic(code, Span(file, line, 3, line, 9), "a finding")


def codes_after(file: SourceFile, *found: Diagnostic, today: date = TODAY) -> list[tuple[str, int]]:
    return [(each.code, each.span.line) for each in apply(found, read_ignores(file), today)]


def silenced_lines(file: SourceFile) -> list[int]:
    """The lines on which a TOC512 would be silenced."""
    ignores = read_ignores(file)
    lines = range(1, file.text.count("\n") + 2)
    return [at for at in lines if any(each.silences(found_at(at, file=file.path), TODAY) for each in ignores)]


# --- what it speaks for ------------------------------------------------------------------------------


def test_alone_above_a_list_item_it_silences_the_whole_item() -> None:
    text = RULES.replace("      - alert: One", f"      # {GOOD}\n      - alert: One")
    assert silenced_lines(yaml_file(text)) == [7, 8, 9, 10, 11, 12]


def test_alone_above_a_key_it_silences_everything_under_the_key() -> None:
    text = RULES.replace("groups:", f"# {GOOD}\ngroups:")
    assert silenced_lines(yaml_file(text)) == list(range(3, 18))


def test_list_items_at_the_column_of_their_key_belong_to_the_key() -> None:
    text = f"version: 1\n# {GOOD}\ngroups:\n- name: a\n  rules: []\n- name: b\nowner: x\n"
    assert silenced_lines(yaml_file(text)) == [2, 3, 4, 5, 6]


def test_behind_a_value_it_silences_its_line_alone() -> None:
    text = RULES.replace("- alert: One", f"- alert: One  # {GOOD}")
    assert silenced_lines(yaml_file(text)) == [7]


def test_behind_a_block_header_it_silences_the_block() -> None:
    text = RULES.replace("expr: |", f"expr: |  # {GOOD}")
    assert silenced_lines(yaml_file(text)) == [9, 10, 11]


def test_other_comments_may_stand_between_it_and_its_item() -> None:
    text = RULES.replace("      - alert: Two", f"      # {GOOD}\n      # ticket OPS-12\n      - alert: Two")
    assert silenced_lines(yaml_file(text)) == [12, 13, 14, 15, 16]


def test_a_flow_collection_over_several_lines_is_one_item() -> None:
    text = f"# {GOOD}\na: [x,\n  y,\nz]\nb: 1\n"
    assert silenced_lines(yaml_file(text)) == [1, 2, 3, 4]


def test_in_markdown_it_silences_the_block_below_or_its_own_line() -> None:
    above = f"# T\n\n<!-- {GOOD} -->\n```promql\nup ==\n\nx\n```\n\ntext\n"
    assert silenced_lines(sop_file(above)) == [3, 4, 5, 6, 7, 8]
    behind = f"# T\n\ntext <!-- {GOOD} -->\nmore\n"
    assert silenced_lines(sop_file(behind)) == [3]
    paragraph = f"<!-- {GOOD} -->\n\none\ntwo\n\nthree\n"
    assert silenced_lines(sop_file(paragraph)) == [1, 2, 3, 4]


def test_front_matter_takes_the_comments_of_yaml() -> None:
    text = f"---\nid: SOP-A-001\n# {GOOD}\nreview:\n  last: 2020-01-01\nowner: x\n---\n# T\n# {GOOD}\n"
    assert silenced_lines(sop_file(text)) == [3, 4, 5]


def test_markdown_code_is_not_a_comment() -> None:
    fenced = f"text\n\n~~~\n<!-- {GOOD} -->\n```\n<!-- {GOOD} -->\n~~~\n\nWrite `<!-- {GOOD} -->` above.\n"
    assert read_ignores(sop_file(fenced)) == ()


# --- what is silenced and what is said ---------------------------------------------------------------


def test_a_silenced_finding_goes_and_the_others_stay() -> None:
    text = RULES.replace("      - alert: One", f"      # {GOOD}\n      - alert: One")
    found = (found_at(9), found_at(9, "TOC511"), found_at(13), found_at(9, file="rules/kafka/other.yaml"))
    assert codes_after(yaml_file(text), *found) == [("TOC511", 9), ("TOC512", 13), ("TOC512", 9)]


def test_an_ignore_speaks_for_its_own_file_alone() -> None:
    (ignore,) = read_ignores(yaml_file(RULES.replace("{here}", GOOD)))
    assert ignore.silences(found_at(5), TODAY)
    assert not ignore.silences(found_at(5, file="rules/kafka/other.yaml"), TODAY)


def test_two_codes_may_share_a_comment_and_each_must_be_used() -> None:
    both = GOOD.replace("TOC512", "TOC512, TOC509")
    text = RULES.replace("      - alert: One", f"      # {both}\n      - alert: One")
    file = yaml_file(text)
    assert codes_after(file, found_at(8), found_at(8, "TOC509")) == []
    said = apply((found_at(8),), read_ignores(file), TODAY)
    assert [each.code for each in said] == ["TOC220"]
    assert said[0].span.slice(text) == "TOC509"


def test_the_last_day_is_included_and_the_finding_returns_after_it() -> None:
    text = RULES.replace("      - alert: One", f"      # {GOOD}\n      - alert: One")
    assert codes_after(yaml_file(text), found_at(8), today=date(2027, 3, 1)) == []
    after = codes_after(yaml_file(text), found_at(8), today=date(2027, 3, 2))
    assert sorted(after) == [("TOC221", 7), ("TOC512", 8)]


def test_an_unused_ignore_is_not_blamed_where_checks_could_not_run() -> None:
    file = yaml_file(RULES.replace("{here}", GOOD))
    assert codes_after(file) == [("TOC220", 4)]
    syntax = found_at(1, "TOC101", file="rules/other/x.yaml")
    assert codes_after(file, syntax) == [("TOC101", 1)]
    promql = found_at(9, "TOC401")
    assert codes_after(file, promql) == [("TOC401", 9)]
    elsewhere = found_at(9, "TOC401", file="rules/other/x.yaml")
    assert codes_after(file, elsewhere) == [("TOC401", 9), ("TOC220", 4)]


@pytest.mark.parametrize(
    ("comment", "under", "words"),
    [
        ("tocsin: ignore[TOC512] until=2027-03-01", "tocsin", "no reason"),
        ("tocsin: ignore[TOC512] until=2027-03-01 --", "tocsin", "no reason"),
        ("tocsin: ignore[TOC512] -- why", "tocsin", "until when"),
        ("tocsin: ignore[TOC512] until=2027-02-30 -- why", "tocsin", "`2027-02-30` is not a day"),
        ("tocsin: ignore[TOC512] until=soon -- why", "tocsin", "`soon` is not a day"),
        ("tocsin: ignore[TOC512] until=20270301 -- why", "tocsin", "`20270301` is not a day"),
        ("tocsin: ignore[TOC512] before=2027-03-01 -- why", "tocsin", "is not `until=DATE -- reason`"),
        ("tocsin: ignore TOC512 until=2027-03-01 -- why", "tocsin", "no code in brackets"),
        ("tocsin: ignore[] until=2027-03-01 -- why", "tocsin", "no code in its brackets"),
        ("tocsin: ignore[TOC998] until=2027-03-01 -- why", "TOC998", "`TOC998` is not a code"),
        ("tocsin: ignore[TOC512,toc509] until=2027-03-01 -- why", "toc509", "`toc509` is not a code"),
        ("tocsin: ignore[TOC401] until=2027-03-01 -- why", "TOC401", "cannot be ignored"),
        ("tocsin: ignore[TOC222] until=2027-03-01 -- why", "TOC222", "cannot be ignored"),
        ("tocsin: ingore[TOC512] until=2027-03-01 -- why", "tocsin", "`ingore` is no word"),
    ],
)
def test_a_malformed_ignore_is_said_and_silences_nothing(comment: str, under: str, words: str) -> None:
    text = RULES.replace("{here}", comment)
    said = apply((found_at(5),), read_ignores(yaml_file(text)), TODAY)
    assert sorted(each.code for each in said) == ["TOC222", "TOC512"]
    fault = next(each for each in said if each.code == "TOC222")
    assert words in fault.message
    assert fault.help
    assert fault.span.slice(text).startswith(under)


def test_above_a_blank_line_or_the_end_it_is_malformed() -> None:
    for text in (
        f"version: 1\n\n# {GOOD}\n\nservice: x\n",
        f"version: 1\n# {GOOD}\n",
        f"a: |\n  x\n# {GOOD}",
    ):
        said = apply((), read_ignores(yaml_file(text)), TODAY)
        assert [each.code for each in said] == ["TOC222"]
        assert "nothing stands directly below" in said[0].message


def test_other_words_of_tocsin_are_left_alone() -> None:
    assert read_ignores(sop_file("<!-- tocsin: read -->\n```sh\nls\n```\n")) == ()
    assert read_ignores(yaml_file("# tocsin: adopted from prod.yaml\na: 1\n")) == ()


# --- the scan of YAML, held against libyaml ----------------------------------------------------------

_PLAIN = [
    "up",
    "it's",
    'say "hi"',
    "a#b",
    "x - y",
    "http://h:9/p",
    "sum(up)",
    "a [b] {c}",
    "50%",
    "a,b",
    "-1",
]
_QUOTED = [
    "'a # b'",
    '"a # b"',
    '"a \\" # b"',
    "'it''s # x'",
    '"# x"',
    "'a: # b'",
    "'multi\n    # line'",
    "'it''\n    # line'",
    '"multi\n\n      # line"',
]
_FLOW = [
    "[a, 'b # c', d]",
    "{a: 'x', b: [1, 2]}",
    "[a,\n     # c\n     b]",
    '["x # y", z#w]',
    "[it's, b]",
    "{}",
    "[]",
]
_HEADERS = ["|", ">", "|-", ">+", "|2", ">1-", "|  # said", "| # it's"]
_BODY = ["up == 0", "# a comment of PromQL", "  deeper", "", "key: value", "- item", "'quote", "x # y"]


@st.composite
def nodes(draw: st.DrawFn, indent: int, depth: int) -> str:
    """The text of a value that follows `key:` or `-` at `indent`, ending with a line break."""
    kind = draw(st.sampled_from(["plain", "quoted", "flow", "block", "map", "seq", "below", "long"]))
    tag = draw(st.sampled_from(["", "", "", "&a ", "!!str "])) if kind in ("plain", "quoted", "block") else ""
    if kind == "block":
        header = draw(st.sampled_from(_HEADERS))
        digit = next((int(each) for each in header.split("#")[0] if each.isdigit()), None)
        inner = indent + (digit if digit is not None else draw(st.integers(1, 4)))
        body = draw(st.lists(st.sampled_from(_BODY), min_size=1, max_size=4))
        body = (
            ["up", *body] if digit is None and draw(st.booleans()) else body[: 0 if digit is None else None]
        )
        return f" {tag}{header}\n" + "".join(" " * inner + line + "\n" if line else "\n" for line in body)
    if kind == "long":
        more = draw(
            st.lists(
                st.sampled_from(["and it's", 'or "so', "then # said", "- dash", "'twas", '"so # it']),
                max_size=2,
            )
        )
        return " first\n" + "".join(" " * (indent + 3) + line + "\n" for line in more)
    if depth and kind in ("map", "seq"):
        return "\n" + draw(blocks(indent + draw(st.integers(1, 3)), depth - 1, kind))
    lead = "\n" + " " * (indent + 2) if kind == "below" else " "
    pool = {"quoted": _QUOTED, "flow": _FLOW}.get(kind, _PLAIN)
    behind = draw(st.sampled_from(["", "", " # said", "  # it's"]))
    return lead + tag + draw(st.sampled_from(pool)) + behind + "\n"


@st.composite
def blocks(draw: st.DrawFn, indent: int, depth: int, kind: str) -> str:
    """A block mapping or sequence at `indent`."""
    pad = " " * indent
    text = ""
    for number in range(draw(st.integers(1, 3))):
        text += draw(st.sampled_from(["", "", "\n", f"{pad}# said\n", "# it's \"so\n"]))
        name = draw(st.sampled_from(["k", "'q # k'", '"d"', "two words", "it's"]))
        if kind == "map":
            text += (
                f"{pad}{name}{number}:" if name[0] not in "'\"" else f"{pad}{name[:-1]}{number}{name[-1]}:"
            )
            text += draw(nodes(indent, depth))
        elif draw(st.booleans()):
            text += f"{pad}- k{number}:" + draw(nodes(indent + 2, depth))
        else:
            text += f"{pad}-" + draw(nodes(indent, depth))
    return text


def scalars(node: yaml.Node | None) -> list[str]:
    """Every scalar of a composed tree."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value]
    if isinstance(node, yaml.MappingNode):
        return [value for pair in node.value for each in pair for value in scalars(each)]
    return [value for each in node.value for value in scalars(each)] if node is not None else []


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_comment_is_what_libyaml_did_not_read_as_text(data: st.DataObject) -> None:
    text = data.draw(blocks(0, 2, data.draw(st.sampled_from(["map", "seq"]))))
    lines = text.split("\n")
    for number in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        mark = f"# tocsin: ignore[TOC512] until=2027-03-01 -- m{number}m"
        if data.draw(st.booleans()):
            lines[at] += data.draw(st.sampled_from([" ", "", "  "])) + mark
        else:
            lines.insert(at, " " * data.draw(st.integers(0, 6)) + mark)
    text = "\n".join(lines)
    try:
        tree = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        tree = None
    assume(tree is not None)
    read = " ".join(scalars(tree))
    scan = YamlScan()
    for number, line in enumerate(lines := text.split("\n")):
        scan.row(number, line)
    said = " ".join(lines[number][column:] for number, column in scan.found)
    for mark in (f"m{number}m" for number in range(4)):
        assert (mark in said) == (mark in text and mark not in read), text


@pytest.mark.parametrize(
    ("text", "is_comment"),
    [
        ("--- |1\n # tocsin: x\n", False),
        ("--- |1\n x\n# tocsin: x\n", True),
        ("--- |\n # tocsin: x\n", False),
        ("--- |\n# tocsin: x\n", True),
        ("a: |\n# tocsin: x\nb: 1\n", True),
        ("a:\n  |\n # tocsin: x\n", False),
        ("a: first\n  'twas\n# tocsin: x\nb: 1\n", True),
        ("- &x |\n # tocsin: x\n", False),
        ("- a: |\n   # tocsin: x\n", False),
        ("- a: |\n  # tocsin: x\n", True),
        ("a: 'it''\n  # tocsin: x'\n", False),
        ('a: "x\\" # tocsin: x"\n', False),
        ("a: x# tocsin:x\n", False),
        ("a: [x,\n  # tocsin: x\n  y]\n", True),
        ("a: {b: 'x\n  # tocsin: x'}\n", False),
    ],
)
def test_a_comment_is_told_from_text(text: str, is_comment: bool) -> None:
    read = " ".join(scalars(yaml.compose(text, Loader=yaml.CSafeLoader)))
    assert ("tocsin" not in read) == is_comment, "libyaml itself says otherwise"
    assert bool(comments(yaml_file(text))) == is_comment


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abct:# \n-|>'\"[]{},&*!?\t\\", max_size=80), st.integers(0, 80))
def test_no_text_breaks_the_scan(text: str, at: int) -> None:
    text = text[:at] + f"# {GOOD}" + text[at:]
    for path in ("rules/a/x.yaml", "sops/a/SOP-A-001.md"):
        file = SourceFile(path=path, text=text)
        for each in comments(file):
            line = text.split("\n")[each.line - 1]
            assert line[each.col - 1 :].startswith("tocsin:")
        apply((found_at(1),), read_ignores(file), TODAY)
