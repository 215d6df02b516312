"""The policies on plans and states of all AWS roots; and that each policy notices the edit it is there for."""

import copy
import json
import unittest

from aws_environments import ENVIRONMENTS, LAYERS, environment, restore
from harness.resources import mutated
from policies import AWS, deletion, judge


def prod(layer):
    return environment("prod")[layer].made


def values(**changes):
    return lambda given: given.update(changes)


def inside(*path, **changes):
    """Changes of a block inside: inside("vpc_config", x=1)."""

    def change(given):
        for name in path:
            [given] = given[name][:1]
        given.update(changes)

    return change


def document(attribute, edit):
    def change(given):
        policy = json.loads(given[attribute])
        edit(policy["Statement"])
        given[attribute] = json.dumps(policy)

    return change


# layer, kind of resource, name or None, the edit, and what must be found.
EDITS = [
    ("10-network", "aws_vpc_security_group_ingress_rule", None, values(cidr_ipv4="0.0.0.0/0"), "lets the internet in"),
    ("10-network", "aws_vpc_security_group_ingress_rule", None, values(cidr_ipv4=None, cidr_ipv6="::/0"), "lets the internet in"),
    ("10-network", "aws_security_group", None, values(ingress=[{"cidr_blocks": ["0.0.0.0/0"], "from_port": 27017}]), "lets the internet in"),
    ("10-network", "aws_default_security_group", None, values(ingress=[{"cidr_blocks": ["10.0.0.0/8"]}]), "the default group"),
    ("10-network", "aws_subnet", "private", values(map_public_ip_on_launch=True), "gives public addresses"),
    ("20-cluster", "aws_eks_cluster", None, inside("vpc_config", endpoint_public_access=True), "has a public endpoint"),
    ("20-cluster", "aws_eks_cluster", None, inside("vpc_config", endpoint_private_access=False), "no private endpoint"),
    ("20-cluster", "aws_eks_cluster", None, values(enabled_cluster_log_types=["api"]), "not logged"),
    ("20-cluster", "aws_eks_cluster", None, inside("access_config", bootstrap_cluster_creator_admin_permissions=True), "no access entry names"),
    ("20-cluster", "aws_eks_cluster", None, values(encryption_config=[]), "in the clear in etcd"),
    ("20-cluster", "aws_launch_template", None, inside("metadata_options", http_put_response_hop_limit=2), "credentials of the node"),
    ("20-cluster", "aws_launch_template", None, values(metadata_options=[]), "credentials of the node"),
    ("20-cluster", "aws_launch_template", None, inside("block_device_mappings", "ebs", encrypted="false"), "disks of nodes"),
    ("20-cluster", "aws_launch_template", None, values(network_interfaces=[{"associate_public_ip_address": "true"}]), "nodes have public addresses"),
    ("20-cluster", "aws_cloudwatch_log_group", None, values(kms_key_id=None), "not encrypted with an own key"),
    ("20-cluster", "aws_cloudwatch_log_group", None, values(retention_in_days=0), "keeps logs for ever"),
    ("20-cluster", "aws_iam_role", "addon", document("assume_role_policy", lambda all: all[0].pop("Condition")), "any pod of any cluster"),
    ("20-cluster", "aws_iam_role", "cluster", document("assume_role_policy", lambda all: all[0].pop("Condition")), "on behalf of another account"),
    ("20-cluster", "aws_iam_role", "nodes", document("assume_role_policy", lambda all: all[0].update(Principal="*")), "everybody may take it"),
    ("20-cluster", "aws_iam_role_policy_attachment", "nodes", values(policy_arn="arn:aws:iam::aws:policy/AdministratorAccess"), "AdministratorAccess"),
    ("30-data", "aws_s3_bucket_public_access_block", "archive", values(restrict_public_buckets=False), "not blocked"),
    ("30-data", "aws_s3_bucket_public_access_block", "archive", values(bucket="another"), "not blocked"),
    ("30-data", "aws_s3_bucket_ownership_controls", "replica", inside("rule", object_ownership="ObjectWriter"), "ACLs are in force"),
    ("30-data", "aws_s3_bucket", "archive", values(force_destroy=True), "deleted with what is in it"),
    ("30-data", "aws_s3_bucket", "archive", values(object_lock_enabled=False), "without Object Lock"),
    ("30-data", "aws_s3_bucket_object_lock_configuration", "replica", values(object_lock_enabled=None), "lock is not configured"),
    ("30-data", "aws_s3_bucket_versioning", "archive", inside("versioning_configuration", status="Suspended"), "keeps no versions"),
    ("30-data", "aws_s3_bucket_policy", "archive", document("policy", lambda all: all.pop(0)), "answers without TLS"),
    ("30-data", "aws_s3_bucket_policy", "archive", document("policy", lambda all: all.append({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"})), "lets everybody in"),
    ("30-data", "aws_s3_bucket_server_side_encryption_configuration", "archive", inside("rule", "apply_server_side_encryption_by_default", sse_algorithm="AES256"), "is encrypted with AES256"),
    ("30-data", "aws_s3_bucket_lifecycle_configuration", "archive", lambda given: given["rule"].pop(0), "unfinished uploads"),
    ("30-data", "aws_s3_bucket_lifecycle_configuration", "archive", inside("rule", expiration=[{"days": 90}]), "deletes what retention keeps"),
    ("30-data", "aws_s3_bucket_replication_configuration", None, inside("rule", "delete_marker_replication", status="Enabled"), "replicates deletions"),
    ("30-data", "aws_kms_key", None, values(enable_key_rotation=False), "never rotated"),
    ("30-data", "aws_kms_key", "archive", values(deletion_window_in_days=7), "less than 30 days"),
    ("30-data", "aws_ecr_repository", None, values(image_tag_mutability="MUTABLE"), "tags can be moved"),
    ("30-data", "aws_ecr_repository", None, inside("image_scanning_configuration", scan_on_push=False), "not scanned"),
    ("30-data", "aws_ecr_repository", None, inside("encryption_configuration", encryption_type="AES256"), "not encrypted with an own key"),
    ("30-data", "aws_ecr_repository", None, values(force_delete=True), "deleted with its images"),
    ("40-platform", "aws_sns_topic", None, values(kms_master_key_id=None), "not encrypted with an own key"),
    ("40-platform", "aws_sns_topic", None, values(tags={"app": "tidemark"}), "no tags"),
    ("40-platform", "aws_iam_role_policy", "this", document("policy", lambda all: all.append({"Sid": "X", "Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b"})), "allows s3:*"),
    ("40-platform", "aws_iam_role_policy", "this", document("policy", lambda all: all.append({"Sid": "X", "Effect": "Allow", "NotAction": "iam:*", "Resource": "*", "Action": []})), "everything but something"),
    ("40-platform", "aws_iam_role_policy", "this", document("policy", lambda all: all.append({"Sid": "X", "Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"})), "on everything"),
    ("00-bootstrap", "aws_iam_policy", "grant", document("policy", lambda all: all[0].pop("Condition", None)), "on everything"),
    ("00-bootstrap", "aws_iam_policy", "grant", document("policy", lambda all: all[0].update(Action="ec2:*")), "allows ec2:*"),
    ("00-bootstrap", "aws_iam_role_policy_attachment", "this", values(policy_arn="arn:aws:iam::123456789012:policy/acme-tidemark-prod-euc1-workload"), "-workload"),
    ("00-bootstrap", "aws_iam_role", "this", document("assume_role_policy", lambda all: all[0]["Condition"]["StringEquals"].pop("token.actions.githubusercontent.com:sub")), "pin audience and subject"),
    ("00-bootstrap", "aws_iam_role", "this", document("assume_role_policy", lambda all: all[0]["Condition"]["StringEquals"].update({"token.actions.githubusercontent.com:sub": "repo:example/*"})), "a pattern in StringEquals"),
]  # fmt: skip


class Policies(unittest.TestCase):
    def test_plans_and_states_of_all_environments_are_good(self):
        for name in ENVIRONMENTS:
            for layer in LAYERS:
                applied = environment(name)[layer]
                with self.subTest(f"{name}/{layer}"):
                    self.assertGreater(len(applied.made), 5)
                    self.assertEqual(judge(applied.planned, AWS), [])
                    self.assertEqual(judge(applied.made, AWS), [])
                    self.assertEqual(deletion.destroys_nothing_that_holds_data(applied.plan), [])

    def test_a_restore_is_good(self):
        made = restore(edge='{"host":"orders.example.com"}', resume_backups="true")
        self.assertEqual(judge(made.planned, AWS) + judge(made.made, AWS), [])

    def test_each_policy_notices_a_careless_edit(self):
        for layer, kind, name, edit, found in EDITS:
            with self.subTest(f"{kind} {name or ''}: {found}"):
                findings = judge(mutated(prod(layer), kind, edit, name), AWS)
                self.assertTrue(findings, "nothing was noticed")
                self.assertTrue(any(found in finding for finding in findings), findings)

    def test_what_is_missing_altogether_is_noticed(self):
        for kind, name, found in (
            ("aws_s3_bucket_policy", "archive", "has no policy"),
            ("aws_s3_bucket_public_access_block", "logs", "not blocked"),
            ("aws_s3_bucket_versioning", "replica", "keeps no versions"),
            ("aws_s3_bucket_server_side_encryption_configuration", "replica", "nothing that is named"),
        ):
            with self.subTest(kind):
                without = [one for one in prod("30-data") if (one.kind, one.name) != (kind, name)]
                self.assertTrue(any(found in finding for finding in judge(without, AWS)))

    def test_users_and_flow_logs(self):
        network = [one for one in prod("10-network") if one.kind != "aws_flow_log"]
        self.assertTrue(any("no flow log" in finding for finding in judge(network, AWS)))
        user = copy.deepcopy(prod("10-network")[:1])
        user[0].kind, user[0].values = "aws_iam_user", {"name": "ci"}
        self.assertTrue(any("nobody renews" in finding for finding in judge(user, AWS)))

    def test_https_at_the_edge_is_the_one_thing_for_everybody(self):
        def open_edge(given, port=443):
            given.update(cidr_ipv4="0.0.0.0/0", from_port=port, to_port=port, ip_protocol="tcp", tags=given["tags"] | {"tier": "edge"})

        kind = "aws_vpc_security_group_ingress_rule"
        self.assertEqual(judge(mutated(prod("10-network"), kind, open_edge), AWS), [])
        self.assertTrue(judge(mutated(prod("10-network"), kind, lambda given: open_edge(given, 27017)), AWS))

    def test_a_plan_that_destroys_what_holds_data_is_noticed(self):
        plan = copy.deepcopy(environment("prod")["30-data"].plan)
        for one in plan["resource_changes"]:
            if one["type"] == "aws_s3_bucket" and one["name"] == "archive":
                one["change"]["actions"] = ["delete", "create"]
        self.assertEqual(deletion.destroys_nothing_that_holds_data(plan), ["module.data.module.archive.aws_s3_bucket.archive: would be replaced"])

    def test_every_policy_was_seen_to_fail(self):
        """Another policy needs an edit above that it notices."""
        failing = set()
        for layer, kind, name, edit, _ in EDITS:
            edited = mutated(prod(layer), kind, edit, name)
            failing |= {policy.__name__ for policy in AWS if list(policy(edited))}
        failing.add("there_are_no_long_lived_keys")  # test_users_and_flow_logs
        self.assertEqual({policy.__name__ for policy in AWS} - failing, set())


if __name__ == "__main__":
    unittest.main()
