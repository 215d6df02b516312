#!/usr/bin/env python3
"""Makes careless edits in copies of the modules and says which of them `terraform test` does not notice (exit code 1).

PYTHONPATH=terraform/testing TERRAFORM_MIRROR=… terraform/testing/mutants.py [MODULE]…          the edits below
                                                 terraform/testing/mutants.py guards [MODULE]…   each validation and condition that refuses something, taken away
                                                 terraform/testing/mutants.py statements         each denial and each condition of a policy, taken away: by the tests that
                                                                                                 judge policies as data (PYTHONPATH also has terraform and jsonschema)
"""

import copy
import io
import json
import pathlib
import re
import sys
import unittest

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


def weaker(document):
    """Each copy of a policy without a denial, or without a condition of a permission, and which."""
    for place, statement in enumerate(document["Statement"]):
        name = statement.get("Sid", place)
        if statement["Effect"] == "Deny":
            yield f"without {name}", document | {"Statement": [one for one in document["Statement"] if one is not statement]}
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys if statement["Effect"] == "Allow" else []:
                again = copy.deepcopy(document)
                del again["Statement"][place]["Condition"][operator][key]
                yield f"{name} without {key}", again
        if statement["Effect"] == "Allow" and statement.get("Resource", "*") not in ("*", ["*"]):
            again = copy.deepcopy(document)
            again["Statement"][place]["Resource"] = "*"
            yield f"{name} on everything", again


def notices(*cases):
    """Whether a test fails; what is applied already is not applied again."""
    suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases)
    return not unittest.TextTestRunner(stream=io.StringIO(), failfast=True).run(suite).wasSuccessful()


def without_statements():
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "tests"))
    import test_archive_policies
    import test_aws_environments
    import test_azure_roles

    survivors = []

    def judge(what, cases):
        failed = notices(*cases)
        print("noticed " if failed else "SURVIVED", what, flush=True)
        if not failed:
            survivors.append(what)

    class Roles(test_archive_policies.Roles):
        @classmethod
        def setUpClass(cls):
            cls.documents = documents

    test_archive_policies.Roles.setUpClass()
    good = test_archive_policies.Roles.documents
    for role, document in good[test_archive_policies.TENANT].items():
        for what, weak in weaker(document):
            documents = good | {test_archive_policies.TENANT: good[test_archive_policies.TENANT] | {role: weak}}
            judge(f"modules/pure/archive-policies {role} {what}", [Roles])

    class AzureRoles(test_azure_roles.Roles):
        @classmethod
        def setUpClass(cls):
            cls.roles = roles

    test_azure_roles.Roles.setUpClass()
    good = test_azure_roles.Roles.roles
    actions = {action for role in good.values() for action in role["data_actions"]}
    for name, role in good.items():
        edits = {f"with {action}": role | {"data_actions": [*role["data_actions"], action]} for action in sorted(actions - set(role["data_actions"]))}
        clauses = role["condition"].split(" AND ") if role["condition"] else []
        for clause in clauses:
            edits[f"without {clause[:110]}…"] = role | {"condition": " AND ".join(one for one in clauses if one != clause) or None}
        for what, edited in edits.items():
            roles = good | {name: edited}
            judge(f"modules/azure/archive-rules {name} {what}", [AzureRoles])

    # prod has everything that an environment may have; the others are the same but for values.
    test_aws_environments.ENVIRONMENTS = ("prod",)
    prod = test_aws_environments.environment("prod")
    cases = [test_aws_environments.Drill, test_aws_environments.Trust, test_aws_environments.Bucket]
    assert not notices(*cases), "the tests fail without an edit"
    chosen = {"00-bootstrap": ("aws_iam_policy", "aws_iam_role_policy", "aws_iam_role"), "30-data": ("aws_s3_bucket_policy", "aws_kms_key", "aws_iam_role_policy"), "40-platform": ("aws_iam_role",)}
    for layer, kinds in chosen.items():
        for one in prod[layer].made:
            # Grants are judged by the policies on plans, the buckets of logs and replicas by theirs.
            if one.kind not in kinds or (one.kind, one.name) == ("aws_iam_policy", "grant") or one.name.startswith(("logs", "replica")) and one.kind != "aws_iam_role_policy":
                continue
            for attribute in {"policy", "assume_role_policy"} & one.values.keys():
                given = one.values[attribute]
                for what, document in weaker(json.loads(given)):
                    one.values[attribute] = json.dumps(document)
                    judge(f"{layer} {one.address} {what}", cases)
                one.values[attribute] = given
    return 1 if survivors else 0


def main(chosen):
    if chosen == ["statements"]:
        return without_statements()
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
