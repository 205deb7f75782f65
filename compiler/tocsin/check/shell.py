"""Whether a shell block is whole: quotes, brackets and here-documents that are opened are closed.

Not a parser, and no shell is started: `bash -n` on a stranger's text is more than a check should do. What this says is broken cannot run as it stands;
what it lets pass may still be wrong. Anything it is not sure of (`case` patterns, arithmetic, process substitution) passes.
"""

from __future__ import annotations

import re

_HEREDOC = re.compile(r"<<(-?)\s*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z_][A-Za-z0-9_]*))")
_WHOLE = re.compile(r"""(?s)\\.|'[^']*'|"(?:[^"\\$`]|\\.|\$(?!\())*"|(?:(?<=[\s;&|()])|\A)#[^\n]*""")
"""What is plainly whole; most blocks hold nothing else, and the slow way begins where something is left."""
_SPECIAL = re.compile(r"[\\#'\"`<()\n]")
_CASE = re.compile(r"\bcase\b.*\bin\b", re.DOTALL)
_WORD_ENDS = " \t\n;&|()"


def unclosed(text: str) -> str | None:
    """What is left open in `text`, or closed without having been opened, as words for a person; None where nothing is."""
    rest = _WHOLE.sub("", text)
    if "<<" not in text and not any(each in rest for each in "'\"`()"):
        return None
    waiting: list[tuple[str, bool]] = []
    at, size, depth = 0, len(text), 0
    loose = _CASE.search(text) is not None
    while at < size:
        special = _SPECIAL.search(text, at)
        if special is None:
            break
        at, char = special.start(), special[0]
        if char == "\\":
            at += 2
            continue
        if char == "#" and (at == 0 or text[at - 1] in _WORD_ENDS):
            at = _line_end(text, at)
            continue
        if char in "'\"`":
            end = _quoted(text, at)
            if end is None:
                return f"the quote {char} is not closed"
            at = end
            continue
        if char == "<" and "((" in text[text.rfind("\n", 0, at) + 1 : at]:
            at += 1  # a shift, in arithmetic
            continue
        if char == "<" and (match := _HEREDOC.match(text, at)) and text[at : at + 3] != "<<<":
            waiting.append((match[2] or match[3] or match[4], bool(match[1])))
            at = match.end()
            continue
        if text.startswith("<<<", at):
            at += 3
            continue
        if char == "\n" and waiting:
            for end_word, tabs in waiting:
                found = _here_end(text, at, end_word, tabs)
                if found is None:
                    return f"the here-document `{end_word}` is not closed"
                at = found
            waiting = []
            continue
        if char == "(":
            depth += 1
        elif char == ")" and not loose:
            depth -= 1
            if depth < 0:
                return "a bracket ) is closed that was never opened"
        at += 1
    if waiting:
        return f"the here-document `{waiting[0][0]}` is not closed"
    return "a bracket ( is not closed" if depth > 0 and not loose else None


def _quoted(text: str, at: int) -> int | None:
    """Behind the quote that opens at `at`; None where it stays open."""
    quote = text[at]
    if quote == "'" and at and text[at - 1] == "$":
        quote = "$"  # $'...' knows escapes
    at += 1
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            at += 2
            continue
        if char == ("'" if quote == "$" else quote):
            return at + 1
        if quote == '"' and char == "$" and text.startswith("$(", at):
            # A command inside a string has quotes of its own.
            end = _command(text, at + 2)
            if end is None:
                return None
            at = end
            continue
        at += 1
    return None


def _command(text: str, at: int) -> int | None:
    depth = 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if char in "'\"`":
            end = _quoted(text, at)
            if end is None:
                return None
            at = end
            continue
        if char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return at + 1
        at += 1
    return None


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _here_end(text: str, at: int, word: str, tabs: bool) -> int | None:
    """The end of the line that closes a here-document whose text begins behind the line break at `at`."""
    begin = at + 1
    while begin <= len(text):
        end = _line_end(text, begin)
        line = text[begin:end]
        if (line.lstrip("\t") if tabs else line) == word:
            return end
        if end >= len(text):
            return None
        begin = end + 1
    return None
