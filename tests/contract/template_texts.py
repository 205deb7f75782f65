"""Template texts to hold against promtool: probes, each for one rule of the language, and texts to mutate.

The probes that fit on a line are in template_probes.txt. Whether a text is good or bad is not written down
here, on purpose: the real promtool says it.
"""

from __future__ import annotations

import random
import re
from pathlib import Path

PROBES: tuple[str, ...] = (
    *(Path(__file__).parent / "template_probes.txt").read_text(encoding="utf-8").splitlines(),
    "{{ $value\n| humanize }}",
    "{{\n$value\n}}",
    "{{\t$value\r\n}}",
    "{{\v$value}}",
    "{{\u00a0$value}}",
    "{{ \x00 }}",
    "{{ \x7f }}",
    '{{ "a\nb" }}',
    "{{ `a\nb` }}",
    "{{ 'a\n' }}",
    "{{/* a\nb */}}",
    "{{ if 1 }}\n{{- else }}\n{{- end }}",
    "{{ print 1 }}\u2028{{ print \u2028 }}",
    "{{" + "(" * 50 + "1" + ")" * 50 + "}}",
    "{{" + "(" * 50 + "1" + ")" * 49 + "}}",
    "{{ if 1 }}" * 60 + "{{ end }}" * 60,
    "{{ if 1 }}" * 60 + "{{ end }}" * 61,
    "{{ " + "9" * 400 + " }}",
    "{{ 0." + "9" * 400 + " }}",
)  # fmt: skip

REALISTIC: tuple[str, ...] = (
    "Instance {{ $labels.instance }} of {{ $labels.job }} has been unreachable for more than five minutes.",
    "{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail (limit 1%).",
    'Disk {{ $labels.device }} fills up in {{ printf "%.1f" $value }} hours on {{ $labels.instance }}',
    '{{ with query "avg(node_load1)" }}Load is {{ . | first | value | humanize }}{{ else }}no load{{ end }}',
    "{{ range query (printf \"topk(3, sum by (pod) (rate(restarts{ns='%s'}[5m])))\" $labels.ns) }}"
    "{{ .Labels.pod }}: {{ .Value | humanize }}\n{{ end }}",
    '{{ if eq $labels.tier "gold" -}} call the manager {{- else if (gt $value 0.5) }} look soon'
    "{{ else }} wait {{ end }}",
    "https://dash.example.test/a?host={{ $labels.instance | stripPort | urlquery }}&from={{ $externalURL }}",
    '{{ reReplaceAll "(.*):[0-9]+" "$1" $labels.instance | toUpper }} in {{ $externalLabels.region }}',
    '{{ define "line" }}{{ .arg0 }} at {{ .arg1 | humanize1024 }}B{{ end }}'
    '{{ template "line" (args $labels.pod $value) }}',
    '{{ $host := index $labels "host-name" }}{{ if $host }}{{ $host }}{{ else }}unknown{{ end }}'
    "{{/* old agents */}}",
    "{{ range $name, $text := $labels }}{{ if ne $name \"job\" }}{{ $name }}={{ $text }} {{ end }}{{ end }}",
    '{{ $left := printf "%d/%d" 3 0x1F }}{{ $left = "none" }}{{ $left }}'
    "{{ 'x' }} {{ -1.5e3 }} {{ 2+1i }}",
    "Queue {{ .Labels.queue }} has {{ .Value | humanize }} messages\nsince {{ $value | humanizeTimestamp }}",
    "{{ range query `up == 0` }}{{ if .Value }}{{ break }}{{ end }}{{ .Labels.job }}{{ else }}up{{ end }}",
    '{{ block "foot" $labels }}{{ .team }}, {{ .zone | title }}{{ end }} {{- "" -}} end',
    "page {{ $labels.severity | toLower }}: {{ not (and $labels.a (or $labels.b $value)) | print | len }}",
    "{{ with $labels.cluster }}cluster {{ . }}{{ else with $labels.zone }}zone {{ . }}{{ end }}",
)  # fmt: skip

_WORDS = re.compile(r'\{\{-?|-?\}\}|"[^"]*"|\$?\w+|\s+|.', re.DOTALL)
_STRANGE = (
    "{{", "}}", "{{-", " -}}", "{{end}}", "{{else}}", "{{if ", "{{range ", "{{with ", '{{define "a"}}', "|",
    "(", ")", ":=", "=", ",", ".", "$", "$x", '"', "'", "`", "0", "08", "0x", "1e5", "1i", "+1", ".5",
    "nil", "true", "break", "end", "/*", "*/", "{{/*", " ", "\n", "\t", "$labels", "$value", ".Labels",
    ".x", "foo", "print", "\\", "%", "é", "²", "٣", "\x00", "\u00a0", "{", "}", "[", "-", "\u2028", "😀",
)  # fmt: skip


def mutants(texts: tuple[str, ...], count: int, seed: int) -> list[str]:
    """`count` different texts: each is a given one with words deleted, doubled, swapped, cut or grafted."""
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        words = _WORDS.findall(chance.choice(texts))
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            words = _changed(words or [""], texts, chance)
        made["".join(words)] = None
    return list(made)


def _changed(words: list[str], texts: tuple[str, ...], chance: random.Random) -> list[str]:
    at, other = chance.randrange(len(words)), chance.randrange(len(words))
    match chance.randrange(7):
        case 0:
            return words[:at] + words[at + 1 :]
        case 1:
            return [*words[:at], words[at], *words[at:]]
        case 2:
            swapped = list(words)
            swapped[at], swapped[other] = words[other], words[at]
            return swapped
        case 3:
            return words[:at] if chance.random() < 0.5 else words[at:]
        case 4:
            return [*words[:at], chance.choice(_STRANGE), *words[at:]]
        case 5:
            return [*words[:at], chance.choice(_STRANGE), *words[at + 1 :]]
        case _:
            graft = _WORDS.findall(chance.choice(texts))
            return words[:at] + graft[chance.randrange(len(graft) + 1) :]


def literals(count: int, seed: int) -> list[str]:
    """`count` different actions that hold one number, string or character, most of them malformed."""
    chance = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        made["{{ " + (_number(chance) if chance.random() < 0.5 else _quoted(chance)) + " }}"] = None
    return list(made)


def _number(chance: random.Random) -> str:
    alphabet = chance.choice(
        ("0123456789", "01", "0123456789abcdefABCDEF", "0123456789_", "01234567", "0xXob_.eE+-1")
    )
    digits = "".join(chance.choice(alphabet) for _ in range(chance.choice((1, 2, 3, 4, 6, 18, 20, 64))))
    before = chance.choice(("", "", "+", "-", "0x", "0b", "0o", "0", "0X", ".", "0x_", "0x."))
    after = (
        "",
        "",
        "i",
        "e5",
        "p3",
        "e400",
        "p1024",
        "p1023",
        "e308",
        "+2i",
        "-1.5e3i",
        "+0x1p2i",
        "_",
        "e-400",
    )
    return before + digits + chance.choice(after)


def _quoted(chance: random.Random) -> str:
    pieces = ("a", "\\", "x", "u", "U", "0", "7", "f", "d", "8", "00", "'", '"', "n", "é", "`", "\n", " ",
              "\\x41", "\\u00e9", "\\ud83d", "\\U0001f600", "\\377", "\\400")  # fmt: skip
    quote = chance.choice("\"'`")
    return quote + "".join(chance.choice(pieces) for _ in range(chance.choice((0, 1, 2, 4, 8)))) + quote


def yaml_string(text: str) -> str:
    """`text` as a quoted YAML scalar that every reader takes back unchanged."""
    return '"' + "".join(c if " " <= c <= "~" and c not in '"\\' else f"\\U{ord(c):08x}" for c in text) + '"'
