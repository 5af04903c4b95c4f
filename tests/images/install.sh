#!/usr/bin/env bash
# What builds and runs images without a Docker engine: buildah, and debootstrap for a base.
set -euo pipefail
if ! command -v buildah > /dev/null || ! command -v debootstrap > /dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
    echo "buildah and debootstrap are needed, and root's rights to use them" >&2
    exit 1
  fi
  apt-get update --quiet=2
  DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --yes --no-install-recommends buildah debootstrap
fi
