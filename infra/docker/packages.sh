#!/bin/sh
# Install requirements in the versions and with the hashes of requirements.lock into /opt/venv.
# Usage: packages.sh pyproject.toml, or packages.sh --group <name>; what `uv pip compile` takes.
set -eu
uv pip compile "$@" --quiet --universal --python-version 3.11 --constraint requirements.lock \
  --generate-hashes --no-header --output-file wanted.txt
uv venv --quiet /opt/venv
uv pip install --python /opt/venv/bin/python --no-cache --require-hashes -r wanted.txt
cd /opt/venv/lib/python3.11/site-packages
# What large packages bring to test themselves, an eighth of the environment (dbt's folders of that
# name are its generic tests), and Arrow's remote procedure calls and headers.
for package in matplotlib networkx numpy pandas pyarrow scipy sklearn; do
  [ ! -d "$package" ] || find "$package" -type d -name tests -prune -exec rm -r {} +
done
rm -r pyarrow/include pyarrow/libarrow_flight.so.* pyarrow/libarrow_python_flight.so.* pyarrow/_flight.*
/opt/venv/bin/python -m compileall -q -j 0 .
