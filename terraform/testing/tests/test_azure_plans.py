"""What the Azure environments come to when their layers are made one on the other, judged by the policies; and that each policy can find something."""

import re
import unittest

import workflows
from azure_environments import ENVIRONMENTS, LAYERS, changes, environment, made
from harness import resources
from harness.rbac import Grant, is_allowed
from harness.workspace import TERRAFORM
from policies import judge
from policies.azure import AZURE


class Layers(unittest.TestCase):
    def test_no_policy_finds_anything(self):
        for name in ENVIRONMENTS:
            with self.subTest(name):
                self.assertEqual(judge(made(name), AZURE), [])

    def test_a_second_plan_changes_nothing(self):
        for layer in LAYERS:
            self.assertEqual(changes(environment("dev")[layer].work), [], layer)

    def test_the_layers_with_data_are_not_those_with_clusters(self):
        for name in ENVIRONMENTS:
            kinds = {layer: {one.kind for one in environment(name)[layer].made} for layer in LAYERS}
            self.assertIn("azurerm_kubernetes_cluster", kinds["20-cluster"])
            for layer in ("10-network", "20-cluster", "40-platform"):
                self.assertEqual(kinds[layer] & {"azurerm_storage_account", "azurerm_container_registry"}, set(), f"a rebuilt cluster would plan the end of backups: {name}/{layer}")

    def test_who_applies_a_layer_needs_no_right_on_the_subscription(self):
        for name in ENVIRONMENTS:
            for layer in LAYERS[1:]:
                kinds = {one.kind for one in environment(name)[layer].made}
                self.assertEqual(kinds & {"azurerm_resource_group", "azurerm_role_definition"}, set(), f"{name}/{layer}")

    def test_environments_share_no_name(self):
        taken = {}
        unique = {"azurerm_storage_account", "azurerm_container_registry", "azurerm_key_vault", "azurerm_kubernetes_cluster", "azurerm_resource_group", "azurerm_role_definition"}
        for name in ENVIRONMENTS:
            names = [(one.kind, one.values["name"]) for one in made(name) if one.kind in unique]
            self.assertEqual(len(names), len(set(names)), name)
            for one in names:
                self.assertEqual(taken.setdefault(one, name), name)

    def test_states_lie_where_the_bootstrap_makes_their_account(self):
        for name in ENVIRONMENTS:
            account = environment(name)["00-bootstrap"].outputs["state_account"]
            for file in ("environment.yaml", "backend.hcl"):
                self.assertIn(account, (TERRAFORM / "environments" / "azure" / name / file).read_text())

    def test_the_state_of_the_bootstrap_lies_apart(self):
        for name in ENVIRONMENTS:
            containers = environment(name)["00-bootstrap"].outputs["state_containers"]
            self.assertEqual(len(set(containers.values())), 2)
            for layer in LAYERS:
                text = (TERRAFORM / "environments" / "azure" / name / layer / "main.tf").read_text()
                [(container, key)] = re.findall(r'backend "azurerm" \{\n +container_name += "(\w+)"\n +key += "([\w-]+)\.tfstate"\n', text)
                self.assertEqual((container, key), (containers["bootstrap" if layer == "00-bootstrap" else "layers"], layer))
                read = re.findall(r'config += merge\(local\.environment\.state, \{ container_name = "(\w+)", key = "([\w-]+)\.tfstate"', text)
                self.assertEqual(len(read), text.count('data "terraform_remote_state"'))
                for container, key in read:
                    self.assertEqual(container, containers["bootstrap" if key == "00-bootstrap" else "layers"], f"{layer} reads {key}")
            self.assertNotIn("container_name", (TERRAFORM / "environments" / "azure" / name / "backend.hcl").read_text(), "it would go before what the roots say")

    def test_no_pipeline_writes_the_state_of_the_bootstrap(self):
        """Of all that a pipeline's identity is given anywhere in an environment."""
        for name in ENVIRONMENTS:
            bootstrap = environment(name)["00-bootstrap"]
            pipelines = {one.values["principal_id"]: one.values["name"].rsplit("-", 1)[1] for one in bootstrap.of_kind("azurerm_user_assigned_identity")}
            self.assertLessEqual({"plan", "apply"}, set(pipelines.values()))
            [account] = [one.values["id"] for one in bootstrap.of_kind("azurerm_storage_account")]
            given = {}
            for one in made(name):
                # Rights at a container, and at anything that it lies in.
                scope = one.values.get("scope")
                if one.kind == "azurerm_role_assignment" and (f"{account}/blobServices/default/containers/bootstrap/".startswith(f"{scope}/")):
                    given.setdefault(pipelines.get(one.values["principal_id"], one.values["principal_type"]), set()).add(one.values["role_definition_name"])
            reads, writes = {"Storage Blob Data Reader"}, {"Storage Blob Data Contributor"}
            # Groups: operators read, administrators write.
            self.assertEqual(given, {"plan": reads, "apply": reads, "Group": reads | writes})

    def test_who_drills_is_another_reader_of_one_tenant_and_nothing_else(self):
        blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
        path = f"@Resource[{blobs}:path]"
        for name in ENVIRONMENTS:
            bootstrap = environment(name)["00-bootstrap"]
            drills = [one.values["principal_id"] for one in bootstrap.of_kind("azurerm_user_assigned_identity") if one.values["name"].endswith("-github-drill")]
            self.assertEqual(len(drills), int(("azure", name) in workflows.drills()), name)
            if not drills:
                self.assertNotIn("drill", bootstrap.outputs)
                continue
            roles = {one.values["role_definition_resource_id"]: one.values["permissions"] for one in bootstrap.of_kind("azurerm_role_definition")}
            grants = {}
            for one in made(name):
                if one.kind == "azurerm_role_assignment" and one.values["principal_id"] in drills:
                    # One of ours; a built-in one has an id that no custom role has.
                    [permission] = roles[one.values["role_definition_id"]]
                    self.assertEqual(permission["actions"], ["Microsoft.Storage/storageAccounts/blobServices/containers/read"])
                    grants.setdefault(one.values["scope"], []).append(Grant.of(permission["actions"] + permission["data_actions"], one.values["condition"]))
            data = environment(name)["30-data"].outputs["archive"]
            archive, control = (f"{data[account]}/blobServices/default/containers/shop" for account in ("account_id", "control_account_id"))
            self.assertEqual(set(grants), {archive, control})

            def may(scope, action, key):
                return is_allowed(grants[scope], f"{blobs}/{action}", {path: f"shop/rs0-0123/{key}"})

            every = ["read", "add/action", "write", "delete"]
            for scope, key, allowed in (
                (archive, "snapshots/1/manifest.json", ["read"]), (archive, "oplog/20260101/x.bson.zst", ["read"]), (archive, "references/1_1.json", ["read"]),
                (archive, "drills/1.json", ["read", "add/action"]), (archive, "control/pins/drill.json", ["read"]),
                (control, "control/pins/drill.json", every), (control, "control/protect/1.json", every), (control, "control/freeze.json", every),
                (control, "control/archiver-lease/heartbeat-1.json", ["read"]), (control, "control/archived.json", ["read"]), (control, "drills/1.json", ["read"]),
            ):  # fmt: skip
                self.assertEqual([action for action in every if may(scope, action, key)], allowed, (scope, key))
                for action in ("deleteBlobVersion/action", "permanentDelete/action", "tags/write", "immutableStorage/runAsSuperUser/action"):
                    self.assertFalse(may(scope, action, key), (scope, key, action))

    def test_prod_has_copies_in_another_region_and_dev_has_not(self):
        copies = {name: {one.values["account_replication_type"] for one in environment(name)["30-data"].of_kind("azurerm_storage_account")} for name in ENVIRONMENTS}
        self.assertEqual(copies, {"dev": {"ZRS"}, "staging": {"GZRS"}, "prod": {"GZRS"}})
        registries = {name: [copy["location"] for one in environment(name)["30-data"].of_kind("azurerm_container_registry") for copy in one.values["georeplications"]] for name in ENVIRONMENTS}
        self.assertEqual(registries, {"dev": [], "staging": [], "prod": ["northeurope"]})

    def test_jobs_of_the_workflows_become_who_they_have_to_be(self):
        for name in ENVIRONMENTS:
            bootstrap = environment(name)["00-bootstrap"]
            expected = {role: f"repo:example/tidemark:environment:{job}" for role, job in workflows.environments("azure", name).items()}
            trusted = {one.address.split('"')[1]: one.values["subject"] for one in bootstrap.of_kind("azurerm_federated_identity_credential")}
            expected["release"] = expected.pop("push")
            self.assertEqual(trusted, {role: subject for role, subject in expected.items() if role != "release" or name == "prod"})
            self.assertEqual("drill" in trusted, name == "prod")

    def test_who_plans_reads_and_no_more(self):
        """Code of a pull request runs as that identity."""
        for name in ENVIRONMENTS:
            bootstrap = environment(name)["00-bootstrap"]
            [plan] = [one.values["principal_id"] for one in bootstrap.of_kind("azurerm_user_assigned_identity") if one.values["name"].endswith("-github-plan")]
            given = {one.values["role_definition_name"] for one in made(name) if one.kind == "azurerm_role_assignment" and one.values["principal_id"] == plan}
            self.assertEqual(given, {"Reader", "Storage Blob Data Reader"})

    def test_images_are_pushed_to_prod_by_the_release(self):
        for name in ENVIRONMENTS:
            pushers = [one.values["principal_id"] for one in environment(name)["30-data"].of_kind("azurerm_role_assignment") if one.values["role_definition_name"] == "AcrPush"]
            release = environment(name)["00-bootstrap"].outputs.get("release_principal_id")
            self.assertEqual(pushers, [release] if name == "prod" else [])


class Tenants(unittest.TestCase):
    def test_every_tenant_has_what_its_chart_needs(self):
        for name, expected in {"dev": {"shop"}, "staging": {"shop", "bakery"}, "prod": {"shop", "bakery"}}.items():
            tenants = environment(name)["40-platform"].outputs["tenants"]
            self.assertEqual(set(tenants), expected)
            for tenant, given in tenants.items():
                self.assertEqual(given["archive_url"], f"azblob://{'acmetidemark' + name + 'weu'}ar/{tenant}/{tenant}")
                self.assertEqual(given["control_url"], f"azblob://{'acmetidemark' + name + 'weu'}ct/{tenant}/{tenant}")
                self.assertEqual((set(given["client_ids"]), len(set(given["client_ids"].values()))), ({"writer", "reader", "expirer"}, 3))

    def test_retention_is_the_tenants_own_or_the_common_one(self):
        tenants = environment("prod")["30-data"].outputs["archive"]["tenants"]
        self.assertEqual({tenant: given["lock"] for tenant, given in tenants.items()}, {"shop": {"mode": "governance", "days": 35}, "bakery": {"mode": "governance", "days": 90}})

    def test_trust_is_in_the_cluster_of_this_environment(self):
        for name in ENVIRONMENTS:
            issuer = environment(name)["20-cluster"].outputs["cluster"]["issuer"]
            credentials = environment(name)["40-platform"].of_kind("azurerm_federated_identity_credential")
            self.assertEqual(len(credentials), 3 * len(environment(name)["40-platform"].outputs["tenants"]) + 1)
            self.assertEqual({one.values["issuer"] for one in credentials}, {issuer})
        self.assertEqual(len({environment(name)["20-cluster"].outputs["cluster"]["issuer"] for name in ENVIRONMENTS}), 3)

    def test_a_tenants_identity_has_rights_at_its_own_containers_only(self):
        found = environment("prod")["30-data"]
        tenants = {one.values["principal_id"]: one.values["tags"]["tenant"] for one in found.of_kind("azurerm_user_assigned_identity") if one.values["tags"].get("tenant")}
        self.assertEqual(sorted(tenants.values()), ["bakery"] * 3 + ["shop"] * 3)
        given = [one for one in made("prod") if one.kind == "azurerm_role_assignment" and one.values["principal_id"] in tenants]
        # Three holders with two roles each.
        self.assertEqual(len(given), 6 * 2)
        for one in given:
            self.assertTrue(one.values["scope"].endswith(f"/containers/{tenants[one.values['principal_id']]}"), one.address)


def put(*path, to):
    """Sets one value inside the blocks of a resource."""

    def change(values):
        for name in path[:-1]:
            values = values[name][0] if isinstance(values[name], list) else values[name]
        values[path[-1]] = to

    return change


# What a careless edit would do, and the policy that has to find it.
CARELESS = [
    ("every_taggable_resource_has_all_tags", "azurerm_storage_account", None, put("tags", to={"app": "tidemark"})),
    ("only_https_of_the_gateway", "azurerm_network_security_rule", "allow", put("source_address_prefix", to="Internet")),
    ("only_https_of_the_gateway", "azurerm_network_security_group", None, put("security_rule", to=[{"name": "inside"}])),
    ("reaches_the_database", "azurerm_network_security_rule", "allow", put("destination_port_range", to="27000-27100")),
    ("every_subnet_ends_with_a_refusal", "azurerm_network_security_rule", "deny", put("access", to="Allow")),
    ("every_subnet_ends_with_a_refusal", "azurerm_subnet", None, put("default_outbound_access_enabled", to=True)),
    ("public_addresses", "azurerm_public_ip", None, put("name", to="acme-bastion")),
    ("public_addresses", "azurerm_kubernetes_cluster_node_pool", None, put("node_public_ip_enabled", to=True)),
    ("public_addresses", "azurerm_kubernetes_cluster", None, put("default_node_pool", "node_public_ip_enabled", to=True)),
    ("control_planes_are_private", "azurerm_kubernetes_cluster", None, put("private_cluster_enabled", to=False)),
    ("control_planes_are_private", "azurerm_monitor_diagnostic_setting", None, put("enabled_log", to=[])),
    ("reached_by_endpoints", "azurerm_storage_account", None, put("public_network_access_enabled", to=True)),
    ("reached_by_endpoints", "azurerm_key_vault", None, put("network_acls", "default_action", to="Allow")),
    ("reached_by_endpoints", "azurerm_private_endpoint", None, put("private_service_connection", "private_connection_resource_id", to="/elsewhere")),
    ("accounts_have_no_keys", "azurerm_storage_account", None, put("shared_access_key_enabled", to=True)),
    ("accounts_have_no_keys", "azurerm_storage_account", None, put("local_user_enabled", to=True)),
    ("accounts_have_no_keys", "azurerm_storage_account", None, put("allow_nested_items_to_be_public", to=True)),
    ("accounts_have_no_keys", "azurerm_storage_account", None, put("min_tls_version", to="TLS1_0")),
    ("accounts_have_no_keys", "azurerm_storage_account", None, put("allowed_copy_scope", to=None)),
    ("accounts_have_no_keys", "azurerm_storage_container", None, put("container_access_type", to="blob")),
    ("everything_is_encrypted", "azurerm_storage_account", None, put("infrastructure_encryption_enabled", to=False)),
    ("everything_is_encrypted", "azurerm_storage_account", None, put("customer_managed_key", to=[])),
    ("everything_is_encrypted", "azurerm_container_registry", None, put("encryption", to=[])),
    ("everything_is_encrypted", "azurerm_kubernetes_cluster", None, put("key_management_service", to=[])),
    ("everything_is_encrypted", "azurerm_kubernetes_cluster", None, put("disk_encryption_set_id", to=None)),
    ("everything_is_encrypted", "azurerm_kubernetes_cluster", None, put("default_node_pool", "host_encryption_enabled", to=False)),
    ("everything_is_encrypted", "azurerm_kubernetes_cluster_node_pool", None, put("host_encryption_enabled", to=False)),
    ("keys_are_kept_and_rotated", "azurerm_key_vault", None, put("purge_protection_enabled", to=False)),
    ("keys_are_kept_and_rotated", "azurerm_key_vault", None, put("rbac_authorization_enabled", to=False)),
    ("keys_are_kept_and_rotated", "azurerm_key_vault_key", None, put("rotation_policy", to=[])),
    ("archives_are_retained", "azurerm_storage_account", None, put("blob_properties", "versioning_enabled", to=False)),
    ("archives_are_retained", "azurerm_storage_account", None, put("blob_properties", "delete_retention_policy", to=[])),
    ("archives_are_retained", "azurerm_storage_account", None, put("account_replication_type", to="LRS")),
    ("archives_are_retained", "azurerm_storage_container_immutability_policy", None, put("storage_container_resource_manager_id", to="/elsewhere")),
    ("archives_are_retained", "azurerm_storage_container_immutability_policy", None, put("protected_append_writes_all_enabled", to=True)),
    ("archives_are_retained", "azurerm_storage_management_policy", None,
     put("rule", "actions", "base_blob", to=[{"delete_after_days_since_creation_greater_than": 30}])),
    ("locked_against_deletion", "azurerm_management_lock", None, put("lock_level", to="ReadOnly")),
    ("registries_are_closed", "azurerm_container_registry", None, put("admin_enabled", to=True)),
    ("registries_are_closed", "azurerm_container_registry", None, put("export_policy_enabled", to=True)),
    ("registries_are_closed", "azurerm_container_registry", None, put("retention_policy_in_days", to=None)),
    ("nobody_has_everything", "azurerm_role_definition", None, put("permissions", "data_actions", to=["Microsoft.Storage/storageAccounts/*"])),
    ("nobody_has_everything", "azurerm_role_definition", None, put("permissions", "not_actions", to=["Microsoft.Storage/*/delete"])),
    ("nobody_has_everything", "azurerm_role_assignment", "pull", put("role_definition_name", to="Owner")),
    ("rights_are_on_single_things", "azurerm_role_assignment", "pull", put("scope", to="/subscriptions/s/resourceGroups/g")),
    ("rights_are_on_single_things", "azurerm_role_assignment", "apply", put("scope", to="/subscriptions/s")),
    ("assigns_named_ones", "azurerm_role_assignment", "assign", put("condition", to=None)),
    ("written_within_conditions", "azurerm_role_assignment", "tenant", put("condition", to=None)),
    ("written_within_conditions", "azurerm_role_assignment", "tenant", put("condition_version", to="1.0")),
    ("written_within_conditions", "azurerm_role_assignment", "tenant", put("role_definition_name", to="Storage Blob Data Contributor")),
    ("no_pipeline_writes", "azurerm_role_assignment", "bootstrap", put("principal_type", to="ServicePrincipal")),
    ("no_pipeline_writes", "azurerm_role_assignment", "this", put("scope", to="/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/acmetidemarkprodweust")),
    ("written_within_conditions", "azurerm_role_assignment", "reader", put("condition", to=None)),
    ("trust_is_exact", "azurerm_federated_identity_credential", None, put("audience", to=["https://github.com/acme"])),
    ("trust_is_exact", "azurerm_federated_identity_credential", None, put("subject", to="repo:acme/tidemark:ref:refs/heads/main")),
    ("trust_is_exact", "azurerm_federated_identity_credential", None, put("subject", to="repo:acme/tidemark:pull_request")),
    ("trust_is_exact", "azurerm_federated_identity_credential", None, put("issuer", to="https://westeurope.oic.prod-aks.azure.com/t/c")),
    ("there_are_no_passwords", "azurerm_kubernetes_cluster", None, put("local_account_disabled", to=False)),
    ("there_are_no_passwords", "azurerm_kubernetes_cluster", None, put("run_command_enabled", to=True)),
    ("there_are_no_passwords", "azurerm_kubernetes_cluster", None, put("workload_identity_enabled", to=False)),
    ("there_are_no_passwords", "azurerm_log_analytics_workspace", None, put("local_authentication_enabled", to=True)),
]  # fmt: skip


class Policies(unittest.TestCase):
    """Each policy is shown what it is there for."""

    def test_careless_edits_are_found_by_the_policy_that_is_there_for_them(self):
        # With prod's release, so that each kind of resource is there.
        good = made("prod")
        for policy, kind, name, change in CARELESS:
            with self.subTest(policy, kind=kind):
                [chosen] = [one for one in AZURE if policy in one.__name__]
                self.assertEqual(list(chosen(good)), [])
                self.assertTrue(list(chosen(resources.mutated(good, kind, change, name))), "nothing was found")

    def test_every_policy_has_an_edit(self):
        shown = {one.__name__ for one in AZURE for policy, *_ in CARELESS if policy in one.__name__}
        self.assertEqual(shown, {one.__name__ for one in AZURE})


if __name__ == "__main__":
    unittest.main()
