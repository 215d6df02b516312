#!/bin/sh
# terraform-root.sh validate|plan|apply ROOT: one root module of terraform/environments, such as aws/dev/20-cluster.
#
# plan   writes to $OUTPUT (target/terraform/ROOT): plan.txt for people, changes.json (addresses and actions, no values) and digest, its sum
# apply  plans again and applies only when that plan's digest is $EXPECTED: what a person approved, or nothing. A plan file would do the
#        same, but holds secrets in the clear and would have to be kept where many can read.
#
# BACKEND_CONFIG names a file for `init`; where it is empty the root says itself where its state is. Exit code of plan: 0, also with changes.
set -eu

usage() { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
step="$1"; name="$2"
repository="$(cd "$(dirname "$0")/.." && pwd)"
root="${TERRAFORM_ROOTS:-$repository/terraform/environments}/$name"
output="${OUTPUT:-$repository/target/terraform/$name}"
case "$name" in
    /*|*..*) echo "terraform-root: ROOT is \`$name\`: write a path below terraform/environments, such as aws/dev/20-cluster" >&2; exit 2 ;;
esac
ls "$root"/*.tf >/dev/null 2>&1 || { echo "terraform-root: $root holds no Terraform: \`make terraform-roots\` lists what there is" >&2; exit 2; }
command -v terraform >/dev/null || { echo "terraform-root: terraform is not on PATH: install 1.11 or newer" >&2; exit 1; }

export TF_IN_AUTOMATION=1 TF_INPUT=0
mkdir -p "$output"

init() {
    if [ -n "${BACKEND_CONFIG:-}" ]; then
        terraform -chdir="$root" init -no-color -backend-config="$BACKEND_CONFIG" >&2
    else
        terraform -chdir="$root" init -no-color >&2
    fi
}

plan() { # options of `terraform plan`
    # Of its own folder, for nobody else to read, and gone at the end.
    work="$(mktemp -d)"
    trap 'rm -rf "$work"' EXIT
    terraform -chdir="$root" plan -no-color "$@" -out="$work/plan" > "$work/plan.log" || { cat "$work/plan.log" >&2; exit 1; }
    # Sensitive values are masked in this, and in no other form.
    terraform -chdir="$root" show -no-color "$work/plan" > "$output/plan.txt"
    terraform -chdir="$root" show -json "$work/plan" | python3 -c '
import json, sys
changes = json.load(sys.stdin).get("resource_changes", [])
kept = [{"address": each["address"], "actions": each["change"]["actions"]} for each in changes if each["change"]["actions"] not in (["no-op"], ["read"])]
print(json.dumps(sorted(kept, key=lambda each: each["address"]), indent=1))' > "$output/changes.json"
    # Of the masked text: a value that changed between approval and apply changes it, too.
    cat "$output/plan.txt" "$output/changes.json" | sha256sum | cut -d ' ' -f 1 > "$output/digest"
}

case "$step" in
    validate)
        terraform -chdir="$root" init -no-color -backend=false >&2
        terraform -chdir="$root" validate -no-color
        ;;
    plan)
        init
        # Who only looks may not write, and a lock is written.
        plan -lock=false
        cat "$output/plan.txt"
        echo "digest $(cat "$output/digest")"
        ;;
    apply)
        [ -n "${EXPECTED:-}" ] || { echo "terraform-root: EXPECTED is empty: give the digest that \`plan\` printed and a person approved" >&2; exit 2; }
        init
        plan -lock-timeout=5m
        if [ "$(cat "$output/digest")" != "$EXPECTED" ]; then
            cat "$output/plan.txt" >&2
            echo "terraform-root: the plan is not the one that was approved ($EXPECTED): something changed meanwhile; look at the plan above, and have it approved anew" >&2
            exit 3
        fi
        terraform -chdir="$root" apply -no-color -lock-timeout=5m "$work/plan"
        ;;
    *) usage ;;
esac
