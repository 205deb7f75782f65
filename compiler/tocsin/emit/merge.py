"""Our inhibition rules joined to a team's own Alertmanager configuration, whose text stays as it is.

In: the configuration as text and our rules. Out: the same text with our rules between two marks, in the
team's `inhibit_rules` where there is one. Nothing is parsed and written anew: comments, anchors and layout
are the team's. Running it again replaces what stands between the marks. The result is read back before it is
returned: all but our rules must be what it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.diag import Map, Seq, SourceFile
from tocsin.diag.origin import place_of
from tocsin.emit.inhibit import InhibitRule, list_text
from tocsin.errors import UsageError
from tocsin.source.tree import read_document

BEGIN = "# >>> tocsin inhibit rules: generated, `tocsin build` replaces everything up to the second mark"
END = "# <<< tocsin inhibit rules"
_OURS = re.compile(rf"^[ ]*{re.escape(BEGIN)}\n.*?^[ ]*{re.escape(END)}\n?", re.MULTILINE | re.DOTALL)
_KEY = "inhibit_rules"


def merge_inhibit(config: str, rules: Sequence[InhibitRule], *, name: str = "alertmanager.yml") -> str:
    """`config` with exactly `rules` between our marks. UsageError where it is no YAML mapping, or writes its
    rules in one line.
    """
    bare = _OURS.sub("", config.replace("\r\n", "\n"))
    if bare and not bare.endswith("\n"):
        bare += "\n"
    before = _read(bare, name)
    merged = _insert(bare, before, rules, name) if rules else bare
    after = _read(merged, name)
    expected = [*_items(before), *(_plain(rule.node) for rule in rules)]
    same_rules = sorted(map(repr, _items(after))) == sorted(map(repr, expected))
    if {**after, _KEY: None} != {**before, _KEY: None} or not same_rules:
        message = f"{name}: `{_KEY}` is written in a way that cannot be added to"
        raise UsageError(message, help="write it as a list, one item below the other")
    return merged


def _insert(text: str, data: Map, rules: Sequence[InhibitRule], name: str) -> str:
    """`text` with our block at the head of its list, or with a list of our own at its end."""
    top_line, top_column = place_of(data.mark)
    if data and text.split("\n")[top_line][top_column] == "{":
        raise UsageError(f"{name} is written as JSON", help="write it as YAML, one key below the other")
    if _KEY not in data:
        return f"{text}{BEGIN}\n{_KEY}:\n{list_text(rules, '  ')}{END}\n"
    lines = text.split("\n")
    at, _ = place_of(data.keys_at[_KEY])
    value = data[_KEY]
    start, column = place_of(data.values_at[_KEY])
    written = lines[start][column:]
    if value is None or value == []:
        # `inhibit_rules:` and `inhibit_rules: []` are both an empty list to add to.
        lines[at] = re.sub(rf"^([\"']?{_KEY}[\"']?\s*:)(?:\s*(?:\[\s*\]|~|null))?", r"\1", lines[at]).rstrip()
        return _with_block(lines, at + 1, "  ", rules)
    if isinstance(value, Seq) and written.startswith("- "):
        return _with_block(lines, start, " " * column, rules)
    place = f"{name}:{start + 1}"
    message = f"{place}: `{_KEY}` is not a list of lines that start with `- `"
    raise UsageError(message, help="write one item below the other")


def _with_block(lines: list[str], at: int, indent: str, rules: Sequence[InhibitRule]) -> str:
    block = f"{indent}{BEGIN}\n{list_text(rules, indent)}{indent}{END}"
    return "\n".join([*lines[:at], block, *lines[at:]])


def _read(text: str, name: str) -> Map:
    document, found = read_document(SourceFile(path=name, text=text))
    wrong = [each for each in found if each.code not in ("TOC107", "TOC109")]
    if wrong:
        raise UsageError(f"{wrong[0].span.place}: {wrong[0].message}", help=wrong[0].help)
    if document is None:
        return Map()
    if not isinstance(document.data, Map):
        raise UsageError(f"{name} is not an Alertmanager configuration: it has no keys at its top")
    return document.data


def _items(data: Map) -> list[object]:
    value = data.get(_KEY)
    return list(value) if isinstance(value, Seq) else []


def _plain(node: object) -> object:
    """A node as the reader gives it back: tuples are lists."""
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    return [_plain(each) for each in node] if isinstance(node, list | tuple) else node
