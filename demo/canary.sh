# Steps 8 to 10, sourced by run.sh: an edit, two weeks of history, a refused sync, a better edit; then a canary on a live server.
# Everything is on 127.0.0.1 and in the demo's temporary folder: a repository of its own, a real Prometheus, a real Alertmanager.

home=$work/home
servers=
waited=0

commit() { git -C "$home" -c user.name=demo -c user.email=demo@example.com -c commit.gpgsign=false commit -q "$@"; }
# picked FROM TO: the lines of the last command's output between two patterns.
picked() { sed -n "/$1/,/$2/p" "$work/out" | sed 's/^/  /'; }

# The demo's repository and its past. A CI's own variables would speak for another repository, and its journal would have to outlive the runner.
history_in_place() {
    unset CI GITHUB_ACTIONS GITLAB_CI GITHUB_REPOSITORY
    mkdir -p "$home/rules" "$work/rules" "$work/records"
    cp -R rules sops incidents tocsin.yaml "$home/"
    cp -R demo/checkout "$home/rules/"
    cp demo/incidents/*.md "$home/incidents/"
    # Rules of this severity go through every stage; ten seconds of soak are enough for one that is evaluated every second.
    sed -i 's/^    trigger: worth knowing.*/&\n    canary: {stages: [0, 1, 2, 3], soak: 10s}/' "$home/tocsin.yaml"
    git -C "$home" init -q -b main
    git -C "$home" add .
    commit -m "The rules as they are"
    must 0 "$python" -m demo.history "$promtool" "$work/data"
    samples=$(cat "$work/out")
    # They end when their standard input does, which is this shell's third hand.
    exec 3> >(exec "$python" -m demo.servers "$work" >"$work/servers.log" 2>&1)
    servers=$!
    until [ -e "$work/addresses" ]; do
        kill -0 "$servers" 2>/dev/null || fail "the servers did not start: $(tail -1 "$work/servers.log")"
        sleep 0.1
    done
    set -a
    # shellcheck source=/dev/null
    . "$work/addresses"
    set +a
    export TOCSIN_RULES_DIR=$work/rules TOCSIN_VERDICT_KEY=the-protected-jobs-key TOCSIN_CACHE=$work/cache
}

servers_away() {
    [ -z "$servers" ] || { exec 3>&- && wait "$servers" 2>/dev/null; } || true
}

# The rules as they are, on the server: no record admits them yet, so it is an override, with a name and a reason in the journal.
first_sync() {
    must 0 env GITHUB_ACTOR=ann "${sync[@]}" --journal "$work/journal-1" --override-canary --reason "the first sync: there is nothing to compare with"
    installed=$(count '^  + create' "$work/out")
    cat "$work"/rules/* >"$work/rules.before"
}

# A group's phase is read from its server, which must have evaluated it once.
evaluated() {
    "$python" - "$PROMETHEUS_URL" "$1" <<'PYTHON' || fail "the server never evaluated $1"
import json, sys, time, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for _ in range(450):
    with opener.open(sys.argv[1] + "/api/v1/rules", timeout=60) as answer:
        groups = json.load(answer)["data"]["groups"]
    if any(each["name"] == sys.argv[2] and not each["lastEvaluation"].startswith("0001") for each in groups):
        break
    time.sleep(0.1)
else:
    sys.exit(1)
PYTHON
}

where=(--env prod --records "$work/records" "${today[@]}")
sync=(tocsin sync "$home" --evaluator prometheus --yes --no-wait "${where[@]}")
backtest=(tocsin canary backtest -C "$home" --base HEAD~1 --out "$work/report" "${where[@]}")
weeks=(--until 2026-08-24T00:00:00Z)

what_would_it_have_done() {
    step "8  Canary: what would a changed rule have done, in the last two weeks?"
    say "A real Prometheus holds $samples, and $installed rules of this repository run there. Somebody wants to" \
        "hear of consumer lag earlier:" ""
    must 0 "$python" -m demo.edits noise-added "$home"
    cat "$work/out"
    commit -am "Hear of consumer lag earlier"
    evaluated kafka-lag
    say ""
    shown tocsin canary backtest --env prod --base HEAD~1 "${weeks[@]}"
    must 7 "${backtest[@]}" "${weeks[@]}"
    picked '^fail: kafka-consumer-lag' '^    2026'
    picked '  rests on' '  rests on' | head -1
    grep -q 'fail  pages: 20 -> 47 pages in 14 d' "$work/out" || fail "the backtest no longer sees 20 -> 47 pages"
    grep -q 'rests on: .* by rules; 0 of 40320 .*; exact' "$work/out" || fail "the replay is no longer exact"
    say "" \
        "\`--format markdown\` says it in the pull request, with a picture of every changed rule. And the gate is shut:" ""
    shown tocsin sync --env prod
    must 7 "${sync[@]}" --journal "$work/journal-2"
    grep -m1 'verdict-failed' "$work/out"
    cmp -s "$work/rules.before" <(cat "$work"/rules/*) || fail "a refused sync wrote something"
}

a_better_edit() {
    step "9  A better edit passes, and goes out"
    git -C "$home" checkout -q HEAD~1 -- rules
    must 0 "$python" -m demo.edits noise-removed "$home"
    cat "$work/out"
    commit -a --amend -m "Hear of consumer lag only when it matters"
    say ""
    shown tocsin canary backtest --env prod --base HEAD~1 "${weeks[@]}"
    must 0 "${backtest[@]}" "${weeks[@]}"
    picked '^pass: kafka-consumer-lag' '  not caught'
    say ""
    shown tocsin sync --env prod
    must 0 "${sync[@]}" --journal "$work/journal-3"
    grep '^  ~' "$work/out"
    must 0 "${sync[@]}" --journal "$work/journal-4"
    grep -q 'nothing to do' "$work/out" || fail "the second sync in a row writes"
    say "" \
        "Nineteen tickets about deploys are gone, and the incident among them is still caught. The record is signed, for" \
        "exactly this change of exactly the rule that ran; a second sync finds nothing to do."
}

what_does_it_do() {
    step "10  And what does it do? A canary on one cluster of twenty, then promoted, then watched"
    must 0 "$python" -m demo.live "$PROMETHEUS_URL"
    sed -i 's/params: {deep: 50}/params: {deep: 70}/; s/for: 1s/for: 2s/' "$home/rules/checkout/queue.yaml"
    commit -am "A deep queue is a deeper one"
    evaluated checkout-queue
    local stage=("${where[@]}" -C "$home" --evaluator prometheus) rule=checkout-queue-deep
    shown tocsin canary backtest $rule --env prod --base HEAD~1 --window 100s
    must 0 "${backtest[@]}" --window 100s $rule
    grep -m1 '^prod: ' "$work/out" | sed 's/^/  /'
    shown tocsin canary deploy $rule --env prod
    must 0 tocsin canary deploy $rule "${stage[@]}" --ttl 1h
    sed 's/^/  /' "$work/out"
    shown tocsin canary compare $rule --env prod
    until tocsin canary compare $rule "${stage[@]}" >"$work/out" 2>&1; do
        grep -q ' has \(not \)\?run for ' "$work/out" && [ "$((waited += 1))" -lt 300 ] || { cat "$work/out" >&2 && fail "the canary is not well"; }
        sleep 1
    done
    sed 's/^/  /' "$work/out"
    shown tocsin canary promote $rule --env prod
    must 0 tocsin canary promote $rule "${stage[@]}" --force --yes --watch 1h --journal "$work/journal-5"
    sed 's/^/  /' "$work/out"
    shown tocsin canary watch $rule --env prod
    must 0 tocsin canary watch $rule "${stage[@]}" --journal "$work/journal-6"
    sed 's/^/  /' "$work/out"
    say "" \
        "One of twenty clusters evaluated the new rule beside the old one, muted, until what it did was what the model" \
        "says it does, alert by alert. Then it took the old one's place, and is held against what was predicted."
}
