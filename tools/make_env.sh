#!/usr/bin/env bash
# Makes the development environment in the folder $1: needs Python 3.11 to 3.13 with venv, or with pip; no root.
set -euo pipefail

readonly folder=$1
readonly uv_version=0.13.9

fail() { echo "make env: $*" >&2; exit 1; }

find_python() {
    local name
    for name in python3.13 python3.12 python3.11 python3; do
        if "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "no Python 3.11, 3.12 or 3.13 found; install one, for example 'apt-get install python3 python3-venv'"
}

# Debian splits ensurepip from Python; virtualenv brings its own pip, where only pip is there.
make_venv() {
    local python=$1
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$folder"
        return
    fi
    borrowed=$(mktemp -d)
    trap 'rm -rf "$borrowed"' EXIT
    if "$python" -m pip install --quiet --target "$borrowed" virtualenv 2>/dev/null; then
        PYTHONPATH=$borrowed "$python" -m virtualenv --quiet "$folder"
        return
    fi
    fail "$python has neither venv nor pip; install one, for example 'apt-get install python3-venv'"
}

# uv reads no pip.conf: pass on the index that pip was told to use.
export_index() {
    local index
    if [[ -z ${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-} ]]; then
        index=${PIP_INDEX_URL:-$("$folder/bin/python" -m pip config get global.index-url 2>/dev/null || true)}
        [[ -z $index ]] || export UV_DEFAULT_INDEX=$index
    fi
}

if ! "$folder/bin/python" -c 'import pip' 2>/dev/null; then
    python=$(find_python)
    rm -rf "$folder"
    make_venv "$python"
fi
version=$("$folder/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
echo "make env: Python $version in $folder; installing what constraints/python-$version.txt pins, in a minute or a few"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "uv==$uv_version"
export_index
"$folder/bin/uv" pip install --quiet --compile-bytecode --python "$folder/bin/python" \
    --constraint "constraints/python-$version.txt" --editable '.[airflow,postgres,s3,opencl,dev]'
