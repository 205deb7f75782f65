"""JUnit XML: what a CI reads from it, and hostile names in it."""

from __future__ import annotations

from xml.etree import ElementTree

from tocsin.diag import Span, diagnostic
from tocsin.emit.outcomes import TestResult
from tocsin.emit.tests import PlannedTest
from tocsin.report.tests import junit


def result(name: str = "t", *said: str, service: str = "kafka", env: str = "prod") -> TestResult:
    span = Span("rules/kafka/lag.yaml", 12, 5, 12, 9)
    test = PlannedTest(name=name, service=service, env=env, path="x", span=span, alert="kafka-down")
    return TestResult(test=test, failures=tuple(diagnostic("TOC804", span, each) for each in said))


def test_suites_are_services_in_environments_and_count_their_failures() -> None:
    results = [result(), result("u", "wrong", "worse"), result(service="node"), result(env="staging")]
    root = ElementTree.fromstring(junit(results, version="1.2.3"))
    assert (root.get("name"), root.get("tests"), root.get("failures")) == ("tocsin 1.2.3", "4", "1")
    assert [(each.get("name"), each.get("tests"), each.get("failures")) for each in root] == [
        ("kafka (prod)", "2", "1"),
        ("kafka (staging)", "1", "0"),
        ("node (prod)", "1", "0"),
    ]


def test_a_failure_says_where_and_what() -> None:
    root = ElementTree.fromstring(junit([result("u", "at 5m expected `a`")], version="1"))
    case = root[0][0]
    assert (case.get("name"), case.get("classname")) == ("u (prod)", "kafka.kafka-down")
    assert (case.get("file"), case.get("line")) == ("rules/kafka/lag.yaml", "12")
    assert (case[0].get("type"), case[0].get("message")) == ("TOC804", "at 5m expected `a`")
    assert case[0].text == "rules/kafka/lag.yaml:12:5: at 5m expected `a`"


def test_no_name_breaks_out_of_the_document() -> None:
    name = 'a"/><b> & ]]> \x1b[2J \x00 \n 积压'
    root = ElementTree.fromstring(junit([result(name, name)], version="1"))
    assert len(root[0]) == 1
    assert (root[0][0].get("name") or "").startswith('a"/><b> & ]]> <U+001B>[2J <U+0000> \\n 积压')


def test_without_results_it_is_still_a_document() -> None:
    assert ElementTree.fromstring(junit([], version="1")).get("tests") == "0"
