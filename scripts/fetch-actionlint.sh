#!/bin/sh
# Prints the path of actionlint, which checks the workflows of GitHub, as its last line, building the pinned version on first use. ACTIONLINT names another binary.
set -eu

if [ -n "${ACTIONLINT:-}" ]; then
    echo "$ACTIONLINT"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" actionlint github.com/rhysd/actionlint/cmd/actionlint v1.7.12
