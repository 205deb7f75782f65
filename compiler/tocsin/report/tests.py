"""Results of unit tests as JUnit XML, which every CI shows.

In: `TestResult`s. Out: one document: a suite for each service and environment, a case for each test with the
place it is written at. There are no times in it: the same results are the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from tocsin.emit.outcomes import TestResult
from tocsin.report.visible import visible


def junit(results: Iterable[TestResult], *, version: str) -> str:
    """The document, newline-terminated. `version` is that of tocsin."""
    suites: dict[tuple[str, str], list[TestResult]] = {}
    for each in results:
        suites.setdefault((each.test.service, each.test.env), []).append(each)
    every = [each for suite in suites.values() for each in suite]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites{_attributes(name=f'tocsin {version}', **_counts(every))}>",
    ]
    for (service, env), suite in sorted(suites.items()):
        lines.append(f"  <testsuite{_attributes(name=f'{service} ({env})', **_counts(suite))}>")
        for each in suite:
            lines.extend(_case(each))
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>", ""])


def _case(result: TestResult) -> list[str]:
    test = result.test
    place = {"file": test.span.file, "line": str(test.span.line)}
    title = {"classname": f"{test.service}.{test.alert or 'tests'}", "name": f"{test.name} ({test.env})"}
    opening = _attributes(**title, **place)
    if not result.failures:
        return [f"    <testcase{opening}/>"]
    lines = [f"    <testcase{opening}>"]
    for each in result.failures:
        said = _text(f"{each.span.place}: {each.message}")
        lines.append(f"      <failure{_attributes(type=each.code, message=each.message)}>{said}</failure>")
    return [*lines, "    </testcase>"]


def _counts(results: Iterable[TestResult]) -> dict[str, str]:
    results = list(results)
    return {"tests": str(len(results)), "failures": str(sum(bool(each.failures) for each in results))}


def _attributes(**values: str) -> str:
    return "".join(f' {name}="{_text(value)}"' for name, value in values.items())


def _text(text: str) -> str:
    """Text for XML, which has no form for a control character."""
    return escape(visible(text), {'"': "&quot;"})
