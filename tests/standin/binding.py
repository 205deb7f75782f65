"""Reading a request body as Go does (contract 1.1): keys match whatever their case, unknown ones are ignored,
null leaves a field alone, and a value of the wrong type refuses the request with `bad request data`.

Stricter than Go in one thing: bytes after the document, and bytes that are not UTF-8, are refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.standin import durations
from tests.standin.errors import bad_request_data

Reader = Callable[[Any], Any]
Fields = Mapping[str, Reader]


def document(content_type: str | None, body: bytes) -> Any:
    """The body's JSON; an empty body is an empty object. The content type has to say JSON."""
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise bad_request_data()
    if not body.strip():
        return {}

    def no_constant(_: str) -> Any:
        raise ValueError

    try:
        return json.loads(body.decode("utf-8"), parse_constant=no_constant)
    except ValueError:
        raise bad_request_data() from None


def read(value: Any, fields: Fields) -> dict[str, Any]:
    """The fields of `fields` that the object `value` holds, each read; null for the whole is an empty object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_request_data()
    folded = {name.lower(): name for name in fields}
    found: dict[str, Any] = {}
    for key, item in value.items():
        name = key if key in fields else folded.get(key.lower())
        if name is None:
            continue
        if item is None and fields[name] not in (duration, anything):
            continue
        found[name] = fields[name](item)
    return found


def text(value: Any) -> str:
    if not isinstance(value, str):
        raise bad_request_data()
    return value


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise bad_request_data()
    return value


def whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise bad_request_data()
    return value


def seconds(value: Any) -> int:
    """The ends of a relative time range: floats are cut off, strings refused (contract 1.2)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise bad_request_data()
    return int(value)


def duration(value: Any) -> int:
    """A duration string as milliseconds; a number, null or '' is refused (contract 1.5)."""
    try:
        return durations.parse(text(value))
    except ValueError:
        raise bad_request_data() from None


def anything(value: Any) -> Any:
    return value


def list_of(reader: Reader) -> Reader:
    def reads(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise bad_request_data()
        return [reader(item) for item in value]

    return reads


def texts(value: Any) -> dict[str, str]:
    """A string to string map; null inside reads as ''."""
    if not isinstance(value, dict):
        raise bad_request_data()
    return {key: "" if item is None else text(item) for key, item in value.items()}


def shape(fields: Fields) -> Reader:
    return lambda value: read(value, fields)


TIME_RANGE: Fields = {"from": seconds, "to": seconds}
QUERY: Fields = {
    "refId": text,
    "queryType": text,
    "relativeTimeRange": shape(TIME_RANGE),
    "datasourceUid": text,
    "model": anything,
}
NOTIFICATION: Fields = {
    "receiver": text,
    "group_by": list_of(text),
    "group_wait": duration,
    "group_interval": duration,
    "repeat_interval": duration,
    "mute_time_intervals": list_of(text),
    "active_time_intervals": list_of(text),
}
RECORD: Fields = {"metric": text, "from": text, "target_datasource_uid": text}
RULE: Fields = {
    "id": whole,
    "uid": text,
    "orgID": whole,
    "folderUID": text,
    "ruleGroup": text,
    "title": text,
    "condition": text,
    "data": list_of(shape(QUERY)),
    "updated": text,
    "noDataState": text,
    "execErrState": text,
    "for": duration,
    "keep_firing_for": duration,
    "missingSeriesEvalsToResolve": whole,
    "annotations": texts,
    "labels": texts,
    "isPaused": flag,
    "provenance": text,
    "notification_settings": shape(NOTIFICATION),
    "record": shape(RECORD),
}
GROUP: Fields = {
    "title": text,
    "folderUid": text,
    "interval": whole,
    "rules": list_of(shape(RULE)),
}
