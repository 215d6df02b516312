#!/bin/sh
# Prints the folder with `prometheus`, `promtool`, `alertmanager` and `amtool` as its last line: the folder that
# PROMETHEUS_BIN names, else those of Debian's packages, fetched on first use. Safe to run side by side.
set -eu

if [ -n "${PROMETHEUS_BIN:-}" ]; then
    for tool in prometheus promtool alertmanager amtool; do
        [ -x "$PROMETHEUS_BIN/$tool" ] || { echo "PROMETHEUS_BIN does not hold $tool" >&2; exit 1; }
    done
    echo "$PROMETHEUS_BIN"
    exit 0
fi

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-prometheus"
if [ ! -x "$directory/amtool" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$directory/amtool" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        # apt checks the packages against Debian's signatures; an old index is renewed once.
        (cd "$work" && { apt-get download -q prometheus prometheus-alertmanager || {
            apt-get update -q && apt-get download -q prometheus prometheus-alertmanager; }; }) >&2
        for package in "$work"/*.deb; do dpkg-deb --extract "$package" "$work/root" >&2; done
        mv "$work/root/usr/bin/prometheus" "$work/root/usr/bin/promtool" "$directory/"
        mv "$work/root/usr/bin/prometheus-alertmanager" "$directory/alertmanager"
        mv "$work/root/usr/bin/amtool" "$directory/amtool"
    fi
fi
echo "$directory"
