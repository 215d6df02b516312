# Pools of nodes for the database, one for each zone: a volume stays in its zone, and an autoscaler that may add a node "in any zone" adds it in the wrong one.

resource "azurerm_kubernetes_cluster_node_pool" "data" {
  for_each = toset(var.zones)

  name                  = "data${each.value}"
  kubernetes_cluster_id = azurerm_kubernetes_cluster.this.id
  mode                  = "User"
  vm_size               = var.data_nodes.vm_size
  vnet_subnet_id        = var.node_subnet_id
  zones                 = [each.value]
  auto_scaling_enabled  = true
  min_count             = var.data_nodes.min
  max_count             = var.data_nodes.max
  os_sku                = "AzureLinux"
  os_disk_type          = "Managed"
  os_disk_size_gb       = var.data_nodes.disk_gib
  # Encrypts what a disk's own encryption does not see: temporary disks and caches on the host.
  host_encryption_enabled     = true
  node_public_ip_enabled      = false
  temporary_name_for_rotation = "data${each.value}tmp"
  node_labels                 = { (local.data_label) = "data" }
  node_taints                 = ["${local.data_label}=data:NoSchedule"]
  tags                        = var.tags

  # What mongod warns of at its start. Set on the node by the platform, so that no pod needs privileges for it.
  linux_os_config {
    transparent_huge_page        = var.data_nodes.transparent_huge_page
    transparent_huge_page_defrag = "defer+madvise"
    sysctl_config {
      vm_max_map_count         = 262144
      vm_swappiness            = 1
      fs_file_max              = 1048576
      net_core_somaxconn       = 4096
      net_ipv4_tcp_fin_timeout = 30
      # Below the four minutes after which Azure forgets an idle flow.
      net_ipv4_tcp_keepalive_time = 120
    }
  }

  upgrade_settings {
    # Never two members of a set at once, and time for one to catch up.
    max_surge                     = "1"
    drain_timeout_in_minutes      = 60
    node_soak_duration_in_minutes = 10
  }

  lifecycle {
    ignore_changes = [node_count, orchestrator_version]
  }
}

# Everything else: the API, the collector, drills.
resource "azurerm_kubernetes_cluster_node_pool" "general" {
  name                        = "general"
  kubernetes_cluster_id       = azurerm_kubernetes_cluster.this.id
  mode                        = "User"
  vm_size                     = var.general_nodes.vm_size
  vnet_subnet_id              = var.node_subnet_id
  zones                       = var.zones
  auto_scaling_enabled        = true
  min_count                   = var.general_nodes.min
  max_count                   = var.general_nodes.max
  os_sku                      = "AzureLinux"
  os_disk_type                = "Managed"
  os_disk_size_gb             = var.general_nodes.disk_gib
  host_encryption_enabled     = true
  node_public_ip_enabled      = false
  temporary_name_for_rotation = "generaltmp"
  tags                        = var.tags

  upgrade_settings {
    max_surge                = "33%"
    drain_timeout_in_minutes = 30
  }

  lifecycle {
    ignore_changes = [node_count, orchestrator_version]
  }
}
