"""The expression as a flat tuple of nodes, each after its operands (post-order); the root is the last.

Flat, because authors and generators chain hundreds of operators, and neither equality nor a walk may then run
out of stack: every analysis is one loop that finds the results of a node's operands at `node.kids`. Selectors
stand in the order of the text, which is how the injector pairs them with the places the scanner found.

Parentheses leave no trace here (the structure says it all), `foo` and `{__name__="foo"}` are the same
selector, durations are milliseconds, and numbers compare by their exact text so that NaN equals itself and -0
is not 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

Kind = Literal["vector", "scalar", "matrix", "string"]
MatchOp = Literal["=", "!=", "=~", "!~"]
NAME = "__name__"
COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
SET_OPERATORS = frozenset({"and", "or", "unless"})


class Matcher(NamedTuple):
    """One `label op "value"` of a selector."""

    label: str
    op: MatchOp
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """`written` is the shortest text that reads back as the same float, and alone decides equality."""

    value: float = field(compare=False)
    written: str
    kids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """A string argument."""

    value: str
    kids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """`matchers` in the author's order, with the name. `at` is `start()`, `end()` or seconds as text."""

    matchers: tuple[Matcher, ...]
    offset: float = 0
    at: str | None = None
    kids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """`selector[range]`: kid 0 is the selector, which holds offset and @."""

    range: float
    kids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """`expr[range:step]`; a step of None is the evaluator's default, which is not the same as any number."""

    range: float
    step: float | None
    offset: float = 0
    at: str | None = None
    kids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function call; `name` as Prometheus 3 spells it."""

    name: str
    returns: Kind
    experimental: bool
    kids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """`op by|without (labels)`: no clause at all is `by ()`. With a parameter there are two kids, the
    parameter first.
    """

    op: str
    without: bool
    labels: frozenset[str]
    kids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Negate:
    """Unary minus. Unary plus changes nothing and is not kept."""

    kids: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """How two vectors pair: `on` says whether `labels` are the ones compared or the ones ignored.

    `many` is the side that keeps its labels under group_left (left) and group_right (right), None without
    them.
    """

    on: bool
    labels: frozenset[str]
    many: Literal["left", "right"] | None = None
    include: frozenset[str] = frozenset()

    def compares(self, label: str) -> bool:
        """Whether two series must agree on `label` to pair."""
        return (label in self.labels) == self.on


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A binary operator; `matching` says something only where both sides are vectors."""

    op: str
    bool_: bool
    matching: Matching
    kids: tuple[int, ...]


Node: TypeAlias = Number | String | Selector | Range | Subquery | Call | Aggregate | Negate | Binary
Tree: TypeAlias = tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PromqlProblem:
    """Why a text is not usable PromQL. `offset` counts characters from 0; None where only the whole text can
    be blamed.

    `hostile` means that it was refused for its size or depth before any parser saw it.
    """

    message: str
    offset: int | None = None
    hostile: bool = False


@dataclass(frozen=True, kw_only=True)
class Expr:
    """A parsed expression: the author's text, and its tree, built when first asked for. Equal when the texts
    are.
    """

    text: str
    _build: Callable[[], Tree] = field(compare=False, repr=False)

    @cached_property
    def tree(self) -> Tree:
        """The nodes, operands before their operator, the root last."""
        return self._build()

    @cached_property
    def kinds(self) -> tuple[Kind, ...]:
        """The value type of each node of `tree`."""
        kinds: list[Kind] = []
        for node in self.tree:
            kinds.append(_kind(node, kinds))
        return tuple(kinds)

    @property
    def kind(self) -> Kind:
        """The value type of the whole expression."""
        return self.kinds[-1]

    @property
    def experimental(self) -> bool:
        """Whether a Prometheus 3.5 takes it only with `--enable-feature=promql-experimental-functions`."""
        return any(
            (isinstance(node, Call) and node.experimental)
            or (isinstance(node, Aggregate) and node.op in EXPERIMENTAL_AGGREGATIONS)
            for node in self.tree
        )


EXPERIMENTAL_AGGREGATIONS = frozenset({"limitk", "limit_ratio"})


def _kind(node: Node, kinds: list[Kind]) -> Kind:
    match node:
        case Number():
            return "scalar"
        case String():
            return "string"
        case Range() | Subquery():
            return "matrix"
        case Call():
            return node.returns
        case Negate():
            return kinds[node.kids[0]]
        case Binary():
            return "scalar" if all(kinds[kid] == "scalar" for kid in node.kids) else "vector"
        case Selector() | Aggregate():
            return "vector"
