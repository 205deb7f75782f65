"""Whether a shell block is whole: quotes, brackets and here-documents that are opened are closed.

Not a parser, and no shell is started: `bash -n` on a stranger's text is more than a check should do. What this says is broken cannot run as it stands;
what it lets pass may still be wrong. Anything it is not sure of (`case` patterns, arithmetic, process substitution) passes.
"""

from __future__ import annotations

import re

_HEREDOC = re.compile(r"<<(-?)\s*(?:'([^'\n]+)'|\"([^\"\n]+)\"|\\?([A-Za-z_][A-Za-z0-9_]*))")
SHELLS = frozenset({"sh", "bash", "shell", "zsh", "console", "shell-session", "sh-session", "terminal"})
"""Languages of blocks in which somebody types commands."""
_WHOLE = re.compile(r"""(?s)\\.|'[^']*'|"(?:[^"\\$`]|\\.|\$(?!\())*"|(?:(?<=[\s;&|()])|\A)#[^\n]*""")
"""What is plainly whole; most blocks hold nothing else, and the slow way begins where something is left."""
_SPECIAL = re.compile(r"[\\#'\"`<()\n]")
_DEEPEST = 40
_CASE = re.compile(r"\bcase\b.*\bin\b", re.DOTALL)
_WORD_ENDS = " \t\n;&|()"

PROMPT = re.compile(
    r"""(?x) [ \t]* (?:
      \$[ ]+(?=\S)
    | (?:\([\w.-]+\)[ ])? [\w.-]+@[\w.-]+ (?:[:~ /][^\n#$%]{0,80})? [\#$%] [ ]+ (?=\S)
    | \[ [\w.-]+ @ [\w.-]+ [^\]\n]{0,80} \] [\#$%] [ ]* (?=\S)
    | (?:sh|bash)-\d[\d.]*[\#$][ ]+ (?=\S)
    | PS[ ][A-Z]:\\[^>\n]*>
    | (?:mysql|postgres|psql|redis|mongo|test)>[ ]+ (?=\S) | MariaDB[ ]\[[^\]\n]{1,60}\]>[ ]+ (?=\S) | \w{1,40}=[\#>][ ]+ (?=\S)
    )"""
)
"""A prompt in front of a command, of a shell or of a database's client."""

_COLUMN = re.compile(r"[A-Z][A-Z0-9_()%/ -]*\Z")
_LOGGED = re.compile(r"[ \t]*(?:\d{4}-\d\d-\d\d[T ]\d\d:|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d)")
"""How the line of a log begins."""


def typed(text: str) -> frozenset[int]:
    """The lines (from 0) of a block that somebody typed: where prompts stand, those and what they go on in; elsewhere all but tables and logs."""
    rows = text.split("\n")
    found: set[int] = set()
    going_on = False
    for index, row in enumerate(rows):
        if going_on or PROMPT.match(row):
            found.add(index)
            going_on = row.rstrip().endswith("\\")
    if found:
        return frozenset(found)
    end = next((index for index, row in enumerate(rows) if is_table(row)), len(rows))
    return frozenset(index for index in range(end) if not _LOGGED.match(rows[index]))


def is_table(row: str) -> bool:
    """Whether a line is the heading of a table that a program printed."""
    columns = [each for each in re.split(r"  +|\t+", row.strip()) if each]
    return len(columns) > 2 and all(_COLUMN.match(each) for each in columns)


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
        if char == "<" and "((" in text[max(0, at - 200) : at].rpartition("\n")[2]:
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


def _quoted(text: str, at: int, depth: int = 0) -> int | None:
    """Behind the quote that opens at `at`; None where it stays open. Deeper than anybody nests is not looked at, and passes."""
    if depth > _DEEPEST:
        return len(text)
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
            end = _command(text, at + 2, depth + 1)
            if end is None:
                return None
            at = end
            continue
        at += 1
    return None


def _command(text: str, at: int, depth: int) -> int | None:
    brackets = 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if char in "'\"`":
            end = _quoted(text, at, depth)
            if end is None:
                return None
            at = end
            continue
        if char in "()":
            brackets += 1 if char == "(" else -1
            if brackets == 0:
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
