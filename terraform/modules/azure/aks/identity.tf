# Who the cluster itself is: the control plane, the kubelets, and the encryption of disks.

resource "azurerm_user_assigned_identity" "control_plane" {
  name                = "${var.name}-control-plane"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_user_assigned_identity" "kubelet" {
  name                = "${var.name}-kubelet"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

locals {
  # Rights on single subnets and keys, never on a group or a subscription.
  control_plane_roles = {
    nodes-subnet      = { scope = var.node_subnet_id, role = "Network Contributor" }
    api-server-subnet = { scope = var.api_server_subnet_id, role = "Network Contributor" }
    kubelet-identity  = { scope = azurerm_user_assigned_identity.kubelet.id, role = "Managed Identity Operator" }
    disks             = { scope = azurerm_disk_encryption_set.this.id, role = "Reader" }
    # The key management service encrypts and decrypts, where storage and disks wrap and unwrap.
    etcd-key = { scope = var.etcd_key_resource_id, role = "Key Vault Crypto User" }
  }
}

resource "azurerm_role_assignment" "control_plane" {
  for_each = local.control_plane_roles

  scope                = each.value.scope
  role_definition_name = each.value.role
  principal_id         = azurerm_user_assigned_identity.control_plane.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_disk_encryption_set" "this" {
  name                = "${var.name}-disks"
  resource_group_name = var.resource_group_name
  location            = var.location
  key_vault_key_id    = var.disk_key_id
  # Encrypting twice is refused for premium SSD v2; the hosts encrypt what passes them (host_encryption_enabled).
  encryption_type           = "EncryptionAtRestWithCustomerKey"
  auto_key_rotation_enabled = true
  tags                      = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.disks.id]
  }

  depends_on = [azurerm_role_assignment.disks]
}

resource "azurerm_user_assigned_identity" "disks" {
  name                = "${var.name}-disks"
  resource_group_name = var.resource_group_name
  location            = var.location
  tags                = var.tags
}

resource "azurerm_role_assignment" "disks" {
  scope                = var.disk_key_resource_id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.disks.principal_id
  principal_type       = "ServicePrincipal"
}

# Images come from our registry only, and the kubelet may do nothing but pull them.
resource "azurerm_role_assignment" "pull" {
  for_each = var.registry_ids

  scope                = each.value
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.kubelet.principal_id
  principal_type       = "ServicePrincipal"
}
