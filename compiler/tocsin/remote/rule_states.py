"""The rules as they are evaluated, `/api/v1/rules`: one reader for Prometheus, Mimir and Grafana, which copied the interface and changed a few
words. What a version does not say stays None.

A Grafana calls a rule healthy whose query fails, if the rule is to go on as it was then (`execErrState` `OK` and `KeepLast`): the error never
reaches the rule's health, in no version (resultError of pkg/services/ngalert/state/state.go). It is told of each series, as the reason of its
state: `Normal (Error)`, `Alerting (Error, KeepLast)`. tocsin writes such rules, so health is read from there as well.
"""

from __future__ import annotations

from typing import Literal

from tocsin.ir.duration import Duration
from tocsin.remote.answer import Reader
from tocsin.wire.live import AlertInstance, GroupState, RuleState

_FIRING = {"alerting": "firing"}
"""Grafana's spelling of a state -> everybody's."""


def group_state(read: Reader) -> GroupState:
    """One item of `data.groups`."""
    name, file = read.text("name"), read.text("file", "")
    folder_uid = read.text("folderUid", "") or None
    return GroupState(
        name=name,
        file=file,
        interval=_seconds(read, "interval"),
        rules=tuple(_rule(each, name, file, folder_uid) for each in read["rules"].each()),
        folder_uid=folder_uid,
        limit=read.whole("limit", 0),
        last_evaluation=read.text("lastEvaluation", ""),
    )


def instance(read: Reader) -> AlertInstance:
    """One alert: `state` in lower case, its reason apart (`Normal (MissingSeries)`)."""
    state, _, reason = read.text("state").partition(" (")
    return AlertInstance(
        labels=read.texts("labels"),
        annotations=read.texts("annotations"),
        state=_FIRING.get(state.lower(), state.lower()),
        reason=reason.removesuffix(")"),
        active_at=read.text("activeAt", ""),
    )


def _rule(read: Reader, group: str, file: str, folder_uid: str | None) -> RuleState:
    instances = tuple(instance(each) for each in read["alerts"].each())
    failed = [each for each in instances if "error" in each.reason.lower().split(", ")]
    said = next((text for each in failed if (text := each.annotations.get("Error"))), "")
    return RuleState(
        name=read.text("name"),
        group=group,
        file=file,
        type=_type(read),
        health="error" if failed else read.text("health", "unknown"),
        state=read.text("state", ""),
        last_error=read.text("lastError", "") or said,
        last_evaluation=read.text("lastEvaluation", ""),
        instances=instances,
        query=read.text("query", ""),
        for_=_seconds(read, "duration"),
        keep_firing_for=_seconds(read, "keepFiringFor"),
        labels=read.texts("labels"),
        annotations=read.texts("annotations"),
        uid=read.text("uid", "") or None,
        folder_uid=read.text("folderUid", "") or folder_uid,
        paused=read.flag("isPaused"),
        took=read.number("evaluationTime", 0.0),
    )


def _type(read: Reader) -> Literal["alerting", "recording"]:
    match read.text("type"):
        case "alerting":
            return "alerting"
        case "recording":
            return "recording"
        case other:
            read.wrong(f"is neither alerting nor recording but `{other[:40]}`", f"{read.path}.type")


def _seconds(read: Reader, key: str) -> Duration:
    """Seconds, fractions too, as milliseconds."""
    return Duration(round(read.number(key, 0.0) * 1000))
