"""Are the compiled rules the ones of the original file? Compares two rule files and imports nothing of tocsin.

    python demo/same_rules.py ORIGINAL COMPILED

Name, expression (white space and comments aside), `for` and labels of every rule must be equal, in order; the
annotations of the original must all be there. Says how many rules agree; ends with 1 where one does not.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


def rules_of(path: str) -> list[Mapping[str, Any]]:
    data = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    return [rule for group in data.get("spec", data)["groups"] for rule in group["rules"]]


def meaning(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What a server evaluates: the annotations are compared apart."""
    kept = {key: value for key, value in rule.items() if key != "annotations"}
    kept["expr"] = " ".join(re.sub(r"^\s*#.*$", "", str(rule["expr"]), flags=re.MULTILINE).split())
    return kept


def main() -> int:
    before, after = rules_of(sys.argv[1]), rules_of(sys.argv[2])
    bad = [] if len(before) == len(after) else [f"{len(before)} rules became {len(after)}"]
    for old, new in zip(before, after, strict=False):
        if meaning(old) != meaning(new):
            bad.append(f"{old.get('alert', old.get('record'))}: {meaning(old)} became {meaning(new)}")
        lost = {key: old["annotations"][key] for key in old.get("annotations", {})}
        lost = {key: text for key, text in lost.items() if new.get("annotations", {}).get(key) != text}
        if lost:
            bad.append(f"{old['alert']}: annotations changed: {sorted(lost)}")
    for line in bad:
        print(line, file=sys.stderr)
    print(
        f"{len(after)} rules: the same names, expressions, durations, labels and texts"
        if not bad
        else "not the same"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
