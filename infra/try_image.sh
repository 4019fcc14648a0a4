#!/usr/bin/env bash
# Tries the CPU image $1 as Batch runs it, with nothing writable but the scratch: its self-test, a reconstruction, and the
# tests of the numerical packages on the image's own libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly image=${1:?usage: infra/try_image.sh IMAGE}
readonly packages=$PWD/build/image-tests
confined=(docker run --rm --init --read-only --network none --cap-drop ALL --security-opt no-new-privileges
    --user 10001:10001 --tmpfs /scratch:rw,exec,mode=1777,size=2g)

echo "== self-test"
"${confined[@]}" "$image" doctor
echo "== a reconstruction"
"${confined[@]}" --entrypoint sh "$image" -ec '
    lfcore simulate /scratch/beads --frames 1
    lfcore run /scratch/beads /scratch/run
    test -s /scratch/run/report/metrics.json'
echo "== tests"
rm -rf "$packages"
python3 -m pip install --quiet --disable-pip-version-check --target "$packages" --no-deps --no-compile \
    --constraint constraints/python-3.11.txt pytest pytest-timeout iniconfig pluggy packaging pygments
"${confined[@]}" --volume "$PWD/tests:/work/tests:ro" --volume "$PWD/setup.cfg:/work/setup.cfg:ro" \
    --volume "$packages:/packages:ro" --env PYTHONPATH=/packages --workdir /work --entrypoint python3 "$image" \
    -m pytest --quiet -p no:cacheprovider tests/optics tests/opencl tests/solvers -m "not slow"
