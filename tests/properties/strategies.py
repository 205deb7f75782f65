"""Whole small repositories as text: valid ones in many layouts, and ones that are broken in every way at hand.

`SEED` is one repository that uses most of the language: three services that read each other's records, levels,
overrides, parameters, tests, SOPs and a translation, an incident, two environments and a Grafana. `repositories`
are variations of it; `broken` damages the text or the data of some of its files. A repository is path -> text;
`sources` reads it as `tocsin` reads a folder.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

from tocsin.diag import Diagnostic, SourceFile
from tocsin.disk.files import decode
from tocsin.pipeline import Sources

Data = dict[str, Any]
Texts = dict[str, str]
PROJECT = "tocsin.yaml"

_PROJECT: Data = {
    "version": 1,
    "project": "laws",
    "severities": {
        "P1": {"label": {"severity": "critical"}, "pages": True, "requires": ["sop", "test", "owner"]},
        "P2": {"label": {"severity": "warning"}, "requires": ["summary"], "sop_sections": ["confirm"]},
    },
    "teams": {"team-shop": {"name": "Shop"}, "team-queue": {"name": "Queue"}},
    "params": {"window": "5m", "factor": 2},
    "site": {"url": "https://runbooks.example.org", "languages": ["en", "zh"]},
    "environments": {
        "prod": {
            "params": {"limit": 0.5},
            "evaluators": [
                {"name": "main", "kind": "prometheus", "version": "3.5"},
                {"name": "grafana", "kind": "grafana", "version": "12.1.2"},
            ],
            "services": {"queue": "grafana"},
            "datasources": {
                "metrics": {"uid": "prom-main", "type": "prometheus"},
                "other": {"uid": "prom-other", "type": "prometheus"},
            },
        },
        "staging": {
            "params": {"limit": 0.9},
            "max_severity": "P2",
            "evaluators": [{"name": "main", "kind": "prometheus", "version": "2.53"}],
        },
    },
}
_SHOP: Data = {
    "version": 1,
    "service": "shop",
    "owner": "team-shop",
    "groups": [
        {
            "name": "ratio",
            "interval": "30s",
            "rules": [
                {"record": "shop:errors:rate5m", "expr": 'sum by (job, zone) (rate(errors_total{app!=""}[${window}]))'},
                {
                    "alert": "ShopErrors",
                    "id": "shop-errors",
                    "expr": "shop:errors:rate5m / on (job, zone) shop:requests:rate5m > ${limit}",
                    "identity": ["job", "zone"],
                    "sop_ref": "SOP-SHOP-001",
                    "keep_firing_for": "5m",
                    "summary": "{{ $labels.job }} in {{ $labels.zone }}: {{ $value | humanizePercentage }} (limit ${limit})",
                    "levels": {
                        "ticket": {"severity": "P2", "for": "10m"},
                        "page": {"severity": "P1", "for": "5m", "limit": 0.95},
                    },
                    "overrides": {
                        "batch": {"env": "prod", "where": {"job": "batch-.+"}, "set": {"page.enabled": False}},
                    },
                },
            ],
        }
    ],
    "tests": [
        {
            "name": "half of it fails",
            "alert": "shop-errors",
            "env": ["prod"],
            "series": {
                'errors_total{job="a",zone="z",app="x"}': "0+60x60",
                'requests_total{job="a",zone="z"}': "0+60x60",
            },
            "firing": {"2m": [], "20m": ["ticket", "page"]},
        }
    ],
}  # fmt: skip
_TRAFFIC: Data = {
    "version": 1,
    "service": "traffic",
    "groups": [
        {
            "name": "totals",
            "interval": "30s",
            "rules": [
                {"record": "shop:requests:rate5m", "expr": "sum by (job, zone) (rate(requests_total[5m]))"},
                {"record": "shop:requests:rate5m:total", "expr": "sum by (zone) (shop:requests:rate5m)"},
            ],
        }
    ],
}
_QUEUE: Data = {
    "version": 1,
    "service": "queue",
    "owner": "team-queue",
    "groups": [
        {
            "name": "depth",
            "interval": "1m",
            "rules": [
                {
                    "alert": "QueueDeep",
                    "id": "queue-deep",
                    "expr": "sum by (zone) (queue_depth) > ${factor} * shop:requests:rate5m:total",
                    "identity": ["zone"],
                    "severity": "P2",
                    "for": "10m",
                    "sop_ref": "SOP-QUEUE-001#mitigate",
                    "labels": {"tier": "back"},
                    "summary": "{{ $labels.zone }} holds {{ $value }}",
                },
            ],
        }
    ],
}
_SOP = """\
---
id: {id}
title: {title}
status: active
services: [{service}]
owner: team-{service}
incidents: [INC-2026-001]
---

## Confirm

See [the other one]({link}).

<!-- tocsin: read -->
```bash
kubectl get pods
```

## Mitigate

```promql
shop:errors:rate5m > 0
```
"""
_TRANSLATION = """\
---
id: SOP-SHOP-001
title: 错误太多
status: active
services: [shop]
owner: team-shop
lang: zh
translation_of: SOP-SHOP-001
---

## 确认

<!-- tocsin: read -->
```bash
kubectl get pods
```

## 缓解

```promql
shop:errors:rate5m > 0
```
"""
_INCIDENT = """\
---
id: INC-2026-001
title: Late orders
start: "2026-08-18T09:12Z"
services: [shop]
alerts: [shop-errors]
missed: [queue-deep]
sops: [SOP-SHOP-001]
found_by: alert
---

## Impact

Orders were late.
"""
_KEPT = (
    "evaluation_interval: 1m\nrule_files: [queue.rules.yaml]\ntests:\n  - {interval: 1m, input_series: []}\n"
)

SEED: Mapping[str, Data | str] = {
    PROJECT: _PROJECT,
    "rules/shop/errors.yaml": _SHOP,
    "rules/traffic/totals.yaml": _TRAFFIC,
    "rules/queue/depth.yaml": _QUEUE,
    "rules/queue/kept.promtool.yaml": _KEPT,
    "sops/shop/SOP-SHOP-001.md": _SOP.format(
        id="SOP-SHOP-001", title="Errors", service="shop", link="../queue/SOP-QUEUE-001.md#mitigate"
    ),
    "sops/shop/SOP-SHOP-001.zh.md": _TRANSLATION,
    "sops/queue/SOP-QUEUE-001.md": _SOP.format(
        id="SOP-QUEUE-001", title="Depth", service="queue", link="../shop/SOP-SHOP-001.md"
    ),
    "incidents/INC-2026-001.md": _INCIDENT,
}


def seed() -> dict[str, Any]:
    """A copy of SEED to change."""
    return copy.deepcopy(dict(SEED))


def plain(repository: Mapping[str, Any]) -> Texts:
    """Path -> text, YAML as PyYAML writes it by itself."""
    return {path: each if isinstance(each, str) else dump(each) for path, each in repository.items()}


def dump(data: Any, **style: Any) -> str:
    """YAML with every scalar on one line, so that comments may stand between any two."""
    text: str = yaml.dump(
        data, Dumper=yaml.CSafeDumper, allow_unicode=True, width=10**9, **{"sort_keys": False, **style}
    )
    return text


def sources(
    texts: Mapping[str, str], order: Callable[[list[SourceFile]], Sequence[SourceFile]] = list
) -> Sources:
    """The texts as `tocsin` reads them from a folder; `order` shuffles what order must not matter for."""
    files: list[SourceFile] = []
    found: list[Diagnostic] = []
    for path in sorted(texts):
        file, said = decode(path, texts[path].encode("utf-8", "surrogatepass"))
        found.extend(said)
        if file is not None:
            files.append(file)
    kept = [each for each in files if each.path.endswith(".promtool.yaml")]
    return Sources(
        project=next((each for each in files if each.path == PROJECT), None),
        ledger=next((each for each in files if each.path == "releases.json"), None),
        rules=tuple(order([each for each in files if each.path.startswith("rules/") and each not in kept])),
        sops=tuple(order([each for each in files if each.path.startswith("sops/")])),
        incidents=tuple(order([each for each in files if each.path.startswith("incidents/")])),
        promtool=tuple(order(kept)),
        diagnostics=tuple(found),
    )


# Valid repositories ----------------------------------------------------------------------------------------

DURATIONS = st.sampled_from(["30s", "1m", "90s", "5m", "1h30m", "2d"])
NUMBERS = st.one_of(
    st.integers(0, 10**6), st.floats(0.001, 1e6, allow_nan=False).map(lambda it: round(it, 3))
)


@st.composite
def repositories(draw: st.DrawFn) -> dict[str, Any]:
    """Variations of SEED that are as valid: other numbers, more services, rules in more files."""
    repository = seed()
    for environment in repository[PROJECT]["environments"].values():
        # Below the limit of the more urgent level, which is a number of its own.
        environment["params"]["limit"] = draw(st.integers(1, 900)) / 1000
    repository["rules/shop/errors.yaml"]["groups"][0]["interval"] = draw(st.sampled_from(["30s", "1m"]))
    for number in range(draw(st.integers(0, 3))):
        service = f"extra{number % 2}"
        repository[f"rules/{service}/more{number}.yaml"] = {
            "version": 1,
            "service": service,
            "owner": "team-shop",
            "groups": [draw(_groups(number))],
        }
    return repository


@st.composite
def _groups(draw: st.DrawFn, number: int) -> Data:
    alerts = []
    for index in range(draw(st.integers(1, 3))):
        alert: Data = {
            "alert": f"Extra{number}x{index}",
            "id": f"extra-{number}-{index}",
            "expr": draw(_expressions()),
            "severity": "P2",
            "for": draw(DURATIONS),
            "summary": draw(st.sampled_from(["much: {{ $value }}", "it is {{ $labels.zone }}", "plain"])),
        }
        if draw(st.booleans()):
            alert["labels"] = {"tier": draw(st.sampled_from(["front", "back"]))}
        alerts.append(alert)
    return {"name": f"extra{number}", "interval": draw(st.sampled_from(["1m", "5m"])), "rules": alerts}


@st.composite
def _expressions(draw: st.DrawFn) -> str:
    left = draw(
        st.sampled_from(
            [
                "sum by (zone) (up)",
                "max by (zone, job) (shop:errors:rate5m)",
                "avg by (zone) (rate(foo_total[5m]))",
                "max by (zone) (max_over_time(foo[10m:1m]))",
                'sum by (zone) (bar{job=~"a|b",zone!=""} offset 5m)',
            ]
        )
    )
    return f"{left} {draw(st.sampled_from(['>', '<', '>=', '!=']))} {draw(NUMBERS)}"


def laid_out(data: Data, chance: random.Random) -> str:
    """The same data written differently: key order, flow or block, quotes, indentation, comments, empty lines."""
    text = dump(
        _reordered(data, chance),
        indent=chance.randint(2, 6),
        default_flow_style=chance.choice([False, False, None]),
        default_style=None if _typed(data) else chance.choice([None, "'", '"']),
    )
    lines = ["# a comment at the top"] if chance.random() < 0.5 else []
    for line in text.splitlines():
        if chance.random() < 0.1:
            lines.append(chance.choice(["# note: here", "   # - [", "", "  "]))
        lines.append(line)
    return "\n".join(lines) + "\n"


def _typed(data: Any) -> bool:
    """Whether quoting everything would turn a number or a boolean into text."""
    if isinstance(data, dict):
        return any(_typed(each) for each in data.values())
    if isinstance(data, list):
        return any(_typed(each) for each in data)
    return not isinstance(data, str)


def _reordered(data: Any, chance: random.Random) -> Any:
    """Keys in another order, except where the order is the meaning: the first severity is the most urgent, the
    first data source the default.
    """
    if isinstance(data, list):
        return [_reordered(each, chance) for each in data]
    if not isinstance(data, dict):
        return data
    keys = list(data)
    if not {"P1", "ticket", "metrics"} & set(data):
        chance.shuffle(keys)
    return {key: _reordered(data[key], chance) for key in keys}


# Broken ones -----------------------------------------------------------------------------------------------

_ODD_TEXT = st.one_of(
    st.sampled_from(
        [
            *("", " ", "~", "null", "on", "1e3", "0x1f", "12:30:00", "2026-11-01", "é", "名前", "\u2028", "a\tb", "#", "- -"),
            *("${", "${x}", "$${limit}", "${limit", "{{", "{{ $labels. }}", "{{ end }}", "{{ range . }}", "}}", "a" * 300),
            *("sum(", "up{", "up[5m]", "1 + ", "foo[5m:] offset -1d @ end()", "'", '"', "up ==bool", "((((((", "\\", "%"),
            *("SOP-SHOP-001#", "SOP-NONE-001", "INC-9999-999", "ShopErrors", "shop-errors", "../../etc", "-", "."),
        ]
    ),
    st.text(max_size=8),
)  # fmt: skip
_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(),
    _ODD_TEXT,
    st.lists(_ODD_TEXT, max_size=3),
    st.dictionaries(_ODD_TEXT, _ODD_TEXT, max_size=3),
)
_KEYS = st.one_of(
    st.sampled_from(
        [
            *("alert", "record", "expr", "for", "levels", "overrides", "where", "set", "env", "labels", "params", "tests"),
            *("firing", "samples", "series", "identity", "mirror", "grafana", "evaluator", "datasource", "routes_to"),
            *("severities", "teams", "environments", "evaluators", "checks", "folder", "services", "version", "id"),
        ]
    ),
    _ODD_TEXT,
)  # fmt: skip
_LINES = st.sampled_from(
    [
        *("\t- x", "  key: [", "&a [*a, *a]", "<<: *x", "? [1]", "--- ", "...", "%YAML 1.1", "a: b: c", "!!python/object:x y"),
        *("# tocsin: ignore[TOC401]", "# tocsin: ignore[TOC999] until=2020-01-01 -- old", "# tocsin: ignore[", "\x00", "\r"),
        *("- |", "    text: >-", "'", "```promql", "sum(", "```", "## Confirm {#confirm}", "# tocsin: ignore[TOC405] -- fine"),
        *("[x](nowhere.md#y)", "[y](../../../etc/passwd)", "<!-- tocsin: destructive -->", "---", "~~~", "| a | b |"),
    ]
)  # fmt: skip


@st.composite
def broken(draw: st.DrawFn) -> Texts:
    """A repository with one to four kinds of damage."""
    repository = draw(repositories())
    for _ in range(draw(st.integers(0, 3))):
        path = draw(st.sampled_from([each for each in repository if not isinstance(repository[each], str)]))
        repository[path] = draw(_damaged(repository[path]))
    texts = {path: each if isinstance(each, str) else _tolerant(each) for path, each in repository.items()}
    for _ in range(draw(st.integers(0, 2))):
        path = draw(st.sampled_from(sorted(texts)))
        texts[path] = draw(_scratched(texts[path]))
    for path in draw(st.lists(st.sampled_from(sorted(texts)), max_size=2, unique=True)):
        what = draw(st.sampled_from(["drop", "move", "twice", "empty"]))
        text = texts[path] if what in ("twice", "empty") else texts.pop(path)
        if what == "empty":
            texts[path] = ""
        elif what != "drop":
            texts[draw(_paths(path))] = text
    return texts


def _tolerant(data: Any) -> str:
    return dump(data) if isinstance(data, dict | list) else f"{data}\n"


@st.composite
def _damaged(draw: st.DrawFn, data: Any) -> Any:
    """One place of the data replaced, renamed, removed or doubled."""
    data = copy.deepcopy(data)
    places = list(_places(data))
    if not places:
        return data
    holder, key = draw(st.sampled_from(places))
    what = draw(st.sampled_from(["replace", "replace", "rename", "remove", "add"]))
    if what == "replace" or (what == "rename" and isinstance(holder, list)):
        holder[key] = draw(_ODD)
    elif what == "rename":
        holder[draw(_KEYS)] = holder.pop(key)
    elif what == "remove":
        del holder[key]
    elif isinstance(holder, list):
        holder.append(copy.deepcopy(holder[key]))
    else:
        holder[draw(_KEYS)] = draw(_ODD)
    return data


def _places(data: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            found += [(data, key), *_places(data[key])]
    return found


@st.composite
def _scratched(draw: st.DrawFn, text: str) -> str:
    """A line dropped, doubled, indented, moved or put in; or a few characters changed."""
    lines = text.split("\n")
    at = draw(st.integers(0, len(lines) - 1))
    what = draw(st.sampled_from(["drop", "double", "indent", "swap", "insert", "cut", "type", "crlf", "end"]))
    if what == "drop":
        del lines[at]
    elif what == "double":
        lines.insert(at, lines[at])
    elif what == "indent":
        lines[at] = draw(st.sampled_from([" ", "   ", "\t"])) + lines[at]
    elif what == "swap":
        other = draw(st.integers(0, len(lines) - 1))
        lines[at], lines[other] = lines[other], lines[at]
    elif what == "insert":
        lines.insert(at, draw(_LINES))
    elif what == "cut":
        lines[at] = lines[at][: draw(st.integers(0, max(0, len(lines[at]))))]
    elif what == "crlf":
        return text.replace("\n", "\r\n")
    elif what == "end":
        return text[: draw(st.integers(0, len(text)))]
    else:
        column = draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:column] + draw(_ODD_TEXT) + lines[at][column:]
    return "\n".join(lines)


@st.composite
def _paths(draw: st.DrawFn, path: str) -> str:
    folder, _, name = path.rpartition("/")
    stem = re.sub(r"[^A-Za-z0-9]", "", name) or "x"
    other = draw(st.sampled_from(["shop", "Shop", "queue", "new", "a b", "ü", "x.y"]))
    top = folder.partition("/")[0] or "rules"
    ending = (
        draw(st.sampled_from([".yaml", ".promtool.yaml"]))
        if top == "rules"
        else f"{draw(st.sampled_from(['', '.zh', '.en']))}.md"
    )
    return f"{top}/{other}/{stem}{ending}"
