"""The newest promtool and our parser must give the same verdict on a text: is this PromQL?

On our own expressions, on probes of the edges we know, and on mutants of both (and of TOCSIN_CORPORA if set).
promtool names each bad rule of a file, so a thousand texts fit in one run. Experimental functions count as
refused, as they are by a server without flags, and holt_winters is left out: Prometheus 3 renamed it.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from pathlib import Path

from tests.contract.promql_corpora import everything
from tests.contract.promql_expressions import EXPRESSIONS
from tests.real.components import promtool

from tocsin.promql import Expr, parse
from tocsin.promql.lex import lex

_HERE = Path(__file__).parent
# Regular expressions and whole texts, one on a line, at the edges where parsers part ways.
PATTERNS = (_HERE / "promql_patterns.txt").read_text(encoding="utf-8").splitlines()
LINES = (_HERE / "promql_probes.txt").read_text(encoding="utf-8").splitlines()
PROBES = (*(f"x{{a=~`{each}`}}" for each in PATTERNS), *LINES, "x [5m # five\n: 1m]", "x\xa0", "x\x0c")
_WORDS = (
    *(
        "by",
        "on",
        "sum",
        "(",
        ")",
        "{",
        "}",
        "[5m]",
        "offset 5m",
        "@ 5",
        "and",
        "bool",
        "-",
        "1",
        '"x"',
        "a:b",
        ",",
    ),
    *(
        "==",
        "group_left",
        "without",
        "=~",
        "[5m:]",
        "5m",
        "rate",
        "`\\d`",
        "unless",
        "1e3",
        "# c\n",
        "ignoring (a)",
    ),
    *(
        "0x1f",
        "[1.5:]",
        "inf",
        "@ -3",
        "start()",
        "or",
        ":",
        "é",
        "'\\''",
        '"\\z"',
        "offset -1h",
        "010",
        "1h30m",
    ),
)
_CHARS = ('"', "\\", "x", "0", "_", ".", ":", "", "$", "(", "{")


def test_every_probe_is_judged_as_promtool_judges_it(tmp_path: Path) -> None:
    verdicts = accepted(PROBES, tmp_path)
    assert disagreements(PROBES, verdicts) == []
    assert verdicts.count(True) > 80 and verdicts.count(False) > 80


def test_expressions_are_judged_as_promtool_judges_them(tmp_path: Path) -> None:
    verdicts = accepted(EXPRESSIONS, tmp_path)
    assert disagreements(EXPRESSIONS, verdicts) == []
    assert verdicts.count(True) > 200


def test_mutants_are_judged_as_promtool_judges_them(tmp_path: Path) -> None:
    """One in two thousand may differ: promtool alone takes `offset --5m`, `offset NaN` and `0.01_00`."""
    texts = mutants([*everything(), *PROBES], 6000, seed=1)
    verdicts = accepted(texts, tmp_path)
    found = disagreements(texts, verdicts)
    assert len(found) <= len(texts) / 2000, found
    assert verdicts.count(True) > 500 and verdicts.count(False) > 500


def accepted(texts: tuple[str, ...], folder: Path) -> list[bool]:
    """promtool's verdict on each text."""
    verdicts: list[bool] = []
    for start in range(0, len(texts), 1000):
        part = texts[start : start + 1000]
        rules = [{"alert": f"R{number}", "expr": text} for number, text in enumerate(part)]
        file = folder / "rules.json"
        file.write_text(
            json.dumps({"groups": [{"name": "all", "rules": rules}]}, ensure_ascii=False), encoding="utf-8"
        )
        command = [str(promtool()), "check", "rules", "--lint=none", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        refused = {int(number) for number in re.findall(r'"R(\d+)"', done.stdout + done.stderr)}
        assert refused or done.returncode == 0, done.stderr
        verdicts += [number not in refused for number in range(len(part))]
    return verdicts


def disagreements(texts: tuple[str, ...], verdicts: list[bool]) -> list[tuple[bool, str]]:
    """(promtool's verdict, text) wherever ours is the other."""
    return [
        (verdict, text)
        for text, verdict in zip(texts, verdicts, strict=True)
        if ours(text) != verdict and "holt_winters" not in text
    ]


def ours(text: str) -> bool:
    found = parse(text)
    return isinstance(found, Expr) and not found.experimental


def mutants(texts: list[str], count: int, seed: int) -> tuple[str, ...]:
    """Texts with up to three tokens lost, doubled, swapped, replaced or misspelt."""
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        tokens = [token.text for token in lex(chance.choice(texts))]
        for _ in range(chance.choice((1, 1, 2, 3))):
            at = chance.randrange(len(tokens))
            word = tokens[at]
            cut = chance.randrange(len(word) + 1)
            tokens[at : at + 1] = chance.choice(
                (
                    [""],
                    [word, word],
                    [chance.choice(tokens), word],
                    [chance.choice(_WORDS), word],
                    [chance.choice(_WORDS)],
                    [word[:cut] + chance.choice(_CHARS) + word[cut + 1 :]],
                )
            )
        text = "".join(tokens)
        if text.strip():
            made[text] = None
    return tuple(made)
