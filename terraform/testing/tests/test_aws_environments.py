"""What the AWS environments come to when they are made: layers on each other, a second plan, a restore."""

import itertools
import json
import pathlib
import unittest

import jsonschema
from aws_environments import ENVIRONMENTS, LAYERS, environment, restore, restore_workspace
from harness import resources

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "schemas" / "restore-contract.schema.json").read_text())


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
