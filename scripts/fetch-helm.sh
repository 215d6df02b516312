#!/bin/sh
# Prints the path of Helm, which renders and installs the charts, as its last line, building the pinned version on first use. HELM names another binary.
set -eu

if [ -n "${HELM:-}" ]; then
    echo "$HELM"
    exit 0
fi
# Unless it is told at the link which Kubernetes it knows, helm renders for 1.20.
package=helm.sh/helm/v3
"$(dirname "$0")/fetch-go-tool.sh" helm "$package/cmd/helm" v3.19.5 \
    "-X $package/internal/version.version=v3.19.5 -X $package/pkg/chartutil.k8sVersionMajor=1 -X $package/pkg/chartutil.k8sVersionMinor=34 -X $package/pkg/lint/rules.k8sVersionMajor=1 -X $package/pkg/lint/rules.k8sVersionMinor=34"
