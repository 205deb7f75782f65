"""A Prometheus text in Grafana's dialect."""

from __future__ import annotations

import pytest

from tocsin.template import TemplateRefusal, escape_file, to_grafana


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no action: $value", "no action: $value"),
        ("{{ $value }} of {{ $labels.pod }}", "{{ $values.A.Value }} of {{ $labels.pod }}"),
        ("{{- $value | humanize -}}", "{{- $values.A.Value | humanize -}}"),
        ('{{ printf "%.1f %s" $value $labels.a }}', '{{ printf "%.1f %s" $values.A.Value $labels.a }}'),
        ("{{ if gt $value 2.5 }}{{ $v := $value }}{{ $v }}{{ end }}",
         "{{ if gt $values.A.Value 2.5 }}{{ $v := $values.A.Value }}{{ $v }}{{ end }}"),
        ("{{ .Value }}{{ $.Value }}", "{{ $values.A.Value }}{{ $values.A.Value }}"),
        ("{{ (.).Value }}", "{{ (.).Values.A.Value }}"),
        ("{{ with $labels.a }}{{ $.Value }}{{ .Value }}{{ end }}",
         "{{ with $labels.a }}{{ $values.A.Value }}{{ .Value }}{{ end }}"),
        ('{{ define "t" }}{{ .Value }}{{ end }}{{ template "t" . }}',
         '{{ define "t" }}{{ .Values.A.Value }}{{ end }}{{ template "t" . }}'),
        ("{{ `$value` }}{{/* $value */}} $value {{ $value }}",
         "{{ `$value` }}{{/* $value */}} $value {{ $values.A.Value }}"),
        ("{{ $value := 1 }}{{ $value }}", "{{ $value := 1 }}{{ $value }}"),
        ("{{ if 1 }}{{ $value := 1 }}{{ else }}{{ $value }}{{ end }}",
         "{{ if 1 }}{{ $value := 1 }}{{ else }}{{ $values.A.Value }}{{ end }}"),
        ("{{ externalURL }}{{ pathPrefix }}", "{{ externalURL }}{{ pathPrefix }}"),
    ],
)  # fmt: skip
def test_the_value_is_read_from_its_node_and_nothing_else_changes(text: str, expected: str) -> None:
    assert to_grafana(text, version=(9, 4, 0)) == expected


def test_the_node_is_the_callers_choice() -> None:
    assert to_grafana("{{ $value }}", value_ref="query", version=(9, 4, 0)) == "{{ $values.query.Value }}"
    assert isinstance(to_grafana("{{ $value }}", value_ref="a b", version=(9, 4, 0)), TemplateRefusal)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{{ query "up" }}', "query"),
        ("{{ $value | value }}", "value }}"),
        ('a {{ $labels.x | label "y" }}', "label "),
        ("{{ first 1 }}", "first"),
        ("{{ strvalue 1 }}", "strvalue"),
        ('{{ "x" | sortByLabel }}', "sortByLabel"),
        ('{{ graphLink "up" }}', "graphLink"),
        ('{{ tableLink "up" }}', "tableLink"),
        ('{{ define "unused" }}{{ tableLink "up" }}{{ end }}', "tableLink"),
        ("{{ now }}", "now"),
        ("{{ $externalLabels.dc }}", "$externalLabels"),
        ("{{ $externalURL }}", "$externalURL"),
        ("{{ with . }}{{ .ExternalLabels.dc }}{{ end }}", ".ExternalLabels"),
        ("{{ . }}", ". }}"),
        ("{{ $value = 1 }}", "$value"),
        ("{{ $values := 1 }}{{ $value }}", "$value }}"),
        ("{{ $d := 1 }}{{ $d = 2 }}{{ $d.Value }}", ".Value"),
        ('{{ define "t" }}{{ .Value }}{{ end }}{{ template "t" . }}{{ template "t" 1 }}', ".Value"),
        ("{{ $nope }}", "$nope"),
    ],
)
def test_what_grafana_cannot_run_is_refused_at_its_place(text: str, place: str) -> None:
    refusal = to_grafana(text, version=(13, 0, 0))
    assert isinstance(refusal, TemplateRefusal)
    assert refusal.offset == text.index(place)
    assert refusal.reason


def test_else_with_needs_a_grafana_that_knows_it() -> None:
    text = "{{ with $labels.a }}{{ . }}{{ else with $value }}{{ . }}{{ end }}"
    assert isinstance(to_grafana(text, version=(11, 2, 0)), TemplateRefusal)
    assert to_grafana(text, version=(12, 0, 0)) == text.replace("$value", "$values.A.Value")


def test_a_dollar_is_doubled_for_values_grafana_expands() -> None:
    assert escape_file("{{ $labels.x }} costs $5") == "{{ $$labels.x }} costs $$5"
    assert escape_file("plain") == "plain"
