"""Waiting, within one run, for records that were just written: what reads them now, and nothing older, can follow after an evaluation or two."""

from __future__ import annotations

import click

from tocsin.cli.targets import Now
from tocsin.errors import RemoteError
from tocsin.ir.duration import Duration, format_duration
from tocsin.report.visible import visible
from tocsin.sync.mimir_target import MimirTarget
from tocsin.sync.prometheus_target import PrometheusTarget
from tocsin.sync.records import waits
from tocsin.sync.values import Plan, Target

_POLL = 1.0
"""Seconds between two questions."""


def records_came(plan: Plan, target: Target, longest: Duration, blind: Duration | None) -> bool:
    """Whether a record came that an alert of the plan was refused for. Waits for those that can be there within `longest`, and no longer than that;
    for none where nothing waits, or where what waits looks back on more."""
    if not isinstance(target, PrometheusTarget | MimirTarget):
        return False
    listed = [each for each in waits(plan, blind) if each.within <= longest]
    if not listed:
        return False
    names = ", ".join(sorted({visible(each.record) for each in listed}))
    click.echo(f"waiting up to {format_duration(longest)} for the series of {names}", err=True)
    clock = Now()
    end = clock.monotonic() + int(longest) / 1000
    left = {each.query for each in listed}
    while True:
        left = {each for each in left if not _there(target, each)}
        if not left or clock.monotonic() + _POLL > end:
            break
        clock.sleep(_POLL)
    return len(left) < len({each.query for each in listed})


def _there(target: PrometheusTarget | MimirTarget, query: str) -> bool:
    try:
        return target.covered(query)
    except RemoteError:
        return False
