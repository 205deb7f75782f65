"""Canary records for tests: the document of a good one, by the default gates, with whatever shall be wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tocsin.ir.canary import CanaryPolicy, GateLimits
from tocsin.verdict import sign

KEY = "the protected job's key"
NOW = datetime.now(tz=UTC)
TODAY, TOMORROW = NOW.date(), NOW.date() + timedelta(days=1)


def limits_of(gates: Mapping[Any, GateLimits]) -> dict[str, Any]:
    """Limits as a record holds them."""
    return {
        name: {"critical": each.critical, "at_most": dict(each.at_most), "at_least": dict(each.at_least)}
        for name, each in gates.items()
    }


def document(of: str, old: str, new: str, **changes: Any) -> dict[str, Any]:
    """A record that admits the rule `of` from digest `old` to `new`, not yet signed. `gate` is the verdict of the gate `pages`, `limits` replaces some
    gates' limits, `rule` and everything else replace keys of the document."""
    demanded = CanaryPolicy().demanded()
    gates = [{"id": name, "verdict": "ok"} for name in demanded]
    gate, verdict = changes.pop("gate", "ok"), changes.get("verdict", "pass")
    next(each for each in gates if each["id"] == "pages")["verdict"] = gate
    limits = limits_of(demanded) | changes.pop("limits", {})
    rule = {"env": "prod", "id": of, "old_digest": old, "new_digest": new} | changes.pop("rule", {})
    return {
        "schema": "tocsin/canary/1",
        "id": f"c-{of}",
        "created": (NOW - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expires": (NOW + timedelta(days=7)).date().isoformat(),
        "tool": "0.4.0",
        "rule": rule,
        "policy": limits,
        "stages": [{"stage": 0, "verdict": verdict, "metrics": {}, "gates": gates}],
        "waivers": [],
        "verdict": verdict,
        **changes,
    }


def written(folder: Path, body: dict[str, Any], *, key: str = KEY, name: str = "") -> None:
    """The document in the folder, signed unless `key` is empty."""
    if key:
        body = {**body, "signature": sign(body, key.encode())}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / (name or f"{body['rule']['id']}.json")).write_text(json.dumps(body))
