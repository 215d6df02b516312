#!/bin/sh
# Prints the path of crane, which puts images into registries without a container engine, as its last line, building the pinned version on first use. CRANE names another binary.
set -eu

if [ -n "${CRANE:-}" ]; then
    echo "$CRANE"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" crane github.com/google/go-containerregistry/cmd/crane v0.21.0
