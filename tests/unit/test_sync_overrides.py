"""What goes out without a verdict is carried from run to run until a verdict comes."""

from __future__ import annotations

from dataclasses import replace

from tests.syncing import NOW, Book
from tests.unit.test_sync_plan import group, live, plan, rule, wanted

from tocsin.sync.journal import begin, note, overrides_of
from tocsin.sync.values import Plan

HERE = live(group(rule("a", digest="old-a"), rule("b", digest="old-b")), group(rule("z"), name="h"))


def changed(*keys: str, overridden: tuple[str, ...] = (), digest: str = "new") -> Plan:
    first = [
        rule(
            key,
            digest=f"{digest}-{key}" if key in keys else f"old-{key}",
            body={"for": 0} if key in keys else {},
        )
        for key in ("a", "b")
    ]
    made = plan(wanted(group(*first), group(rule("z"), name="h")), HERE)
    return replace(made, overridden=overridden)


def run(book: Book, made: Plan, *, fails: bool = False) -> tuple[list[str], int]:
    begin(book, made, NOW, "ann", "because")
    for each in made.groups:
        if each.writes:
            note(book, "failed" if fails else "wrote", place=each.place)
    note(book, "end")
    found = overrides_of(book)
    return [each.key for each in found.standing], found.used


def test_they_stand_until_a_verdict_comes() -> None:
    book = Book()
    assert run(book, changed("a", overridden=("a",))) == (["a"], 1)
    assert run(book, changed("a", "b", overridden=("b",))) == (["a", "b"], 2), "a has the digest it had"
    assert run(book, changed("a", digest="newer")) == (["b"], 2)
    assert overrides_of(book).text == "1 override in force (b by ann: because), 2 ever used"
    assert run(book, changed("b", digest="newer")) == ([], 2)


def test_what_was_not_written_is_not_in_force() -> None:
    book = Book()
    assert run(book, changed("a", overridden=("a",)), fails=True) == ([], 1)
    assert run(book, changed("b")) == ([], 1)


def test_a_journal_without_a_run_knows_none() -> None:
    assert overrides_of(Book()).used == 0
