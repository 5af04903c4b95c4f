#!/usr/bin/env bash
# The checkers of infra/ into a folder of their own: some would not install beside our lock.
# Usage: tests/infra/install.sh <python>; the folder is ~/.cache/spanishgas/infra or TEST_CACHE.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
cache="${TEST_CACHE:-$HOME/.cache/spanishgas}/infra"
wanted="$(cat "$here/package.json" "$here/requirements.txt" | sha256sum)"
[ "$(cat "$cache/.installed" 2>/dev/null)" = "$wanted" ] && exit 0
mkdir -p "$cache"
cp "$here/package.json" "$cache/"
# Peers of the provider's bindings are large and only their types are read.
(cd "$cache" && npm install --silent --no-audit --no-fund --legacy-peer-deps --ignore-scripts)
"$1" -m venv "$cache/venv"
"$(dirname "$1")/uv" pip install --quiet --python "$cache/venv/bin/python" -r "$here/requirements.txt"
echo "$wanted" > "$cache/.installed"
