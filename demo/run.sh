#!/usr/bin/env bash
# The whole length of the compiler on this repository's own rules, then a change of them through history and a canary. `make demo` has done
# the set-up.
# Writes to dist/ (git-ignored) and to a temporary folder. Ends with 1 if a step does not do what it says.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
export PATH="$PWD/.venv/bin:$PATH"
# Reviews and ignores end on a day; the demo lives on one day, so that it tells the same story next year.
today=(--today 2026-11-21)
work=$(mktemp -d)
servers_away() { :; }
trap 'servers_away; rm -rf "$work"' EXIT

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; else bold='' dim='' plain=''; fi
say() { printf '%s\n' "$@"; }
step() { printf '\n%s%s%s\n\n' "$bold" "$*" "$plain"; }
shown() { printf '%s$ %s%s\n' "$dim" "$*" "$plain"; }
fail() {
    printf '\ndemo: %s\n' "$*" >&2
    exit 1
}
# must CODE COMMAND...: shows the command, keeps what it prints in $work/out, and insists on its exit code.
must() {
    local want=$1 got=0
    shift
    "$@" >"$work/out" 2>&1 || got=$?
    if [ "$got" -ne "$want" ]; then
        cat "$work/out" >&2
        fail "'$*' ended with $got, not with $want"
    fi
}
count() { grep -c "$1" "$2" || true; }

promtool=$("$python" -m tests.real.components path promtool 2.53) ||
    fail "the rules' tests need a real promtool: run \`make demo\`, which fetches it"
export TOCSIN_PROMTOOL=$promtool
# shellcheck source=demo/canary.sh
. demo/canary.sh

step "1  Check: every mistake of a repository, in one run"
shown tocsin check
must 0 tocsin check "${today[@]}" --min-severity warning
cat "$work/out"
say "" \
    "$(cat rules/*/*.yaml | count '^ *- alert:' -) alerts of $(find rules -mindepth 1 -maxdepth 1 -type d | wc -l) services, and $(find sops -name '*[0-9].md' | wc -l) SOPs that answer them: links in both directions, PromQL," \
    "templates, labels, thresholds, the response policy. Nothing is wrong."

step "2  Build: what a team deploys"
shown tocsin build
must 0 tocsin build "${today[@]}" --min-severity warning
for file in dist/prometheus/prod/{kafka,node}.rules.yaml; do
    # --lint=none: two rules for different series may share a name and labels, see decision 0003.
    must 0 "$promtool" check rules --lint=none "$file"
    printf '  %-58s %s\n' "$file" "promtool: $(sed -n 's/.*SUCCESS: //p' "$work/out")"
done
file=dist/grafana/prod/alert-template-orders-api-prod.json
rules=$("$python" -c '
import json, sys
rules = [rule for group in json.load(open(sys.argv[1]))["groups"] for rule in group["rules"]]
assert all(rule["uid"] and rule["condition"] and rule["data"] for rule in rules)
print(len(rules))' "$file") || fail "$file is not what Grafana provisions"
printf '  %-58s %s\n' "$file" "Grafana file provisioning: $rules rules"
must 0 tocsin build "${today[@]}" --min-severity warning --check
say "" \
    "In prod, kafka and node are evaluated by Prometheus and orders-api by Grafana: tocsin.yaml says so, the" \
    "rules do not. A second build finds the folder up to date; the same sources give the same bytes."

step "3  The runbook site: what an alert links to is there, and leads back"
count_links='
import sys
from pathlib import Path
from tests.site_links import compiled_links, faults
found = faults(Path(), Path("dist"), "https://runbooks.example.com")
print(*found, sep="\n") if found else print(len(list(compiled_links(Path("dist")))))
sys.exit(bool(found))'
shown python -c "from tests.site_links import faults; ..."
must 0 "$python" -c "$count_links"
say "  $(cat "$work/out") links of compiled rules lead to a page and a section of dist/site, and every page lists exactly its alerts," \
    "  counted on the HTML by a script that knows nothing of tocsin. $(find dist/site -name index.html | wc -l) pages, English and Chinese; look:" \
    "" \
    "      .venv/bin/tocsin serve"

step "4  One rule, and where every number in it comes from"
shown tocsin render kafka-consumer-lag --env prod --origins
must 0 tocsin render kafka-consumer-lag --env prod --origins "${today[@]}"
awk '/^$/ {exit} /^annotations:/ {skip=1} /^# origins/ {skip=0; print ""} /annotations\./ {next} !skip {print "  " $0}' "$work/out"
grep -q 'limit.*rules/kafka/lag.yaml' "$work/out" || fail "no origin for the limit"
say "" \
    "Written once, with two levels and an exception for batch groups, and compiled to $(count '^alert:' "$work/out") rules: the matcher was" \
    "put into the expression, so that a batch group is measured by its own limit and by no other."

step "5  Test: the sources' unit tests, in the real promtool"
shown tocsin test --coverage
must 0 tocsin test "${today[@]}" --coverage
cat "$work/out"
grep -qE '^[1-9][0-9]* passed, 0 failed' "$work/out" || fail "no test ran"

# For steps 8 to 10: a server evaluates a group some time after it was told of it, so it is told now.
history_in_place
first_sync

step "6  Adopt: somebody else's rules become sources"
mkdir "$work/adopted"
shown tocsin adopt prometheus demo/public/alertmanager-prometheusRule.yaml
must 0 tocsin adopt prometheus demo/public/alertmanager-prometheusRule.yaml --into "$work/adopted/rules" --project adopted
sed -n '/^carried/p' "$work/out"
must 0 tocsin build "$work/adopted" --no-site "${today[@]}" --min-severity error
compiled=$work/adopted/dist/prometheus/prod/alertmanager-main.rules.yaml
must 0 "$promtool" check rules "$compiled"
must 0 "$python" demo/same_rules.py demo/public/alertmanager-prometheusRule.yaml "$compiled"
cat "$work/out"
must 0 tocsin check "$work/adopted" "${today[@]}"
prints=$(count 'TOC502' "$work/out")
[ "$prints" -ge 1 ] || fail "check no longer sees the label that the adopted texts print in vain"
say "" "And a look at them, which nobody had asked for:" ""
sed -n '/TOC502/,/help/p' "$work/out" | sed -n '1,5p'
say "" \
    "$prints texts of this well-known file print a label that their own \`by (...)\` has thrown away. Adopting" \
    "changes nothing by itself: as these are findings about other people's choices, they are warnings."

step "7  Three planted faults, caught in one run"
mkdir "$work/faults"
cp -R rules sops incidents tocsin.yaml "$work/faults/"
# plant CODE FILE OLD NEW: changes the first line that holds OLD, and notes where the finding must be.
plant() {
    local line
    line=$(grep -nF -m1 -- "$3" "$work/faults/$2" | cut -d: -f1) || fail "nothing to spoil in $2"
    "$python" -c '
import sys
from pathlib import Path
path, old, new = Path(sys.argv[1]), *sys.argv[2:]
path.write_text(path.read_text().replace(old, new, 1))' "$work/faults/$2" "$3" "$4"
    printf '  %-28s %s\n' "$2:$line" "$3  ->  $4"
    echo "$2:$line:[0-9]*: error $1" >>"$work/expected"
}
plant TOC601 rules/kafka/lag.yaml 'sop_ref: SOP-KAFKA-007' 'sop_ref: SOP-KAFAK-007'
plant TOC407 rules/kafka/lag.yaml 'limit: 10000' 'limit: 1000'
plant TOC502 rules/kafka/brokers.yaml '{{ $labels.cluster }} has {{ $value }}' '{{ $labels.broker }} has {{ $value }}'
say ""
shown tocsin check
must 1 tocsin check "$work/faults" "${today[@]}" --min-severity error
cat "$work/out"
while read -r expected; do
    grep -qE "^$expected" "$work/out" || fail "not caught: $expected"
done <"$work/expected"
errors=$(count ': error TOC' "$work/out")
[ "$errors" -eq 3 ] || fail "$errors errors for three faults"
must 1 tocsin build "$work/faults" "${today[@]}" --min-severity error
[ ! -e "$work/faults/dist" ] || fail "build wrote something in spite of errors"
say "" "Three faults, three places, exit code 1, and \`tocsin build\` writes nothing."

what_would_it_have_done
a_better_edit
what_does_it_do

step "Where to look next"
say "  rules/kafka/lag.yaml           levels, an override, tests          tocsin explain TOC407   why a check exists" \
    "  sops/kafka/SOP-KAFKA-007.md    the page that answers the alert     compiler/MAP.md         the code on one page" \
    "  dist/                          everything that was compiled        README.md               commands, exit codes" \
    "  demo/edits.py                  edits, and what history says        demo/incidents/         what really happened then" \
    "" \
    "Your own rules:  mkdir alerts && cd alerts && $PWD/.venv/bin/tocsin adopt prometheus PATH... --into rules"
