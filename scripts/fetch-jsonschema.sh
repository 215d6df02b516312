#!/bin/sh
# Prints a folder for PYTHONPATH with the pinned jsonschema of terraform/testing/requirements.txt as its last line, installing it from
# PyPI on first use. JSONSCHEMA names another folder. Safe to run side by side.
set -eu

if [ -n "${JSONSCHEMA:-}" ]; then
    echo "$JSONSCHEMA"
    exit 0
fi
requirements="$(dirname "$0")/../terraform/testing/requirements.txt"
version="$(sed -n 's/^jsonschema==//p' "$requirements")"
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/jsonschema-$version"
if [ ! -d "$directory/installed/jsonschema" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have installed it while this one waited for the lock.
    if [ ! -d "$directory/installed/jsonschema" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --target "$work/installed" --requirement "$requirements" >&2
        mv "$work/installed" "$directory/installed"
    fi
fi
echo "$directory/installed"
