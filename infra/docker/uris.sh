#!/usr/bin/env bash
# Write images.tfvars.json: where an environment finds the images of a folder of archives, by digest.
# uris.sh [folder]. The digests are those of the archives, so that nothing need be pushed yet.
# Needs REGISTRY and NAME (<prefix>-<environment>).
set -euo pipefail
cd "$(dirname "$0")/../.."

source="${1:-images}"
uris=()
for image in dbt ml trigger metabase; do
  digest="$(skopeo inspect --format '{{.Digest}}' "oci-archive:$source/$image.tar")"
  uris+=("\"$image\": \"$REGISTRY/$NAME/$image@$digest\"")
done
(IFS=,; echo "{\"image_uris\": {${uris[*]}}}") > images.tfvars.json
