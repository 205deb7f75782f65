"""The targets that are no Grafana's API: a Prometheus and its rule files, a Mimir, a folder of provisioning files. Here they get their doors.

Where a folder is says the command line or `TOCSIN_RULES_DIR`, never a file of the repository: a branch could name any folder of the machine. Several
addresses with commas between them, in a flag or a variable, are the replicas of one Prometheus.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tocsin.disk.process import find_tool
from tocsin.disk.promtool import refusal
from tocsin.disk.rule_folder import RuleFolder
from tocsin.errors import MachineError, RemoteError, UsageError
from tocsin.ir.compiled import Evaluator
from tocsin.remote.alertmanager import Alertmanager
from tocsin.remote.environment import Access, Kind, access
from tocsin.remote.http import Door
from tocsin.remote.mimir import Mimir, prefix_of
from tocsin.remote.prometheus import Prometheus
from tocsin.remote.retry import Clock
from tocsin.sync.directory_target import DirectoryTarget
from tocsin.sync.mimir_target import Configured, MimirTarget
from tocsin.sync.prometheus_target import Check, PrometheusTarget
from tocsin.sync.rule_check import complaint
from tocsin.wire.live import Silence

RULES_DIR = "TOCSIN_RULES_DIR"
_ADDRESSES = ("TOCSIN_PROMETHEUS_URL", "TOCSIN_PROMETHEUS_SERVER", "PROMETHEUS_URL", "PROMETHEUS_SERVER")


@contextmanager
def prometheus_target(
    evaluator: Evaluator, owner: str, url: str | None, folder: Path | None, clock: Clock, *, read_only: bool
) -> Iterator[PrometheusTarget]:
    """The folder and every replica that reads it."""
    files = RuleFolder(_folder(folder), read_only=read_only)
    with ExitStack() as stack:
        replicas = [
            Prometheus(_door(stack, way, clock, read_only=read_only))
            for way in replica_ways(os.environ, url, evaluator.url_env)
        ]
        silences = _silences(stack, clock)
        yield PrometheusTarget(files, replicas, checker(), owner=owner, silences=silences)


@contextmanager
def mimir_target(
    evaluator: Evaluator, owner: str, url: str | None, clock: Clock, *, read_only: bool
) -> Iterator[MimirTarget]:
    """The ruler of the evaluator's tenant."""
    way = access("prometheus", os.environ, flag=url, url_env=evaluator.url_env)
    root, prefix = prefix_of(way.url)
    with ExitStack() as stack:
        door = _door(stack, way, clock, read_only=read_only, url=root)
        ruler = Mimir(door, tenant=evaluator.tenant, prefix=prefix)
        yield MimirTarget(
            ruler,
            Prometheus(door, prefix=prefix, headers=ruler.headers),
            owner=owner,
            tenant=evaluator.tenant or "",
            configured=Configured(
                rules_per_group=evaluator.rules_per_group, groups=evaluator.groups_per_tenant
            ),
            silences=_silences(stack, clock),
        )


@contextmanager
def directory_target(
    evaluator: Evaluator, owner: str, url: str | None, folder: Path | None, clock: Clock, *, read_only: bool
) -> Iterator[DirectoryTarget]:
    """The folder, and the Grafana to tell at the end, where one is named. A run that fails tells nobody; the next one does."""
    files = RuleFolder(_folder(folder), read_only=read_only)
    with ExitStack() as stack:
        target = DirectoryTarget(files, owner=owner, reload=_reload(stack, evaluator, url, clock))
        yield target
        if not read_only:
            target.finish()


def replica_ways(environment: Mapping[str, str], url: str | None, url_env: str | None) -> tuple[Access, ...]:
    """How to reach each replica. Every variable that holds several addresses must hold as many."""
    if url is not None:
        addresses = _split(url)
        return tuple(access("prometheus", environment, flag=each, url_env=url_env) for each in addresses)
    names = (*([url_env] if url_env else []), *_ADDRESSES)
    parts = {name: _split(environment[name]) for name in names if environment.get(name, "").strip()}
    counts = {len(each) for each in parts.values() if len(each) > 1}
    if len(counts) > 1:
        raise UsageError(f"{', '.join(parts)} name different numbers of replicas", help="unset all but one")
    ways = []
    for index in range(max(counts, default=1)):
        one = {name: each[index if len(each) > 1 else 0] for name, each in parts.items()}
        ways.append(access("prometheus", {**environment, **one}, url_env=url_env))
    return tuple(ways)


def checker() -> Check:
    """promtool where it is there, and always our own check before it."""
    try:
        promtool = find_tool("promtool", "TOCSIN_PROMTOOL")
    except MachineError:
        if os.environ.get("TOCSIN_PROMTOOL"):
            raise
        return complaint
    return lambda text: complaint(text) or refusal(promtool, text)


def _folder(folder: Path | None) -> Path:
    named = os.environ.get(RULES_DIR, "").strip()
    if folder is None and not named:
        raise UsageError(
            "no folder of rule files is named", help=f"add --rules-dir, or export {RULES_DIR}=/..."
        )
    return folder if folder is not None else Path(named)


def _split(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip()) or (text,)


def _door(stack: ExitStack, way: Access, clock: Clock, *, read_only: bool, url: str = "") -> Door:
    return stack.enter_context(
        Door(
            url or way.url,
            clock=clock,
            auth=way.auth,
            tls=way.tls,
            proxy=way.proxy,
            read_only=read_only,
            metrics=True,
        )
    )


def _named(kind: Kind, url: str | None, url_env: str | None) -> Access | None:
    """The way there, None where nobody names an address."""
    try:
        return access(kind, os.environ, flag=url, url_env=url_env)
    except MachineError:
        return None


def _reload(
    stack: ExitStack, evaluator: Evaluator, url: str | None, clock: Clock
) -> Callable[[], None] | None:
    way = _named("grafana", url, evaluator.url_env)
    if way is None:
        return None
    door = _door(stack, way, clock, read_only=False)

    def reload() -> None:
        door.send("POST", "api", "admin", "provisioning", "alerting", "reload", accept=(200, 202))

    return reload


def _silences(stack: ExitStack, clock: Clock) -> Callable[[], tuple[Silence, ...]]:
    way = _named("alertmanager", None, None)
    if way is None:
        return tuple
    client = Alertmanager(_door(stack, way, clock, read_only=True))

    def silences() -> tuple[Silence, ...]:
        try:
            return tuple(each for each in client.silences() if each.state != "expired")
        except RemoteError:
            # They only add to what a plan tells.
            return ()

    return silences
