"""Grafana's alert rules: one canonical rule, and the shapes it takes on each surface.

`emit` builds a `GrafanaRule`, `remote` carries `to_http`, files hold `to_file`, `sync` compares
`canonical`, and whoever reads a live rule asks `decode` what it means. The same value goes through all of
them, so no two surfaces can disagree about a rule.
"""

from tocsin.wire.grafana.file import FileDocument, file_text, from_file, to_file
from tocsin.wire.grafana.http import Unreadable, from_http, rule_from_http, to_http
from tocsin.wire.grafana.rule import GrafanaGroup, GrafanaRule, Json, Node, canonical, canonical_group
from tocsin.wire.grafana.shape import (
    Comparison,
    Facts,
    Opaque,
    decode,
    promql_nodes,
    split_nodes,
    watch_nodes,
)

__all__ = [
    "Comparison",
    "Facts",
    "FileDocument",
    "GrafanaGroup",
    "GrafanaRule",
    "Json",
    "Node",
    "Opaque",
    "Unreadable",
    "canonical",
    "canonical_group",
    "decode",
    "file_text",
    "from_file",
    "from_http",
    "promql_nodes",
    "rule_from_http",
    "split_nodes",
    "to_file",
    "to_http",
    "watch_nodes",
]
