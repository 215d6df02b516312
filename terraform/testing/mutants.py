#!/usr/bin/env python3
"""Makes careless edits in copies of the modules and says which of them `terraform test` does not notice (exit code 1).

PYTHONPATH=terraform/testing TERRAFORM_MIRROR=… terraform/testing/mutants.py [MODULE]…          the edits below
                                                 terraform/testing/mutants.py guards [MODULE]…   each validation and condition that refuses something, taken away
                                                 terraform/testing/mutants.py statements [WHAT]…  each denial and each condition of a policy, taken away, and each permission
                                                                                                 given on everything: by the tests that judge policies as data (PYTHONPATH
                                                                                                 also has terraform and jsonschema); WHAT is how a line of the result begins
"""

import re
import sys

import statements
from harness.workspace import TERRAFORM, Workspace

EDITS = [
    ("modules/pure/naming", "main.tf", 'southeast = "se"', 'southeast = "s"'),
    ("modules/pure/tags", "main.tf", "merge(var.extra, local.optional, {", "merge({"),
    ("modules/pure/cidr-plan", "main.tf", "local.ours.first < local.ranges", "local.ours.first > local.ranges"),
    ("modules/pure/archive-policies", "variables.tf", "[A-Za-z0-9._-]*(/", "[A-Za-z0-9._*-]*(/"),
    ("modules/pure/restore-contract", "variables.tf", "mongodb(\\\\+srv)?://[^@]+$", "mongodb(\\\\+srv)?://.+$"),
    ("modules/aws/network", "main.tf", 'var.nat == "per-zone" ? zone : var.zones[0] if var.nat != "none"', "var.zones[0]"),
    ("modules/aws/network", "endpoints.tf", "cidr_ipv4         = var.cidr", 'cidr_ipv4         = "0.0.0.0/0"'),
    ("modules/aws/eks", "main.tf", "endpoint_public_access  = false", "endpoint_public_access  = true"),
    ("modules/aws/eks", "main.tf", 'length(each.value.namespaces) == 0 ? "cluster" : "namespace"', '"cluster"'),
    ("modules/aws/eks", "nodes.tf", "http_put_response_hop_limit = 1", "http_put_response_hop_limit = 2"),
    ("modules/aws/eks", "addons.tf", 'enableNetworkPolicy = "true"', 'enableNetworkPolicy = "false"'),
    ("modules/aws/registry", "main.tf", '"IMMUTABLE"', '"MUTABLE"'),
    ("modules/aws/backup-store", "main.tf", "object_lock_enabled = true", "object_lock_enabled = false"),
    ("modules/aws/backup-store", "replica.tf", 'delete_marker_replication {\n      status = "Disabled"', 'delete_marker_replication {\n      status = "Enabled"'),
    ("modules/aws/backup-store", "variables.tf", 'var.lock.mode != "compliance" ||', 'var.lock.mode != "none" ||'),
    ("modules/aws/backup-access", "main.tf", 'ArnEquals = { "aws:SourceArn" = var.cluster_arn }', 'ArnEquals = { "aws:SourceArn" = "*" }'),
    ("modules/aws/backup-access", "variables.tf", 'startswith("${coalesce(b.prefix, other)}/", "${coalesce(a.prefix, one)}/")', "false"),
    ("modules/aws/edge-waf", "main.tf", "priority = 0", "priority = 9"),
    ("modules/aws/identity", "alb_controller.tf", 'owned  = { StringEquals = { "aws:ResourceTag/${local.tag}" = var.cluster_name } }', "owned  = {}"),
    ("modules/aws/github-oidc", "main.tf", "environment:${var.apply_environment}", "environment:*"),
    ("modules/aws/state-bootstrap", "main.tf", 'status = "Enabled"\n  }\n}', 'status = "Suspended"\n  }\n}'),
    ("modules/aws/observability", "main.tf", 'missing = "breaching"', 'missing = "ignore"'),
    ("modules/local/mongod", "main.tf", 'local.alive ? local.record.trigger : plantimestamp()', '"once"'),
    ("modules/local/mongod", "main.tf", "!can(fileexists(var.folder))", "can(var.folder)"),
    ("modules/local/mongod", "variables.tf", "[1, 3]", "[1, 2, 3]"),
    ("modules/local/namespace", "main.tf", 'startswith(local.endpoint, "https://")', "can(local.endpoint)"),
    ("modules/local/namespace", "main.tf", '"${dirname(var.kubeconfig)}/${local.cluster["certificate-authority"]}"', 'local.cluster["certificate-authority"]'),
]


GUARD = re.compile(r"^( *)(?:validation|precondition|postcondition) \{\n(?:\1  #.*\n)*\1  condition +=", re.M)


def guards(chosen):
    """Every guard of a module that has tests, switched off: as Terraform wants it, the condition still names what it did."""
    for folder in sorted({file.parent for file in TERRAFORM.glob("modules/*/*/*.tf")}):
        module = str(folder.relative_to(TERRAFORM))
        if chosen and module not in chosen:
            continue
        for file in sorted(folder.glob("*.tf")):
            text = file.read_text()
            for found in GUARD.finditer(text):
                # The condition ends where the next argument of the block begins.
                rest = text[found.end() :]
                end = re.search(rf"^{found[1]}  error_message", rest, re.M).start()
                yield module, file.name, text[: found.end()] + f" can(\n{rest[:end].strip()}\n) || true\n" + rest[end:], f"{file.name}:{text.count(chr(10), 0, found.start()) + 1}"


def without_guards(chosen):
    survivors = []
    with Workspace("modules/pure/naming", providers=False) as first:
        for module, name, mutated, where in guards(chosen):
            work = first.beside(module)
            work.providers = not module.startswith(("modules/pure/", "modules/local/"))
            file = work.folder / name
            text = file.read_text()
            file.write_text(mutated)
            # A mutant that is not valid fails, too, and would look noticed.
            if work.init().run("validate", "-no-color", check=False).returncode:
                sys.exit(f"{module}/{where}: not valid when switched off, which proves nothing")
            failed = work.test().returncode != 0
            file.write_text(text)
            print("noticed " if failed else "SURVIVED", module, where, flush=True)
            if not failed:
                survivors.append(where)
    return 1 if survivors else 0


def main(chosen):
    if chosen and chosen[0] == "statements":
        return statements.without_statements(chosen[1:])
    if chosen and chosen[0] == "guards":
        return without_guards(chosen[1:])
    survivors = []
    with Workspace("modules/pure/naming", providers=False) as first:
        for module, name, before, after in EDITS:
            if chosen and module not in chosen:
                continue
            work = first.beside(module)
            work.providers = not module.startswith(("modules/pure/", "modules/local/"))
            file = work.folder / name
            text = file.read_text()
            if before not in text:
                sys.exit(f"{module}/{name} does not say {before!r} any more")
            file.write_text(text.replace(before, after, 1))
            if any(one.startswith("error") for one in work.init().validate()):
                sys.exit(f"{module}: not valid with {after!r}, which proves nothing")
            failed = work.test().returncode != 0
            file.write_text(text)
            print("noticed " if failed else "SURVIVED", module, before.split("\n")[0], flush=True)
            if not failed:
                survivors.append(module)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
