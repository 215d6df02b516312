#!/bin/sh
# Prints the path of kube-score, which looks for bad practice in manifests, as its last line, building the pinned version on first use. KUBE_SCORE names another binary.
set -eu

if [ -n "${KUBE_SCORE:-}" ]; then
    echo "$KUBE_SCORE"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" kube-score github.com/zegl/kube-score/cmd/kube-score v1.20.0
