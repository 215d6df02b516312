#!/bin/sh
# Prints a folder as its last line that holds a file system mirror of schema stubs under the providers' real addresses, and terraform.rc
# that lets Terraform see nothing else (terraform/testing/README.md). The stub is built on first use and when its source changes.
set -eu

testing="$(cd "$(dirname "$0")/../terraform/testing" && pwd)"
cache="${TIDEMARK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark}"
source_digest="$(cd "$testing/stub" && cat ./*.go go.mod go.sum | sha256sum | cut -c 1-16)"
schema_digest="$(cd "$testing/schemas" && cat ./* | sha256sum | cut -c 1-16)"
stub="$cache/terraform-stub-$source_digest"
mirror="$cache/terraform-mirror-$source_digest-$schema_digest"

mkdir -p "$stub" "$mirror"
exec 9>"$stub/.lock"
flock 9
if [ ! -x "$stub/stub" ]; then
    go="$("$(dirname "$0")/fetch-go.sh" | tail -n 1)"
    echo "building the schema stub of Terraform's providers; this takes a minute, once" >&2
    (cd "$testing/stub" && GOTOOLCHAIN=local GOFLAGS=-mod=readonly CGO_ENABLED=0 \
        nice -n 10 "$go" build -buildvcs=false -trimpath -ldflags "-s -w" -o "$stub/.stub" . >&2)
    mv "$stub/.stub" "$stub/stub"
fi
if [ ! -f "$mirror/terraform.rc" ]; then
    platform="$(uname -s | tr '[:upper:]' '[:lower:]')_$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')"
    while read -r provider version; do
        package="$mirror/registry.terraform.io/hashicorp/$provider/$version/$platform"
        mkdir -p "$package"
        cp "$stub/stub" "$package/terraform-provider-${provider}_v$version"
        cp "$testing/schemas/$provider.json.gz" "$package/schema.json.gz"
        cp "$testing/schemas/$provider.values.json" "$package/values.json"
    done <"$testing/schemas/versions"
    cat >"$mirror/.terraform.rc" <<RC
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path    = "$mirror"
    include = ["registry.terraform.io/*/*"]
  }
}
RC
    mv "$mirror/.terraform.rc" "$mirror/terraform.rc"
fi
echo "$mirror"
