"""What a sync would do to rule files, a provisioning folder or a Mimir, as commands: cp, rm, and curl. There and back.

Files are not described but made: the target itself carries the plan out on a copy of the folder in memory, and what has changed in it is copied.
One reload at the end is enough, for a server reads all files at once.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from tocsin.sync.apply import Step, steps_back, steps_of
from tocsin.sync.directory import memory_name
from tocsin.sync.directory_target import DirectoryTarget
from tocsin.sync.prometheus_target import PrometheusTarget
from tocsin.sync.ruler import group_text
from tocsin.sync.values import Plan

NEEDS: Mapping[str, tuple[str, ...]] = {
    "prometheus": ("TOCSIN_RULES_DIR", "PROMETHEUS_URL"),
    "directory": ("TOCSIN_RULES_DIR",),
    "mimir": ("MIMIR_URL", "MIMIR_TENANT"),
}
"""The variables the commands cannot do without. Tokens are optional: PROMETHEUS_TOKEN, MIMIR_TOKEN, and GRAFANA_URL with GRAFANA_TOKEN for a
folder's Grafana that is to read it at once."""
_CURL = "curl -fsS -o /dev/null"
_DIR = '"$TOCSIN_RULES_DIR"'
_RELOAD = (
    "for url in $(echo \"$PROMETHEUS_URL\" | tr ',' ' '); do "
    f'{_CURL} ${{PROMETHEUS_TOKEN:+-H "Authorization: Bearer $PROMETHEUS_TOKEN"}} -X POST "${{url%/}}/-/reload"; done'
)
_RELOAD_FOLDER = (
    f'if [ -n "${{GRAFANA_URL:-}}" ]; then {_CURL} -H "Authorization: Bearer $GRAFANA_TOKEN" '
    '-X POST "$GRAFANA_URL/api/admin/provisioning/alerting/reload"; fi'
)
_RULER = '"$MIMIR_URL/prometheus/config/v1/rules/'


class _Copy:
    """A folder in memory."""

    where = "a copy of the folder"

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)

    def names(self) -> tuple[str, ...]:
        """Every file in it."""
        return tuple(sorted(self.texts))

    def read(self, name: str) -> str | None:
        """The text of a file."""
        return self.texts.get(name)

    def write(self, name: str, text: str) -> None:
        """The file with that text."""
        self.texts[name] = text

    def remove(self, name: str) -> None:
        """The file gone."""
        self.texts.pop(name, None)


def rule_commands(plan: Plan, texts: Mapping[str, str], files: dict[str, str]) -> tuple[list[str], list[str]]:
    """The commands there, and those back; `files` gets what they need. `texts` are the files that lie in the folder now."""
    there, back = steps_of(plan), steps_back(plan)
    if not there:
        return [], []
    if plan.server.kind == "mimir":
        return list(_ruled(there, files, "apply")), list(_ruled(back, files, "undo"))
    after = _after(plan, texts, there)
    again = _after(plan, after, back)
    return list(_copied(plan, texts, after, files, "apply")), list(_copied(plan, after, again, files, "undo"))


def _after(plan: Plan, texts: Mapping[str, str], steps: Sequence[Step]) -> Mapping[str, str]:
    """The folder after these steps."""
    copy = _Copy(texts)
    target = (
        DirectoryTarget(copy, owner=plan.owner)
        if plan.server.kind == "directory"
        else PrometheusTarget(copy, (), lambda text: "", owner=plan.owner)
    )
    for each in steps:
        if each.after is not None:
            target.write_group(each.after, frozenset())
        else:
            target.delete_group(each.place)
    return copy.texts


def _copied(
    plan: Plan, old: Mapping[str, str], new: Mapping[str, str], files: dict[str, str], kind: str
) -> Iterator[str]:
    memory = memory_name(plan.owner)
    changed = [each for each in {**old, **new} if old.get(each) != new.get(each)]
    # What remembers the others comes first, as in a sync.
    for number, name in enumerate(sorted(changed, key=lambda each: (each != memory, each)), 1):
        place = f"{_DIR}/{shlex.quote(name)}"
        if name in new:
            file = f"{kind}-{number:03d}{name[name.rfind('.') :]}"
            files[file] = new[name]
            yield f"cp {file} {place}"
        else:
            yield f"rm -f {place}"
    yield _RELOAD_FOLDER if plan.server.kind == "directory" else _RELOAD


def _ruled(steps: Sequence[Step], files: dict[str, str], kind: str) -> Iterator[str]:
    curl = (
        f'{_CURL} ${{MIMIR_TOKEN:+-H "Authorization: Bearer $MIMIR_TOKEN"}} -H "X-Scope-OrgID: $MIMIR_TENANT"'
    )
    for number, step in enumerate(steps, 1):
        namespace = quote(step.place.folder, safe="")
        if step.after is not None:
            file = f"{kind}-{number:03d}.yaml"
            files[file] = group_text(step.after)
            yield f"{curl} -H 'Content-Type: application/yaml' -X POST --data-binary @{file} {_RULER}{namespace}\""
        elif step.before is not None:
            yield f'{curl} -X DELETE {_RULER}{namespace}/{quote(step.place.group, safe="")}"'
