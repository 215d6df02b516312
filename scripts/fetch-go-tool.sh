#!/bin/sh
# fetch-go-tool.sh NAME PACKAGE VERSION [LDFLAGS]: builds a pinned command from the Go module proxy on first use (the sums of Go's
# checksum database apply) and prints its path as the last line. Called by the fetch scripts of the test servers.
set -eu

name="$1"; package="$2"; version="$3"
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/$name-$version"

if [ ! -x "$directory/$name" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have built it while this one waited for the lock.
    if [ ! -x "$directory/$name" ]; then
        go="$("$(dirname "$0")/fetch-go.sh" | tail -n 1)"
        work="$(mktemp -d "$directory/.build.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        echo "building $name $version; this takes some minutes, once" >&2
        GOBIN="$work" GOTOOLCHAIN=local GOFLAGS=-buildvcs=false CGO_ENABLED=0 nice -n 10 "$go" install -trimpath -ldflags "-s -w ${4:-}" "$package@$version" >&2
        mv "$work/$name" "$directory/$name"
    fi
fi
echo "$directory/$name"
