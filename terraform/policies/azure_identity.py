"""Who may do what on Azure, and who may become whom."""

import re

from policies.look import blocks, of_kind

TOO_MUCH = {"Owner", "User Access Administrator", "Storage Blob Data Owner", "Key Vault Administrator", "Azure Kubernetes Service RBAC Cluster Admin"}
WHOLE = re.compile(r"(?i)^/subscriptions/[^/]+(/resourceGroups/[^/]+)?$")
# The account of the states, by the end of its name (modules/pure/naming); a tenant may have a container of any name in the others.
STATES = re.compile(r"/storageAccounts/[a-z0-9]+st/blobServices/default/containers/([^/]+)$")
GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = ["api://AzureADTokenExchange"]


def nobody_has_everything(resources):
    for one in of_kind(resources, "azurerm_role_definition"):
        for permission in blocks(one.values, "permissions"):
            for action in [*(permission.get("actions") or []), *(permission.get("data_actions") or [])]:
                if "*" in action:
                    yield f"{one.address}: allows {action}"
            if permission.get("not_actions") or permission.get("not_data_actions"):
                yield f"{one.address}: allows everything but something"
    for one in of_kind(resources, "azurerm_role_assignment"):
        if one.values.get("role_definition_name") in TOO_MUCH:
            yield f"{one.address}: {one.values['role_definition_name']}"


def rights_are_on_single_things(resources):
    """On a group a role counts for what comes into it later, too: only the pipelines that plan and apply the group have that."""
    for one in of_kind(resources, "azurerm_role_assignment"):
        scope = one.values.get("scope") or ""
        # The gateway's controller looks at the group that AKS makes for nodes.
        if one.values.get("role_definition_name") == "Reader" and scope.endswith("-nodes"):
            continue
        if WHOLE.match(scope) and (".module.github." not in f".{one.address}" or "/resourceGroups/" not in scope):
            yield f"{one.address}: {one.values.get('role_definition_name')} on a whole group or subscription"


def who_assigns_roles_assigns_named_ones(resources):
    for one in of_kind(resources, "azurerm_role_assignment"):
        if one.values.get("role_definition_name") == "Role Based Access Control Administrator":
            condition = one.values.get("condition") or ""
            if one.unknown.get("condition") is True:
                # Made of roles that the same apply makes; judged again when they are there.
                continue
            if condition.count("ForAnyOfAnyValues:GuidEquals") != 2 or "GuidNotEquals" in condition:
                yield f"{one.address}: could assign any role, and be owner"


def archives_are_written_within_conditions(resources):
    """Custom roles at containers: bound to paths, but for the writer at the archive, behind whom retention stands."""
    for one in of_kind(resources, "azurerm_role_assignment"):
        scope = one.values.get("scope") or ""
        if "/blobServices/default/containers/" not in scope or STATES.search(scope):
            continue
        if (one.values.get("role_definition_name") or "").startswith("Storage "):
            yield f"{one.address}: a built-in role at a container of backups"
        elif not one.values.get("condition") and not one.address.endswith('/writer-archive"]'):
            yield f"{one.address}: is bound to no path"
        elif one.values.get("condition") and one.values.get("condition_version") != "2.0":
            yield f"{one.address}: its condition is not read"


def no_pipeline_writes_the_state_of_what_limits_it(resources):
    """The bootstrap makes the pipelines and their rights: people write its state, and identities that take outputs of it read."""
    for one in of_kind(resources, "azurerm_role_assignment"):
        scope = one.values.get("scope") or ""
        container = STATES.search(scope)
        if re.search(r"/storageAccounts/[a-z0-9]+st$", scope):
            yield f"{one.address}: rights at all containers of states"
        elif container and container[1] != "tfstate" and one.values.get("principal_type") != "Group" and one.values.get("role_definition_name") != "Storage Blob Data Reader":
            yield f"{one.address}: could have an administrator apply anything"


def trust_is_exact(resources):
    for one in of_kind(resources, "azurerm_federated_identity_credential"):
        issuer, subject = one.values.get("issuer") or "", one.values.get("subject") or ""
        if one.values.get("audience") != AUDIENCE:
            yield f"{one.address}: another audience"
        if one.unknown.get("issuer") is True:
            # That of a cluster which the same apply makes.
            issuer = "https://unknown/"
        if "*" in subject or not issuer.startswith("https://"):
            yield f"{one.address}: a pattern, or no issuer"
        if issuer == GITHUB:
            if not re.fullmatch(r"repo:[^:/]+/[^:]+:environment:[^:]+", subject):
                yield f"{one.address}: any branch or pull request may become it"
        elif not (issuer.endswith("/") and re.fullmatch(r"system:serviceaccount:[a-z0-9-]+:[a-z0-9.-]+", subject)):
            yield f"{one.address}: no service account of a cluster"


def there_are_no_passwords(resources):
    for one in of_kind(resources, "azurerm_kubernetes_cluster"):
        if one.values.get("local_account_disabled") is not True or one.values.get("run_command_enabled") is not False:
            yield f"{one.address}: has accounts beside Entra, or a shell for everybody with a right on it"
        if not all(entra.get("azure_rbac_enabled") for entra in blocks(one.values, "azure_active_directory_role_based_access_control") or [{}]):
            yield f"{one.address}: rights are not Entra's"
        if blocks(one.values, "service_principal") or not (one.values.get("oidc_issuer_enabled") and one.values.get("workload_identity_enabled")):
            yield f"{one.address}: workloads have no identity of their own"
    for one in of_kind(resources, "azurerm_log_analytics_workspace"):
        if one.values.get("local_authentication_enabled") is not False:
            yield f"{one.address}: has keys"
