#!/bin/sh
# Prints the path of Helm 4, which has to render the charts as Helm 3 does, as its last line, building the pinned version on first use. HELM4 names another binary.
set -eu

if [ -n "${HELM4:-}" ]; then
    echo "$HELM4"
    exit 0
fi
# The Kubernetes that it knows is that of its client-go.
package=helm.sh/helm/v4
"$(dirname "$0")/fetch-go-tool.sh" helm "$package/cmd/helm" v4.3.2 "-X $package/internal/version.version=v4.3.2"
