"""What a template is said to read."""

from __future__ import annotations

import pytest

from tocsin.template import Facts, TemplateProblem, facts


def found(text: str) -> Facts:
    known = facts(text)
    assert isinstance(known, Facts), known
    return known


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{{ $labels.pod }}", ["pod"]),
        ("{{ .Labels.pod }}{{ $.Labels.zone }}", ["pod", "zone"]),
        ('{{ index $labels "pod-name" }}', ["pod-name"]),
        ('{{ index .Labels `a b` | title }}{{ "c" | index $labels }}', ["a b", "c"]),
        ("{{ with $labels }}{{ .pod }}{{ end }}", ["pod"]),
        ("{{ with .Labels.pod }}{{ .zone }}{{ else }}{{ .Labels.zone }}{{ end }}", ["pod", "zone"]),
        ("{{ $l := $labels }}{{ if 1 }}{{ $l.pod }}{{ end }}", ["pod"]),
        ("{{ $labels.pod }} and {{ $labels.pod }}", ["pod", "pod"]),
        ('{{ range query "up" }}{{ .Labels.pod }}{{ $labels.zone }}{{ end }}', ["zone"]),
        ('{{ define "t" }}{{ .pod }}{{ end }}{{ template "t" $labels }}', ["pod"]),
        ('{{ define "t" }}{{ .pod }}{{ end }}{{ template "t" 1 }}', []),
        ("{{ $labels := 1 }}{{ $labels }}", []),
        ("{{ (($labels)).pod }}", ["pod"]),
        ("$labels.pod {{ `$labels.pod` }}{{/* $labels.pod */}}", []),
    ],
)
def test_labels_are_found_where_they_are_used(text: str, names: list[str]) -> None:
    assert [name for name, _ in found(text).labels] == names
    assert not found(text).opaque_labels


def test_the_offset_is_that_of_the_name() -> None:
    text = "😀 {{ $labels.pod }} {{ if .Labels.zone }}{{ end }}"
    assert found(text).labels == (("pod", text.index("pod")), ("zone", text.index("zone")))
    text = 'a {{ index $labels "pod" }}'
    assert found(text).labels == (("pod", text.index('"pod"')),)


@pytest.mark.parametrize(
    "text",
    [
        "{{ range $k, $v := $labels }}{{ $k }}{{ end }}",
        "{{ $labels }}",
        '{{ printf "%v" .Labels }}',
        "{{ . }}",
        "{{ index $labels $value }}",
        "{{ $l := 1 }}{{ $l = $labels }}{{ $l.x }}",
        "{{ with or $labels 1 }}{{ .x }}{{ end }}",
    ],
)
def test_labels_used_without_a_name_make_them_opaque(text: str) -> None:
    assert found(text).opaque_labels


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("{{ $value }}", True),
        ("{{ .Value | humanize }}", True),
        ("{{ with $labels.a }}{{ $.Value }}{{ end }}", True),
        ("{{ with $labels.a }}{{ .Value }}{{ end }}", False),
        ('{{ range query "up" }}{{ .Value }}{{ end }}', False),
        ("{{ $value := 1 }}{{ $value }}", False),
        ("{{ if 1 }}{{ $value := 1 }}{{ else }}{{ $value }}{{ end }}", True),
        ("it costs $value", False),
    ],
)
def test_the_value_is_told_from_what_only_looks_like_it(text: str, uses: bool) -> None:
    assert found(text).uses_value is uses


def test_functions_queries_and_external_labels_are_listed() -> None:
    known = found(
        '{{ query "up == 0" | first | value }}{{ $externalLabels.dc }}{{ printf "x" }}{{ query `b` }}'
    )
    assert known.functions == ("first", "printf", "query", "value")
    assert known.queries == ("up == 0", "b")
    assert known.external


def test_a_query_put_together_at_run_time_is_not_listed() -> None:
    assert found('{{ query (printf "up{a=%q}" $labels.a) }}').queries == ()


def test_a_broken_text_has_a_problem_instead_of_facts() -> None:
    assert isinstance(facts("{{ $labels.pod"), TemplateProblem)


def test_functions_of_the_newest_release_are_read_although_older_ones_refuse_them() -> None:
    assert found("{{ now }}").functions == ("now",)
