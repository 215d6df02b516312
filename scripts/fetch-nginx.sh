#!/bin/sh
# Prints the path of nginx as its last line: NGINX, one on PATH, else of the Debian package, unpacked into the cache.
# Needs no root. Tests of the edge call this. Safe to run side by side.
set -eu

if [ -n "${NGINX:-}" ]; then
    echo "$NGINX"
    exit 0
fi
if command -v nginx; then
    exit 0
fi
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-nginx"
if [ ! -x "$directory/nginx" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/nginx" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        # apt checks the package against Debian's signatures; an old index is renewed once.
        (cd "$work" && { apt-get download -q nginx || { apt-get update -q && apt-get download -q nginx; }; }) >&2
        dpkg-deb --extract "$work"/nginx_*.deb "$work/root" >&2
        "$work/root/usr/sbin/nginx" -v >&2
        mv "$work/root/usr/sbin/nginx" "$directory/nginx"
    fi
fi
echo "$directory/nginx"
