"""Grafana's alert rules over the provisioning API: the list, groups, writes.

What the interface does without a word, and what is done about it here: a group without rules is an order to keep the old ones (refused); a
200 echoes what was sent (nothing is returned, the caller reads back); before 11.5.2 a group may not hold a uid the server does not know (such
rules are created first); `X-Disable-Provenance` counts by being there, whatever it says (sent or left out, never `false`); a `/` in a group's
name is decoded on the way and names nothing (refused). Source: pkg/services/ngalert/api/api_provisioning.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tocsin.errors import Incompatible, UsageError
from tocsin.remote.answer import Reader
from tocsin.remote.http import Door
from tocsin.remote.request import Body
from tocsin.wire.grafana import (
    GrafanaGroup,
    GrafanaRule,
    Json,
    Unreadable,
    from_http,
    rule_from_http,
    to_http,
)
from tocsin.wire.live import LiveRule
from tocsin.wire.versions import Version, supports, version_text

_PATH: Final = ("api", "v1", "provisioning")
_NO_PROVENANCE: Final = {"X-Disable-Provenance": "true"}


class Rules:
    """The alert rules of the token's organisation. `editable` in a write leaves the rules open to people in the UI."""

    def __init__(self, door: Door, version: Version) -> None:
        self._door = door
        self._version = version

    def all(self) -> tuple[LiveRule, ...]:
        """Every rule with its place and provenance, in one request. `WrongShape` names the first that is no rule."""
        return tuple(_live(each) for each in self._door.get(*_PATH, "alert-rules").json().each())

    def get(self, uid: str) -> LiveRule | None:
        """One rule; None where there is none. Before 10.0 a missing one is answered as a fault of the server, so the list is asked whether
        it is there; that list says no provenance, and the rule by itself does."""
        if not supports("grafana", "api", "missing_rule_is_404", self._version) and not any(
            each.rule.uid == uid for each in self.all()
        ):
            return None
        answer = self._door.get(*_PATH, "alert-rules", uid, accept=(200, 404))
        return _live(answer.json()) if answer.status == 200 else None

    def group(self, folder_uid: str, name: str) -> GrafanaGroup | None:
        """One group with its interval; its rules carry no provenance. None where there is none."""
        answer = self._door.get(*_group_path(folder_uid, name), accept=(200, 404))
        if answer.status == 404:
            return None
        read = answer.json()
        found = from_http(read.value)
        if isinstance(found, Unreadable):
            read.wrong(found.reason, found.path.lstrip("."))
        return found

    def write_group(self, group: GrafanaGroup, *, known: frozenset[str], editable: bool) -> None:
        """The group made exactly this, in its order; `known` are the uids the server has, anywhere. A rule that lies elsewhere is moved here,
        one that is not in `group` is deleted. One request and all or nothing from 11.5.2 on; before, rules that are new are created first, and
        a refusal in between leaves those. Before 12.0, where a title is unique in its folder and a new owner may be stored before the old one
        has let go of it, the old owner is renamed first."""
        if not group.rules:
            raise ValueError(f"group {group.name} without rules: Grafana would keep the old ones")
        if not supports("grafana", "http", "equal_titles", self._version):
            parked = self._parked(group)
            if parked is not None:
                self._put(parked, editable=editable)
        if not supports("grafana", "api", "uid_in_group", self._version):
            for rule in group.rules:
                if rule.uid not in known:
                    self.create(rule, group, editable=editable)
        self._put(group, editable=editable)

    def create(self, rule: GrafanaRule, group: GrafanaGroup, *, editable: bool) -> None:
        """A new rule at the end of `group` (its folder, name; the interval is not sent)."""
        self._door.send(
            "POST",
            *_PATH,
            "alert-rules",
            body=Body.of_json(self._one(rule, group)),
            headers=_NO_PROVENANCE if editable else {},
            accept=(200, 201),
        )

    def replace(self, rule: GrafanaRule, group: GrafanaGroup, *, editable: bool) -> None:
        """One rule written over, its group left alone: for a pause that must not wait for anything else. Refused by the server where it would
        take `api` provenance away; give `editable` as the rule is."""
        self._door.send(
            "PUT",
            *_PATH,
            "alert-rules",
            rule.uid,
            body=Body.of_json(self._one(rule, group)),
            headers=_NO_PROVENANCE if editable else {},
            accept=(200, 201, 202),
        )

    def delete(self, uid: str) -> None:
        """One rule gone; one that is gone already is fine."""
        self._door.send("DELETE", *_PATH, "alert-rules", uid, accept=(200, 202, 204, 404))

    def delete_group(self, folder_uid: str, name: str) -> None:
        """A whole group gone, foreign rules in it too. `Incompatible` where the version has no such request (`deletes_groups`)."""
        if not self.deletes_groups:
            raise Incompatible(f"Grafana {version_text(self._version)} cannot delete a group as a whole")
        self._door.send("DELETE", *_group_path(folder_uid, name), accept=(200, 202, 204, 404))

    @property
    def deletes_groups(self) -> bool:
        """Whether a group can be deleted in one request; otherwise its rules are, one by one."""
        return supports("grafana", "api", "group_delete", self._version)

    @property
    def editable_groups(self) -> bool:
        """Whether a group can be written so that people may edit it; otherwise what is written is locked."""
        return supports("grafana", "api", "group_provenance", self._version)

    def _put(self, group: GrafanaGroup, *, editable: bool) -> None:
        headers = _NO_PROVENANCE if editable and self.editable_groups else {}
        body = Body.of_json(self._body(group))
        self._door.send(
            "PUT",
            *_group_path(group.folder_uid, group.name),
            body=body,
            headers=headers,
            accept=(200, 201, 202),
        )

    def _parked(self, group: GrafanaGroup) -> GrafanaGroup | None:
        """The group as it is, but with another title for each rule whose title goes to another rule of `group`; None where none does."""
        live = self.group(group.folder_uid, group.name)
        if live is None:
            return None
        heirs = {rule.title: rule.uid for rule in group.rules}
        rules = tuple(
            replace(rule, title=f"tocsin renames {rule.uid}")
            if heirs.get(rule.title, rule.uid) != rule.uid
            else rule
            for rule in live.rules
        )
        return None if rules == live.rules else replace(live, rules=rules)

    def _body(self, group: GrafanaGroup) -> dict[str, Json]:
        """The group's JSON. Fields that tocsin never authors but a before-image holds (notification settings) go back as they were."""
        body = to_http(group, self._version)
        written = body["rules"]
        assert isinstance(written, list)
        body["rules"] = [{**rule.extra, **each} for rule, each in zip(group.rules, written, strict=True)]
        return body

    def _one(self, rule: GrafanaRule, group: GrafanaGroup) -> Json:
        alone = GrafanaGroup(
            name=group.name, folder_uid=group.folder_uid, interval=group.interval, rules=(rule,)
        )
        rules = self._body(alone)["rules"]
        assert isinstance(rules, list)
        return rules[0]  # type: ignore[no-any-return]  # a list narrowed from Json


def _live(read: Reader) -> LiveRule:
    rule = rule_from_http(read.value)
    if isinstance(rule, Unreadable):
        read.wrong(rule.reason, f"{read.path}.{rule.path.lstrip('.')}".strip("."))
    return LiveRule(
        rule=rule,
        folder_uid=read.text("folderUID", ""),
        group=read.text("ruleGroup", ""),
        provenance=read.text("provenance", ""),
        updated=read.text("updated", ""),
        id=read.whole("id", 0) or None,
    )


def _group_path(folder_uid: str, name: str) -> tuple[str, ...]:
    if "/" in name or "\\" in name:
        raise UsageError(
            f"Grafana cannot be asked for the group `{name}`: a slash in a name is lost on the way"
        )
    return (*_PATH, "folder", folder_uid, "rule-groups", name)
