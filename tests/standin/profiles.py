"""How the versions of Grafana differ: one frozen record of switches, five values of it,
each written as what changed since the one before.

Each switch cites the row of the contract that it stands for. Where the contract gives a span of versions
("11.6/12.0") or a doubt, the stricter reading is taken: a field is dropped, a request is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

EmptyMaps = Literal["absent", "object", "null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One version's behaviour. `name` is what a test asks for; `version` is what the server says it is."""

    name: str
    version: str

    # Fields of a rule that the version keeps (1.2); any other is dropped on the way in.
    keep_last: bool
    """1.2 `KeepLast` is a state: [10.4.x / 11.0]."""
    notification_settings: bool
    """1.2 `notification_settings`: [10.4]."""
    active_time_intervals: bool
    """1.2 `notification_settings.active_time_intervals`: [12.1]."""
    missing_series: bool
    """1.2 `missingSeriesEvalsToResolve`: [11.6/12.0]."""
    keep_firing_for: bool
    """1.2 `keep_firing_for`: [12.0]."""
    record: Literal["unknown", "refused", "kept"]
    """1.2 `record`: unknown before [11.2], behind a flag (refused here) until its default in 12.x."""

    # What is refused, and how.
    uid_checked: bool
    """1.4 a uid of at most 40 bytes of [A-Za-z0-9_-] gets 400; 9.x leaves it to the column, 40 wide (500)."""
    range_code: int
    """1.4 `from <= to`: 500 in 9.x, 400 `invalidRelativeTime` later."""
    unwrapped_code: int
    """1.4 bad states and panel annotations: 400; the source of 9.4 answers 500, its errors not being wrapped."""
    empty_folder_refused: bool
    """1.4 a rule without a folder: 400; a running 9.4 takes it (POST of a rule, 201)."""
    folder_must_exist: bool
    """1.4 a rule in no folder: an orphan until [11.0] (POST) and [11.4] (PUT)."""
    root_refused: bool
    """1.4 the root folder as a target: refused from [13.3]."""
    git_sync_refused: bool
    """1.4 a folder managed by Git Sync: [12.x]."""
    reserved_labels: bool
    """1.4 labels that only the server sets: [10.4]."""
    sentinel_refused: bool
    """1.4 a group named as ungrouped rules are: [13.x]."""
    titles_unique: bool
    """1.4 one title per folder: until 11.6."""
    deletes_last: bool
    """1.4 a group PUT frees the titles of the rules it deletes too late: the source of 9.4 inserts first."""
    title_conflict_code: int
    """1.4 its answer: 500 in 9.x, 400 in 10.4 to 11.x."""
    uid_conflict_code: int
    """1.4 a uid taken: 409 from [12.1], 400 or 500 before."""
    receiver_code: int
    """1.2 a contact point that does not exist: 500, 400 from 12.2."""
    quota_code: int
    """1.4 quota on a group PUT: 403; the source of 9.4 answers 500 there, and 403 on POST."""

    # Routes and their answers.
    missing_rule_code: int
    """1.1 GET of a rule that is not there: 500 in 9.x, 404 later."""
    exports: bool
    """1.1 export routes: [9.5/10.0]."""
    group_delete: bool
    """1.1 DELETE of a group: [11.0]."""
    client_uid_in_group: bool
    """1.8 a group PUT creates a uid it does not know: [11.5.2/11.6]."""
    order_persisted: bool
    """1.8 the order of a group's rules is kept: [11.5.2/11.6]."""
    noop_detected: bool
    """1.8 an identical group PUT changes nothing; the source of 9.4 writes every rule of the group again."""
    enum_hidden: bool
    """1.8 a bad state in a group PUT is answered with the message of the interval."""
    list_provenance: bool
    """1.1 the list tells provenance; not so at 9.4's source."""
    group_header: bool
    """1.9 `X-Disable-Provenance` on groups and notification objects: [9.5/10.0]."""
    drop_provenance: bool
    """1.9 a group write may turn `api` into none; not in 9.4."""
    mismatch_code: int
    """1.9 a provenance that does not fit, on groups: 409 with an id, a plain 500 in 9.x (and, in doubt, 10.4)."""
    rule_delete_lenient: bool
    """1.9 DELETE of a rule follows the rules of groups: [12.4]; strict with 500 before."""
    template_versions: bool
    """1.1 template and mute timing writes compare versions: [11.x]."""

    # Reading.
    empty_maps: EmptyMaps
    """1.6 how empty labels and annotations read: all three are met, so each occurs in a profile."""
    nulls_shown: bool
    """1.6 absent optional objects read as null."""
    state_uids: bool
    """5.2 the state API tells uid, folderUid and totals; not in 9.4."""
    state_filters: bool
    """5.2 filters by folder, group, rule: [11.x]."""
    unevaluated_health: Literal["ok", "unknown"]
    """5.2 a rule never evaluated."""
    error_annotated: bool
    """5.2 a series whose rule hides a failed evaluation has the error as its annotation `Error`; not on a running 9.4, and in doubt later."""
    inclusive_thresholds: bool
    """2.2 `gte`, `lte`, `eq`, `ne` of a threshold node evaluate: [11.6]."""
    history_uid: bool
    """5.3 annotations are found by `alertUID`: [11.x]."""

    # Around the rules.
    fine_grained: bool
    """1.10 alert.rules permissions open provisioning: [11.0]."""
    accounts_are_users: bool
    """4.4 GET of the user answers a service account's token; a running 9.4 knows no such user (404)."""
    coded_401: bool
    """1.14 401 with a message id: [10]."""
    nested_folders: bool
    """4.1 parentUid: on since [11.0]."""
    folder_titles_unique: bool
    """4.1 one title per parent: until 11.x."""
    folder_delete_told: bool
    """4.1 DELETE of a folder answers with a message; the source of 9.4 with an empty string."""
    full_path: bool
    """1.11 and 5.2 a folder is named by its full path: [11.0]."""


G9_4 = Profile(
    name="9.4",
    version="9.4.17",
    keep_last=False,
    notification_settings=False,
    active_time_intervals=False,
    missing_series=False,
    keep_firing_for=False,
    record="unknown",
    uid_checked=False,
    range_code=500,
    unwrapped_code=500,
    empty_folder_refused=False,
    folder_must_exist=False,
    root_refused=False,
    git_sync_refused=False,
    reserved_labels=False,
    sentinel_refused=False,
    titles_unique=True,
    deletes_last=True,
    title_conflict_code=500,
    uid_conflict_code=500,
    receiver_code=500,
    quota_code=500,
    missing_rule_code=500,
    exports=False,
    group_delete=False,
    client_uid_in_group=False,
    order_persisted=False,
    noop_detected=False,
    enum_hidden=False,
    list_provenance=False,
    group_header=False,
    drop_provenance=False,
    mismatch_code=500,
    rule_delete_lenient=False,
    template_versions=False,
    empty_maps="absent",
    nulls_shown=False,
    state_uids=False,
    state_filters=False,
    unevaluated_health="ok",
    error_annotated=False,
    inclusive_thresholds=False,
    history_uid=False,
    fine_grained=False,
    accounts_are_users=False,
    coded_401=False,
    nested_folders=False,
    folder_titles_unique=True,
    folder_delete_told=False,
    full_path=False,
)

G10_4 = replace(
    G9_4,
    name="10.4",
    version="10.4.0",
    notification_settings=True,
    uid_checked=True,
    range_code=400,
    unwrapped_code=400,
    empty_folder_refused=True,
    reserved_labels=True,
    deletes_last=False,
    title_conflict_code=400,
    uid_conflict_code=400,
    quota_code=403,
    missing_rule_code=404,
    exports=True,
    noop_detected=True,
    enum_hidden=True,
    list_provenance=True,
    group_header=True,
    drop_provenance=True,
    accounts_are_users=True,
    coded_401=True,
    folder_delete_told=True,
)

G11_6 = replace(
    G10_4,
    name="11.6",
    version="11.6.1",
    keep_last=True,
    missing_series=True,
    record="refused",
    folder_must_exist=True,
    group_delete=True,
    client_uid_in_group=True,
    order_persisted=True,
    mismatch_code=409,
    template_versions=True,
    empty_maps="object",
    nulls_shown=True,
    state_uids=True,
    state_filters=True,
    unevaluated_health="unknown",
    error_annotated=True,
    inclusive_thresholds=True,
    history_uid=True,
    fine_grained=True,
    nested_folders=True,
    folder_titles_unique=False,
    full_path=True,
)

G12_0 = replace(
    G11_6,
    name="12.0",
    version="12.0.2",
    keep_firing_for=True,
    git_sync_refused=True,
    titles_unique=False,
    empty_maps="null",
)

G13_3 = replace(
    G12_0,
    name="13.3",
    version="13.3.0+security-01",
    active_time_intervals=True,
    record="kept",
    root_refused=True,
    sentinel_refused=True,
    uid_conflict_code=409,
    receiver_code=400,
    rule_delete_lenient=True,
    empty_maps="absent",
    nulls_shown=False,
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in (G9_4, G10_4, G11_6, G12_0, G13_3)}
