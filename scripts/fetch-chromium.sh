#!/bin/sh
# Prints the path of a Chromium for the tests of our pages as its last line, installing Debian's package when there is none
# (as root). CHROMIUM names another one. Safe to run side by side.
set -eu

if [ -n "${CHROMIUM:-}" ]; then
    echo "$CHROMIUM"
    exit 0
fi
if ! command -v chromium >/dev/null; then
    if [ "$(id -u)" -ne 0 ]; then
        echo "chromium is not installed, and only root can do it: apt-get install chromium fonts-dejavu-core, or set CHROMIUM" >&2
        exit 1
    fi
    directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-chromium"
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have installed it while this one waited for the lock.
    if ! command -v chromium >/dev/null; then
        export DEBIAN_FRONTEND=noninteractive
        # A browser without any font draws boxes. An old index is renewed once.
        install() { apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends chromium fonts-dejavu-core; }
        { install || { apt-get -o DPkg::Lock::Timeout=600 update -q && install; }; } >&2
    fi
fi
command -v chromium
