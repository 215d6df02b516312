"""What pipelines can do on AWS, and every role that they make, whatever they are given."""

import itertools
import unittest

from aws_environments import ACCOUNT, ENVIRONMENTS, LAYERS, environment, one_of
from aws_pipelines import EVERYTHING, boundary, grants, may, own
from harness import iam


PROD = "acme-tidemark-prod-euc1"
STATES = f"arn:aws:s3:::{PROD}-state"
ARCHIVES = [f"arn:aws:s3:::{PROD}-archive{suffix}" for suffix in ("", "-replica")]
# What a boundary is silent about it stops for the role, but not for a session of it that a policy of the resource names.
LETS_EVERYBODY_IN = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}


def key_of_states():
    return one_of(environment("prod")["00-bootstrap"].made, "aws_kms_key", "this").values["arn"]


class Given(unittest.TestCase):
    """What the roles of pipelines are given for themselves, before any boundary."""

    def test_pipelines_read_no_backups_and_a_plan_writes_no_state(self):
        made = environment("prod")["00-bootstrap"].made
        for role in ("plan", "apply"):
            document = one_of(made, "aws_iam_role_policy", "this", role).document("policy")
            for bucket in ("acme-tidemark-prod-euc1-archive", "acme-tidemark-prod-euc1-archive-replica"):
                for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"):
                    self.assertFalse(iam.is_allowed([EVERYTHING, document], action, f"arn:aws:s3:::{bucket}/shop/x"), (role, action))
        plan = [one_of(made, "aws_iam_role_policy", "this", "plan").document("policy")]
        state = "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate"
        self.assertTrue(iam.is_allowed(plan, "s3:GetObject", state))
        for action in ("s3:PutObject", "s3:DeleteObject"):
            self.assertFalse(iam.is_allowed(plan, action, state), action)

    def test_a_pipeline_finds_and_opens_the_states_of_its_own_environment_only(self):
        state, key = "10-network.tfstate", key_of_states()
        for role, writes in (("plan", False), ("apply", True)):
            for bucket in (STATES, STATES.replace("prod", "staging"), "arn:aws:s3:::payroll"):
                for action, resource, allowed in (
                    ("s3:ListBucket", bucket, True), ("s3:GetObject", f"{bucket}/{state}", True), ("s3:PutObject", f"{bucket}/{state}", writes),
                    ("s3:DeleteObject", f"{bucket}/{state}.tflock", writes), ("s3:DeleteObject", f"{bucket}/{state}", False),
                ):  # fmt: skip
                    self.assertEqual(iam.is_allowed([own(role)], action, resource), allowed and bucket == STATES, (role, action, resource))
            for action, allowed in (("kms:Decrypt", True), ("kms:GenerateDataKey", writes), ("kms:ScheduleKeyDeletion", False)):
                self.assertEqual(iam.is_allowed([own(role)], action, key), allowed, (role, action))
                self.assertFalse(iam.is_allowed([own(role)], action, f"{key}-of-staging"), (role, action))

    def test_a_release_adds_images_to_the_own_repositories_and_takes_none_away(self):
        own_repositories = [one.values["arn"] for one in environment("prod")["30-data"].made if one.kind == "aws_ecr_repository"]
        self.assertTrue(own_repositories)
        others = [f"arn:aws:ecr:eu-central-1:{account}:repository/{name}" for account, name in ((ACCOUNT, "payroll/api"), ("999999999999", "tidemark/sidecar"))]
        for repository in own_repositories + others:
            for action in ("ecr:PutImage", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:BatchGetImage"):
                self.assertEqual(iam.is_allowed([own("push")], action, repository), repository in own_repositories, (action, repository))
            for action in ("ecr:BatchDeleteImage", "ecr:DeleteRepository", "ecr:PutImageTagMutability", "ecr:SetRepositoryPolicy"):
                self.assertFalse(iam.is_allowed([own("push")], action, repository), (action, repository))


class Limits(unittest.TestCase):
    """What they cannot, and no role that they make, whatever they are given."""

    def test_a_boundary_keeps_pipelines_from_backups_by_itself(self):
        """Also where nothing of its own keeps the role from them, and the bucket's policy lets its session in."""
        for role in ("plan", "apply"):
            self.assertTrue(iam.is_allowed([boundary(role)], "s3:GetObject", "arn:aws:s3:::public/x", (), LETS_EVERYBODY_IN), "what would be, without a denial")
            for archive in ARCHIVES:
                for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectRetention", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"):
                    self.assertFalse(iam.is_allowed([boundary(role)], action, f"{archive}/shop/x", (), LETS_EVERYBODY_IN), (role, action))
                for action in ("s3:DeleteBucket", "s3:DeleteBucketPolicy"):
                    self.assertFalse(iam.is_allowed([boundary(role)], action, archive, (), LETS_EVERYBODY_IN), (role, action))

    def test_no_workload_has_a_state(self):
        """A state has secrets, and who writes one has a pipeline do what it says."""
        self.assertTrue(iam.is_allowed([boundary("workload")], "s3:GetObject", f"{ARCHIVES[0]}/shop/x"))
        for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
            for state in ("00-bootstrap.tfstate", "30-data.tfstate", "30-data.tfstate.tflock"):
                self.assertFalse(iam.is_allowed([boundary("workload")], action, f"{STATES}/{state}", (), LETS_EVERYBODY_IN), (action, state))
        for action in ("s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketPolicy"):
            self.assertFalse(iam.is_allowed([boundary("workload")], action, STATES, (), LETS_EVERYBODY_IN), action)
        for action in ("kms:Decrypt", "kms:GenerateDataKey"):
            self.assertFalse(iam.is_allowed([boundary("workload")], action, key_of_states(), (), LETS_EVERYBODY_IN), action)

    def test_nobody_makes_another_door_to_a_bucket(self):
        """What an access point of it is asked for is asked under a name of its own, of which denials at the bucket say nothing."""
        for role in ("plan", "apply", "workload"):
            for action in ("s3:CreateAccessPoint", "s3:CreateAccessPointForObjectLambda", "s3:CreateMultiRegionAccessPoint"):
                self.assertFalse(iam.is_allowed([boundary(role)], action, f"arn:aws:s3:eu-central-1:{ACCOUNT}:accesspoint/door"), (role, action))

    def test_who_applies_ends_no_key_and_says_of_no_key_of_an_archive_who_may(self):
        keys = {one.values["tags"]["Name"]: one for layer in LAYERS for one in environment("prod")[layer].made if one.kind == "aws_kms_key" and "Name" in one.values["tags"]}
        archives = {archive.rpartition(":")[2] for archive in ARCHIVES}
        self.assertLess(archives, keys.keys())
        for name, key in keys.items():
            tags = {f"aws:ResourceTag/{tag}": value for tag, value in key.values["tags"].items()}

            def applies(action, context=()):
                return may("apply", action, key.values["arn"], tags | dict(context))

            for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
                self.assertFalse(applies(action), (action, name))
            if name in archives:
                self.assertFalse(applies("kms:PutKeyPolicy"), name)
                self.assertFalse(applies("kms:UntagResource"), f"{name} without its name")
                self.assertFalse(applies("kms:TagResource", {"aws:RequestTag/Name": "another"}), f"{name} by another name")
                self.assertTrue(applies("kms:TagResource", {"aws:RequestTag/owner": "somebody"}), name)
        new = {"aws:RequestTag/Name": f"{PROD}-archive", "aws:RequestedRegion": "eu-central-1"}
        self.assertTrue(may("apply", "kms:CreateKey", "*", new) and may("apply", "kms:TagResource", "*", new), "a first one")

    def test_who_plans_changes_nothing_and_sees_no_contents_whatever_it_is_given(self):
        changing = [action for one in grants() for statement in one["Statement"] for action in iam.listed(statement["Action"])]
        self.assertGreater(len(changing), 150)
        for action in [*changing, "s3:PutObject", "s3:DeleteObject", "iam:CreateUser", "kms:ScheduleKeyDeletion", "dynamodb:PutItem"]:
            self.assertFalse(may("plan", action, "*"), action)
        state, other = "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate", "arn:aws:s3:::payroll/2026.csv"
        self.assertTrue(may("plan", "s3:GetObject", state))
        self.assertTrue(may("plan", "eks:DescribeCluster", "*"))
        for action in ("s3:GetObject", "ssm:GetParameter", "secretsmanager:GetSecretValue", "dynamodb:GetItem", "kms:Decrypt"):
            self.assertFalse(may("plan", action, other), action)

    def test_who_applies_cannot_leave_its_limits_whatever_it_is_given(self):
        role, policy = (f"arn:aws:iam::{ACCOUNT}:{kind}/acme-tidemark-prod-euc1-" for kind in ("role", "policy"))
        workload = {"iam:PermissionsBoundary": policy + "workload"}
        for action in ("iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary"):
            self.assertTrue(may("apply", action, role + "k8s-nodes", workload), action)
            self.assertFalse(may("apply", action, role + "k8s-nodes"), f"{action} without a boundary")
            self.assertFalse(may("apply", action, role + "k8s-nodes", {"iam:PermissionsBoundary": policy + "github-apply-boundary"}), f"{action} with a wider one")
        for name in ("github-apply", "github-plan", "github-push", "github-drill"):
            for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole", "iam:PassRole",
                           "iam:PutRolePermissionsBoundary", "iam:DeleteRolePermissionsBoundary"):  # fmt: skip
                self.assertFalse(may("apply", action, role + name, workload), (action, name))
        self.assertFalse(may("apply", "iam:DeleteRolePermissionsBoundary", role + "k8s-nodes", workload))
        for action in ("iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicyVersion", "iam:DeletePolicy", "iam:CreatePolicy"):
            for name in ("github-apply-boundary", "workload", "github-apply-data"):
                self.assertFalse(may("apply", action, policy + name), (action, name))
        for action in ("iam:CreateUser", "iam:CreateAccessKey", "iam:CreateOpenIDConnectProvider", "iam:CreateSAMLProvider", "organizations:LeaveOrganization", "sts:AssumeRole"):
            self.assertFalse(may("apply", action, "*"), action)

    def test_who_applies_touches_no_backup_no_lock_and_not_the_states_of_administrators(self):
        for archive in ("acme-tidemark-prod-euc1-archive", "acme-tidemark-prod-euc1-archive-replica"):
            for action in ("s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
                self.assertFalse(may("apply", action, f"arn:aws:s3:::{archive}/shop/x"), action)
            self.assertFalse(may("apply", "s3:DeleteBucket", f"arn:aws:s3:::{archive}"))
            self.assertTrue(may("apply", "s3:PutBucketPolicy", f"arn:aws:s3:::{archive}"))
        states = "arn:aws:s3:::acme-tidemark-prod-euc1-state"
        self.assertTrue(may("apply", "s3:PutObject", f"{states}/10-network.tfstate"))
        for name in ("00-bootstrap.tfstate", "00-bootstrap.tfstate.tflock"):
            self.assertFalse(may("apply", "s3:PutObject", f"{states}/{name}"))
        self.assertFalse(may("apply", "s3:DeleteObjectVersion", f"{states}/10-network.tfstate"), "history of states")
        for action in ("s3:PutBucketPolicy", "s3:PutBucketVersioning", "s3:DeleteBucket", "s3:PutLifecycleConfiguration"):
            self.assertFalse(may("apply", action, states), action)
        key = one_of(environment("prod")["00-bootstrap"].made, "aws_kms_key", "this").values["arn"]
        self.assertTrue(may("apply", "kms:GenerateDataKey", key))
        for action in ("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:CreateGrant"):
            self.assertFalse(may("apply", action, key), action)

    def test_what_is_given_is_within_the_limits(self):
        """A grant that the boundary takes back would be found by the first apply."""
        workload = {"iam:PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/acme-tidemark-prod-euc1-workload"}
        for document in grants():
            for statement in document["Statement"]:
                for action, resource in itertools.product(iam.listed(statement["Action"]), iam.listed(statement["Resource"])):
                    self.assertTrue(iam.is_allowed([boundary("apply")], action, resource.replace("*", "x"), workload), (statement["Sid"], action, resource))

    def test_every_role_of_every_layer_is_within_the_boundary_and_has_what_it_needs(self):
        limit = boundary("workload")
        for name in ENVIRONMENTS:
            for layer in LAYERS[1:]:
                for one in environment(name)[layer].made:
                    if one.kind == "aws_iam_role":
                        self.assertTrue((one.values["permissions_boundary"] or "").endswith(f":policy/acme-tidemark-{name}-euc1-workload"), one.address)
                        self.assertTrue(one.values["name"].startswith(f"acme-tidemark-{name}-euc1-"), one.address)
                    if one.kind == "aws_iam_role_policy" and name == "prod":
                        for statement in one.document("policy")["Statement"]:
                            if statement["Effect"] == "Allow":
                                for action, resource in itertools.product(iam.listed(statement["Action"]), iam.listed(statement["Resource"])):
                                    self.assertTrue(iam.is_allowed([limit], action, resource), (one.address, action))
        for action in ("iam:CreateUser", "iam:PutRolePolicy", "iam:PassRole", "s3:PutBucketPolicy", "s3:BypassGovernanceRetention", "kms:PutKeyPolicy", "sts:AssumeRole"):
            self.assertFalse(iam.is_allowed([limit], action, "*"), action)

    def test_roles_of_a_region_that_is_copied_to_can_be_made(self):
        for name in ENVIRONMENTS:
            replica = environment(name)["30-data"].outputs["archive"]["replica"]
            regions = {region for statement in grants(name)[0]["Statement"] if statement["Sid"] == "Network" for region in statement["Condition"]["StringEquals"]["aws:RequestedRegion"]}
            self.assertEqual(regions, {"eu-central-1"} | ({replica["region"]} if replica else set()))

    def test_the_balancer_controller_touches_what_is_its_clusters(self):
        document = [one_of(environment("prod")["40-platform"].made, "aws_iam_role_policy", "this", "alb-controller").document("policy")]
        balancer = f"arn:aws:elasticloadbalancing:eu-central-1:{ACCOUNT}:loadbalancer/app/x/1"
        tag = "aws:ResourceTag/elbv2.k8s.aws/cluster"
        self.assertTrue(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer, {tag: "acme-tidemark-prod-euc1-k8s"}))
        self.assertFalse(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer, {tag: "another"}))
        self.assertFalse(iam.is_allowed(document, "elasticloadbalancing:DeleteLoadBalancer", balancer))
        self.assertFalse(iam.is_allowed(document, "iam:CreateServiceLinkedRole", "*"))


if __name__ == "__main__":
    unittest.main()
