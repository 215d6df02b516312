#!/bin/sh
# Prints the folder that holds prometheus and promtool: that of PROMTOOL or of a promtool on PATH, else of the Debian package,
# unpacked into the cache. Needs no root. TIDEMARK_CACHE moves the cache.
set -eu
package=prometheus
cache=${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-prometheus

if [ -n "${PROMTOOL:-}" ]; then
    dirname "$PROMTOOL"
    exit 0
fi
if found=$(command -v promtool); then
    dirname "$found"
    exit 0
fi
if [ ! -x "$cache/usr/bin/promtool" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    # Without a list of packages yet, and without root: lists of our own.
    if ! (cd "$work" && apt-get -qq download "$package") >&2; then
        mkdir -p "$work/lists/partial" "$work/archives/partial"
        options="-o Dir::State::Lists=$work/lists -o Dir::Cache=$work -o Dir::Cache::Archives=$work/archives"
        # shellcheck disable=SC2086
        apt-get -qq $options update >&2
        # shellcheck disable=SC2086
        (cd "$work" && apt-get -qq $options download "$package") >&2
    fi
    mkdir -p "$work/unpacked"
    dpkg-deb -x "$work"/"$package"_*.deb "$work/unpacked"
    "$work/unpacked/usr/bin/promtool" --version >&2
    mkdir -p "$(dirname "$cache")"
    # Whoever comes first wins: both unpacked the same.
    mv -T "$work/unpacked" "$cache" 2>/dev/null || [ -x "$cache/usr/bin/promtool" ]
fi
echo "$cache/usr/bin"
