# The cluster. Nobody has a certificate or a password for it: people and pipelines sign in with Entra, workloads with tokens of its own issuer.

locals {
  # Reserved for what runs on every cluster; the data pools' labels are those that the charts select.
  data_label = "tidemark/pool"
}

resource "azurerm_kubernetes_cluster" "this" {
  name                = var.name
  resource_group_name = var.resource_group_name
  location            = var.location
  dns_prefix          = var.name
  kubernetes_version  = var.kubernetes_version
  sku_tier            = "Standard"
  node_resource_group = "${var.resource_group_name}-nodes"
  tags                = var.tags

  local_account_disabled            = true
  role_based_access_control_enabled = true
  azure_active_directory_role_based_access_control {
    tenant_id              = var.tenant_id
    azure_rbac_enabled     = true
    admin_group_object_ids = var.admin_group_ids
  }

  oidc_issuer_enabled       = true
  workload_identity_enabled = true

  private_cluster_enabled             = var.private
  private_cluster_public_fqdn_enabled = false
  # A shell in the cluster for everybody with a right on the ARM resource.
  run_command_enabled = false
  api_server_access_profile {
    virtual_network_integration_enabled = true
    subnet_id                           = var.api_server_subnet_id
    authorized_ip_ranges                = var.private ? null : var.authorized_ip_ranges
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.control_plane.id]
  }
  kubelet_identity {
    client_id                 = azurerm_user_assigned_identity.kubelet.client_id
    object_id                 = azurerm_user_assigned_identity.kubelet.principal_id
    user_assigned_identity_id = azurerm_user_assigned_identity.kubelet.id
  }

  disk_encryption_set_id = azurerm_disk_encryption_set.this.id
  key_management_service {
    key_vault_key_id         = var.etcd_key_id
    key_vault_network_access = "Private"
  }

  network_profile {
    network_plugin      = "azure"
    network_plugin_mode = "overlay"
    network_data_plane  = "cilium"
    network_policy      = "cilium"
    load_balancer_sku   = "standard"
    outbound_type       = "userAssignedNATGateway"
    pod_cidr            = var.pod_cidr
    service_cidr        = var.service_cidr
    dns_service_ip      = cidrhost(var.service_cidr, 10)
  }

  # Pools are ours; automatic provisioning would make nodes without the settings below.
  node_provisioning_profile {
    mode = "Manual"
  }

  default_node_pool {
    name                         = "system"
    type                         = "VirtualMachineScaleSets"
    vm_size                      = var.system_nodes.vm_size
    vnet_subnet_id               = var.node_subnet_id
    zones                        = var.zones
    auto_scaling_enabled         = true
    min_count                    = var.system_nodes.min
    max_count                    = var.system_nodes.max
    only_critical_addons_enabled = true
    os_sku                       = "AzureLinux"
    os_disk_type                 = "Ephemeral"
    os_disk_size_gb              = var.system_nodes.disk_gib
    host_encryption_enabled      = true
    node_public_ip_enabled       = false
    temporary_name_for_rotation  = "systemtmp"
    tags                         = var.tags

    upgrade_settings {
      max_surge                = "33%"
      drain_timeout_in_minutes = 30
    }
  }

  automatic_upgrade_channel = "patch"
  node_os_upgrade_channel   = "NodeImage"
  maintenance_window_auto_upgrade {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = var.maintenance.day
    start_time  = var.maintenance.start
    utc_offset  = "+00:00"
  }
  maintenance_window_node_os {
    frequency   = "Weekly"
    interval    = 1
    duration    = 4
    day_of_week = var.maintenance.day
    start_time  = var.maintenance.start
    utc_offset  = "+00:00"
  }

  azure_policy_enabled         = true
  cost_analysis_enabled        = true
  image_cleaner_enabled        = true
  image_cleaner_interval_hours = 48
  key_vault_secrets_provider {
    secret_rotation_enabled  = true
    secret_rotation_interval = "2m"
  }
  storage_profile {
    disk_driver_enabled         = true
    snapshot_controller_enabled = true
    blob_driver_enabled         = false
    file_driver_enabled         = false
  }
  dynamic "microsoft_defender" {
    for_each = var.defender_enabled ? [1] : []
    content {
      log_analytics_workspace_id = var.log_analytics_workspace_id
    }
  }

  lifecycle {
    # The channel above moves it; a plan must not move it back.
    ignore_changes = [kubernetes_version, default_node_pool[0].node_count]
    precondition {
      condition     = var.private || length(var.authorized_ip_ranges) > 0
      error_message = "A public API server needs authorized_ip_ranges."
    }
  }

  depends_on = [azurerm_role_assignment.control_plane]
}

resource "azurerm_monitor_diagnostic_setting" "this" {
  name                           = "control-plane"
  target_resource_id             = azurerm_kubernetes_cluster.this.id
  log_analytics_workspace_id     = var.log_analytics_workspace_id
  log_analytics_destination_type = "Dedicated"

  dynamic "enabled_log" {
    # kube-audit-admin leaves reads out: with them the log costs more than the cluster.
    for_each = ["kube-apiserver", "kube-audit-admin", "kube-controller-manager", "kube-scheduler", "cluster-autoscaler", "guard", "csi-azuredisk-controller"]
    content {
      category = enabled_log.value
    }
  }
}
