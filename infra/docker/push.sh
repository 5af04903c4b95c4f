#!/usr/bin/env bash
# Build and push the three images, and write their digests to images.tfvars.json.
# Needs REGISTRY, NAME (<prefix>-<environment>), AWS_REGION and METABASE_IMAGE (by digest).
set -euo pipefail
cd "$(dirname "$0")/../.."

aws ecr get-login-password | docker login --username AWS --password-stdin "$REGISTRY"
sha="$(git rev-parse HEAD)"
uris=()
for image in dbt ml trigger; do
  repository="$REGISTRY/$NAME/$image"
  if ! aws ecr describe-images --repository-name "$NAME/$image" --image-ids "imageTag=$sha" > /dev/null 2>&1; then
    docker buildx build --platform linux/amd64 --provenance=false --build-arg "GIT_SHA=$sha" \
      --file "infra/docker/$image.Dockerfile" --tag "$repository:$sha" --push .
  fi
  digest="$(aws ecr describe-images --repository-name "$NAME/$image" --image-ids "imageTag=$sha" \
    --query 'imageDetails[0].imageDigest' --output text)"
  uris+=("\"$image\": \"$repository@$digest\"")
done
uris+=("\"metabase\": \"$METABASE_IMAGE\"")
(IFS=,; echo "{\"image_uris\": {${uris[*]}}}") > images.tfvars.json
