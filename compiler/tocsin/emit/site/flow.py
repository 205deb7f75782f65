"""A Mermaid flowchart in words: for those who cannot see the picture, and for everybody when it does not draw.

In: the diagram's source, an author's text. Out: a Markdown list of numbered steps, each with its answers and where they lead, or None where
`flow_read` cannot read it (the page then shows the source alone).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tocsin.emit.site import markup
from tocsin.emit.site.flow_read import Flow, UnreadableFlow, read_flow
from tocsin.emit.site.words import say

_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,})(?P<info>[^`]*)\Z")


def flow_text(source: str, language: str) -> str | None:
    """The flow as a Markdown list; None where it cannot be read."""
    try:
        flow = read_flow(source)
    except UnreadableFlow:
        return None
    return _told(flow, language) if flow.edges else None


def flow_block(source: str, language: str) -> str:
    """The words of a flow and its source, to unfold: whoever sees the picture needs neither."""
    told = flow_text(source, language) or say(language, "flow_unread")
    inner = f"{told}\n\n{markup.fence(source, 'text')}"
    lines = [f"    {line}" if line else "" for line in inner.split("\n")]
    return "\n".join([f'??? note "{say(language, "flow")}"', "", *lines])


def beside_flows(body: str, language: str) -> str:
    """Prose, as `prose.render_body` wrote it, with the words of each diagram right below its picture."""
    found: list[str] = []
    opened: re.Match[str] | None = None
    begin = 0
    for line in body.split("\n"):
        found.append(line)
        if opened is None:
            opened, begin = _FENCE.match(line), len(found)
        elif line == opened["indent"] + opened["ticks"]:
            if opened["info"] == "mermaid":
                indent = opened["indent"]
                source = "\n".join(each.removeprefix(indent) for each in found[begin:-1])
                block = flow_block(source, language).split("\n")
                found.extend(["", *(indent + each if each else "" for each in block)])
            opened = None
    return "\n".join(found)


def _told(flow: Flow, language: str) -> str:
    """One numbered item per node something follows; a node with one unnamed way on is joined to the next in a line."""
    following: dict[str, list[tuple[str, str]]] = {}
    entered: dict[str, int] = {}
    for source, label, target in flow.edges:
        following.setdefault(source, []).append((label, target))
        entered[target] = entered.get(target, 0) + 1
    steps: list[tuple[str, ...]] = []
    joined: set[str] = set()
    for start in _order(flow, following, entered):
        if start in joined:
            continue
        line = [start]
        while (onward := _only(following, line[-1])) and entered[onward] == 1 and onward not in line:
            line.append(onward)
        joined.update(line)
        steps.append(tuple(line))
    numbers = {step[0]: number for number, step in enumerate(steps, 1)}
    parts = []
    for number, step in enumerate(steps, 1):
        parts.append(f"{number}. " + " → ".join(markup.plain(flow.words[each]) for each in step))
        for label, target in following.get(step[-1], ()):
            parts.append(f"    - {_answer(flow, label, target, numbers, language)}")
    return "\n".join(parts)


def _only(following: Mapping[str, Sequence[tuple[str, str]]], node: str) -> str:
    """The node after `node` where there is one way on and it has no name."""
    ways = following.get(node, ())
    return ways[0][1] if len(ways) == 1 and not ways[0][0] else ""


def _order(
    flow: Flow, following: Mapping[str, Sequence[tuple[str, str]]], entered: Mapping[str, int]
) -> list[str]:
    """Nodes that something follows, breadth first from where the flow begins."""
    found: dict[str, None] = {}
    for start in [*(each for each in flow.words if each not in entered), *flow.words]:
        waiting = [start]
        while waiting:
            later: list[str] = []
            for node in waiting:
                if node in found or not following.get(node):
                    continue
                found[node] = None
                later.extend(target for _, target in following[node])
            waiting = later
    return list(found)


def _answer(flow: Flow, label: str, target: str, numbers: Mapping[str, int], language: str) -> str:
    named = f"**{markup.plain(label)}**{say(language, 'colon')}" if label else ""
    shown, step = markup.plain(flow.words[target]), numbers.get(target)
    return named + (say(language, "flow_step", target=shown, number=step) if step else shown)
