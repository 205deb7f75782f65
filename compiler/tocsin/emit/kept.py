"""promtool files that a team keeps as they are, beside adopted rules: `rules/<service>/<name>.promtool.yaml`.

In: such a file. Out: the same text with its `rule_files` pointing at the rules tocsin renders, and its
questions with their places. Nothing else of the text changes, and its lines keep their numbers, so that what
promtool says of it fits the source.
"""

from __future__ import annotations

from collections.abc import Iterator

from tocsin.diag import Diagnostic, Map, Origin, Seq, Severity, SourceFile, Span
from tocsin.diag.origin import place_of
from tocsin.emit.questions import Question, clock
from tocsin.emit.yamltext import dump
from tocsin.source.tree import read_document

_KEY = "rule_files"


def kept_file(file: SourceFile, rules: str) -> tuple[Origin | None, str, tuple[Diagnostic, ...]]:
    """The file as data, its text with `rules` as its only rule file, and what is wrong with it; None where it
    cannot be read. Traps of YAML 1.1 are promtool's to judge, which reads the text itself.
    """
    document, found = read_document(file)
    wrong = tuple(each for each in found if each.severity is Severity.error)
    if wrong or document is None or document.origin is None:
        return None, "", wrong
    data = document.origin.node
    lines = file.text.split("\n")
    line, column = place_of(data.mark)
    if lines[line][column : column + 1] == "{":
        return document.origin, dump({**data, _KEY: [rules]}), ()  # type: ignore[dict-item]  # JSON-shaped by construction
    starts = sorted(place_of(mark)[0] for mark in data.keys_at.values())
    if _KEY not in data:
        return document.origin, f"{_KEY}: [{rules}]\n{file.text}", ()
    first = place_of(data.keys_at[_KEY])[0]
    after = next((each for each in starts if each > first), len(lines))
    blank = [""] * (after - first - 1)
    return document.origin, "\n".join([*lines[:first], f"{_KEY}: [{rules}]", *blank, *lines[after:]]), ()


def kept_tests(file: Origin) -> Iterator[tuple[str, Span]]:
    """The name and place of each test."""
    for index, test in enumerate(_items(file.node, "tests")):
        name = test.get("name")
        yield (name if isinstance(name, str) and name else f"tests[{index}]"), file.value("tests", index)


def kept_questions(file: Origin, first: int) -> Iterator[Question]:
    """What the file asks, its tests numbered from `first`."""
    for number, test in enumerate(_items(file.node, "tests")):
        for key, subject in (("promql_expr_test", "expr"), ("alert_rule_test", "alertname")):
            for index, asked in enumerate(_items(test, key)):
                text = asked.get(subject)
                time = str(asked.get("eval_time", "0s"))
                if isinstance(text, str):
                    yield Question(
                        kind="kept",
                        test=first + number,
                        text=text,
                        time=clock(time),
                        at=time,
                        span=file.key("tests", number, key, index, subject),
                        subject=text,
                    )


def _items(data: Map, key: str) -> list[Map]:
    """The mappings of a list; a null or misshapen item keeps its place as an empty one."""
    value = data.get(key)
    return [each if isinstance(each, Map) else Map() for each in value] if isinstance(value, Seq) else []
