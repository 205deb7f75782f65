"""A Mermaid flowchart read into nodes and edges.

In: the diagram's source, an author's text. Out: `Flow`, or `UnreadableFlow` where the source is no flowchart or uses what is not read here. Read:
`flowchart` and `graph`, every node shape, labels on edges, chains, `&`, subgraphs; colours, classes and clicks say nothing in words and are left
out. Nothing here goes back over what it has read, so hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LONGEST = 20_000
_MOST_EDGES = 400
"""Beyond these a list helps nobody; Mermaid itself stops near there."""
_FRONT_MATTER = re.compile(r"\s*---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_HEADER = re.compile(
    r"[\s;]*(?:flowchart(?:-elk)?|graph)(?:[ \t]+(?:TB|TD|BT|RL|LR|[<>^v]))?[ \t]*(?=[;\n]|\Z)"
)
_COMMENT = re.compile(r"^[ \t]*%%[^\n]*$", re.MULTILINE)
_SILENT = re.compile(
    r"(?:classDef|class|style|linkStyle|click|direction|accTitle|accDescr)\b[^\n;{]*(?:\{[^}]*\})?[^\n;]*"
)
_ID = re.compile(r"\w+(?:[-.](?=\w)\w+)*")
_CLASS = re.compile(r":::[\w-]+")
_SHAPES = (
    ("(((", ")))"),
    ("((", "))"),
    ("([", "])"),
    ("[[", "]]"),
    ("[(", ")]"),
    ("{{", "}}"),
    ("[/", "/]"),
    ("[/", "\\]"),
    ("[\\", "\\]"),
    ("[\\", "/]"),
    ("[", "]"),
    ("(", ")"),
    ("{", "}"),
    (">", "]"),
)
_SPACE = re.compile(r"[ \t]*")
_LINES = re.compile(r"\s*")
_GAP = re.compile(r"[\s;]*")
_ARROW = re.compile(r"[<ox]?(?:-{2,}[->ox]|={2,}[=>ox]|-\.{1,}-[>ox]?|~{3,})(?=[^-=.~>]|\Z)")
_OPEN_ARROW = re.compile(r"[<ox]?(--|==|-\.)(?![-=.>])")
_LABEL_END = {
    "--": re.compile(r"-{2,}[->ox]"),
    "==": re.compile(r"={2,}[=>ox]"),
    "-.": re.compile(r"\.+-[>ox]?"),
}
_PIPED = re.compile(r"[ \t]*\|([^|\n]*)\|")
_LABELLED = re.compile(r"\blabel\s*:\s*(?:\"([^\"]*)\"|'([^']*)'|([^,}\n]+))")
_BREAK = re.compile(r"<br\s*/?>|\\n", re.IGNORECASE)
_ENTITY = re.compile(r"#(?:(quot|amp|lt|gt|nbsp)|([0-9]{1,6}));")
_NAMED = {"quot": '"', "amp": "&", "lt": "<", "gt": ">", "nbsp": " "}


@dataclass(slots=True, kw_only=True)
class Flow:
    """A flow while it is read: node id -> words, and edges in the order written."""

    words: dict[str, str] = field(default_factory=dict)
    edges: list[tuple[str, str, str]] = field(default_factory=list)


class UnreadableFlow(Exception):
    """Not the grammar of this module."""


def read_flow(source: str) -> Flow:
    """The flow of a diagram. `UnreadableFlow` where it is none."""
    if len(source) > _LONGEST:
        raise UnreadableFlow
    text = source.replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    text = _COMMENT.sub("", text[front.end() :] if front else text)
    header = _HEADER.match(text)
    if header is None:
        raise UnreadableFlow
    flow, at = Flow(), header.end()
    while True:
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
        if at >= len(text):
            return flow
        at = _statement(text, at, flow)


def _statement(text: str, at: int, flow: Flow) -> int:
    word = _ID.match(text, at)
    name = word[0] if word else ""
    if name == "end" and word is not None:
        return word.end()
    if name == "subgraph" and word is not None:
        return _subgraph(text, word.end(), flow)
    silent = _SILENT.match(text, at)
    # `class` and the like are words of the language only where no arrow or shape follows.
    if silent and not re.match(r"\w+[ \t]*(?:[\[({>&]|[<ox]?[-=~])", text[at:]):
        return silent.end()
    return _chain(text, at, flow)


def _subgraph(text: str, at: int, flow: Flow) -> int:
    at = _blank(text, at)
    name = _ID.match(text, at)
    titled = _blank(text, name.end()) if name is not None else at
    if name is not None and text[titled : titled + 1] == "[":
        label, at = _shape(text, titled)
        flow.words[name[0]] = label or name[0]
        return at
    end = min(each for each in (text.find("\n", at), text.find(";", at), len(text)) if each >= 0)
    return end


def _chain(text: str, at: int, flow: Flow) -> int:
    """`A & B -- yes --> C --> D`, to the end of its line."""
    sources, at = _nodes(text, at, flow)
    while True:
        at = _blank(text, at)
        if at >= len(text) or text[at] in "\n;":
            return at
        label, at, visible = _edge(text, at)
        # A line may end in an arrow: what it leads to stands on the next.
        gap = _LINES.match(text, at)
        at = gap.end() if gap else at
        targets, at = _nodes(text, at, flow)
        if visible:
            flow.edges.extend((each, label, target) for each in sources for target in targets)
        if len(flow.edges) > _MOST_EDGES:
            raise UnreadableFlow
        sources = targets


def _nodes(text: str, at: int, flow: Flow) -> tuple[list[str], int]:
    found = []
    while True:
        name, at = _node(text, at, flow)
        found.append(name)
        after = _blank(text, at)
        if text[after : after + 1] != "&":
            return found, at
        at = _blank(text, after + 1)


def _node(text: str, at: int, flow: Flow) -> tuple[str, int]:
    name = _ID.match(text, at)
    if name is None:
        raise UnreadableFlow
    id, at = name[0], name.end()
    label, at = _shape(text, at)
    if label:
        flow.words[id] = label
    else:
        flow.words.setdefault(id, id)
    style = _CLASS.match(text, at)
    return id, style.end() if style else at


def _shape(text: str, at: int) -> tuple[str, int]:
    """The words in a node's shape, and where it ends; no words where no shape begins here."""
    if text.startswith("@{", at):
        end = text.find("}", at)
        if end < 0:
            raise UnreadableFlow
        said = _LABELLED.search(text, at, end)
        return _clean(next((each for each in said.groups() if each), "") if said else ""), end + 1
    for opening, closing in _SHAPES:
        if not text.startswith(opening, at):
            continue
        begin = at + len(opening)
        first = _blank(text, begin)
        if text[first : first + 1] == '"':
            quote = text.find('"', first + 1)
            end = _blank(text, quote + 1)
            if quote >= 0 and text.startswith(closing, end):
                return _clean(text[first + 1 : quote]), end + len(closing)
            continue
        end = text.find(closing, begin)
        if end >= 0 and "\n" not in text[begin:end]:
            return _clean(text[begin:end]), end + len(closing)
    if text[at : at + 1] and text[at] in "[({>":
        raise UnreadableFlow
    return "", at


def _edge(text: str, at: int) -> tuple[str, int, bool]:
    """Label, end, and whether the edge says anything (`~~~` only moves boxes)."""
    arrow = _ARROW.match(text, at)
    if arrow is not None:
        piped = _PIPED.match(text, arrow.end())
        label = _clean(piped[1]) if piped else ""
        return label, piped.end() if piped else arrow.end(), "~" not in arrow[0]
    opened = _OPEN_ARROW.match(text, at)
    if opened is None:
        raise UnreadableFlow
    begin = _blank(text, opened.end())
    if text[begin : begin + 1] == '"' and (quote := text.find('"', begin + 1)) > 0:
        closed = _LABEL_END[opened[1]].match(text, _blank(text, quote + 1))
        if closed is None:
            raise UnreadableFlow
        return _clean(text[begin : quote + 1]), closed.end(), True
    line = text.find("\n", opened.end())
    closed = _LABEL_END[opened[1]].search(text, opened.end(), line if line >= 0 else len(text))
    if closed is None:
        raise UnreadableFlow
    return _clean(text[opened.end() : closed.start()]), closed.end(), True


def _blank(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _clean(label: str) -> str:
    """A label as it reads on the picture: no quotes, no line breaks, entities resolved."""
    said = _BREAK.sub(" ", label.strip())
    if len(said) > 1 and said[0] == said[-1] and said[0] in "\"'":
        said = said[1:-1].strip()
    if len(said) > 1 and said[0] == said[-1] == "`":
        said = said[1:-1].strip()
    return _ENTITY.sub(lambda match: _NAMED[match[1]] if match[1] else _character(int(match[2])), said)


def _character(number: int) -> str:
    return chr(number) if 32 <= number < 0x11_0000 and not 0xD800 <= number < 0xE000 else "\ufffd"
