"""A client by other people, grafana-client, works with the stand-in as it does with a Grafana.

It was written against real servers: its paths, its ways of reading replies and its exceptions are a second
opinion on the stand-in's status codes and bodies that shares no author with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from grafana_client import GrafanaApi
from grafana_client.client import (
    GrafanaBadInputError,
    GrafanaClientError,
    GrafanaServerError,
    GrafanaUnauthorizedError,
)
from tests.standin import DEFAULT_TOKEN, PROFILES, Settings, StandIn, Token, faults
from tests.standin.driver import rule

ANN = Token(secret="pw", kind="user", login="ann", orgs=frozenset({1}))


@pytest.fixture(params=list(PROFILES))
def standin(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    with StandIn(request.param, tokens=[Token(secret=DEFAULT_TOKEN), ANN]) as running:
        yield running


@pytest.fixture
def api(standin: StandIn) -> Iterator[Any]:
    client = GrafanaApi.from_url(standin.url, credential=DEFAULT_TOKEN)
    yield client
    client.client.s.close()


def test_health_and_version(api: Any, standin: StandIn) -> None:
    assert api.health.check()["database"] == "ok"
    assert api.version == standin.profile.version


def test_who_is_asking(api: Any, standin: StandIn) -> None:
    assert api.organization.get_current_organization()["name"] == "Main Org."
    if standin.profile.accounts_are_users:
        assert api.user.get_actual_user()["login"] == "sa-1-tocsin"
    else:
        with pytest.raises(GrafanaClientError, match="404"):
            api.user.get_actual_user()
    by_password = GrafanaApi.from_url(standin.url, credential=("ann", "pw"))
    assert by_password.user.get_actual_user()["login"] == "ann"
    by_password.client.s.close()
    stranger = GrafanaApi.from_url(standin.url, credential="wrong")
    with pytest.raises(GrafanaUnauthorizedError):
        stranger.folder.get_all_folders()
    stranger.client.s.close()


def test_folders(api: Any) -> None:
    assert api.folder.create_folder("Operations", uid="ops")["uid"] == "ops"
    with pytest.raises(GrafanaClientError) as refused:
        api.folder.create_folder("Operations again", uid="ops")
    assert refused.value.status_code == 409
    changed = api.folder.update_folder("ops", title="Ops", version=api.folder.get_folder("ops")["version"])
    assert changed["title"] == "Ops"
    assert [folder["uid"] for folder in api.folder.get_all_folders()] == ["ops"]
    with pytest.raises(GrafanaClientError) as lost:
        api.folder.get_folder("none")
    assert lost.value.status_code == 404
    api.alertingprovisioning.create_alertrule(rule("a"))
    with pytest.raises(GrafanaBadInputError):
        api.folder.delete_folder("ops")
    api.alertingprovisioning.delete_alertrule("a")
    api.folder.delete_folder("ops")
    assert api.folder.get_all_folders() == []


def test_data_sources(api: Any) -> None:
    (source,) = api.datasource.list_datasources()
    assert source["uid"] == "prom-main"
    assert api.datasource.get_datasource_by_uid("prom-main") == source
    assert api.datasource.get_datasource_by_name("Prometheus") == source


def test_rules(api: Any) -> None:
    provisioning = api.alertingprovisioning
    api.folder.create_folder("Ops", uid="ops")
    made = provisioning.create_alertrule(rule("a"), disable_provenance=True)
    assert made.get("provenance", "") == ""
    assert provisioning.update_alertrule("a", rule("a", title="New"))["title"] == "New"
    assert provisioning.get_alertrule("a")["provenance"] == "api"
    assert [found["uid"] for found in provisioning.get_alertrules_all()] == ["a"]
    assert provisioning.delete_alertrule("a") is None
    assert provisioning.get_alertrules_all() == []


def test_groups(api: Any) -> None:
    provisioning = api.alertingprovisioning
    api.folder.create_folder("Ops", uid="ops")
    provisioning.create_alertrule(rule("a"))
    group = provisioning.get_rule_group("ops", "disks")
    group["interval"] = 120
    group["rules"][0]["title"] = "New"
    # What a GET gave is taken back by a PUT, as people do it.
    assert provisioning.update_rule_group("ops", "disks", group)["interval"] == 120
    again = provisioning.get_rule_group("ops", "disks")
    assert (again["interval"], again["rules"][0]["title"]) == (120, "New")
    group["interval"] = 15
    with pytest.raises(GrafanaBadInputError, match="divided exactly by scheduler interval"):
        provisioning.update_rule_group("ops", "disks", group)


def test_notification_objects(api: Any) -> None:
    provisioning = api.alertingprovisioning
    point = {"uid": "pg", "name": "pager", "type": "webhook", "settings": {"url": "http://127.0.0.1/"}}
    assert provisioning.create_contactpoint(point)["uid"] == "pg"
    assert provisioning.update_contactpoint("pg", point)["message"] == "contactpoint updated"
    assert len(provisioning.get_contactpoints()) == 2
    tree = provisioning.get_notification_policy_tree()
    assert provisioning.set_notification_policy_tree(tree)["message"] == "policies updated"
    assert provisioning.delete_contactpoint("pg")["message"] == "contactpoint deleted"
    provisioning.create_or_update_template("t", {"template": "x"})
    assert [found["name"] for found in provisioning.get_templates()] == ["t"]
    assert provisioning.delete_template("t") is None
    night = {"name": "night", "time_intervals": []}
    provisioning.create_mute_timing(night)
    provisioning.update_mute_timing("night", night)
    assert provisioning.get_mute_timing("night")["name"] == "night"
    # delete_mute_timing of this client sends GET; its transport is asked instead.
    assert api.client.DELETE("/v1/provisioning/mute-timings/night") is None
    assert provisioning.get_mute_timings() == []


def test_faults_are_seen_as_what_they_are(api: Any, standin: StandIn) -> None:
    standin.plan(faults.bad_gateway(), faults.too_many("1", nth=2))
    with pytest.raises(GrafanaServerError) as broken:
        api.folder.get_all_folders()
    assert broken.value.status_code == 502
    with pytest.raises(GrafanaClientError) as limited:
        api.folder.get_all_folders()
    assert limited.value.status_code == 429
    assert api.folder.get_all_folders() == []


def test_a_sub_path() -> None:
    with StandIn("12.0", settings=Settings(sub_path="/grafana")) as standin:
        client = GrafanaApi.from_url(f"{standin.url}/", credential=DEFAULT_TOKEN)
        assert client.folder.create_folder("Ops", uid="ops")["uid"] == "ops"
        client.client.s.close()
