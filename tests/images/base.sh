#!/usr/bin/env bash
# A base image like the one that infra/docker/Dockerfile names, of Debian's own packages: where no
# registry can be reached, the images are built on this one. Usage: tests/images/base.sh <tag>
set -euo pipefail
if buildah inspect --type image "$1" > /dev/null 2>&1; then exit 0; fi

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Another distribution's mirror has no bookworm: debootstrap then takes its own.
mirror=()
if grep -q '^ID=debian$' /etc/os-release; then
  mirror=("$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed q)")
fi
debootstrap --variant=minbase --include=python3.11,python3.11-venv,python3-pip,ca-certificates \
  bookworm "$work/root" "${mirror[@]}" > "$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
rm -rf "$work/root"/{var/cache/apt,var/lib/apt/lists,usr/share/doc,usr/share/man,usr/share/locale}
mkdir -p "$work/root/var/lib/apt/lists"
# In the official image these two are called so, and pip may write beside Debian's packages.
ln -s /usr/bin/python3.11 "$work/root/usr/local/bin/python"
rm "$work/root/usr/lib/python3.11/EXTERNALLY-MANAGED"
# The machine's own authorities: it may reach the package index through a proxy that signs anew.
certificates=/etc/ssl/certs/ca-certificates.crt
cp "$certificates" "$work/root$certificates"

container="$(buildah from scratch)"
buildah add --quiet "$container" "$work/root" / > /dev/null
buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --env "SSL_CERT_FILE=$certificates" --env "PIP_CERT=$certificates" "$container"
buildah commit --quiet --rm "$container" "$1" > /dev/null
