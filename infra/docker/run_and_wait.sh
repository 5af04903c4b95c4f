#!/usr/bin/env bash
# Start a run, wait for its end and report it. Needs STATE_MACHINE_ARN, MODE and SOURCE.
set -euo pipefail

run_id="$(date -u +%Y%m%dT%H%M%S)-$(od -An -N3 -tx1 /dev/urandom | tr -d ' \n')"
input="$(jq -nc --arg run "$run_id" --arg mode "$MODE" --arg source "$SOURCE" \
  '{run_id: $run, mode: $mode, source: $source, batch_sha256: "", force: true, started_by: "retrain"}')"
execution="$(aws stepfunctions start-execution --state-machine-arn "$STATE_MACHINE_ARN" \
  --name "$run_id" --input "$input" --query executionArn --output text)"
echo "run $run_id started" | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
while true; do
  ended="$(aws stepfunctions describe-execution --execution-arn "$execution")"
  status="$(jq -r .status <<< "$ended")"
  [ "$status" = RUNNING ] || break
  sleep 30
done
{
  echo "run $run_id: $status"
  jq -r '(.output // "{}" | fromjson | .ended.value.message // empty), .error // empty, .cause // empty' <<< "$ended"
} | tee -a "${GITHUB_STEP_SUMMARY:-/dev/null}"
[ "$status" = SUCCEEDED ]
