#!/usr/bin/env bash
# Push the archives that build.sh made to an environment's registry, and write images.tfvars.json:
# push.sh [folder]. What has been pushed before is not pushed again.
# Needs REGISTRY, NAME (<prefix>-<environment>) and AWS_REGION.
set -euo pipefail
cd "$(dirname "$0")/../.."

source="${1:-images}"
echo "to $REGISTRY/$NAME"
infra/docker/uris.sh "$source"
aws ecr get-login-password | skopeo login --username AWS --password-stdin "$REGISTRY"
for image in dbt ml trigger metabase; do
  uri="$(jq -r ".image_uris.$image" images.tfvars.json)"
  # A tag can be given once; it only keeps the image from being taken for a leftover.
  tag="${uri##*@sha256:}"
  skopeo inspect "docker://$uri" > /dev/null 2>&1 \
    || skopeo copy --preserve-digests "oci-archive:$source/$image.tar" "docker://${uri%@*}:$tag"
done
