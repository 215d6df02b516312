"""Statements of policies taken away or weakened, one at a time, and the tests that judge policies as data: the part `statements` of mutants.py."""

import copy
import functools
import io
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "tests"))


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


def kept(case):
    """The same tests of what was made once, and is edited between two runs of them."""
    case.setUpClass()
    return type(case.__name__, (case,), {"setUpClass": classmethod(lambda cls: None)})


def statements_of_archives():
    """What is edited, and the cases that judge it, while it is."""
    import test_archive_policies

    roles = kept(test_archive_policies.Roles)
    good = roles.documents
    for role, document in good[test_archive_policies.TENANT].items():
        for what, weak in weaker(document):
            roles.documents = good | {test_archive_policies.TENANT: good[test_archive_policies.TENANT] | {role: weak}}
            yield f"modules/pure/archive-policies {role} {what}", [roles]


def statements_of_archives_on_azure():
    import test_azure_roles

    roles = kept(test_azure_roles.Roles)
    good = roles.roles
    actions = {action for role in good.values() for action in role["data_actions"]}
    for name, role in good.items():
        edits = {f"with {action}": role | {"data_actions": [*role["data_actions"], action]} for action in sorted(actions - set(role["data_actions"]))}
        clauses = role["condition"].split(" AND ") if role["condition"] else []
        for clause in clauses:
            edits[f"without {clause[:110]}…"] = role | {"condition": " AND ".join(one for one in clauses if one != clause) or None}
        for what, edited in edits.items():
            roles.roles = good | {name: edited}
            yield f"modules/azure/archive-rules {name} {what}", [roles]


JUDGED = {
    "00-bootstrap": ("aws_iam_policy", "aws_iam_role_policy", "aws_iam_role"),
    "10-network": ("aws_iam_role",),
    "20-cluster": ("aws_iam_role",),
    "30-data": ("aws_s3_bucket_policy", "aws_kms_key", "aws_iam_role_policy", "aws_iam_role"),
    "40-platform": ("aws_iam_role",),
}


def statements_of_a_layer(layer):
    """Of prod, which has everything that an environment may have; the others are the same but for values."""
    import test_aws_archive
    import test_aws_pipelines
    import test_aws_trust

    test_aws_pipelines.ENVIRONMENTS = test_aws_trust.ENVIRONMENTS = ("prod",)
    cases = [test_aws_trust.Services, test_aws_trust.Jobs, test_aws_pipelines.Given, test_aws_pipelines.Limits]
    cases += [test_aws_archive.Bucket, test_aws_archive.Replication, test_aws_archive.Drill]
    made = test_aws_trust.environment("prod")[layer].made
    assert not notices(*cases), "the tests fail without an edit"
    for one in made:
        # Grants are judged by the policies on plans, the buckets of logs and replicas by theirs.
        bucket = one.kind in ("aws_s3_bucket_policy", "aws_kms_key")
        if one.kind not in JUDGED[layer] or (one.kind, one.name) == ("aws_iam_policy", "grant") or bucket and one.name.startswith(("logs", "replica")):
            continue
        for attribute in sorted({"policy", "assume_role_policy"} & one.values.keys()):
            given = one.values[attribute]
            for what, document in weaker(json.loads(given)):
                one.values[attribute] = json.dumps(document)
                yield f"{layer} {one.address} {what}", cases
            one.values[attribute] = given


def without_statements(chosen):
    parts = {"modules/pure/archive-policies": statements_of_archives, "modules/azure/archive-rules": statements_of_archives_on_azure}
    parts |= {layer: functools.partial(statements_of_a_layer, layer) for layer in JUDGED}
    asked, survivors = 0, []
    for part, edits in parts.items():
        if chosen and not any(one.startswith(part) or part.startswith(one) for one in chosen):
            continue
        for what, cases in edits():
            if chosen and not what.startswith(tuple(chosen)):
                continue
            failed = notices(*cases)
            print("noticed " if failed else "SURVIVED", what, flush=True)
            asked += 1
            if not failed:
                survivors.append(what)
    if not asked:
        sys.exit("no statement is called so")
    print(f"{asked} statements, {len(survivors)} not missed")
    return 1 if survivors else 0
