"""The one semantic diff: what two compilations mean differently, rule by rule.

    compare(old, new) -> RuleChange*      Resolved of one environment, before and after

Rules are paired by their key, never by name, place or text. The canary replays what changed in meaning, the release counts versions by the
class of a change, the report says it to people: all three see these values and nothing else.
"""

from tocsin.diff.compare import compare as compare
from tocsin.diff.sops import compare_sops as compare_sops
