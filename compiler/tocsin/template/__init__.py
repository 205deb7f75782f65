"""Prometheus text templates: is one valid, what does it read, and how does Grafana write it.

The language is Go's text/template as Prometheus and Grafana use it in the labels and annotations of alerts.
Texts come in as the author wrote them, offsets go out in characters of that text. Nothing here knows a rule,
a file or a target's format, nothing raises on bad input, and nothing runs a template.
"""

from tocsin.template.check import check
from tocsin.template.facts import Facts, facts
from tocsin.template.grafana import TemplateRefusal, escape_file, to_grafana
from tocsin.template.tree import TemplateProblem

__all__ = ["Facts", "TemplateProblem", "TemplateRefusal", "check", "escape_file", "facts", "to_grafana"]
