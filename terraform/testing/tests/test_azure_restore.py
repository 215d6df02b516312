"""The restore on Azure: fresh, with trust in its own cluster, reading an archive that it does not own."""

import json
import unittest

import jsonschema
from azure_environments import changes, environment, restore, restore_workspace
from harness import resources
from harness.workspace import TERRAFORM
from policies import judge
from policies.azure import AZURE

SCHEMA = json.loads((TERRAFORM / "schemas" / "restore-contract.schema.json").read_text())
# What the source owns. A restore that made one of these could also destroy it.
SOURCES = {
    "azurerm_storage_account", "azurerm_storage_container", "azurerm_storage_container_immutability_policy", "azurerm_storage_management_policy",
    "azurerm_container_registry", "azurerm_role_definition",
}  # fmt: skip
READER, WRITER = "00000000-0000-4000-8000-0000000000e1", "00000000-0000-4000-8000-0000000000e2"


def contract(applied):
    return applied.outputs["restore_contract"]


def credentials(applied):
    return [one.values for one in applied.of_kind("azurerm_federated_identity_credential")]


class Restore(unittest.TestCase):
    def test_the_contract_is_what_dr_cli_reads(self):
        for applied in (restore(), restore(resume_backups="true")):
            jsonschema.validate(contract(applied), SCHEMA)
            self.assertEqual((contract(applied)["provider"], contract(applied)["source_environment"]), ("azure", "prod"))

    def test_no_secret_is_in_the_contract(self):
        self.assertNotRegex(json.dumps(contract(restore())), r"(?i)(password|client_key|sig=|accountkey)")
        self.assertFalse(restore().state["values"]["outputs"]["restore_contract"]["sensitive"])

    def test_trust_is_in_the_new_cluster_and_named_in_the_contract(self):
        [cluster] = restore().of_kind("azurerm_kubernetes_cluster")
        [credential] = credentials(restore())
        self.assertEqual(credential["issuer"], cluster.values["oidc_issuer_url"])
        self.assertEqual(credential["subject"], "system:serviceaccount:shop:shop-mongodb")
        self.assertEqual(contract(restore())["workload_identity"]["issuer"], cluster.values["oidc_issuer_url"])
        self.assertNotEqual(credential["issuer"], environment("prod")["20-cluster"].outputs["cluster"]["issuer"])

    def test_another_restore_has_another_issuer_and_so_another_credential(self):
        [first], [second] = credentials(restore()), credentials(restore(suffix="b1c2d3"))
        self.assertNotEqual(first["issuer"], second["issuer"])
        self.assertNotEqual(first["name"], second["name"])
        self.assertEqual(first["user_assigned_identity_id"], second["user_assigned_identity_id"])

    def test_a_drill_reads_and_does_not_write(self):
        [credential] = credentials(restore())
        self.assertTrue(credential["user_assigned_identity_id"].endswith("-shop-reader"))
        self.assertEqual(contract(restore())["workload_identity"]["identity"], READER)
        self.assertFalse(contract(restore())["chart"]["values"]["mongodb"]["sidecar"]["enabled"])

    def test_going_on_with_the_restored_database_makes_it_the_writer(self):
        going_on = restore(resume_backups="true")
        [credential] = credentials(going_on)
        self.assertTrue(credential["user_assigned_identity_id"].endswith("-shop-writer"))
        self.assertEqual(contract(going_on)["workload_identity"]["identity"], WRITER)
        self.assertTrue(contract(going_on)["chart"]["values"]["mongodb"]["sidecar"]["newLineage"])

    def test_the_charts_values_are_those_of_the_charts(self):
        values = contract(restore())["chart"]["values"]
        for part in ("archive", "serviceAccount", "podLabels", "persistence", "nodeSelector", "tolerations", "sidecar"):
            self.assertIn(f"\n{part}:", (TERRAFORM.parent / "charts" / "mongodb" / "values.yaml").read_text())
            self.assertIn(part, values["mongodb"])
        written = (TERRAFORM.parent / "charts" / "values" / "aks" / "tidemark.yaml").read_text()
        self.assertIn(f"storageClass: {contract(restore())['storage_class']}", written)
        self.assertIn("nodeSelector: {tidemark/pool: data}", written)
        self.assertEqual(contract(restore())["node_pool_labels"], {"tidemark/pool": "data"})
        [storage_class] = restore().outputs["manifests"]
        self.assertEqual(storage_class["metadata"]["name"], contract(restore())["storage_class"])

    def test_it_owns_nothing_of_the_source(self):
        self.assertEqual({one.kind for one in restore().made} & SOURCES, set())
        # And changes no right at it: pulling images is the one that a fresh cluster gets.
        rights = [one.values["role_definition_name"] for one in restore().of_kind("azurerm_role_assignment") if "/acme-tidemark-prod-" in one.values["scope"]]
        self.assertEqual(rights, ["AcrPull"])

    def test_the_source_gives_what_the_restore_takes(self):
        data = environment("prod")["30-data"].outputs
        given = restore(archive=json.dumps(data["archive"]), registry=json.dumps(data["registry"] | {"repositories": ["tidemark/mongod"]}))
        self.assertEqual(contract(given)["archive"]["url"], data["archive"]["tenants"]["shop"]["url"])
        self.assertEqual(contract(given)["workload_identity"]["identity"], data["archive"]["tenants"]["shop"]["identities"]["reader"]["client_id"])

    def test_everything_is_named_and_tagged_as_fresh(self):
        for one in restore().made:
            if one.values.get("tags") is not None:
                self.assertEqual((one.values["tags"]["restore-suffix"], one.values["tags"]["restore-of"], one.values["tags"]["tenant"]), ("7f3a9c", "prod", "shop"), one.address)
        self.assertEqual([one.values["name"] for one in restore().of_kind("azurerm_resource_group")], ["acme-tidemark-restore-weu-7f3a9c"])
        for kind in ("azurerm_kubernetes_cluster", "azurerm_key_vault", "azurerm_virtual_network"):
            [one] = restore().of_kind(kind)
            self.assertIn("7f3a9c", one.values["name"])

    def test_no_policy_finds_anything(self):
        self.assertEqual(judge(restore().made, AZURE), [])

    def test_no_policy_finds_anything_in_the_first_plan(self):
        """As a pipeline judges it: what only an apply tells is unknown."""
        with restore_workspace() as work:
            plan = work.init().plan()
        self.assertEqual(judge(resources.of_plan(plan), AZURE), [])

    def test_a_second_plan_is_empty(self):
        self.assertEqual(changes(restore().work), [])

    def test_nothing_is_left_when_it_is_destroyed(self):
        with restore_workspace() as work:
            work.init().apply(suffix="d00d00")
            work.run("destroy", "-no-color", "-auto-approve", "-var=suffix=d00d00")
            self.assertEqual(json.loads(work.run("show", "-json").stdout).get("values"), None)
        self.assertEqual(restore().of_kind("azurerm_management_lock"), [])

    def test_an_edge_has_its_own_trust_and_stands_in_the_contract(self):
        public = restore(edge=json.dumps({"host": "orders.example.com", "subnet_join_role_id": "/subscriptions/s/roleDefinitions/join"}))
        self.assertEqual((contract(public)["ingress"]["kind"], contract(public)["ingress"]["host"]), ("gateway", "orders.example.com"))
        self.assertEqual(len(credentials(public)), 2)
        self.assertEqual(contract(restore())["ingress"]["kind"], "none")

    def test_bad_input_is_refused_before_anything_is_made(self):
        refused = {
            "Without one a restore would adopt": {"suffix": ""},
            "The archive has no such tenant": {"tenant": {"name": "nobody"}},
            "nobody, dr-cli included": {"cluster": {"admin_group_ids": []}},
            "overlaps": {"network": {"cidr": "10.42.0.0/16", "taken": ["10.42.128.0/17"]}},
            "needs authorized_ip_ranges": {"cluster": {"admin_group_ids": ["g"], "private": False}},
        }
        with restore_workspace() as work:
            work.init()
            for expected, variables in refused.items():
                with self.subTest(expected):
                    self.assertIn(expected, work.refuses(**variables))


if __name__ == "__main__":
    unittest.main()
