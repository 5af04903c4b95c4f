#!/usr/bin/env bash
# Build the three images and fetch Metabase's, each as an OCI archive in a folder (default: images).
# An archive is what every environment gets; its digest does not change on the way.
# Needs Docker with buildx, and skopeo.
set -euo pipefail
cd "$(dirname "$0")/../.."

target="${1:-images}"
mkdir -p "$target"
sha="$(git rev-parse HEAD)"
for image in dbt ml trigger; do
  docker buildx build --platform linux/amd64 --provenance=false --build-arg "GIT_SHA=$sha" \
    --file infra/docker/Dockerfile --target "$image" --output "type=oci,dest=$target/$image.tar" .
done
# The server that the compose file runs too, and whose API the tests hold our requests against.
metabase="$(sed -n 's/^ *image: \(metabase[^ ]*\).*/\1/p' infra/metabase/compose.yml)"
skopeo copy --override-os linux --override-arch amd64 "docker://docker.io/$metabase" "oci-archive:$target/metabase.tar"
