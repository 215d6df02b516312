"""Where data lies on Azure: closed, encrypted, kept."""

from policies.look import blocks, is_given, of_kind


def _kind_of(account):
    """archive, control or state, by the end of the name (modules/pure/naming). A restore makes no accounts."""
    return {"ar": "archive", "ct": "control", "st": "state"}.get(account.values["name"][-2:], "unknown")


def accounts_have_no_keys(resources):
    for one in of_kind(resources, "azurerm_storage_account"):
        values = one.values
        if values.get("shared_access_key_enabled") is not False:
            yield f"{one.address}: has keys, and with them signatures that nobody can take back"
        for switch in ("local_user_enabled", "sftp_enabled", "nfsv3_enabled", "is_hns_enabled"):
            # The state's account leaves some of them to their defaults, which are off.
            if values.get(switch):
                yield f"{one.address}: {switch}"
        if values.get("allow_nested_items_to_be_public") is not False:
            yield f"{one.address}: a container could be made public"
        if values.get("https_traffic_only_enabled") is not True or values.get("min_tls_version") != "TLS1_2":
            yield f"{one.address}: answers without TLS 1.2"
        if values.get("cross_tenant_replication_enabled") is not False or values.get("allowed_copy_scope") not in ("AAD", "PrivateLink"):
            yield f"{one.address}: can be copied into another tenant"
    for one in of_kind(resources, "azurerm_storage_container"):
        if one.values.get("container_access_type") != "private":
            yield f"{one.address}: is public"


def everything_is_encrypted(resources):
    for one in of_kind(resources, "azurerm_storage_account"):
        if not one.values.get("infrastructure_encryption_enabled"):
            yield f"{one.address}: is encrypted once only"
        if _kind_of(one) != "state" and not blocks(one.values, "customer_managed_key"):
            yield f"{one.address}: has no key of ours"
    for one in of_kind(resources, "azurerm_container_registry"):
        if not one.values.get("encryption"):
            yield f"{one.address}: has no key of ours"
    for one in of_kind(resources, "azurerm_kubernetes_cluster"):
        if not is_given(one, "disk_encryption_set_id"):
            yield f"{one.address}: disks have no key of ours"
        if not blocks(one.values, "key_management_service"):
            yield f"{one.address}: Secrets lie in etcd under no key of ours"
        if not all(pool.get("host_encryption_enabled") for pool in blocks(one.values, "default_node_pool")):
            yield f"{one.address}: hosts are not encrypted"
    for one in of_kind(resources, "azurerm_kubernetes_cluster_node_pool"):
        if not one.values.get("host_encryption_enabled"):
            yield f"{one.address}: hosts are not encrypted"


def keys_are_kept_and_rotated(resources):
    for one in of_kind(resources, "azurerm_key_vault"):
        if not one.values.get("purge_protection_enabled") or (one.values.get("soft_delete_retention_days") or 0) < 90:
            yield f"{one.address}: its keys can be purged"
        if not one.values.get("rbac_authorization_enabled") or one.values.get("access_policy"):
            yield f"{one.address}: rights are given by access policies"
    for one in of_kind(resources, "azurerm_key_vault_key"):
        if one.values["name"] != "etcd" and not blocks(one.values, "rotation_policy", "automatic"):
            yield f"{one.address}: is never rotated"


def archives_are_retained_and_versioned(resources):
    archives = [one for one in of_kind(resources, "azurerm_storage_account") if _kind_of(one) == "archive"]
    for one in archives:
        [properties] = blocks(one.values, "blob_properties") or [{}]
        if not properties.get("versioning_enabled") or not properties.get("change_feed_enabled"):
            yield f"{one.address}: keeps no versions or no record of changes"
        if not any((policy.get("days") or 0) >= 7 and not policy.get("permanent_delete_enabled") for policy in blocks(properties, "delete_retention_policy")):
            yield f"{one.address}: what is deleted is gone at once"
        if one.values.get("account_replication_type") not in ("ZRS", "GZRS", "RAGZRS"):
            yield f"{one.address}: is lost with its zone"
    if archives:
        held = {one.values.get("storage_container_resource_manager_id") for one in of_kind(resources, "azurerm_storage_container_immutability_policy")}
        for one in of_kind(resources, "azurerm_storage_container"):
            if one.name == "archive" and one.values.get("id") not in held:
                yield f"{one.address}: has no retention"
        for one in of_kind(resources, "azurerm_storage_container_immutability_policy"):
            if one.values.get("protected_append_writes_enabled") or one.values.get("protected_append_writes_all_enabled"):
                yield f"{one.address}: retained objects can be appended to"
        for one in of_kind(resources, "azurerm_storage_management_policy"):
            for base in blocks(one.values, "rule", "actions", "base_blob"):
                if any("delete_after" in name and value not in (None, -1) for name, value in base.items()):
                    yield f"{one.address}: deletes backups by their age"


def what_holds_data_is_locked_against_deletion(resources):
    locked = {one.values.get("scope") for one in of_kind(resources, "azurerm_management_lock") if one.values.get("lock_level") == "CanNotDelete"}
    for one in of_kind(resources, "azurerm_storage_account"):
        if one.values.get("id") not in locked:
            yield f"{one.address}: can be deleted in one step"


def registries_are_closed(resources):
    for one in of_kind(resources, "azurerm_container_registry"):
        values = one.values
        if values.get("admin_enabled") is not False or values.get("anonymous_pull_enabled") is not False:
            yield f"{one.address}: has a password, or needs none"
        if values.get("sku") != "Premium" or values.get("export_policy_enabled") is not False:
            yield f"{one.address}: images can be carried out"
        if not values.get("retention_policy_in_days"):
            yield f"{one.address}: what a tag left behind is kept for good, or goes at once"
