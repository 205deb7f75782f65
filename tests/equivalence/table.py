"""What goes in and what must come out: `series.yaml` and `expected.yaml` as values.

One table for every back end. The Prometheus column is held against real servers here; a suite that has a Grafana
to talk to takes the same series (one evaluation is ten seconds there), the JSON that `compiled("grafana")`
yields, and the Grafana column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tocsin.disk.files import read_tree
from tocsin.pipeline import Compilation, Sources, artifacts, compile_sources

HERE = Path(__file__).parent
PROJECT = HERE / "project"
DOWN = "_"
STALE = "stale"
Labels = tuple[tuple[str, str], ...]
Token = float | str | None
"""A value, STALE, or None for no sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One series: its labels with `__name__`, a token for each evaluation, and whether it goes on after them."""

    labels: Labels
    tokens: tuple[Token, ...]
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """`series.yaml`: evaluations before, during and after the restart; how far a server looks back; the series."""

    before: int
    down: int
    after: int
    lookback: int
    grace: int
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One alert over one series: its states in each back end before and after the restart.

    `same` says that the Grafana column was left to follow from the other.
    """

    case: str
    alert: str
    labels: Labels
    prometheus: tuple[str, str]
    grafana: tuple[str, str]
    same: bool
    because: tuple[str, ...]
    since: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`expected.yaml`."""

    reasons: Mapping[str, Mapping[str, str]]
    cases: Mapping[str, str]
    rows: tuple[Row, ...]


@cache
def given() -> Given:
    """The series."""
    data = _read("series.yaml")
    count = data["evaluations"]
    return Given(
        before=count["before"],
        down=count["down"],
        after=count["after"],
        lookback=data["lookback"],
        grace=data["grace"],
        series=tuple(
            Series(
                labels=_selector(each["series"]),
                tokens=tuple(_tokens(str(each["values"]))),
                on=each.get("goes_on", False),
            )
            for each in data["series"]
        ),
    )


@cache
def expected() -> Expected:
    """The states."""
    data = _read("expected.yaml")
    return Expected(
        reasons=data["reasons"], cases=data["cases"], rows=tuple(_row(each) for each in data["rows"])
    )


def meaning(states: str) -> str:
    """What the states come to, whichever server shows them: inactive, pending or firing."""
    return states.translate(str.maketrans("pfR", "PFF"))


@cache
def compilation() -> Compilation:
    """The project of this folder, compiled."""
    tree = read_tree(PROJECT)
    sources = Sources(project=tree.project, ledger=None, rules=tree.rules, sops=(), incidents=())
    return compile_sources(sources, date(2026, 11, 1))


def compiled(env: str) -> dict[str, str]:
    """Path -> text of what the project compiles to for `env`."""
    return {each.path: each.text for each in artifacts(compilation()) if f"/{env}/" in each.path}


def rule_file() -> str:
    """The rules as Prometheus reads them."""
    return compiled("prometheus")["prometheus/prometheus/shop.rules.yaml"]


def grafana_rules() -> list[dict[str, Any]]:
    """The rules as Grafana's provisioning reads them."""
    text = compiled("grafana")["grafana/grafana/alert-template-shop-grafana.json"]
    return [rule for group in json.loads(text)["groups"] for rule in group["rules"]]


def _read(name: str) -> dict[str, Any]:
    data: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return data


def _selector(text: str) -> Labels:
    name, inside = re.fullmatch(r"(\w+)\{(.*)\}", text).groups()  # type: ignore[union-attr]
    return tuple(sorted([("__name__", name), *re.findall(r'(\w+)="([^"]*)"', inside)]))


def _tokens(text: str) -> Iterator[Token]:
    for word in text.split():
        value, _, times = word.partition("*")
        token: Token = None if value == "_" else STALE if value == STALE else float(value)
        yield from [token] * int(times or 1)


def _row(data: Mapping[str, Any]) -> Row:
    prometheus = _halves(data["prometheus"])
    same = "grafana" not in data
    return Row(
        case=data["case"],
        alert=data["alert"],
        labels=tuple(sorted(data["labels"].items())),
        prometheus=prometheus,
        grafana=(meaning(prometheus[0]), meaning(prometheus[1])) if same else _halves(data["grafana"]),
        same=same,
        because=tuple(data.get("because", ())),
        since=data.get("since"),
    )


def _halves(states: str) -> tuple[str, str]:
    before, down, after = states.partition(DOWN)
    return before, after if down else "." * given().after


def rows_of(alert: str, rows: Sequence[Row]) -> dict[Labels, Row]:
    """The rows of one alert by the labels of their series."""
    return {row.labels: row for row in rows if row.alert == alert}
