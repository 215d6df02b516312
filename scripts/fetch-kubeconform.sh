#!/bin/sh
# Prints the path of kubeconform, which checks manifests against schemas, as its last line, building the pinned version on first use. KUBECONFORM names another binary.
set -eu

if [ -n "${KUBECONFORM:-}" ]; then
    echo "$KUBECONFORM"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" kubeconform github.com/yannh/kubeconform/cmd/kubeconform v0.7.0
