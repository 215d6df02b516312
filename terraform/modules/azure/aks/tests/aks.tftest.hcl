mock_provider "azurerm" {
  mock_resource "azurerm_kubernetes_cluster" {
    defaults = {
      oidc_issuer_url = "https://westeurope.oic.prod-aks.azure.com/t/c/"
      private_fqdn    = "c.private"
      fqdn            = "c.public"
      kube_config     = [{ cluster_ca_certificate = "c3R1Yg==", client_certificate = "", client_key = "", host = "", password = "", username = "" }]
    }
  }
}

variables {
  name                       = "acme-tidemark-dev-weu-k8s"
  resource_group_name        = "acme-tidemark-dev-weu-cluster"
  location                   = "westeurope"
  tags                       = { app = "tidemark" }
  tenant_id                  = "00000000-0000-4000-8000-00000000face"
  kubernetes_version         = "1.34"
  admin_group_ids            = ["00000000-0000-4000-8000-0000000000aa"]
  node_subnet_id             = "/subscriptions/s/subnets/nodes"
  api_server_subnet_id       = "/subscriptions/s/subnets/api-server"
  etcd_key_id                = "https://v.vault.azure.net/keys/etcd/1"
  etcd_key_resource_id       = "/subscriptions/s/vaults/v/keys/etcd"
  disk_key_id                = "https://v.vault.azure.net/keys/disks"
  disk_key_resource_id       = "/subscriptions/s/vaults/v/keys/disks"
  log_analytics_workspace_id = "/subscriptions/s/workspaces/w"
}

run "nobody_has_a_certificate_for_the_cluster" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.local_account_disabled && azurerm_kubernetes_cluster.this.azure_active_directory_role_based_access_control[0].azure_rbac_enabled
    error_message = "People sign in with Entra."
  }
  assert {
    condition     = !azurerm_kubernetes_cluster.this.run_command_enabled
    error_message = "run command is a shell for whoever has a right on the resource."
  }
}

run "workloads_have_tokens_of_the_clusters_own_issuer" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.oidc_issuer_enabled && azurerm_kubernetes_cluster.this.workload_identity_enabled && output.issuer == "https://westeurope.oic.prod-aks.azure.com/t/c/"
    error_message = "Without it no pod reaches the archive."
  }
}

run "the_api_server_is_private_unless_ranges_are_named" {
  assert {
    condition     = azurerm_kubernetes_cluster.this.private_cluster_enabled && output.endpoint == "https://c.private:443"
    error_message = output.endpoint
  }
}

run "a_public_api_server_for_everybody_is_refused" {
  command = plan
  variables {
    private = false
  }
  expect_failures = [azurerm_kubernetes_cluster.this]
}

run "a_public_api_server_for_half_the_world_is_refused" {
  command = plan
  variables {
    private              = false
    authorized_ip_ranges = ["0.0.0.0/1"]
  }
  expect_failures = [var.authorized_ip_ranges]
}

run "the_network_is_an_overlay_with_policies" {
  assert {
    condition = (
      azurerm_kubernetes_cluster.this.network_profile[0].network_plugin_mode == "overlay" && azurerm_kubernetes_cluster.this.network_profile[0].network_policy == "cilium" &&
      azurerm_kubernetes_cluster.this.network_profile[0].network_data_plane == "cilium" && azurerm_kubernetes_cluster.this.network_profile[0].dns_service_ip == "10.245.0.10"
    )
    error_message = "NetworkPolicies of the charts need a data plane that knows them."
  }
}

run "each_zone_has_data_nodes_that_the_charts_find" {
  assert {
    condition     = alltrue([for zone, pool in azurerm_kubernetes_cluster_node_pool.data : pool.zones == toset([zone]) && pool.node_labels["tidemark/pool"] == "data" && pool.node_taints == tolist(["tidemark/pool=data:NoSchedule"])])
    error_message = "Labels and taint are those of charts/values/aks."
  }
  assert {
    condition     = length(azurerm_kubernetes_cluster_node_pool.data) == 3
    error_message = "A replica set of three wants three zones."
  }
  assert {
    condition     = alltrue([for pool in azurerm_kubernetes_cluster_node_pool.data : length(pool.name) <= 12 && length(pool.temporary_name_for_rotation) <= 12])
    error_message = "AKS takes 12 characters for a pool."
  }
}

run "hosts_and_disks_and_secrets_are_encrypted" {
  assert {
    condition = (
      azurerm_kubernetes_cluster.this.default_node_pool[0].host_encryption_enabled && azurerm_kubernetes_cluster_node_pool.general.host_encryption_enabled &&
      alltrue([for pool in azurerm_kubernetes_cluster_node_pool.data : pool.host_encryption_enabled])
    )
    error_message = "Caches and temporary disks lie on the host."
  }
  assert {
    condition     = azurerm_kubernetes_cluster.this.key_management_service[0].key_vault_key_id == "https://v.vault.azure.net/keys/etcd/1" && azurerm_kubernetes_cluster.this.key_management_service[0].key_vault_network_access == "Private"
    error_message = "Secrets lie in etcd."
  }
}

run "the_clusters_identities_have_rights_on_single_things" {
  assert {
    condition     = alltrue([for assignment in azurerm_role_assignment.control_plane : !can(regex("(?i)^/subscriptions/[^/]+(/resourceGroups/[^/]+)?$", assignment.scope)) && !contains(["Owner", "Contributor"], assignment.role_definition_name)])
    error_message = "A right on a group is a right on what comes into it later."
  }
}

run "an_old_version_is_refused" {
  command = plan
  variables {
    kubernetes_version = "1.31"
  }
  expect_failures = [var.kubernetes_version]
}

run "the_storage_class_is_that_of_the_charts_and_has_our_key" {
  assert {
    condition = (
      output.manifests[0].metadata.name == "tidemark-premium-v2" && output.manifests[0].parameters.diskEncryptionSetID == azurerm_disk_encryption_set.this.id &&
      output.manifests[0].parameters["csi.storage.k8s.io/fstype"] == "xfs" && output.manifests[0].reclaimPolicy == "Retain" && output.manifests[0].parameters.tags == "app=tidemark"
    )
    error_message = jsonencode(output.manifests)
  }
  assert {
    condition     = azurerm_disk_encryption_set.this.encryption_type == "EncryptionAtRestWithCustomerKey"
    error_message = "Azure refuses to encrypt premium SSD v2 twice."
  }
}
