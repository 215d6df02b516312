#!/bin/sh
# Prints the path of the log collector as its last line, building it from dockerfiles/log-collector on first use (some minutes; the
# sums are in go.sum). LOG_COLLECTOR names another binary with the same parts. Safe to run side by side.
set -eu

if [ -n "${LOG_COLLECTOR:-}" ]; then
    echo "$LOG_COLLECTOR"
    exit 0
fi
scripts="$(cd "$(dirname "$0")" && pwd)"
source="$scripts/../dockerfiles/log-collector"
version="$(sed -n 's#^.*collector/otelcol v##p' "$source/go.mod" | head -n 1)"
# Another source is another binary.
digest="$(cat "$source/main.go" "$source/go.mod" "$source/go.sum" | sha256sum | cut -c 1-12)"
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/log-collector-$version-$digest"
if [ ! -x "$directory/log-collector" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have built it while this one waited for the lock.
    if [ ! -x "$directory/log-collector" ]; then
        go="$("$scripts/fetch-go.sh" | tail -n 1)"
        work="$(mktemp -d "$directory/.build.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        echo "building the log collector $version; this takes some minutes, once" >&2
        # Static: the image has no library.
        (cd "$source" && GOTOOLCHAIN=local GOFLAGS="-mod=readonly -buildvcs=false" CGO_ENABLED=0 nice -n 10 \
            "$go" build -trimpath -ldflags "-s -w -X main.version=$version" -o "$work/log-collector" .) >&2
        mv "$work/log-collector" "$directory/log-collector"
    fi
fi
echo "$directory/log-collector"
