"""Make a server equal to the repository, and prove it: plan, guard, journal, apply, verify, undo.

    Desired (compiled) x Live (read) -> plan   -> Plan: groups of changes, each with its effect; refusals; stops
    Plan x Journal x Target          -> apply  -> Outcome: what was written, read back, undone
    Live x Desired                   -> drift  -> missing, foreign, paused, divergent

Everything but `apply` is pure. A `Target` is whatever holds rules: Grafana, a folder of provisioning files, a Prometheus, a Mimir; it
belongs to this room as a Protocol, and `remote` satisfies it without knowing us. One plan, one journal, one apply for all of them.
"""
