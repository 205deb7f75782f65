"""The verdict on a template: where the problem is, what a version changes, that nothing hostile breaks it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.template import TemplateProblem, TemplateRefusal, check, facts, to_grafana
from tocsin.template.functions import dialect
from tocsin.template.parser import parse
from tocsin.template.plain import PLAIN, parts
from tocsin.template.tree import Template

PIECES = [
    "{{", "}}", "{{-", " -}}", " ", "$labels.a", "$value", "| humanize", '"x', '"', "printf", "08", "7",
    "{", "}", "text", "if ", "end", "(", ")", "$labels.1", "$labels", "\n", "é", ".", "=", "$", "html",
    "html5", "`",
]  # fmt: skip
PLAIN_PIECES = [
    "{{ $labels.a }}",
    "{{ $labels }}",
    "{{ $value }}",
    '{{ $value | printf "%f" | title }}',
    "$labels.b }",
    " ",
]


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("up {{ $label.x }}", "$label", "`$label` is not declared"),
        ("{{ $value | humanise }}", "humanise", "`humanise` does not exist"),
        ("{{ if $value }}late", "{{ if", "`if` has no `end`"),
        ("{{ end }}", "end", "`end` without"),
        ("{{ $value | 08 }}", "08", "`08` is not a number"),
        ('{{ "a }}', '"a', "not closed"),
        ("{{ print(1) }}", "(", "a space is missing"),
        ("é😀 {{ nope }}", "nope", "`nope`"),
        ('{{ define "t" }}{{ $labels.a }}{{ end }}', "$labels", "`$labels` is not declared"),
    ],
)
def test_a_problem_names_the_thing_and_points_at_it(text: str, place: str, said: str) -> None:
    problem = check(text)
    assert problem is not None
    assert problem.offset == text.index(place)
    assert said in problem.message


def test_an_action_that_never_closes_is_reported_at_the_end_of_the_text() -> None:
    assert check("a {{ $value") == TemplateProblem("an action is not closed: `}}` is missing", 11)


def test_a_long_word_is_cut_in_the_message() -> None:
    problem = check("{{ " + "x" * 5000 + " }}")
    assert problem is not None and len(problem.message) < 100


@pytest.mark.parametrize(
    ("text", "since"),
    [("{{ now }}", (3, 6)), ('{{ toDuration "1h" }}', (3, 6)), ('{{ urlQueryEscape "a" }}', (3, 8))],
)
def test_a_new_function_is_refused_by_the_releases_before_it(text: str, since: tuple[int, int]) -> None:
    assert check(text, since) is None
    assert check(text, (since[0], since[1] - 1)) is not None
    assert check(text) is not None


def test_else_with_depends_on_the_go_release_and_not_on_prometheus() -> None:
    text = "{{ with 1 }}a{{ else with 2 }}b{{ end }}"
    assert check(text, (2, 53)) is not None
    assert check(text, (2, 53), go=(1, 24)) is None
    assert check(text, (3, 5)) is None


def test_the_name_of_the_text_itself_cannot_be_defined_with_content() -> None:
    text = '{{ define "__alert_Down" }}x{{ end }}'
    assert check(text, alert="Down") is not None
    assert check(text, alert="Up") is None


def test_a_text_without_actions_is_never_a_problem() -> None:
    assert check("100% } of { $labels.x %s") is None
    assert check("") is None


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_what_the_shortcut_takes_the_parser_takes(text: str) -> None:
    parsed = parse(text, dialect(None))
    if PLAIN.fullmatch(text):
        assert isinstance(parsed, Template)
    assert (check(text) is None) == isinstance(parsed, Template)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PLAIN_PIECES)).map("".join))
def test_the_shortcut_reads_what_the_parser_reads(text: str) -> None:
    assert PLAIN.fullmatch(text)
    longer = text + "{{/* the parser must look at this one */}}"
    assert not PLAIN.fullmatch(longer)
    assert facts(text) == facts(longer)
    assert (
        to_grafana(longer, version=(11, 0, 0))
        == f"{to_grafana(text, version=(11, 0, 0))}{longer[len(text) :]}"
    )
    assert sum(part.lastgroup == "label" for part in parts(text)) == text.count("{{ $labels.a")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("{}$.|()\"'`:=,-+*/ \n\\abex019_é\x00\ud800ifndrg"), max_size=60))
def test_no_text_raises(text: str) -> None:
    wrapped = "{{" + text + "}}"
    assert check(wrapped) is None or isinstance(check(wrapped), TemplateProblem)
    facts(wrapped)
    assert isinstance(to_grafana(wrapped, version=(12, 0, 0)), str | TemplateRefusal)


HOSTILE: dict[str, tuple[bool, Callable[[int], str]]] = {
    "blocks": (True, lambda n: "{{if 1}}" * n + "{{end}}" * n),
    "open blocks": (False, lambda n: "{{if 1}}" * n),
    "parentheses": (True, lambda n: "{{ " + "(" * n + "1" + ")" * n + " }}"),
    "open parentheses": (False, lambda n: "{{" + "(" * n * 5),
    "string": (False, lambda n: '{{ "' + "a" * n * 30),
    "escapes": (False, lambda n: '{{ "' + "\\" * (n * 10 + 1)),
    "integer": (False, lambda n: "{{ " + "1" * n * 30 + " }}"),
    "float": (False, lambda n: "{{ " + "1" * n * 30 + ".5 }}"),
    "comments": (False, lambda n: "{{/*" * n),
    "braces": (False, lambda n: "{" * n * 30),
    "spaces": (False, lambda n: "{{ $value" + " " * n * 5 + "|" + " " * n * 5 + "x }}"),
    "fields": (True, lambda n: "{{ $labels.a" + ".b" * n + " }}"),
    "pipes": (True, lambda n: "{{ $value " + "| print " * n + "}}"),
    "variables": (True, lambda n: "{{$x:=1}}" * n + "{{$x}}" * n),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_megabyte_of_malice_gets_a_verdict(name: str) -> None:
    fine, build = HOSTILE[name]
    size = 100_000 if "blocks" in name else 30_000
    assert (check(build(size), (3, 5), go=(1, 24)) is None) == fine
    assert isinstance(facts(build(size // 10)), TemplateProblem) != fine
    assert isinstance(to_grafana(build(size // 10), version=(12, 0, 0)), str) == fine
