"""Commands and other blocks of a SOP: what can be undone, what is checked afterwards, what can be pasted, what parses.

A command says of itself what it does (`<!-- tocsin: change -->`). Where it does not, its words are looked at, and what is found then is a note:
a guess is never more.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from tocsin.check.shell import PROMPT, SHELLS, is_table, typed, unclosed
from tocsin.check.view import PageView
from tocsin.diag import Diagnostic, Severity, SourceFile, Span, diagnostic, with_severity
from tocsin.ir.sop import Body, Fence, Section, Sop
from tocsin.source.tree import read_documents

SHELL = frozenset({"sh", "bash", "shell", "zsh"})
_CHANGES = ("change", "destructive")
_CHANGING = re.compile(
    r"""(?mx) (?:^|[|;&(]|\$\() [ \t]* (?:[$>\#][ ])? (?:sudo[ ]+)? (?:
      (?:kubectl|oc) (?:[ ]+-[^\s|;&]+(?:[ ]+[^\s|;&-][^\s|;&]*)?)* [ ]+ (?:adm[ ]+)? (?:delete|apply|scale|edit|patch|replace|create|drain
          |cordon|uncordon|taint|label|annotate|set
          |rollout[ ]+(?:restart|undo|pause|resume)) \b
    | (?:systemctl|service) [ ]+ (?:--\S+[ ]+)* (?:\S+[ ]+)? (?:restart|stop|start|reload|disable|enable|mask) \b
    | helm [ ]+ (?:upgrade|rollback|uninstall|install|delete) \b
    | docker [ ]+ (?:rm|stop|start|restart|kill|run) \b
    | terraform [ ]+ (?:apply|destroy) \b
    | (?:rm|kill|pkill|killall|reboot|shutdown|mkfs\S*|dd|truncate|chmod|chown|mv|umount|mount) [ ]+ [-\w/"'$.~]
    | curl \b [^\n]{0,400}? (?:-X[ ]?|--request[ ]+) (?:POST|PUT|DELETE|PATCH) \b
    )"""
)
_DRY = re.compile(r"--dry-run(?!=none)|--help\b")
_UNDO_WORDS = re.compile(
    r"\b(?:undo(?:ing)?|roll(?:ing)?[ -]?back|revert(?:ing)?|restore)\b|回滚|撤销|恢复", re.I
)
_VERIFY_WORDS = re.compile(
    r"\b(?:verif(?:y|ication)|validat(?:e|ion)|it worked|recovered|after(?:wards)?.*check|check.*(?:recover|resolved|worked))\b|验证|检查恢复|确认恢复",
    re.I,
)
_MAYBE_PROMPT = re.compile(r"[$#%>\]] |[$#]$", re.M)
_MAYBE_TABLE = re.compile(r"(?m)^[A-Z][A-Z0-9_()%/-]+(?: [A-Z0-9_()%/-]+)?(?:  |\t)")
_NOT_WHOLE = re.compile(
    r"(?m)^[ \t]*(?:\.\.\.|…|\[\.\.\.\]|<snip>)|\{\{|<[A-Za-z_][\w -]*>|\.\.\.[\]}]?[ \t]*$"
)


class _Place(NamedTuple):
    """A SOP in one language, as subjects name it."""

    sop: Sop
    name: str


def _active(view: PageView) -> _Place | None:
    sop = view.sop
    if sop is None or sop.stub or sop.status != "active":
        return None
    return _Place(sop, f"{sop.id}.{sop.language}")


def rollback(view: PageView) -> Iterator[Diagnostic]:
    """TOC624, TOC625: a command that changes something, and no word on undoing it; none on telling whether it worked."""
    place = _active(view)
    if place is None:
        return
    body = place.sop.body
    changes = [each for each in body.fences if each.kind in _CHANGES or (not each.kind and guessed(each))]
    outline = _Outline(body) if changes else None
    changes = [each for each in changes if outline is not None and not outline.undoes(each)]
    if not changes or outline is None:
        return
    anchors = place.sop.anchors
    has_section = any(each.anchor == "rollback" or _says(_UNDO_WORDS, each) for each in body.sections)
    silent = False
    for fence in changes:
        problem = _undo_problem(fence, outline, anchors, has_section)
        if problem is None or (not fence.undo and silent):
            continue
        silent = silent or not fence.undo
        message, help = problem
        yield _as_sure(
            fence, diagnostic("TOC624", _change(fence), message, help=help, subject=f"{place.name}/undo")
        )
    if not any(each.anchor == "verify" or _says(_VERIFY_WORDS, each) for each in body.sections):
        first = next((each for each in changes if each.kind), changes[0])
        message = "this command changes something, and no section says how to tell whether it worked"
        help = "add `## Verification`: a query, what it must show, and for how long"
        yield _as_sure(
            first, diagnostic("TOC625", _change(first), message, help=help, subject=f"{place.name}/verify")
        )


def _says(words: re.Pattern[str], section: Section) -> bool:
    return words.search(section.heading[:200]) is not None


def guessed(fence: Fence) -> bool:
    """Whether an unmarked block looks as though it changed something."""
    text = fence.text
    if fence.language.lower() not in SHELLS | {""} or _CHANGING.search(text) is None:
        return False
    lines = typed(text)
    text = "\n".join(row for index, row in enumerate(text.split("\n")) if index in lines)
    return any(not _DRY.search(_line_of(text, match.start())) for match in _CHANGING.finditer(text))


def _change(fence: Fence) -> Span:
    """Where a block changes something: the line that says so, else the first that somebody types."""
    rows = fence.text.split("\n")
    lines = sorted(typed(fence.text)) or [0]
    found = (index for index in lines if _CHANGING.search(rows[index]) and not _DRY.search(rows[index]))
    spoken = (index for index in lines if rows[index].strip() and not rows[index].lstrip().startswith("#"))
    return _row(fence, next(found, next(spoken, lines[0])))


def _line_of(text: str, at: int) -> str:
    at = len(text) - len(text[at:].lstrip("\n"))
    end = text.find("\n", at)
    return text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]


def _as_sure(fence: Fence, found: Diagnostic) -> Diagnostic:
    return found if fence.kind else with_severity(found, Severity.note)


class _Outline:
    """The headings of one page, asked by line; made once a page, because a page may have many of both."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.lines = body.text.split("\n")
        self.starts = [each.span.line for each in body.sections]
        self.about_undoing: list[bool] = []
        open_: list[tuple[int, bool]] = []
        for each in body.sections:
            while open_ and open_[-1][0] >= each.level:
                open_.pop()
            undoing = each.anchor == "rollback" or _says(_UNDO_WORDS, each)
            open_.append((each.level, undoing or (bool(open_) and open_[-1][1])))
            self.about_undoing.append(open_[-1][1])

    def undoes(self, fence: Fence) -> bool:
        """Whether a command stands under a heading about undoing: it is the way back, not the way in."""
        at = bisect_left(self.starts, fence.span.line) - 1
        return at >= 0 and self.about_undoing[at] and not fence.undo

    def explained(self, fence: Fence) -> bool:
        """Whether a sentence stands next to a block, before the next heading or block."""
        first, last = fence.span.line - self.body.first_line, fence.span.end_line - self.body.first_line
        for rows in (range(last + 2, len(self.lines)), range(first - 2, -1, -1)):
            for row in rows:
                text = self.lines[row].strip()
                if text.startswith(("#", "```", "~~~")):
                    break
                if len(text) > 12 and not text.startswith("<!--"):
                    return True
        return False


def _undo_problem(
    fence: Fence, outline: _Outline, anchors: frozenset[str], has_section: bool
) -> tuple[str, str] | None:
    if fence.undo.startswith("#"):
        if fence.undo[1:] in anchors:
            return None
        return (
            f"`undo={fence.undo}` names no section of this page",
            "name the section that says how to undo it",
        )
    if fence.undo == "none":
        if outline.explained(fence):
            return None
        help = "say beside the command why there is nothing to undo, or what stays"
        return "`undo=none` is not explained", help
    if has_section:
        return None
    message = "this command changes something, and nothing on the page says how to undo it"
    help = "add `## Rollback`, or write `<!-- tocsin: change undo=#section -->` (`undo=none` and a sentence where nothing can be undone)"
    return message, help


def pasted(view: PageView) -> Iterator[Diagnostic]:
    """TOC626, TOC627: a block that cannot be pasted as it stands, and one that does not say what it holds."""
    place = _active(view)
    if place is None:
        return
    for fence in place.sop.body.fences:
        word = fence.language.lower()
        if not word:
            help = "write ```bash for commands, ```promql for queries, ```text for output"
            yield diagnostic(
                "TOC627",
                fence.span,
                "this block does not say what it holds",
                help=help,
                subject=f"{place.name}/fence",
            )
        if word in SHELL or not word:
            yield from _prompts(fence, place.name)


def _prompts(fence: Fence, name: str) -> Iterator[Diagnostic]:
    text = fence.text
    if _MAYBE_PROMPT.search(text) is None and _MAYBE_TABLE.search(text) is None:
        return
    rows = text.split("\n")
    prompted, output, going_on = -1, -1, False
    for index, row in enumerate(rows):
        if not row.strip():
            continue
        if PROMPT.match(row):
            prompted, going_on = (index if prompted < 0 else prompted), row.rstrip().endswith("\\")
        elif going_on:
            going_on = row.rstrip().endswith("\\")
        elif output < 0 and (
            (prompted >= 0 and not row.lstrip().startswith(("#", ">")))
            or (fence.language and index and is_table(row))
        ):
            output = index
    if prompted < 0 and output < 0:
        return
    if output >= 0:
        message = "commands and their output stand in one block: pasting it runs the output"
        help = "put the output into a block of its own, ```text"
    else:
        message = "a prompt stands before the command: pasting it fails"
        help = "remove the prompt, or call the block ```console"
    yield diagnostic(
        "TOC626",
        _row(fence, max(prompted, 0) if output < 0 else output),
        message,
        help=help,
        subject=f"{name}/prompt",
    )


def _row(fence: Fence, index: int) -> Span:
    line = fence.span.line + index
    row = fence.text.split("\n")[index]
    col = fence.span.col if index == 0 else 1
    return Span(fence.span.file, line, col, line, col + max(len(row), 1))


def parses(view: PageView) -> Iterator[Diagnostic]:
    """TOC637: a block of YAML, JSON or shell that does not parse."""
    place = _active(view)
    if place is None:
        return
    for fence in place.sop.body.fences:
        word = fence.language.lower()
        if not fence.text.strip():
            continue
        problem: tuple[str, str] | None = None
        if word in ("yaml", "yml"):
            problem = _yaml(fence)
        elif word == "json":
            problem = _json(fence)
        elif word in SHELL:
            said = unclosed(fence.text)
            if said is not None and not any(PROMPT.match(row) for row in fence.text.split("\n")):
                problem = ("shell", said) if not _NOT_WHOLE.search(fence.text) else None
        if problem is not None:
            message = f"not valid {problem[0]}: {problem[1]}"
            help = "the responder will paste this: make it run"
            yield diagnostic("TOC637", fence.span, message, help=help, subject=f"{place.name}/{word}")


def _yaml(fence: Fence) -> tuple[str, str] | None:
    if _NOT_WHOLE.search(fence.text):
        return None
    _, found = read_documents(SourceFile(path=fence.span.file, text=fence.text))
    fault = next((each for each in found if each.code in ("TOC101", "TOC102")), None)
    return (
        ("YAML", f"line {fault.span.line} of the block: {fault.message.removeprefix('not valid YAML: ')}")
        if fault is not None
        else None
    )


def _json(fence: Fence) -> tuple[str, str] | None:
    text = fence.text
    if _NOT_WHOLE.search(text) or "..." in text or "…" in text:
        return None
    try:
        json.loads(text)
    except RecursionError:
        return "JSON", "it is nested too deeply"
    except ValueError as error:
        rows = [each for each in text.split("\n") if each.strip()]
        if len(rows) > 1 and all(_is_json(each) for each in rows):
            return None  # one value a line, as logs are
        said = error.msg if isinstance(error, json.JSONDecodeError) else "a number is too long"
        where = f"line {error.lineno} of the block: " if isinstance(error, json.JSONDecodeError) else ""
        return "JSON", f"{where}{said[0].lower()}{said[1:]}"
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
