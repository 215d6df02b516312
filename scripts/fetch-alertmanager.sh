#!/bin/sh
# Prints the folder that holds alertmanager and amtool as its last line: the one that ALERTMANAGER_BIN names, else that of
# the Debian package, unpacked into the cache on first use. Needs no root. Safe to run side by side. Start alertmanager with
# that folder as its working folder: Debian's reads its templates where the package would be installed, so the path in it is
# replaced by one of the same length below the working folder.
set -eu

if [ -n "${ALERTMANAGER_BIN:-}" ]; then
    echo "$ALERTMANAGER_BIN"
    exit 0
fi

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/debian-alertmanager"
if [ ! -d "$directory/alertmanager-assets" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -d "$directory/alertmanager-assets" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        chmod 755 "$work"
        # apt checks the package against Debian's signatures; without a list of packages yet one of our own is made.
        if ! (cd "$work" && apt-get -qq download prometheus-alertmanager) >&2; then
            mkdir -p "$work/lists/partial" "$work/archives/partial"
            options="-o Dir::State::Lists=$work/lists -o Dir::Cache=$work -o Dir::Cache::Archives=$work/archives"
            # shellcheck disable=SC2086
            apt-get -qq $options update >&2
            # shellcheck disable=SC2086
            (cd "$work" && apt-get -qq $options download prometheus-alertmanager) >&2
        fi
        dpkg-deb --extract "$work"/prometheus-alertmanager_*.deb "$work/root" >&2
        LC_ALL=C sed -i 's#/usr/share/prometheus/alertmanager#/proc/self/cwd/alertmanager-assets#g' "$work/root/usr/bin/prometheus-alertmanager"
        mv "$work/root/usr/bin/prometheus-alertmanager" "$directory/alertmanager"
        mv "$work/root/usr/bin/amtool" "$directory/amtool"
        mv "$work/root/usr/share/prometheus/alertmanager" "$directory/alertmanager-assets"
    fi
fi
echo "$directory"
