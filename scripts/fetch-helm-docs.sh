#!/bin/sh
# Prints the path of helm-docs, which writes the README of a chart, as its last line, building the pinned version on first use. HELM_DOCS names another binary.
set -eu

if [ -n "${HELM_DOCS:-}" ]; then
    echo "$HELM_DOCS"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" helm-docs github.com/norwoodj/helm-docs/cmd/helm-docs v1.14.2
