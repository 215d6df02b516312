#!/bin/sh
# Prints the folder with Debian's `age` and `age-keygen` as its last line, fetching the package on first use.
# Tests of the format call this when AGE names none. Safe to run side by side.
set -eu

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-age"

if [ ! -x "$directory/age" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/age" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        # apt checks the package against Debian's signatures; an old index is renewed once.
        (cd "$work" && { apt-get download -q age || { apt-get update -q && apt-get download -q age; }; }) >&2
        dpkg-deb --extract "$work"/age_*.deb "$work/root" >&2
        mv "$work/root/usr/bin/age-keygen" "$directory/age-keygen"
        mv "$work/root/usr/bin/age" "$directory/age"
    fi
fi
echo "$directory"
