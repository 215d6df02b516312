#!/bin/sh
# Prints the path of a Terraform that the modules are written for as its last line: TERRAFORM, else the one on PATH. No package registry
# has it, so it is not fetched.
set -eu

oldest=1.11.0
binary="${TERRAFORM:-$(command -v terraform || true)}"
if [ -z "$binary" ]; then
    echo "terraform is not on PATH: install $oldest or newer (https://developer.hashicorp.com/terraform/install), or name it in TERRAFORM" >&2
    exit 1
fi
# A configuration file that is not there makes Terraform warn in the midst of its output.
version="$(TF_CLI_CONFIG_FILE=/dev/null CHECKPOINT_DISABLE=1 "$binary" version -json | sed -n 's/.*"terraform_version": "\([0-9.]*\).*/\1/p')"
if [ "$(printf '%s\n' "$oldest" "$version" | sort -V | head -n 1)" != "$oldest" ]; then
    echo "$binary is Terraform ${version:-of an unknown version}; $oldest or newer is needed (TERRAFORM names another)" >&2
    exit 1
fi
command -v "$binary"
