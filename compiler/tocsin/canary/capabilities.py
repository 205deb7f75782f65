"""What one kind of server can be asked at once, as one table.

A new kind of server is a row here and, where its address differs, a line in `remote.history`. `points` is what the server lets a series have in
one answer; a VictoriaMetrics would give 30,000 and is asked for four days of a rule that is evaluated every 30 s: longer answers fill memory (two
of 33 MB at once, measured) and are no quicker. Two workers: four on a server of two cores were slower (measured), and history is read from a
server that people are looking at.

Sources: Prometheus web/api/v1/api.go (`exceeded maximum resolution of 11,000 points per timeseries`); VictoriaMetrics
`-search.maxPointsPerTimeseries` (30,000) and its `nocache`, without which it moves start and end to multiples of the step; Thanos
docs/components/query.md (`dedup`, `partial_response`, `max_source_resolution`); Mimir's query-frontend splits by day and keeps Prometheus's 11,000.
Measured with Prometheus 2.42, 2.53, 3.5 and VictoriaMetrics 1.145; the same episodes as from the Prometheus whose blocks they read, with each saving
and without, came from Thanos 0.42.4 (sidecar, store gateway and both; both engines), a Mimir built from its main of April 2026 (aced80d74930; with
tenants and without) and the proxy of a Grafana 9.4.0-pre. A Thanos that puts replicas together is not exact, see `remote.stores`; `max_source_resolution`
with downsampled blocks, and other versions of the three, are from their documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tocsin.canary.source import Flavour, SourceCaps

CAPS: Final[Mapping[Flavour, SourceCaps]] = MappingProxyType(
    {
        "prometheus": SourceCaps(flavour="prometheus", points=11_000, workers=2),
        "mimir": SourceCaps(flavour="mimir", points=11_000, workers=2),
        "thanos": SourceCaps(
            flavour="thanos",
            points=11_000,
            workers=2,
            params=(("dedup", "true"), ("partial_response", "false"), ("max_source_resolution", "0s")),
        ),
        # The same query twice differs in up to 4 of 15,665 points; sampling all that has a range costs it 0.9 to 1.65 times as much.
        "victoriametrics": SourceCaps(
            flavour="victoriametrics",
            points=12_000,
            workers=2,
            params=(("nocache", "1"),),
            exact=False,
            why="vm",
            coarse="long windows",
        ),
        # What stands behind a data source decides; this is for a Prometheus, see `remote.history`.
        "grafana": SourceCaps(flavour="grafana", points=11_000, workers=2),
    }
)
