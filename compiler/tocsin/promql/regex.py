"""The syntax of Go's regular expressions (RE2), which is what a label matcher of Prometheus is written in.

The parser library compiles patterns with Rust's engine, which reads another dialect (`[\\w-.]` is an error
there, `a**` is not) and can be made to compile for minutes. So patterns out of the ordinary are judged here,
by the rules of regexp/syntax with Perl flags, and the library never sees them. Besides the verdict, the one
thing asked of a pattern is whether it matches the empty text, since a selector needs a matcher that does not.

One leniency: the name of a Unicode script is not looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_REPEAT = 1000
MAX_DEPTH = 1000

_COUNT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_FLAGS = re.compile(r"\(\?[imsU]*(?:-[imsU]+)?([:)])")
_NAME = re.compile(r"\(\?P?<([A-Za-z0-9_]+)>")
_UNICODE = re.compile(
    r"\\[pP](?:[LMNPSZC]|\{\^?(?:Any|L[mlotu]?|M[cen]?|N[dlo]?|P[cdefios]?|S[ckmo]?|Z[lps]?|C[cfos]?"
    r"|[A-Z][A-Za-z]{2,}(?:_[A-Za-z]+)*)\})"
)
_ESCAPED = re.compile(
    r"\\(?:[1-7][0-7]{1,2}|0[0-7]{0,2}|x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|[afnrtv]|[!-/:-@\[-`{-~ \x00-\x1f])"
)
_PERL = re.compile(r"\\[dDsSwW]")
_POSIX = frozenset({
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
})  # fmt: skip


class BadRegexError(ValueError):
    """The pattern is not one that Go compiles; the message is a clause about it."""


@dataclass(slots=True)
class _Group:
    """An open group: what is known of the alternatives so far, of the current one, and of its last item.

    `repeats` is the largest product of nested counts inside, which Go limits.
    """

    alternatives_empty: bool = False
    empty: bool = True
    last_empty: bool | None = None
    last_repeats: int = 1
    repeats: int = 1

    def push(self, empty: bool, repeats: int = 1) -> None:
        self.empty = self.empty and self.last_empty is not False
        self.repeats = max(self.repeats, self.last_repeats)
        self.last_empty, self.last_repeats = empty, repeats

    def finish(self) -> None:
        """Ends the current alternative."""
        self.push(True)
        self.alternatives_empty = self.alternatives_empty or self.empty
        self.empty, self.last_empty = True, None


def matches_empty(pattern: str) -> bool:
    """Whether `pattern` matches the empty text. Raises BadRegexError if Go would not compile it."""
    return _Reader(pattern).read()


@dataclass(slots=True)
class _Reader:
    pattern: str
    at: int = 0
    groups: list[_Group] = field(default_factory=lambda: [_Group()])
    repeated: bool = False

    def read(self) -> bool:
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            repeat = False
            if char == "(":
                self.open()
            elif char == ")":
                self.close()
            elif char == "|":
                self.groups[-1].finish()
                self.at += 1
            elif char in "*+?" or (char == "{" and _COUNT.match(self.pattern, self.at)):
                repeat = True
                self.repeat(char)
            elif char == "[":
                self.char_class()
                self.groups[-1].push(False)
            elif char == "\\":
                self.escape()
            else:
                self.groups[-1].push(char in "^$")
                self.at += 1
            self.repeated = repeat
        if len(self.groups) > 1:
            raise BadRegexError("a `(` is not closed")
        self.groups[0].finish()
        return self.groups[0].alternatives_empty

    def open(self) -> None:
        if self.pattern.startswith("(?", self.at):
            flags = _FLAGS.match(self.pattern, self.at)
            named = _NAME.match(self.pattern, self.at)
            if flags:
                self.at = flags.end()
                if flags[1] == ")":
                    return
            elif named:
                self.at = named.end()
            else:
                raise BadRegexError(f"`{self.pattern[self.at : self.at + 4]}` opens no group that Go knows")
        else:
            self.at += 1
        self.groups.append(_Group())
        if len(self.groups) > MAX_DEPTH:
            raise BadRegexError("its groups nest too deep")

    def close(self) -> None:
        if len(self.groups) == 1:
            raise BadRegexError("a `)` closes nothing")
        group = self.groups.pop()
        group.finish()
        self.groups[-1].push(group.alternatives_empty, group.repeats)
        self.at += 1

    def repeat(self, char: str) -> None:
        group = self.groups[-1]
        if group.last_empty is None:
            raise BadRegexError(f"`{char}` repeats nothing")
        if self.repeated:
            raise BadRegexError(f"`{char}` repeats a repetition")
        count = _COUNT.match(self.pattern, self.at) if char == "{" else None
        least = 1 if char == "+" else 0
        if count:
            least = int(count[1][:5])
            most = least if not count[2] else int(count[3][:5]) if count[3] else None
            if least > MAX_REPEAT or (most is not None and not least <= most <= MAX_REPEAT):
                raise BadRegexError(f"the count `{count[0]}` is out of range")
            factor = least if most is None else most
            group.last_repeats = 0 if most == 0 else group.last_repeats * max(factor, 1)
            if group.last_repeats > MAX_REPEAT:
                raise BadRegexError(f"its counts multiply to more than {MAX_REPEAT}")
        group.last_empty = group.last_empty or least == 0
        self.at = count.end() if count else self.at + 1
        if self.pattern.startswith("?", self.at):
            self.at += 1

    def escape(self) -> None:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following == "Q":
            end = self.pattern.find("\\E", self.at + 2)
            stop = len(self.pattern) if end == -1 else end
            for _ in self.pattern[self.at + 2 : stop]:
                self.groups[-1].push(False)
            self.at = stop + 2
            return
        if following in ("A", "z", "B", "b"):
            self.groups[-1].push(following != "b")
            self.at += 2
            return
        self.at = self._classed() or self._char()
        self.groups[-1].push(False)

    def char_class(self) -> None:
        opening = self.at
        self.at += 2 if self.pattern.startswith("[^", self.at) else 1
        first = True
        while first or not self.pattern.startswith("]", self.at):
            if self.at >= len(self.pattern):
                raise BadRegexError(f"the `[` at {opening} is not closed")
            first = False
            found = self._posix() or self._classed()
            if found:
                self.at = found
                continue
            low = self.at
            self.at = high = self._char()
            if self.pattern.startswith("-", high) and self.pattern[high + 1 : high + 2] not in ("", "]"):
                self.at = self._char(high + 1)
                if _code(self.pattern[high + 1 : self.at]) < _code(self.pattern[low:high]):
                    raise BadRegexError(f"the range `{self.pattern[low : self.at]}` runs backwards")
        self.at += 1

    def _posix(self) -> int | None:
        if not self.pattern.startswith("[:", self.at):
            return None
        end = self.pattern.find(":]", self.at + 2)
        if end == -1:
            return None
        if self.pattern[self.at + 2 : end].removeprefix("^") not in _POSIX:
            raise BadRegexError(f"`{self.pattern[self.at : end + 2]}` is not a class")
        return end + 2

    def _classed(self) -> int | None:
        """The end of a `\\d` or `\\p{L}` that stands here."""
        if self.pattern[self.at + 1 : self.at + 2] in ("p", "P") and self.pattern[self.at] == "\\":
            found = _UNICODE.match(self.pattern, self.at)
            if not found:
                raise BadRegexError(f"`{self.pattern[self.at : self.at + 8]}` names no class of characters")
        else:
            found = _PERL.match(self.pattern, self.at)
        return found.end() if found else None

    def _char(self, at: int | None = None) -> int:
        """The end of the character, escaped or not, that stands here."""
        at = self.at if at is None else at
        if self.pattern[at] != "\\":
            return at + 1
        found = _ESCAPED.match(self.pattern, at)
        if not found or _code(found[0]) > 0x10FFFF:
            raise BadRegexError(f"`{self.pattern[at : at + 2]}` is no escape")
        return found.end()


_CONTROLS = {"a": 7, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def _code(char: str) -> int:
    """The code point of a character as written in a pattern."""
    if char[0] != "\\" or len(char) == 1:
        return ord(char[0])
    if char[1] == "x":
        return int(char[2:].strip("{}"), 16)
    if char[1].isdigit():
        return int(char[1:], 8)
    return _CONTROLS.get(char[1], ord(char[1]))
