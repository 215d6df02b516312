#!/bin/sh
# Prints the path of cosign, which signs images, charts and files, as its last line, building the pinned version on first use. COSIGN names another binary.
set -eu

if [ -n "${COSIGN:-}" ]; then
    echo "$COSIGN"
    exit 0
fi
"$(dirname "$0")/fetch-go-tool.sh" cosign github.com/sigstore/cosign/v3/cmd/cosign v3.1.3
