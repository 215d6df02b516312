#!/bin/sh
# Installs Debian's packages that the tests need in a bare container of a pipeline: everything else is fetched by scripts/fetch-*.sh.
set -eu

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install --yes --quiet --no-install-recommends \
    git make gcc libc6-dev pkg-config cmake curl ca-certificates python3 python3-pip python3-venv npm util-linux openssl sudo
# The checkout belongs to another user than the container's.
git config --system --add safe.directory '*'
