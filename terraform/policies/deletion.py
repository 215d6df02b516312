"""What a plan must not remove. prevent_destroy says so, too, but goes away together with the block that says it."""

HOLDS_DATA = {
    "aws_s3_bucket", "aws_kms_key", "aws_ecr_repository", "aws_s3_bucket_versioning", "aws_s3_bucket_object_lock_configuration",
    "azurerm_storage_account", "azurerm_storage_container", "azurerm_storage_container_immutability_policy", "azurerm_key_vault", "azurerm_key_vault_key",
    "azurerm_container_registry",
}  # fmt: skip


def destroys_nothing_that_holds_data(plan):
    return [
        f"{one['address']}: would be {'replaced' if 'create' in one['change']['actions'] else 'destroyed'}"
        for one in plan.get("resource_changes", [])
        if one["type"] in HOLDS_DATA and "delete" in one["change"]["actions"]
    ]
