"""Folders (contract 4.1)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from tests.standin import binding, rules
from tests.standin.calls import Call
from tests.standin.errors import Refusal, Reply, as_json, coded, plain
from tests.standin.records import Folder, Org

_UID = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_FIELDS: binding.Fields = {
    "uid": binding.text,
    "title": binding.text,
    "parentUid": binding.text,
    "version": binding.whole,
    "overwrite": binding.flag,
}
DEEPEST = 4


def path_of(org: Org, folder: Folder) -> list[Folder]:
    """The folder's ancestors, the root's child first, and itself last."""
    chain = [folder]
    while chain[0].parent and chain[0].parent in org.folders:
        chain.insert(0, org.folders[chain[0].parent])
    return chain


def full_title(org: Org, folder: Folder, *, path: bool) -> str:
    """The folder's title, or with `path` its titles from the root down; a slash in a title is escaped."""
    if not path:
        return folder.title
    return "/".join(one.title.replace("/", "\\/") for one in path_of(org, folder))


def below(org: Org, uid: str) -> list[str]:
    """The uid and those of all folders under it."""
    found = [uid]
    for one in found:
        found += [folder.uid for folder in org.folders.values() if folder.parent == one]
    return found


def _not_found() -> Refusal:
    return Refusal(as_json({"message": "folder not found", "status": "not-found"}, 404))


def _mismatch() -> Refusal:
    text = "the folder has been changed by someone else"
    return Refusal(as_json({"message": text, "status": "version-mismatch"}, 412))


def _find(call: Call, uid: str) -> Folder:
    folder = call.org.folders.get(uid)
    if folder is None:
        raise _not_found()
    return folder


def _exists(call: Call, text: str) -> Refusal:
    """409 of the old store, 412 of the new one (4.1): the operator's choice."""
    if call.settings.folder_exists_code == 412:
        return Refusal(as_json({"message": text, "status": "version-mismatch"}, 412))
    return plain(409, text)


def _render(call: Call, folder: Folder) -> dict[str, Any]:
    may = "folders:write" in call.token.permissions
    body: dict[str, Any] = {
        "id": folder.id,
        "uid": folder.uid,
        "title": folder.title,
        "url": f"{call.settings.sub_path}/dashboards/f/{folder.uid}/{folder.title.lower().replace(' ', '-')}",
        "hasAcl": False,
        "canSave": may,
        "canEdit": may,
        "canAdmin": may,
        "canDelete": may,
        "createdBy": "Anonymous",
        "created": folder.created,
        "updatedBy": "Anonymous",
        "updated": folder.updated,
        "version": folder.version,
    }
    if call.profile.nested_folders and folder.parent:
        body["parentUid"] = folder.parent
        body["parents"] = [{"uid": one.uid, "title": one.title} for one in path_of(call.org, folder)[:-1]]
    if call.profile.git_sync_refused and folder.managed:
        body["managedBy"] = "repo"
    return body


def list_folders(call: Call) -> Reply:
    """The direct children of one parent, by page."""
    call.token.require("folders:read")
    parent = call.one("parentUid") if call.profile.nested_folders else ""
    if parent and parent not in call.org.folders:
        raise _not_found()
    limit, page = _count(call.one("limit"), 1000), _count(call.one("page"), 1)
    nested = call.profile.nested_folders
    here = [f for f in call.org.folders.values() if not nested or f.parent == parent]
    here.sort(key=lambda folder: (folder.title.lower(), folder.uid))
    shown = []
    for folder in here[(page - 1) * limit : page * limit]:
        item = {"id": folder.id, "uid": folder.uid, "title": folder.title}
        if nested and folder.parent:
            item["parentUid"] = folder.parent
        if call.profile.git_sync_refused and folder.managed:
            item["managedBy"] = "repo"
        shown.append(item)
    return as_json(shown)


def _count(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else default


def get_folder(call: Call) -> Reply:
    call.token.require("folders:read")
    return as_json(_render(call, _find(call, call.parts[0])))


def post_folder(call: Call) -> Reply:
    call.token.require("folders:create")
    bound = call.bound(_FIELDS)
    title, uid = bound.get("title", "").strip(), bound.get("uid", "")
    parent = bound.get("parentUid", "") if call.profile.nested_folders else ""
    if not title:
        raise plain(400, "folder title cannot be empty")
    if len(uid.encode()) > 40:
        raise plain(400, "uid too long, max 40 characters")
    if not _UID.fullmatch(uid):
        raise plain(400, "uid contains illegal characters")
    if parent:
        if parent not in call.org.folders:
            raise _not_found()
        _check_depth(call, parent, 1)
    if uid in call.org.folders:
        raise _exists(call, "a folder with the same uid already exists")
    _check_title(call, title, parent, "")
    number = call.state.next_id()
    now = call.settings.clock()
    uid = uid or rules.generated_uid(call, number)
    folder = Folder(id=number, uid=uid, title=title, parent=parent, created=now, updated=now)
    call.org.folders[uid] = folder
    return as_json(_render(call, folder))


def _check_title(call: Call, title: str, parent: str, own: str) -> None:
    if call.profile.folder_titles_unique and any(
        f.title == title and f.parent == parent and f.uid != own for f in call.org.folders.values()
    ):
        raise _exists(call, "a folder with the same name already exists in the current location")


def _check_depth(call: Call, parent: str, height: int) -> None:
    """`height` levels put under `parent`."""
    if len(path_of(call.org, call.org.folders[parent])) + height > DEEPEST:
        raise coded(400, "folder.maximum-depth-reached", "Maximum nested folder depth reached")


def put_folder(call: Call) -> Reply:
    call.token.require("folders:write")
    bound = call.bound(_FIELDS)
    folder = _find(call, call.parts[0])
    title = bound.get("title", "").strip()
    if not title:
        raise plain(400, "folder title cannot be empty")
    if not bound.get("overwrite", False) and bound.get("version") != folder.version:
        raise _mismatch()
    _check_title(call, title, folder.parent, folder.uid)
    changed = replace(folder, title=title, version=folder.version + 1, updated=call.settings.clock())
    call.org.folders[folder.uid] = changed
    return as_json(_render(call, changed))


def move_folder(call: Call) -> Reply:
    call.token.require("folders:write")
    folder = _find(call, call.parts[0])
    parent = call.bound(_FIELDS).get("parentUid", "")
    if parent:
        _find(call, parent)
        if parent in below(call.org, folder.uid):
            raise coded(400, "folder.circular-reference", "Circular reference detected")
        top = len(path_of(call.org, folder))
        height = max(len(path_of(call.org, call.org.folders[one])) for one in below(call.org, folder.uid))
        _check_depth(call, parent, height - top + 1)
    changed = replace(folder, parent=parent, version=folder.version + 1, updated=call.settings.clock())
    call.org.folders[folder.uid] = changed
    return as_json(_render(call, changed))


def count_folder(call: Call) -> Reply:
    """What the folder and those under it hold."""
    call.token.require("folders:read")
    uids = below(call.org, _find(call, call.parts[0]).uid)
    held = sum(rule.folder in uids for rule in call.org.rules.values())
    return as_json({"alertrule": held, "dashboard": 0, "folder": len(uids) - 1, "librarypanel": 0})


def delete_folder(call: Call) -> Reply:
    """400 while it or a folder under it holds rules, unless forced."""
    call.token.require("folders:delete")
    folder = _find(call, call.parts[0])
    uids = below(call.org, folder.uid)
    held = [rule.uid for rule in call.org.rules.values() if rule.folder in uids]
    forced = call.one("forceDeleteRules").lower() in ("1", "t", "true")
    if held and not forced:
        raise plain(400, "folder cannot be deleted: folder contains alert rules")
    for uid in held:
        del call.org.rules[uid]
        rules.forget_state(call, uid)
    for uid in uids:
        del call.org.folders[uid]
    if not call.profile.folder_delete_told:
        return as_json("")
    return as_json({"id": folder.id, "message": "Folder deleted", "title": folder.title})
