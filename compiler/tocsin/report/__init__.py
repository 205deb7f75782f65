"""Values into what people and programs read: text, JSON, SARIF, GitHub commands, Markdown. Pure: a `Report`
in, a string out.
"""

from collections.abc import Callable, Mapping

from tocsin.report import as_github, as_json, as_markdown, as_sarif, as_text
from tocsin.report.findings import Report as Report

REPORTERS: Mapping[str, Callable[[Report], str]] = {
    "text": as_text.render,
    "json": as_json.render,
    "sarif": as_sarif.render,
    "github": as_github.render,
    "markdown": as_markdown.render,
}
