"""What would the new rule have done? Replay of both versions over history, comparison, judgement; then the stages on a canary scope.

    RuleChange -> RuleVersion (old, new)                 versions: what is replayed, or why it cannot be
               -> Plan -> Presence                       plan, fetch: as few queries as give every answer
               -> Timeline                               machine: what that server would have fired
               -> Metrics -> Comparison -> GateResult*   score, compare, judge
               -> record                                 record: signed, read by `verdict`, demanded by `sync`

Pure but for the protocols it owns (`MetricSource`, `Cache`), which `remote` and `disk` satisfy. Times are integers of milliseconds since 1970,
which is what a Prometheus computes with; arrays are numpy's, and this room is the only one that knows the library.
"""
