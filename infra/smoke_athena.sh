#!/usr/bin/env bash
# The first deployment to a real account, in about five minutes and for a few cents: what a local
# Athena cannot prove. Uses databases, prefixes and a work group of its own and removes them.
#
#   SPANISHGAS_ATHENA__REGION=… SPANISHGAS_ATHENA__WORK_GROUP=… SPANISHGAS_ATHENA__LAKE=s3://… \
#   SPANISHGAS_ATHENA__DATA=s3://… SPANISHGAS_ATHENA__STAGING=s3://… infra/smoke_athena.sh
#
# Besides what a run needs (docs/athena.md) the caller must be allowed athena:CreateWorkGroup and
# athena:DeleteWorkGroup. CUSTOMERS sets the size of the simulated batch.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=.venv/bin
test -x "$bin/spanishgas" || { echo "run \`make setup\` first" >&2; exit 2; }
for name in REGION WORK_GROUP LAKE DATA STAGING; do
    variable="SPANISHGAS_ATHENA__$name"
    test -n "${!variable:-}" || { echo "set $variable" >&2; exit 2; }
done

began=$SECONDS
id="smoke_$(date -u +%Y%m%d%H%M%S)"
home=$(mktemp -d)
# Whatever lies in the account stays as it is: everything below carries this id.
export SPANISHGAS_TARGET=athena SPANISHGAS_HOME="$home"
export SPANISHGAS_ATHENA__SCHEMA="spanishgas_$id"
for name in LAKE DATA STAGING; do
    variable="SPANISHGAS_ATHENA__$name"
    export "$variable=${!variable%/}/$id"
done
# A few hundred simulated customers are too few for a gate that means something.
export SPANISHGAS_GATE__MINIMUM_PR_AUC=0.0 SPANISHGAS_GATE__MINIMUM_RECALL=0.0
export SPANISHGAS_GATE__MAXIMUM_ECE=1.0 SPANISHGAS_GATE__MINIMUM_CHURNER_COUNT=1
# Queries wait for Athena, not for this machine.
export SPANISHGAS_THREADS="${SPANISHGAS_THREADS:-8}"

say() { printf '\n== %s (%s s)\n' "$1" "$((SECONDS - began))"; }

clean_up() {
    say "removing what the smoke test made"
    "$bin/python" -m tests.athena.smoke clean || echo "left behind: whatever is named $id" >&2
    rm -rf "$home"
}
trap clean_up EXIT

say "account: credentials, work group, byte limit, buckets, Glue"
"$bin/spanishgas" doctor

say "one run: DDL, projection, dbt, UNLOAD, training, scores, publication"
"$bin/spanishgas" simulate --customers "${CUSTOMERS:-200}"
"$bin/spanishgas" run --raw "$home/raw"

say "what only a real account can answer"
"$bin/python" -m tests.athena.smoke check

say "what it cost"
"$bin/spanishgas" cost --hours 1

say "passed"
