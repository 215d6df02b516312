#!/bin/sh
# promotion-request.sh ENVIRONMENT: a branch and a pull request with what `make promote` has changed in gitops/environments, and nothing else.
set -eu

environment="${1:?usage: promotion-request.sh ENVIRONMENT}"
cd "$(dirname "$0")/.."
changed="$(git status --porcelain --untracked-files=all -- "gitops/environments/$environment")"
[ -n "$changed" ] || { echo "nothing changed in gitops/environments/$environment; no pull request is needed" >&2; exit 0; }
release="$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["release"])' "gitops/environments/$environment/environment.json")"
branch="promote/$environment-$release"
git switch --quiet --create "$branch"
git add -- "gitops/environments/$environment"
git -c user.name="github-actions[bot]" -c user.email="41898282+github-actions[bot]@users.noreply.github.com" \
    commit --quiet --message "Promote $release to $environment"
git push --quiet --force-with-lease origin "$branch"
gh pr create --base main --head "$branch" --title "Promote $release to $environment" \
    --body "Digests of release $release for $environment. Argo CD carries it out when this is merged (docs/gitops.md)."
