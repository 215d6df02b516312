#!/bin/sh
# Prints a folder with the strict JSON schemas of Argo CD's objects (argoproj.io/KIND_VERSION.json, as kubeconform looks for them) as
# its last line, made on first use from the definitions in Argo CD's own Go module; Go's checksum database vouches for that.
# ARGO_SCHEMAS names another folder. Safe to run side by side.
set -eu

if [ -n "${ARGO_SCHEMAS:-}" ]; then
    echo "$ARGO_SCHEMAS"
    exit 0
fi
version=v3.5.7
scripts="$(dirname "$0")"
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/argo-schemas-$version"
if [ ! -d "$directory/schemas" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have made it while this one waited for the lock.
    if [ ! -d "$directory/schemas" ]; then
        go="$("$scripts/fetch-go.sh" | tail -n 1)"
        packages="$("$scripts/fetch-pyyaml.sh" | tail -n 1)"
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
        # Into a place of its own, which is thrown away: only four files of the module are wanted.
        module="$(cd "$work" && GOMODCACHE="$work/modules" GOTOOLCHAIN=local GOFLAGS=-mod=mod nice -n 10 "$go" mod download -json "github.com/argoproj/argo-cd/v3@$version" \
            | sed -n 's/.*"Dir": "\(.*\)",/\1/p')"
        [ -n "$module" ] || { echo "Argo CD $version cannot be had from the Go module proxy; name a folder with its schemas in ARGO_SCHEMAS" >&2; exit 1; }
        PYTHONPATH="$packages" python3 -B "$scripts/schemas-of-crds.py" "$work/schemas" "$module"/manifests/crds/*-crd.yaml >&2
        mv "$work/schemas" "$directory/schemas"
    fi
fi
echo "$directory/schemas"
