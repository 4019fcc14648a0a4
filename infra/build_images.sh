#!/usr/bin/env bash
# Builds both worker images of this checkout as lightfield:cpu-$1 and lightfield:gpu-$1; further words go to 'docker build'.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly commit=${1:?usage: infra/build_images.sh COMMIT [OPTIONS OF docker build]}
shift
for target in cpu gpu; do
    DOCKER_BUILDKIT=1 docker build --file containers/Dockerfile --target "$target" --tag "lightfield:$target-$commit" "$@" .
done
