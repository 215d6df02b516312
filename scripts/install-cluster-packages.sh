#!/bin/sh
# Installs Debian's packages that `make cluster-up` and `make images` need. No service is started: the harness starts its own.
set -eu

packages="containerd runc containernetworking-plugins iptables nftables iproute2 conntrack socat debootstrap docker.io openssl gcc libc6-dev util-linux"
missing=""
for package in $packages; do
    dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# RUNLEVEL=1: policy-rc.d of Debian's start scripts then starts nothing; two container daemons of the machine are not what is wanted.
# shellcheck disable=SC2086
RUNLEVEL=1 apt-get install --yes --quiet --no-install-recommends $missing
