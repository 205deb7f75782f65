"""What the real Prometheus prints proves what we say about a template.

`promtool test rules` renders the annotations of an alert and shows them when they are not the expected ones.
So a label that `facts` does not name must not change what is printed, and a text rewritten for Grafana must
print the same once `$values` holds what Grafana puts there.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.contract.template_texts import PROBES, REALISTIC, mutants, yaml_string
from tests.real.components import VERSIONS, promtool

from tocsin.template import Facts, TemplateProblem, TemplateRefusal, check, facts, to_grafana

FOLLOWED = (
    "{{ with $labels }}{{ .a }}{{ end }}",
    "{{ with . }}{{ .Labels.a }} {{ .Value }}{{ end }}",
    "{{ with .Labels }}{{ .a }}{{ with $.Value }}{{ . }}{{ end }}{{ end }}",
    '{{ index .Labels "a" }}{{ "b" | index $labels }}',
    "{{ $l := $labels }}{{ $v := $value }}{{ $l.b }}{{ $v }}",
    "{{ $d := . }}{{ $d.Value }}{{ $d.Labels.a }}",
    "{{ $d := 1 }}{{ $d = .Value }}{{ $d }}",
    "{{ $value := 7 }}{{ $value }}{{ .Value }}",
    '{{ if $labels.a }}{{ $value := "x" }}{{ $value }}{{ else }}{{ $value }}{{ end }}{{ $value }}',
    '{{ if $labels.none }}{{ $value := "x" }}{{ $value }}{{ else }}{{ $value }}{{ end }}',
    "{{ with $labels.none }}{{ .Value }}{{ else }}{{ .Value }}{{ end }}",
    "{{ range $k, $v := .Labels }}{{ $k }}{{ $v }}{{ $.Value }}{{ end }}",
    "{{ range $labels }}{{ . }}{{ end }}",
    '{{ range query "up" }}{{ .Value }}{{ .Labels.a }}{{ $.Value }}{{ $labels.b }}{{ end }}',
    '{{ define "t" }}{{ .Labels.a }}{{ end }}{{ template "t" . }}',
    '{{ define "t" }}{{ .arg0 }}{{ .arg1 }}{{ end }}{{ template "t" (args $labels.a $value) }}',
    '{{ define "t" }}{{ $labels := . }}{{ $labels.b }}{{ end }}{{ template "t" .Labels }}',
    '{{ block "t" $labels }}{{ .a }}{{ end }}{{ (.).Value }}{{ (.Labels).b }}{{ print (print .Value) }}',
    "{{ with (or .Labels 1) }}{{ .a }}{{ end }}",
    "{{ with and 1 . }}{{ .Value }}{{ end }}",
    "{{ . }}",
    "{{ printf \"%v\" $labels }}",
    "{{ $externalLabels.region }} {{ .ExternalURL }}",
    "{{/* $value */}}${{ \"$value\" }} $value {{ `$labels.a` }}",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """The one alert that is rendered: a series with these labels and this value."""

    labels: tuple[tuple[str, str], ...]
    value: float = 3.25
    region: str = "north"


ALERT = Alert(labels=(("a", "one"), ("b", "two"), ("instance", "host:1"), ("job", "web"), ("tier", "gold")))


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def texts(version: str) -> list[str]:
    candidates = [*FOLLOWED, *REALISTIC, *PROBES, *mutants(FOLLOWED + REALISTIC, 1200, seed=31)]
    return [text for text in candidates if check(text, alert="Probe") is None and "{{" in text]


def test_a_label_that_is_not_named_changes_nothing(version: str, texts: list[str], tmp_path: Path) -> None:
    known = {text: _facts(text) for text in texts}
    for name, _ in ALERT.labels:
        deaf = [
            text for text in texts if not known[text].opaque_labels and name not in dict(known[text].labels)
        ]
        other = replace(ALERT, labels=tuple((n, v + "x" if n == name else v) for n, v in ALERT.labels))
        assert changed(version, deaf, other, tmp_path) == []
        assert len(deaf) > 100


def test_the_value_shows_only_where_it_is_said_to(version: str, texts: list[str], tmp_path: Path) -> None:
    deaf = [text for text in texts if not _facts(text).uses_value]
    assert changed(version, deaf, replace(ALERT, value=9.75), tmp_path) == []
    assert len(deaf) > 100


def test_external_labels_show_only_where_they_are_said_to(
    version: str, texts: list[str], tmp_path: Path
) -> None:
    deaf = [text for text in texts if not _facts(text).external]
    assert changed(version, deaf, replace(ALERT, region="south"), tmp_path) == []
    assert len(deaf) > 100


def test_what_is_said_to_be_read_is_read(version: str, tmp_path: Path) -> None:
    """The other direction, for texts without a condition: no use is reported that is not there."""
    straight = [text for text in FOLLOWED if not re.search("range|if |or |and |with|query", text)]
    for name in ("a", "b"):
        named = [text for text in straight if name in dict(_facts(text).labels)]
        other = replace(ALERT, labels=tuple((n, v + "x" if n == name else v) for n, v in ALERT.labels))
        assert named and changed(version, named, other, tmp_path) == named
    valued = [text for text in straight if _facts(text).uses_value]
    assert valued and changed(version, valued, replace(ALERT, value=9.75), tmp_path) == valued


def test_a_text_rewritten_for_grafana_prints_the_same(version: str, texts: list[str], tmp_path: Path) -> None:
    """`args .` is a map whose arg0 has a Value: the shape of Grafana's `$values`. `$value` is spoilt."""
    pairs = []
    for text in texts:
        rewritten = to_grafana(text, value_ref="arg0", version=(11, 6, 0))
        if isinstance(rewritten, str) and ".Values" not in rewritten and rewritten != text:
            pairs.append((text, '{{ $values := args . }}{{ $value := "spoilt" }}' + rewritten))
    before = rendered(version, [text for text, _ in pairs], ALERT, tmp_path)
    after = rendered(version, [text for _, text in pairs], ALERT, tmp_path)
    wrong = [
        pair for pair, old, new in zip(pairs, before, after, strict=True) if _printed(old) != _printed(new)
    ]
    assert wrong == []
    assert len(pairs) > 150


def test_every_text_that_cannot_be_rewritten_is_refused_with_its_place(texts: list[str]) -> None:
    refused = [(text, to_grafana(text, version=(11, 6, 0))) for text in texts]
    refusals = [(text, found) for text, found in refused if isinstance(found, TemplateRefusal)]
    assert len(refusals) > 50
    assert all(found.offset is not None and found.offset <= len(text) for text, found in refusals)


def _facts(text: str) -> Facts:
    found = facts(text)
    assert not isinstance(found, TemplateProblem), text
    return found


def _printed(annotation: str) -> str:
    # A text that fails while it runs prints the failure, which quotes the text.
    return "failed" if annotation.startswith("<error expanding template") else annotation


# promtool as a printer


def changed(version: str, texts: list[str], other: Alert, folder: Path) -> list[str]:
    """The texts that print something else for `other` than for ALERT."""
    before, after = rendered(version, texts, ALERT, folder), rendered(version, texts, other, folder)
    return [text for text, old, new in zip(texts, before, after, strict=True) if old != new]


def rendered(version: str, texts: list[str], alert: Alert, folder: Path) -> list[str]:
    """What each text prints for `alert`, quoted as promtool quotes it."""
    rules = ["groups:", "- name: g", "  rules:", "  - alert: Probe", "    expr: metric", "    annotations:"]
    rules += [f"      t{number}: {yaml_string(text)}" for number, text in enumerate(texts)]
    labels = ",".join(f'{name}="{value}"' for name, value in alert.labels)
    test = [
        "rule_files: [rules.yml]",
        "tests:",
        f"- external_labels: {{region: {alert.region}}}",
        "  interval: 1m",
        f"  input_series: [{{series: 'metric{{{labels}}}', values: '{alert.value}x5'}}]",
        "  alert_rule_test: [{eval_time: 2m, alertname: Probe, exp_alerts: []}]",
    ]
    (folder / "rules.yml").write_text("\n".join(rules) + "\n", encoding="utf-8")
    (folder / "test.yml").write_text("\n".join(test) + "\n", encoding="utf-8")
    run = subprocess.run(
        [promtool(version), "test", "rules", "test.yml"],
        cwd=folder, capture_output=True, encoding="utf-8", errors="replace", timeout=600, check=False,
    )  # fmt: skip
    said = run.stdout + run.stderr
    assert "Annotations:{" in said, said[-2000:]
    found = dict(re.findall(r'[{ ]t(\d+)="((?:[^"\\]|\\.)*)"', said[said.rindex("Annotations:{") :]))
    return [found.get(str(number), "") for number in range(len(texts))]  # an empty annotation is not shown
