#!/bin/sh
# registry-login.sh REGISTRY: lets crane, helm and cosign write to it, with the short-lived credentials that the job has from its OIDC
# token. No password stands in a command line.
set -eu

registry="${1:?usage: registry-login.sh REGISTRY}"
crane="$("$(dirname "$0")/fetch-crane.sh" | tail -n 1)"
case "$registry" in
    *.dkr.ecr.*.amazonaws.com)
        region="${registry#*.dkr.ecr.}"; region="${region%%.*}"
        aws ecr get-login-password --region "$region" | "$crane" auth login "$registry" --username AWS --password-stdin ;;
    *.azurecr.io)
        # That name stands for a token of Entra; it is no user.
        az acr login --name "${registry%%.*}" --expose-token --output tsv --query accessToken \
            | "$crane" auth login "$registry" --username 00000000-0000-0000-0000-000000000000 --password-stdin ;;
    *) echo "registry-login: $registry is neither of ECR nor of ACR: log in with \`crane auth login\`" >&2; exit 2 ;;
esac
