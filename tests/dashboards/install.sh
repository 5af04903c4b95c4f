#!/usr/bin/env bash
# What `make test-dashboards` needs beside the Python environment: the tools of Metabase's makers,
# pinned, and a Postgres server. Usage: tests/dashboards/install.sh <python>
set -euo pipefail
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"

if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --silent
fi

if [ ! .tools/.done -nt contract-wheels.txt ]; then
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.13 --dest .tools --requirement contract-wheels.txt
  touch .tools/.done
fi

if ! command -v initdb > /dev/null && ! ls /usr/lib/postgresql/*/bin/initdb > /dev/null 2>&1; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "a Postgres server is needed: install one, with initdb on the path" >&2
    exit 1
  fi
  apt-get update --quiet=2
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends postgresql
fi

# The browser tests: a driver for the Chromium of the system, and Markdown's links as GitHub has them.
if ! "$python" -c 'import axe_playwright_python, linkify_it, playwright, pypdf' 2> /dev/null; then
  "$python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement browser-wheels.txt
fi

if ! command -v chromium > /dev/null && ! command -v google-chrome > /dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "Chromium is needed: install it, with chromium on the path" >&2
    exit 1
  fi
  apt-get update --quiet=2
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends chromium
fi
