"""What the AWS environments come to when they are made: layers on each other, the bucket's own policy, who may become whom, a second plan, a restore."""

import itertools
import json
import pathlib
import unittest

import jsonschema
import workflows
from aws_environments import ENVIRONMENTS, LAYERS, environment, restore, restore_workspace
from harness import iam, resources

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "schemas" / "restore-contract.schema.json").read_text())
ACCOUNT = "123456789012"
GITHUB = "token.actions.githubusercontent.com"


def one_of(made, kind, name, key=None):
    found = [one for one in made if one.kind == kind and one.name == name and (key is None or one.address.endswith(f'["{key}"]'))]
    assert len(found) == 1, [one.address for one in found]
    return found[0]


class Layers(unittest.TestCase):
    def test_a_second_plan_changes_nothing(self):
        for name, layer in itertools.product(("dev",), LAYERS):
            again = environment(name)[layer].work.plan()
            changed = [one["address"] for one in again["resource_changes"] if one["change"]["actions"] not in (["no-op"], ["read"])]
            self.assertEqual(changed, [], f"{name}/{layer}")

    def test_the_layers_with_data_are_not_those_with_clusters(self):
        for name in ENVIRONMENTS:
            kinds = {layer: {one.kind for one in environment(name)[layer].made} for layer in LAYERS}
            self.assertIn("aws_eks_cluster", kinds["20-cluster"])
            for layer in ("20-cluster", "40-platform", "10-network"):
                self.assertNotIn("aws_s3_bucket", kinds[layer], f"a rebuilt cluster would plan the end of a bucket: {name}/{layer}")

    def test_environments_share_no_name(self):
        taken = {}
        for name, layer in itertools.product(ENVIRONMENTS, LAYERS):
            for one in environment(name)[layer].made:
                if one.kind in ("aws_s3_bucket", "aws_eks_cluster", "aws_iam_role", "aws_kms_alias") or one.kind == "aws_cloudwatch_log_group":
                    unique = one.values.get("bucket") or one.values["name"]
                    self.assertEqual(taken.setdefault((one.kind, unique), name), name, unique)

    def test_prod_has_what_costs_more_and_dev_has_not(self):
        count = {name: sum(one.kind == "aws_nat_gateway" for one in environment(name)["10-network"].made) for name in ENVIRONMENTS}
        self.assertEqual(count, {"dev": 1, "staging": 1, "prod": 3})
        replicas = {name: environment(name)["30-data"].outputs["archive"]["replica"] for name in ENVIRONMENTS}
        self.assertIsNone(replicas["dev"])
        self.assertEqual(replicas["prod"]["region"], "eu-west-1")
        self.assertEqual(environment("prod")["30-data"].outputs["archive"]["lock"], {"mode": "compliance", "days": 35})

    def test_tenants_are_data(self):
        urls = environment("prod")["30-data"].outputs["archive_urls"]
        self.assertEqual(set(urls), {"shop", "bakery"})
        self.assertTrue(urls["bakery"].startswith("s3://acme-tidemark-prod-euc1-archive/bakery?region=eu-central-1&sse=aws:kms&kms_key=arn:aws:kms:"))
        self.assertIn("&retention_days=35&retention_mode=compliance", urls["bakery"])
        roles = environment("prod")["40-platform"].outputs["archive_role_arns"]
        self.assertEqual({tenant: set(arns) for tenant, arns in roles.items()}, {name: {"writer", "reader", "expirer"} for name in ("shop", "bakery")})


class Bucket(unittest.TestCase):
    """The bucket's policy together with the roles of a tenant, as S3 sees both."""

    @classmethod
    def setUpClass(cls):
        prod = environment("prod")
        cls.policy = one_of(prod["30-data"].made, "aws_s3_bucket_policy", "archive").document("policy")
        cls.key = one_of(prod["30-data"].made, "aws_kms_key", "archive").values["arn"]
        cls.roles = {
            role: one_of(prod["40-platform"].made, "aws_iam_role_policy", "this", f"shop-{role}").document("policy") for role in ("writer", "reader", "expirer")
        }

    def may(self, role, action, key="rs0-1/snapshots/1/manifest.json", **keys):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true", "s3:if-none-match": "*"}
        context |= {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"} | {name.replace("__", ":"): value for name, value in keys.items()}
        identity = [self.roles[role]] if role in self.roles else [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        return iam.is_allowed(identity, action, f"arn:aws:s3:::acme-tidemark-prod-euc1-archive/shop/{key}", context, self.policy)

    def test_a_sidecar_puts_with_the_agreed_lock(self):
        lock = {"s3__object-lock-mode": "COMPLIANCE", "s3__object-lock-remaining-retention-days": 34}
        self.assertTrue(self.may("writer", "s3:PutObject", **lock))
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-mode": "GOVERNANCE"}), "a lock that somebody can undo")
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-remaining-retention-days": 7}), "a shorter lock")
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-remaining-retention-days": 36500}), "a lock for ever")

    def test_control_and_tombstones_have_no_lock(self):
        self.assertTrue(self.may("writer", "s3:PutObject", "rs0-1/control/archived.json"))
        self.assertTrue(self.may("expirer", "s3:PutObject"))

    def test_only_the_own_key_encrypts(self):
        own = {"s3__x-amz-server-side-encryption": "aws:kms", "s3__x-amz-server-side-encryption-aws-kms-key-id": self.key}
        self.assertTrue(self.may("writer", "s3:PutObject", **own))
        self.assertFalse(self.may("writer", "s3:PutObject", **own | {"s3__x-amz-server-side-encryption-aws-kms-key-id": self.key[:-1] + "x"}), "the key of a stranger")
        self.assertFalse(self.may("writer", "s3:PutObject", **{"s3__x-amz-server-side-encryption": "AES256"}))
        self.assertTrue(self.may("writer", "s3:PutObject"), "the bucket's default, without a header")

    def test_old_or_no_tls_is_refused_to_everybody(self):
        for role in ("writer", "reader", "expirer", "administrator"):
            self.assertTrue(self.may(role, "s3:GetObject"))
            self.assertFalse(self.may(role, "s3:GetObject", aws__SecureTransport="false"))
            self.assertFalse(self.may(role, "s3:GetObject", s3__TlsVersion="1.1"))

    def test_a_lock_is_gone_around_by_break_glass_with_a_second_factor_only(self):
        arn = "arn:aws:iam::333333333333:role/break-glass"
        bypass = "s3:BypassGovernanceRetention"
        self.assertFalse(self.may("administrator", bypass, **{"aws__MultiFactorAuthPresent": "true"}))
        self.assertFalse(self.may("break-glass", bypass, **{"aws__PrincipalArn": arn}))
        self.assertTrue(self.may("break-glass", bypass, **{"aws__PrincipalArn": arn, "aws__MultiFactorAuthPresent": "true"}))

    def test_the_key_is_deleted_by_break_glass_only(self):
        key = one_of(environment("prod")["30-data"].made, "aws_kms_key", "archive").document("policy")
        everything = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
            for arn, allowed in (("arn:aws:iam::333333333333:role/break-glass", True), ("arn:aws:iam::333333333333:role/administrator", False)):
                principal = {"AWS": arn}
                self.assertEqual(iam.is_allowed(everything, action, self.key, {"aws:PrincipalArn": arn}, key, principal), allowed, (action, arn))

    def test_the_replication_copies_and_undoes_nothing(self):
        document = [one_of(environment("prod")["30-data"].made, "aws_iam_role_policy", "replication").document("policy")]
        source, replica = (f"arn:aws:s3:::acme-tidemark-prod-euc1-archive{suffix}/shop/x" for suffix in ("", "-replica"))
        self.assertTrue(iam.is_allowed(document, "s3:GetObjectVersionForReplication", source))
        self.assertTrue(iam.is_allowed(document, "s3:ReplicateObject", replica))
        for action in ("s3:ReplicateDelete", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObject"):
            self.assertFalse(iam.is_allowed(document, action, replica), action)
        self.assertFalse(iam.is_allowed(document, "s3:ReplicateObject", source))


def listed(value):
    return value if isinstance(value, list) else [value]


class Drill(unittest.TestCase):
    """What the job of the weekly drill can do with all that its role has, at the bucket of the archive and elsewhere."""

    ARCHIVE = "arn:aws:s3:::acme-tidemark-prod-euc1-archive"
    STORED = ["lineage.json", "snapshots/1/manifest.json", "oplog/20260101/x.bson.zst", "gaps/a_b.json", "references/1_1.json"]
    LEASES = ["control/archiver-lease/heartbeat-1.json", "control/archived.json"]
    PINS = ["control/pins/drill.json", "control/protect/1.json", "control/freeze.json"]

    @classmethod
    def setUpClass(cls):
        prod = environment("prod")
        made = prod["00-bootstrap"].made
        [role] = [one.values["name"] for one in made if one.kind == "aws_iam_role" and one.values["name"].endswith("-github-drill")]
        cls.given = [one for one in made if one.kind in ("aws_iam_role_policy", "aws_iam_role_policy_attachment") and one.values["role"].endswith(role)]
        cls.documents = [one.document("policy") for one in cls.given if one.kind == "aws_iam_role_policy"]
        cls.bucket_policy = one_of(prod["30-data"].made, "aws_s3_bucket_policy", "archive").document("policy")
        cls.key = one_of(prod["30-data"].made, "aws_kms_key", "archive")
        cls.principal = f"arn:aws:iam::{ACCOUNT}:role/{role}"

    def may(self, action, resource, **keys):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true", "aws:PrincipalArn": self.principal}
        return iam.is_allowed(self.documents, action, resource, context | {name.replace("__", ":"): value for name, value in keys.items()}, self.bucket_policy)

    def objects(self, *keys, tenant="shop"):
        return [f"{self.ARCHIVE}/{tenant}/rs0-0123/{key}" for key in keys]

    def test_nothing_is_given_but_one_policy(self):
        self.assertEqual([one.kind for one in self.given], ["aws_iam_role_policy"])

    def test_it_reads_the_archive_of_its_tenant_and_no_other(self):
        for resource in self.objects(*self.STORED, *self.LEASES, *self.PINS, "drills/1.json"):
            self.assertTrue(self.may("s3:GetObject", resource), resource)
            self.assertFalse(self.may("s3:GetObject", resource, aws__SecureTransport="false"))
        self.assertTrue(self.may("s3:ListBucket", self.ARCHIVE, s3__prefix="shop/rs0-0123/"))
        for action, resource in itertools.product(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), self.objects(*self.STORED, *self.PINS, "drills/1.json", tenant="bakery")):
            self.assertFalse(self.may(action, resource, **{"s3__if-none-match": "*"}), (action, resource))
        for prefix in ("", "bakery/", "shop"):
            self.assertFalse(self.may("s3:ListBucket", self.ARCHIVE, s3__prefix=prefix), prefix)

    def test_it_writes_new_reports_pins_protections_and_the_freeze_only(self):
        created = {"s3__if-none-match": "*"}
        for resource in self.objects("drills/1.json"):
            self.assertTrue(self.may("s3:PutObject", resource, **created))
            self.assertFalse(self.may("s3:PutObject", resource), "a report is replaced")
            self.assertFalse(self.may("s3:DeleteObject", resource))
        for resource in self.objects(*self.PINS):
            self.assertTrue(self.may("s3:PutObject", resource) and self.may("s3:DeleteObject", resource), resource)
        changing = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention", "s3:PutObjectAcl")
        for action, resource in itertools.product(changing, self.objects(*self.STORED, *self.LEASES)):
            self.assertFalse(self.may(action, resource, aws__MultiFactorAuthPresent="true", **created), (action, resource))
        for action, resource in itertools.product(changing[2:], self.objects(*self.PINS, "drills/1.json")):
            self.assertFalse(self.may(action, resource, aws__MultiFactorAuthPresent="true", **created), (action, resource))

    def test_its_key_is_that_of_the_archive_through_s3(self):
        through = {"kms:ViaService": "s3.eu-central-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": self.ARCHIVE}

        def may(action, context, key=self.key.values["arn"]):
            return iam.is_allowed(self.documents, action, key, context, self.key.document("policy"))

        self.assertTrue(may("kms:Decrypt", through))
        self.assertFalse(may("kms:Decrypt", {}), "straight")
        self.assertFalse(may("kms:Decrypt", through | {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}))
        for other in ("arn:aws:s3:::acme-tidemark-prod-euc1-state", "arn:aws:s3:::acme-tidemark-prod-euc1-archive-replica", f"{self.ARCHIVE}/bakery/x"):
            self.assertFalse(may("kms:Decrypt", through | {"kms:EncryptionContext:aws:s3:arn": other}), other)
        self.assertFalse(may("kms:Decrypt", through, self.key.values["arn"].replace(ACCOUNT, "999999999999")), "of another account")
        for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKey", "kms:CreateGrant", "kms:Encrypt"):
            self.assertFalse(may(action, through), action)

    def test_it_can_do_nothing_else(self):
        """Not what any other role of the environment is given, on anything."""
        grants = [statement for one in Limits.grants() for statement in one["Statement"]]
        for name, layer in (("this", "40-platform"), ("this", "00-bootstrap")):
            for one in environment("prod")[layer].made:
                if (one.kind, one.name) == ("aws_iam_role_policy", name) and "-github-drill" not in one.values["role"]:
                    grants += [statement for statement in one.document("policy")["Statement"] if statement["Effect"] == "Allow"]
        actions = {action for statement in grants for action in listed(statement["Action"])} | {"sts:AssumeRole", "ec2:RunInstances", "iam:CreateUser", "secretsmanager:GetSecretValue"}
        self.assertGreater(len(actions), 180)
        for action in sorted(actions):
            for resource in ("*", "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate", "arn:aws:s3:::acme-tidemark-prod-euc1-archive-replica/shop/x"):
                self.assertFalse(self.may(action, resource, **{"s3__prefix": "shop/", "s3__if-none-match": "*"}), (action, resource))


class Limits:
    """The roles of pipelines as they are at worst: with a policy that gives everything, their own, and the boundary."""

    @staticmethod
    def boundary(role, name="prod"):
        return one_of(environment(name)["00-bootstrap"].made, "aws_iam_policy", "boundary", role).document("policy")

    @staticmethod
    def grants(name="prod"):
        return [one_of(environment(name)["00-bootstrap"].made, "aws_iam_policy", "grant", part).document("policy") for part in ("cluster", "data")]

    @classmethod
    def may(cls, role, action, resource, context=()):
        full = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        own = one_of(environment("prod")["00-bootstrap"].made, "aws_iam_role_policy", "this", role).document("policy")
        # A boundary and an identity's policies are asked each for itself, and both have to say yes.
        return iam.is_allowed([full, own], action, resource, context) and iam.is_allowed([cls.boundary(role)], action, resource, context)


class Trust(unittest.TestCase):
    def test_a_role_of_the_archive_is_for_one_account_of_one_namespace_of_one_cluster(self):
        made = environment("prod")["40-platform"].made
        trust = one_of(made, "aws_iam_role", "this", "shop-writer").document("assume_role_policy")
        right = {
            "aws:SourceArn": environment("prod")["20-cluster"].outputs["cluster"]["arn"], "aws:SourceAccount": ACCOUNT,
            "aws:RequestTag/kubernetes-namespace": "shop", "aws:RequestTag/kubernetes-service-account": "shop-mongodb",
        }  # fmt: skip
        pods = {"Service": "pods.eks.amazonaws.com"}
        self.assertTrue(iam.trusts(trust, "sts:AssumeRole", pods, right))
        for key, other in (
            ("aws:SourceArn", right["aws:SourceArn"] + "-other"), ("aws:SourceAccount", "999999999999"),
            ("aws:RequestTag/kubernetes-namespace", "bakery"), ("aws:RequestTag/kubernetes-service-account", "default"),
        ):  # fmt: skip
            self.assertFalse(iam.trusts(trust, "sts:AssumeRole", pods, right | {key: other}), key)
            self.assertFalse(iam.trusts(trust, "sts:AssumeRole", pods, {name: value for name, value in right.items() if name != key}), f"without {key}")
        self.assertFalse(iam.trusts(trust, "sts:AssumeRole", {"Service": "ec2.amazonaws.com"}, right))

    def test_a_pipeline_gets_the_role_of_its_job_and_no_other(self):
        made = environment("prod")["00-bootstrap"].made
        roles = {role: one_of(made, "aws_iam_role", "this", role).document("assume_role_policy") for role in ("plan", "apply", "push", "drill")}
        repository = "repo:example/tidemark"
        jobs = {
            **{f"{repository}:environment:{name}": {role} for role, name in workflows.environments("aws", "prod").items()},
            f"{repository}:pull_request": set(),
            f"{repository}:ref:refs/heads/main": set(),
            f"{repository}:ref:refs/heads/feature": set(),
            f"{repository}:environment:aws-prod-2": set(),
            f"{repository}:environment:aws-staging-plan": set(),
            f"{repository}:environment:drill-aws-staging": set(),
            f"{repository}:environment:drill-azure-prod": set(),
            f"{repository}:environment:release-azure": set(),
            "repo:example/other:environment:aws-prod": set(),
            "repo:someone/tidemark:environment:aws-prod": set(),
        }
        [federated] = {statement["Principal"]["Federated"] for document in roles.values() for statement in document["Statement"]}
        for subject, expected in jobs.items():
            context = {f"{GITHUB}:sub": subject, f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:repository_id": "123456789"}
            got = {role for role, document in roles.items() if iam.trusts(document, "sts:AssumeRoleWithWebIdentity", {"Federated": federated}, context)}
            self.assertEqual(got, expected, subject)
            for key, other in ((f"{GITHUB}:aud", "https://github.com/example"), (f"{GITHUB}:repository_id", "1")):
                wrong = context | {key: other}
                self.assertFalse(any(iam.trusts(one, "sts:AssumeRoleWithWebIdentity", {"Federated": federated}, wrong) for one in roles.values()), key)

    def test_a_role_to_drill_with_is_there_where_the_workflow_drills(self):
        for name in ENVIRONMENTS:
            roles = {one.address.split('"')[1]: one for one in environment(name)["00-bootstrap"].made if (one.kind, one.name) == ("aws_iam_role", "this")}
            self.assertEqual("drill" in roles, ("aws", name) in workflows.drills(), name)
            self.assertEqual({role: one.values["max_session_duration"] for role, one in roles.items() if role != "drill"}, dict.fromkeys(roles.keys() - {"drill"}, 3600))
            if "drill" in roles:
                self.assertEqual(roles["drill"].values["max_session_duration"], workflows.seconds_of_a_drill())

    def test_pipelines_read_no_backups_and_a_plan_writes_no_state(self):
        made = environment("prod")["00-bootstrap"].made
        full = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}  # worse than any managed policy
        for role in ("plan", "apply"):
            document = one_of(made, "aws_iam_role_policy", "this", role).document("policy")
            for bucket in ("acme-tidemark-prod-euc1-archive", "acme-tidemark-prod-euc1-archive-replica"):
                for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"):
                    self.assertFalse(iam.is_allowed([full, document], action, f"arn:aws:s3:::{bucket}/shop/x"), (role, action))
        plan = [one_of(made, "aws_iam_role_policy", "this", "plan").document("policy")]
        state = "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate"
        self.assertTrue(iam.is_allowed(plan, "s3:GetObject", state))
        for action in ("s3:PutObject", "s3:DeleteObject"):
            self.assertFalse(iam.is_allowed(plan, action, state), action)

    def test_who_plans_changes_nothing_and_sees_no_contents_whatever_it_is_given(self):
        changing = [action for one in Limits.grants() for statement in one["Statement"] for action in listed(statement["Action"])]
        self.assertGreater(len(changing), 150)
        for action in [*changing, "s3:PutObject", "s3:DeleteObject", "iam:CreateUser", "kms:ScheduleKeyDeletion", "dynamodb:PutItem"]:
            self.assertFalse(Limits.may("plan", action, "*"), action)
        state, other = "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate", "arn:aws:s3:::payroll/2026.csv"
        self.assertTrue(Limits.may("plan", "s3:GetObject", state))
        self.assertTrue(Limits.may("plan", "eks:DescribeCluster", "*"))
        for action in ("s3:GetObject", "ssm:GetParameter", "secretsmanager:GetSecretValue", "dynamodb:GetItem", "kms:Decrypt"):
            self.assertFalse(Limits.may("plan", action, other), action)

    def test_who_applies_cannot_leave_its_limits_whatever_it_is_given(self):
        role, policy = (f"arn:aws:iam::{ACCOUNT}:{kind}/acme-tidemark-prod-euc1-" for kind in ("role", "policy"))
        workload = {"iam:PermissionsBoundary": policy + "workload"}
        for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"):
            self.assertTrue(Limits.may("apply", action, role + "k8s-nodes", workload), action)
            self.assertFalse(Limits.may("apply", action, role + "k8s-nodes"), f"{action} without a boundary")
            self.assertFalse(Limits.may("apply", action, role + "k8s-nodes", {"iam:PermissionsBoundary": policy + "github-apply-boundary"}), f"{action} with a wider one")
        for name in ("github-apply", "github-plan", "github-push", "github-drill"):
            for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:PassRole",
                           "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"):  # fmt: skip
                self.assertFalse(Limits.may("apply", action, role + name, workload), (action, name))
        self.assertFalse(Limits.may("apply", "iam:DeleteRolePermissionsBoundary", role + "k8s-nodes", workload))
        for action in ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy", "iam:CreatePolicy"):
            for name in ("github-apply-boundary", "workload", "github-apply-data"):
                self.assertFalse(Limits.may("apply", action, policy + name), (action, name))
        for action in ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateOpenIDConnectProvider", "iam:CreateSAMLProvider", "organizations:LeaveOrganization", "sts:AssumeRole"):
            self.assertFalse(Limits.may("apply", action, "*"), action)

    def test_who_applies_touches_no_backup_no_lock_and_not_the_states_of_administrators(self):
        for archive in ("acme-tidemark-prod-euc1-archive", "acme-tidemark-prod-euc1-archive-replica"):
            for action in ("s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
                self.assertFalse(Limits.may("apply", action, f"arn:aws:s3:::{archive}/shop/x"), action)
            self.assertFalse(Limits.may("apply", "s3:DeleteBucket", f"arn:aws:s3:::{archive}"))
            self.assertTrue(Limits.may("apply", "s3:PutBucketPolicy", f"arn:aws:s3:::{archive}"))
        states = "arn:aws:s3:::acme-tidemark-prod-euc1-state"
        self.assertTrue(Limits.may("apply", "s3:PutObject", f"{states}/10-network.tfstate"))
        for name in ("00-bootstrap.tfstate", "00-bootstrap.tfstate.tflock"):
            self.assertFalse(Limits.may("apply", "s3:PutObject", f"{states}/{name}"))
        self.assertFalse(Limits.may("apply", "s3:DeleteObjectVersion", f"{states}/10-network.tfstate"), "history of states")
        for action in ("s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:DeleteBucket", "s3:PutLifecycleConfiguration"):
            self.assertFalse(Limits.may("apply", action, states), action)
        key = one_of(environment("prod")["00-bootstrap"].made, "aws_kms_key", "this").values["arn"]
        self.assertTrue(Limits.may("apply", "kms:GenerateDataKey", key))
        for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant"):
            self.assertFalse(Limits.may("apply", action, key), action)

    def test_what_is_given_is_within_the_limits(self):
        """A grant that the boundary takes back would be found by the first apply."""
        workload = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/acme-tidemark-prod-euc1-workload"}
        for document in Limits.grants():
            for statement in document["Statement"]:
                for action, resource in itertools.product(listed(statement["Action"]), listed(statement["Resource"])):
                    self.assertTrue(iam.is_allowed([Limits.boundary("apply")], action, resource.replace("*", "x"), workload), (statement["Sid"], action, resource))

    def test_every_role_of_every_layer_is_within_the_boundary_and_has_what_it_needs(self):
        boundary = Limits.boundary("workload")
        for name in ENVIRONMENTS:
            for layer in LAYERS[1:]:
                for one in environment(name)[layer].made:
                    if one.kind == "aws_iam_role":
                        self.assertTrue((one.values["permissions_boundary"] or "").endswith(f":policy/acme-tidemark-{name}-euc1-workload"), one.address)
                        self.assertTrue(one.values["name"].startswith(f"acme-tidemark-{name}-euc1-"), one.address)
                    if one.kind == "aws_iam_role_policy" and name == "prod":
                        for statement in one.document("policy")["Statement"]:
                            if statement["Effect"] == "Allow":
                                for action, resource in itertools.product(listed(statement["Action"]), listed(statement["Resource"])):
                                    self.assertTrue(iam.is_allowed([boundary], action, resource), (one.address, action))
        for action in ("iam:CreateUser", "iam:PutRolePolicy", "iam:PassRole", "s3:PutBucketPolicy", "s3:BypassGovernanceRetention", "kms:PutKeyPolicy", "sts:AssumeRole"):
            self.assertFalse(iam.is_allowed([boundary], action, "*"), action)

    def test_roles_of_a_region_that_is_copied_to_can_be_made(self):
        for name in ENVIRONMENTS:
            replica = environment(name)["30-data"].outputs["archive"]["replica"]
            regions = {region for statement in Limits.grants(name)[0]["Statement"] if statement["Sid"] == "Network" for region in statement["Condition"]["StringEquals"]["aws:RequestedRegion"]}
            self.assertEqual(regions, {"eu-central-1"} | ({replica["region"]} if replica else set()))

    def test_the_balancer_controller_touches_what_is_its_clusters(self):
        document = [one_of(environment("prod")["40-platform"].made, "aws_iam_role_policy", "this", "alb-controller").document("policy")]
        balancer = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:loadbalancer/app/x/1"
        tag = "aws:ResourceTag/elbv2.k8s.aws/cluster"
        self.assertTrue(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer, {tag: "acme-tidemark-prod-euc1-k8s"}))
        self.assertFalse(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer, {tag: "another"}))
        self.assertFalse(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer))
        self.assertFalse(iam.is_allowed(document, "iam:CreateServiceLinkedRole", "*"))


class Restore(unittest.TestCase):
    def test_the_contract_is_that_of_the_schema(self):
        for variables in ({}, {"edge": '{"host":"orders.example.com"}', "resume_backups": "true"}):
            contract = restore(**variables).outputs["restore_contract"]
            jsonschema.validate(contract, SCHEMA)
            self.assertEqual((contract["provider"], contract["source_environment"], contract["kube_context"]), ("aws", "prod", contract["cluster"]["name"]))
            self.assertTrue(contract["cluster"]["name"].endswith("-7f3a9c"))

    def test_the_schema_refuses_another_version_and_a_password(self):
        contract = restore().outputs["restore_contract"]
        for change in ({"schema_version": 2}, {"provider": "gcp"}, {"destination_uri": "mongodb://u:p@h/"}, {"archive": {"url": "https://x"}}):
            with self.subTest(change), self.assertRaises(jsonschema.ValidationError):
                jsonschema.validate(contract | change, SCHEMA)
        with self.assertRaises(jsonschema.ValidationError):
            jsonschema.validate({name: value for name, value in contract.items() if name != "namespace"}, SCHEMA)

    def test_everything_is_fresh_and_nothing_of_the_archive_is_owned(self):
        made = restore().made
        self.assertFalse({"aws_s3_bucket", "aws_s3_bucket_policy", "aws_ecr_repository"} & {one.kind for one in made})
        archive_key = restore().outputs["restore_contract"]["archive"]["kms_key"]
        self.assertNotIn(archive_key, [one.values.get("arn") for one in made if one.kind == "aws_kms_key"])
        for one in made:
            if one.kind in ("aws_iam_role", "aws_eks_cluster"):
                self.assertIn("7f3a9c", one.values["name"])
            if one.kind == "aws_iam_role" and one.name == "this":
                trust = one.document("assume_role_policy")["Statement"][0]
                self.assertIn("7f3a9c", trust["Condition"]["ArnEquals"]["aws:SourceArn"], "bound to a cluster that is gone")
                self.assertNotIn("oidc", json.dumps(trust).lower(), "bound to the issuer of a cluster")

    def test_what_a_restore_made_can_be_told(self):
        for one in restore().made:
            if "tags" in one.values and one.values["tags"]:
                self.assertEqual((one.values["tags"].get("restore-of"), one.values["tags"].get("restore-suffix")), ("prod", "7f3a9c"), one.address)

    def test_a_drill_reads_and_a_takeover_writes(self):
        drill, takeover = restore(), restore(edge='{"host":"orders.example.com"}', resume_backups="true")
        for applied, role, enabled in ((drill, "reader", False), (takeover, "writer", True)):
            contract = applied.outputs["restore_contract"]
            self.assertTrue(contract["workload_identity"]["identity"].endswith(f"shop-{role}"))
            self.assertEqual(contract["workload_identity"]["service_account"], contract["chart"]["values"]["mongodb"]["serviceAccount"]["name"])
            self.assertEqual(contract["chart"]["values"]["mongodb"]["sidecar"], {"enabled": enabled, "newLineage": enabled})
            self.assertEqual("retention_days=35" in contract["archive"]["url"], enabled)
            roles = [one for one in applied.made if one.kind == "aws_eks_pod_identity_association" and one.values["namespace"] == "shop"]
            self.assertEqual(len(roles), 1)
        self.assertEqual(drill.outputs["restore_contract"]["ingress"]["kind"], "none")
        self.assertTrue(takeover.outputs["restore_contract"]["ingress"]["waf_acl"])

    def test_a_second_plan_changes_nothing_not_even_the_time(self):
        applied = restore()
        again = applied.work.plan()
        self.assertEqual([one["address"] for one in again["resource_changes"] if one["change"]["actions"] not in (["no-op"], ["read"])], [])
        self.assertEqual(again["planned_values"]["outputs"]["restore_contract"]["value"], applied.outputs["restore_contract"])

    def test_bad_input_is_refused_with_the_reason(self):
        with restore_workspace() as work:
            work.init()
            network = {"cidr": "10.20.0.0/16", "zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"], "taken": ["10.20.0.0/16"]}
            for variables, reason in (
                ({"suffix": ""}, "Without one a restore would adopt what is there"),
                ({"network": network}, "overlaps 10.20.0.0/16"),
                ({"cluster": {"access": {}}}, "nobody, dr-cli included, could reach"),
                ({"tenant": {"name": "much-too-long-a-name"}}, "2 to 14 lower-case letters"),
                ({"resume_backups": "true", "archive": {"bucket": "b", "region": "eu-central-1", "kms_key_arn": "arn"}}, "needs archive.lock"),
            ):
                with self.subTest(reason):
                    self.assertIn(reason, work.refuses(**variables))

    def test_destroying_leaves_nothing(self):
        with restore_workspace() as work:
            work.init().apply()
            work.run("destroy", "-no-color", "-auto-approve")
            self.assertEqual(resources.of_state(json.loads(work.run("show", "-json").stdout)), [])


if __name__ == "__main__":
    unittest.main()
