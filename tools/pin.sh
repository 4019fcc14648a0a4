#!/usr/bin/env bash
# Pins every dependency of setup.cfg anew, once for each Python; $1 is the uv to use.
set -euo pipefail

for version in 3.11 3.12 3.13; do
    file=constraints/python-$version.txt
    "$1" pip compile --quiet --upgrade --python-version "$version" --extra airflow --extra aws --extra s3 --extra opencl \
        --extra dev --extra postgres \
        --no-header --no-annotate --no-emit-index-url setup.cfg --output-file "$file.new"
    { echo "# Made by 'make constraints'."; cat "$file.new"; } > "$file"
    rm "$file.new"
done
