"""What can be reached from where, on Azure."""

from policies.look import blocks, of_kind

EVERYWHERE = {"*", "Internet", "0.0.0.0/0", "::/0", "Any"}
EDGE_PORT = "443"
DATABASE_PORT = 27017
# Public addresses that take nothing in: those of NAT gateways.
NAT = "nat"


def _sources(values):
    return {values.get("source_address_prefix"), *(values.get("source_address_prefixes") or [])}


def _ports(values):
    return {values.get("destination_port_range"), *(values.get("destination_port_ranges") or [])} - {None}


def _spans(ports, port):
    for one in ports:
        first, _, last = str(one).partition("-")
        if one == "*" or (first.isdigit() and int(first) <= port <= int(last or first)):
            return True
    return False


def only_https_of_the_gateway_is_open_to_the_internet(resources):
    for one in of_kind(resources, "azurerm_network_security_rule"):
        values = one.values
        if (values["access"], values["direction"]) == ("Allow", "Inbound") and _sources(values) & EVERYWHERE:
            if not (values["network_security_group_name"].endswith("-gateway") and _ports(values) == {EDGE_PORT} and values["protocol"] == "Tcp"):
                yield f"{one.address}: lets the internet in"
    for one in of_kind(resources, "azurerm_network_security_group"):
        if one.values.get("security_rule"):
            yield f"{one.address}: has rules inside, which these policies do not see"


def nothing_outside_of_the_cluster_reaches_the_database(resources):
    for one in of_kind(resources, "azurerm_network_security_rule"):
        values = one.values
        if (values["access"], values["direction"]) == ("Allow", "Inbound") and _spans(_ports(values), DATABASE_PORT):
            # Azure's probes come from the host. Between nodes and pods Azure wants all ports; there the NetworkPolicies of the charts say more.
            if _sources(values) - {None} == {"AzureLoadBalancer"}:
                continue
            if not (values["network_security_group_name"].endswith("-nodes") and values["name"] in {"node-to-node", "node-to-pod", "pod-to-pod"}):
                yield f"{one.address}: opens the port of the database"


def every_subnet_ends_with_a_refusal(resources):
    groups = {one.values["name"] for one in of_kind(resources, "azurerm_network_security_group")}
    refused = {
        (one.values["network_security_group_name"], one.values["direction"])
        for one in of_kind(resources, "azurerm_network_security_rule")
        if one.values["access"] == "Deny" and one.values["priority"] == 4096 and _ports(one.values) == {"*"}
    }
    for name in groups:
        for direction in ("Inbound", "Outbound"):
            if (name, direction) not in refused:
                yield f"{name}: {direction.lower()} ends with Azure's own rules, which allow"
    joined = len(of_kind(resources, "azurerm_subnet_network_security_group_association"))
    if joined != len(of_kind(resources, "azurerm_subnet")):
        yield "a subnet has no security group"
    for one in of_kind(resources, "azurerm_subnet"):
        if one.values.get("default_outbound_access_enabled") is not False:
            yield f"{one.address}: has Azure's implicit way out"


def public_addresses_are_for_going_out(resources):
    for one in of_kind(resources, "azurerm_public_ip"):
        if not one.values["name"].endswith(f"-{NAT}"):
            yield f"{one.address}: a public address"
    for one in of_kind(resources, "azurerm_kubernetes_cluster"):
        pools = blocks(one.values, "default_node_pool")
        if any(pool.get("node_public_ip_enabled") for pool in pools):
            yield f"{one.address}: nodes have public addresses"
    for one in of_kind(resources, "azurerm_kubernetes_cluster_node_pool"):
        if one.values.get("node_public_ip_enabled"):
            yield f"{one.address}: nodes have public addresses"


def control_planes_are_private(resources):
    wanted = {"kube-audit-admin", "guard"}
    # By id; in a plan both ids are unknown, and any such setting of an unknown target counts.
    logged = {
        one.values.get("target_resource_id")
        for one in of_kind(resources, "azurerm_monitor_diagnostic_setting")
        if wanted <= {log.get("category") for log in blocks(one.values, "enabled_log")}
    }
    for one in of_kind(resources, "azurerm_kubernetes_cluster"):
        ranges = {bound for profile in blocks(one.values, "api_server_access_profile") for bound in profile.get("authorized_ip_ranges") or []}
        if not one.values.get("private_cluster_enabled") and (not ranges or ranges & EVERYWHERE):
            yield f"{one.address}: the API server is open to everybody"
        if one.values.get("id") not in logged:
            yield f"{one.address}: who did what is not logged"


def what_holds_data_is_reached_by_endpoints(resources):
    private = {connection.get("private_connection_resource_id") for one in of_kind(resources, "azurerm_private_endpoint") for connection in blocks(one.values, "private_service_connection")}
    for one in of_kind(resources, "azurerm_storage_account", "azurerm_container_registry", "azurerm_key_vault"):
        rules = blocks(one.values, "network_rules") + blocks(one.values, "network_acls")
        if one.values.get("public_network_access_enabled") is not False and not (rules and rules[0].get("default_action") == "Deny" and rules[0].get("ip_rules")):
            yield f"{one.address}: has a public address"
        if rules and rules[0].get("default_action") != "Deny":
            yield f"{one.address}: lets everybody try"
        # Of states: the runners' network has the endpoint.
        if one.values.get("id") not in private and not one.values["name"].endswith("st"):
            yield f"{one.address}: no private endpoint leads to it"
