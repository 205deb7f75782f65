"""The routes (contract 1.1, 4, 5), each with what the version must have to serve it.

A path is decoded before it is matched, as Grafana's router does: a group's name with `/` in it, however it
was encoded, is another path and gets 404 (contract 1.8).
"""

from __future__ import annotations

from typing import NamedTuple

from tests.standin import (
    exports,
    folders,
    groups,
    notification_exports,
    notifications,
    platform,
    rules,
    silences,
    states,
)
from tests.standin.calls import Handler
from tests.standin.profiles import Profile

_P = "/api/v1/provisioning"
_G = _P + "/folder/*/rule-groups/*"
_S = "/api/alertmanager/grafana/api/v2"


class Route(NamedTuple):
    """`*` in a path is one segment; `needs` names a switch of the profile; `open` needs no token."""

    method: str
    path: str
    handler: Handler
    needs: str = ""
    open: bool = False


ROUTES = (
    Route("GET", f"{_P}/alert-rules", rules.list_rules),
    Route("POST", f"{_P}/alert-rules", rules.post_rule),
    Route("GET", f"{_P}/alert-rules/export", exports.export_rules, "exports"),
    Route("GET", f"{_P}/alert-rules/*", rules.get_rule),
    Route("PUT", f"{_P}/alert-rules/*", rules.put_rule),
    Route("DELETE", f"{_P}/alert-rules/*", rules.delete_rule),
    Route("GET", f"{_P}/alert-rules/*/export", exports.export_rule, "exports"),
    Route("GET", _G, groups.get_group),
    Route("PUT", _G, groups.put_group),
    Route("DELETE", _G, groups.delete_group, "group_delete"),
    Route("GET", f"{_G}/export", exports.export_group, "exports"),
    Route("GET", f"{_P}/contact-points/export", notification_exports.export_points, "exports"),
    Route("GET", f"{_P}/policies/export", notification_exports.export_policies, "exports"),
    Route("GET", f"{_P}/mute-timings/export", notification_exports.export_mutes, "exports"),
    Route("GET", f"{_P}/mute-timings/*/export", notification_exports.export_mutes, "exports"),
    Route("GET", f"{_P}/contact-points", notifications.list_points),
    Route("POST", f"{_P}/contact-points", notifications.post_point),
    Route("PUT", f"{_P}/contact-points/*", notifications.put_point),
    Route("DELETE", f"{_P}/contact-points/*", notifications.delete_point),
    Route("GET", f"{_P}/policies", notifications.get_policies),
    Route("PUT", f"{_P}/policies", notifications.put_policies),
    Route("DELETE", f"{_P}/policies", notifications.delete_policies),
    Route("GET", f"{_P}/templates", notifications.list_templates),
    Route("GET", f"{_P}/templates/*", notifications.get_template),
    Route("PUT", f"{_P}/templates/*", notifications.put_template),
    Route("DELETE", f"{_P}/templates/*", notifications.delete_template),
    Route("GET", f"{_P}/mute-timings", notifications.list_mutes),
    Route("POST", f"{_P}/mute-timings", notifications.post_mute),
    Route("GET", f"{_P}/mute-timings/*", notifications.get_mute),
    Route("PUT", f"{_P}/mute-timings/*", notifications.put_mute),
    Route("DELETE", f"{_P}/mute-timings/*", notifications.delete_mute),
    Route("GET", "/api/folders", folders.list_folders),
    Route("POST", "/api/folders", folders.post_folder),
    Route("GET", "/api/folders/*", folders.get_folder),
    Route("PUT", "/api/folders/*", folders.put_folder),
    Route("DELETE", "/api/folders/*", folders.delete_folder),
    Route("GET", "/api/folders/*/counts", folders.count_folder, "nested_folders"),
    Route("POST", "/api/folders/*/move", folders.move_folder, "nested_folders"),
    Route("GET", "/api/datasources", platform.list_datasources),
    Route("POST", "/api/datasources", platform.post_datasource),
    Route("GET", "/api/datasources/uid/*", platform.datasource_by_uid),
    Route("DELETE", "/api/datasources/uid/*", platform.delete_datasource),
    Route("GET", "/api/datasources/name/*", platform.datasource_by_name),
    Route("GET", "/api/health", platform.health, open=True),
    Route("GET", "/api/frontend/settings", platform.frontend_settings),
    Route("GET", "/api/org", platform.org),
    Route("GET", "/api/user", platform.user),
    Route("GET", "/api/access-control/user/permissions", platform.permissions),
    Route("POST", "/api/admin/provisioning/alerting/reload", platform.reload_alerting),
    Route("GET", "/api/prometheus/grafana/api/v1/rules", states.list_states),
    Route("GET", "/api/prometheus/grafana/api/v1/alerts", states.list_alerts),
    Route("GET", "/api/annotations", states.list_annotations),
    Route("GET", f"{_S}/silences", silences.list_silences),
    Route("POST", f"{_S}/silences", silences.post_silence),
    Route("GET", f"{_S}/silence/*", silences.get_silence),
    Route("DELETE", f"{_S}/silence/*", silences.delete_silence),
)


def find(method: str, path: str, profile: Profile) -> tuple[Route, tuple[str, ...]] | None:
    """The route of a decoded path, with the segments its stars stand for; None if the version has none."""
    given = path.rstrip("/").split("/") if path != "/" else ["", ""]
    for route in ROUTES:
        wanted = route.path.split("/")
        if route.method != method or len(wanted) != len(given):
            continue
        if route.needs and not getattr(profile, route.needs):
            continue
        pairs = list(zip(wanted, given, strict=True))
        if all(want in ("*", have) for want, have in pairs):
            stars = tuple(have for want, have in pairs if want == "*")
            if all(stars):
                return route, stars
    return None
