#!/usr/bin/env bash
# From nothing to a Metabase with our dashboards on this machine; the second time only what changed.
# Usage: infra/metabase/up.sh <path of the spanishgas command> [its options]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
spanishgas=$1
shift

if [ ! -f "$here/.env" ]; then
  secret() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }

  # Complete or not there: Postgres keeps the passwords of its first start.
  (umask 077; cat > "$here/.env.tmp") <<ENV
POSTGRES_PASSWORD=$(secret)
METABASE_DB_PASSWORD=$(secret)
MB_ENCRYPTION_SECRET_KEY=$(secret)
SPANISHGAS_MARTS_PASSWORD=$(secret)
SPANISHGAS_MARTS_READER_PASSWORD=$(secret)
SPANISHGAS_METABASE_EMAIL=admin@spanishgas.example
SPANISHGAS_METABASE_PASSWORD=$(secret)
ENV
  mv "$here/.env.tmp" "$here/.env"
fi
set -a
# shellcheck source=/dev/null
. "$here/.env"
set +a
export SPANISHGAS_METABASE__URL="http://localhost:${METABASE_PORT:-3000}"

docker compose --file "$here/compose.yml" up --detach --wait
"$spanishgas" dashboards publish-marts "$@"
"$spanishgas" dashboards apply "$@"
echo "Log in at $SPANISHGAS_METABASE__URL as $SPANISHGAS_METABASE_EMAIL; the password is in $here/.env"
