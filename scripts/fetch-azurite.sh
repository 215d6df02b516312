#!/bin/sh
# Prints the path of the blob server's script of the pinned Azurite as its last line, installing it from npm on first
# use. It is run with `node`; `npx` would leave an orphan when it is killed. Tests call this when AZURITE does not name one.
set -eu

version=3.37.0
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/azurite-$version"
script=node_modules/azurite/dist/src/blob/main.js

if [ ! -f "$directory/installed/$script" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have installed it while this one waited for the lock.
    if [ ! -f "$directory/installed/$script" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        npm install --prefix "$work" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "azurite@$version" >&2
        mv "$work" "$directory/installed"
    fi
fi
echo "$directory/installed/$script"
