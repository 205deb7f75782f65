"""HTTP to the servers that hold and evaluate rules. `cli` builds the clients and passes them in; nobody else imports this room.

`http` is the one door; `request` what goes through; `access` what it is opened with; `environment` where that comes from; `retry` how long it
is patient; `failure` how it ends otherwise; `answer` how an
answer is read; `lanes` how several requests run at once. On top of these, a client a server: `grafana` (and its parts), `prometheus`, `mimir`,
`alertmanager`; and `history` (`stores`: what a Thanos reads) for what was. The values they answer are `wire.live`'s,
so that `sync` can work on them without knowing this room. A client says what the
server said and decides nothing: what is ours, what may be written and what an ambiguous write became is `sync`'s.
"""
