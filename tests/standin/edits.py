"""Changes by somebody else: what a person at the UI, a file, or another client does between two requests.

No check and no provenance stands in the way here; a test decides what happened.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.standin import states, validation
from tests.standin.calls import Settings
from tests.standin.profiles import Profile
from tests.standin.records import ZERO_TIME, Datasource, Folder, Org, Rule, RuleState, State


class Editor:
    """Edits one organisation in a copy that `StandIn.edit` keeps when its block ends without an error."""

    def __init__(self, state: State, org: Org, profile: Profile, settings: Settings) -> None:
        self.state, self.org, self.profile, self.settings = state, org, profile, settings

    def folder(self, uid: str, title: str = "", **fields: Any) -> Folder:
        """Makes or changes a folder; `managed=True` gives it to Git Sync."""
        now = self.settings.clock()
        stored = self.org.folders.get(uid)
        if stored is None:
            base = Folder(id=self.state.next_id(), uid=uid, title=title or uid, created=now, updated=now)
        else:
            base = replace(stored, title=title or stored.title, version=stored.version + 1, updated=now)
        self.org.folders[uid] = replace(base, **fields)
        return self.org.folders[uid]

    def datasource(self, uid: str, name: str = "", type: str = "prometheus", **fields: Any) -> None:
        """Makes a data source, or another of that uid."""
        source = Datasource(id=self.state.next_id(), uid=uid, name=name or uid, type=type)
        self.org.datasources[uid] = replace(source, **fields)

    def rule(self, uid: str, **changes: Any) -> Rule:
        """Changes a rule (fields of `Rule`), or makes one in `folder` and `group`."""
        stored = self.org.rules.get(uid)
        now = self.settings.clock()
        if stored is None:
            stored = self._new(uid, changes.get("folder", ""), changes.get("group", ""))
        values: dict[str, Any] = {"version": stored.version + 1, "updated": now} | changes
        changed = replace(stored, **values)
        self.org.rules[uid] = validation.presave(changed, self.profile)
        return self.org.rules[uid]

    def _new(self, uid: str, folder: str, group: str) -> Rule:
        there = self.org.group(folder, group)
        query = {
            "refId": "A",
            "queryType": "",
            "relativeTimeRange": {"from": 600, "to": 0},
            "datasourceUid": "prom-main",
            "model": {"refId": "A", "expr": "up == 0", "instant": True, "range": False},
        }
        return Rule(
            id=self.state.next_id(),
            uid=uid,
            org=self.org.id,
            folder=folder,
            group=group,
            title=uid,
            condition="A",
            data=[query],
            no_data="NoData",
            exec_err="Error",
            for_=0,
            keep_firing_for=0,
            missing_series=None,
            annotations={},
            labels={},
            paused=False,
            notification=None,
            record=None,
            interval=there[0].interval if there else self.settings.default_interval,
            index=(there[-1].index + 1 if there else 1) if self.profile.order_persisted else 0,
            version=0,
            updated=ZERO_TIME,
            provenance="",
        )

    def pause(self, uid: str, paused: bool = True) -> None:
        self.rule(uid, paused=paused)

    def delete_rule(self, uid: str) -> None:
        del self.org.rules[uid]
        self.org.states.pop(uid, None)

    def delete_folder(self, uid: str) -> None:
        """The folder alone: its rules become orphans."""
        del self.org.folders[uid]

    def set_state(self, uid: str, *, pinned: bool = False, **fields: Any) -> None:
        """What evaluation says of a rule: `state`, `health`, `last_error`, `last_evaluation`, `alerts`.

        A change of the rule clears it, as a server does, unless it is pinned.
        """
        base = self.org.states.get(uid) or RuleState(health=self.profile.unevaluated_health)
        values: dict[str, Any] = {"last_evaluation": self.settings.clock(), "pinned": pinned} | fields
        new = replace(base, **values)
        self.org.states[uid] = new
        if new.state != base.state:
            self._annotate(self.org.rules[uid], base.state, new.state)

    def _annotate(self, rule: Rule, old: str, new: str) -> None:
        names = {"firing": "Alerting", "pending": "Pending", "inactive": "Normal"}
        time = int(self.settings.now().timestamp() * 1000)
        self.org.annotations.append(
            {
                "id": self.state.next_id(),
                "alertId": rule.id,
                "alertName": rule.title,
                "dashboardUID": "",
                "panelId": 0,
                "prevState": names.get(old, old),
                "newState": names.get(new, new),
                "time": time,
                "timeEnd": time,
                "text": f"{rule.title} {{}} - A=1.000000",
                "tags": [],
                "data": {"values": {"A": 1}},
            }
        )

    def evaluate(self, at: datetime | None = None) -> None:
        """Every rule that is not paused is evaluated once, at `at`."""
        text = (at or self.settings.now()).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for uid, rule in self.org.rules.items():
            state = self.org.states.get(uid) or RuleState(health="ok")
            self.org.states[uid] = states.evaluated(rule, state, self.org, self.profile, text)
