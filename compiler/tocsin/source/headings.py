"""Headings and the anchors a link may name: fixed ids for the sections a responder looks for, slugs for the
rest.

A known heading has one id whatever its language, so a link survives translation. Any other gets the anchor
that MkDocs would make of it, so that a page looks the same to both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.diag.span import Span
from tocsin.ir.sop import Section

_HEADINGS: dict[str, tuple[str, ...]] = {
    "impact": ("impact", "影响", "影响范围"),
    "confirm": ("confirm", "meaning", "what this means", "含义", "规则描述", "确认"),
    "symptoms": ("symptoms", "when to use this", "现象", "故障现象", "症状"),
    "mitigate": (
        "mitigate",
        "mitigation",
        "quick fix",
        "stop the bleeding",
        "resolution",
        "缓解",
        "应急处理",
        "处理方法",
        "修复",
    ),
    "verify": ("verify", "verification", "how to tell it worked", "验证", "恢复验证"),
    "rollback": ("rollback", "undo", "回滚", "撤销"),
    "diagnose": (
        "diagnose",
        "diagnosis",
        "investigation",
        "troubleshooting",
        "排查",
        "诊断",
        "问题定位",
        "根因",
    ),
    "escalate": ("escalate", "escalation", "contacts", "升级", "联系人"),
    "background": ("background", "full context", "references", "背景", "参考"),
    "history": ("history", "past incidents", "复盘", "历史"),
}
SECTION_IDS: tuple[str, ...] = tuple(_HEADINGS)
"""The ids that never change, in the order a responder wants the sections: the same in every language."""
_FIXED = {heading: anchor for anchor, headings in _HEADINGS.items() for heading in headings}
_NUMBERING = re.compile(r"(?:[0-9]+(?:\.[0-9]+)*[.)、:]?\s+|[0-9]+[、.]\s*|[一二三四五六七八九十]+[、.]\s*)")
_ATTRIBUTES = re.compile(
    r"[ ]+\{:?[ ]*((?:[#.][^\s{}]+|[\w-]+=[^\s{}]+)(?:[ ]+(?:[#.][^\s{}]+|[\w-]+=[^\s{}]+))*)[ ]*\}[ ]*\Z"
)
_COUNTED = re.compile(r"(.*)_([0-9]+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Heading:
    """One heading as written; `explicit` is the id its author gave it, if any."""

    text: str
    level: int
    span: Span
    explicit: str


def without_attributes(heading: str) -> tuple[str, str]:
    """A heading without its attribute list (`{#id .class}`), and the id that list gives; empty where it gives
    none.
    """
    match = _ATTRIBUTES.search(heading)
    if match is None:
        return heading, ""
    return heading[: match.start()], next((each[1:] for each in match[1].split() if each.startswith("#")), "")


def anchored(headings: Sequence[Heading]) -> tuple[Section, ...]:
    """Each heading with its anchor: explicit ids and fixed ids first, as they must not move; then slugs,
    counted where they repeat.
    """
    anchors = [each.explicit for each in headings]
    used = {each for each in anchors if each}
    known = [False] * len(headings)
    latest: dict[str, str] = {}
    for index, each in enumerate(headings):
        fixed = _FIXED.get(_NUMBERING.sub("", each.text, count=1).strip().rstrip(":：").casefold())
        if not anchors[index] and fixed and fixed not in used:
            anchors[index] = fixed
            used.add(fixed)
        known[index] = anchors[index] in _HEADINGS
    for index, each in enumerate(headings):
        if not anchors[index]:
            wanted = slug(each.text)
            # Starting where the last of the same name ended: what was taken stays taken.
            anchors[index] = latest[wanted] = _unused(latest.get(wanted, wanted), used)
            used.add(anchors[index])
    return tuple(
        Section(anchor=anchor, heading=each.text, level=each.level, span=each.span, known=fixed)
        for each, anchor, fixed in zip(headings, anchors, known, strict=True)
    )


def _unused(anchor: str, used: set[str]) -> str:
    while not anchor or anchor in used:
        counted = _COUNTED.match(anchor)
        anchor = f"{counted[1]}_{int(counted[2]) + 1}" if counted else f"{anchor}_1"
    return anchor


def slug(text: str) -> str:
    """The anchor MkDocs makes of a heading. Where that would be a bare number (a Chinese heading) the words
    themselves, in small letters.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    anchor = _dashed(plain)
    return anchor if any(map(str.isalnum, anchor)) else _dashed(unicodedata.normalize("NFKC", text))


def _dashed(text: str) -> str:
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", text).strip().lower())
