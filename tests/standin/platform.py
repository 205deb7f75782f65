"""Around the rules: health, versions, who is asking, data sources (contract 4.2, 4.3)."""

from __future__ import annotations

from typing import Any

from tests.standin import binding
from tests.standin.calls import Call
from tests.standin.errors import Refusal, Reply, as_json
from tests.standin.records import Datasource

COMMIT = "5f2a1c0d9b"
_SOURCE: binding.Fields = {
    "uid": binding.text,
    "name": binding.text,
    "type": binding.text,
    "url": binding.text,
}


def health(call: Call) -> Reply:
    """Needs no token. The version may be hidden, the database may fail, and a vendor may block the path."""
    if call.settings.health_code == 400:
        return as_json({"message": "Bad request"}, 400)
    body: dict[str, Any] = {"database": "ok" if call.settings.health_code == 200 else "failing"}
    if not call.settings.hide_version:
        body |= {"commit": COMMIT, "version": call.profile.version}
    return as_json(body, call.settings.health_code)


def frontend_settings(call: Call) -> Reply:
    """A large object whose buildInfo tells the version, unless that is hidden here as well."""
    build: dict[str, Any] = {
        "edition": "Open Source",
        "env": "production",
        "hideVersion": call.settings.hide_build,
    }
    if not call.settings.hide_build:
        build |= {"version": call.profile.version, "commit": COMMIT}
    datasources = {one.name: {"uid": one.uid, "type": one.type} for one in call.org.datasources.values()}
    return as_json({"appSubUrl": call.settings.sub_path, "buildInfo": build, "datasources": datasources})


def org(call: Call) -> Reply:
    address = dict.fromkeys(("address1", "address2", "city", "zipCode", "state", "country"), "")
    return as_json({"id": call.org.id, "name": call.org.name, "address": address})


def user(call: Call) -> Reply:
    """Who a token belongs to; a legacy API key belongs to nobody, and at 9.4 neither does a service account's."""
    token = call.token
    if token.kind == "api_key" or (token.kind == "service_account" and not call.profile.accounts_are_users):
        raise Refusal(as_json({"message": "user not found"}, 404))
    return as_json(
        {
            "id": 7,
            "email": token.login,
            "name": token.login,
            "login": token.login,
            "theme": "",
            "orgId": call.org.id,
            "isGrafanaAdmin": token.kind == "user" and token.role == "admin",
            "isDisabled": False,
            "isExternal": False,
            "authLabels": [],
        }
    )


def permissions(call: Call) -> Reply:
    """Every permission with its scopes; the fine-grained ones name their folders."""
    folders = call.token.folders
    scopes = ["folders:*"] if folders is None else sorted(f"folders:uid:{uid}" for uid in folders)
    scoped = ("alert.rules:", "folders:")
    return as_json(
        {name: scopes if name.startswith(scoped) else [""] for name in sorted(call.token.permissions)}
    )


def _datasource(call: Call, source: Datasource) -> dict[str, Any]:
    return {
        "id": source.id,
        "uid": source.uid,
        "orgId": call.org.id,
        "name": source.name,
        "type": source.type,
        "typeLogoUrl": f"public/app/plugins/datasource/{source.type}/img/logo.svg",
        "access": "proxy",
        "url": source.url,
        "user": "",
        "database": "",
        "basicAuth": False,
        "isDefault": source.default,
        "jsonData": {"httpMethod": "POST"},
        "readOnly": False,
    }


def list_datasources(call: Call) -> Reply:
    call.token.require("datasources:read")
    ordered = sorted(call.org.datasources.values(), key=lambda source: source.name.lower())
    return as_json([_datasource(call, source) for source in ordered])


def datasource_by_uid(call: Call) -> Reply:
    call.token.require("datasources:read")
    return _one(call, call.org.datasources.get(call.parts[0]))


def datasource_by_name(call: Call) -> Reply:
    call.token.require("datasources:read")
    named = [source for source in call.org.datasources.values() if source.name == call.parts[0]]
    return _one(call, named[0] if named else None)


def post_datasource(call: Call) -> Reply:
    """200 with the data source beside its id and name; 409 where the name or the uid is taken."""
    call.token.require("datasources:create")
    body = call.bound(_SOURCE)
    uid, name = body.get("uid", ""), body.get("name", "")
    if not name or not body.get("type"):
        raise Refusal(as_json({"message": "bad request data"}, 400))
    if uid in call.org.datasources or any(one.name == name for one in call.org.datasources.values()):
        raise Refusal(
            as_json({"message": "data source with the same name already exists", "traceID": ""}, 409)
        )
    number = call.state.next_id()
    made = Datasource(
        id=number, uid=uid or f"ds{number}", name=name, type=body["type"], url=body.get("url", "")
    )
    call.org.datasources[made.uid] = made
    told = _datasource(call, made)
    return as_json({"datasource": told, "id": made.id, "message": "Datasource added", "name": made.name})


def delete_datasource(call: Call) -> Reply:
    """200 and a message; rules that query it are not asked about."""
    call.token.require("datasources:delete")
    gone = call.org.datasources.pop(call.parts[0], None)
    if gone is None:
        raise Refusal(as_json({"message": "Data source not found", "traceID": ""}, 404))
    return as_json({"message": "Data source deleted", "id": gone.id})


def _one(call: Call, source: Datasource | None) -> Reply:
    if source is None:
        raise Refusal(as_json({"message": "Data source not found", "traceID": ""}, 404))
    return as_json(_datasource(call, source))


def reload_alerting(call: Call) -> Reply:
    """Contract 3: reading the provisioning folder anew. This server has none; that it was asked is in the log."""
    call.token.require("provisioning:reload")
    return as_json({"message": "Alerting config reloaded"})
