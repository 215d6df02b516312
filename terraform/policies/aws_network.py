"""What can be reached from where."""

from policies.look import blocks, of_kind

EVERYWHERE = {"0.0.0.0/0", "::/0"}
# The one thing that is for everybody: HTTPS at the edge, in a security group that says it is the edge's.
EDGE_PORT = 443


def _is_edge(tags):
    return (tags or {}).get("tier") == "edge"


def nothing_is_open_to_the_internet(resources):
    for one in of_kind(resources, "aws_vpc_security_group_ingress_rule"):
        values = one.values
        if {values.get("cidr_ipv4"), values.get("cidr_ipv6")} & EVERYWHERE:
            ports = (values.get("from_port"), values.get("to_port"))
            if not (_is_edge(values.get("tags")) and ports == (EDGE_PORT, EDGE_PORT) and values.get("ip_protocol") == "tcp"):
                yield f"{one.address}: lets the internet in"
    for one in of_kind(resources, "aws_security_group_rule"):
        if one.values.get("type") == "ingress" and EVERYWHERE & set((one.values.get("cidr_blocks") or []) + (one.values.get("ipv6_cidr_blocks") or [])):
            yield f"{one.address}: lets the internet in"
    for one in of_kind(resources, "aws_security_group", "aws_default_security_group"):
        for rule in one.values.get("ingress") or []:
            if EVERYWHERE & set((rule.get("cidr_blocks") or []) + (rule.get("ipv6_cidr_blocks") or [])):
                yield f"{one.address}: lets the internet in"
    for one in of_kind(resources, "aws_default_security_group"):
        if one.values.get("ingress") or one.values.get("egress"):
            yield f"{one.address}: the default group lets something through"
    for one in of_kind(resources, "aws_launch_template"):
        if any(str(card.get("associate_public_ip_address")).lower() == "true" for card in blocks(one.values, "network_interfaces")):
            yield f"{one.address}: nodes have public addresses"
    for one in of_kind(resources, "aws_db_instance", "aws_rds_cluster_instance", "aws_docdb_cluster_instance"):
        if one.values.get("publicly_accessible"):
            yield f"{one.address}: a database with a public address"


def subnets_give_no_public_addresses(resources):
    for one in of_kind(resources, "aws_subnet"):
        if one.values.get("map_public_ip_on_launch"):
            yield f"{one.address}: gives public addresses"


def control_planes_are_private(resources):
    for one in of_kind(resources, "aws_eks_cluster"):
        [network] = blocks(one.values, "vpc_config")
        if network.get("endpoint_public_access") is not False:
            yield f"{one.address}: the API server has a public endpoint"
        if not network.get("endpoint_private_access"):
            yield f"{one.address}: the API server has no private endpoint"
        if not {"api", "audit", "authenticator"} <= set(one.values.get("enabled_cluster_log_types") or []):
            yield f"{one.address}: who did what is not logged"
        for access in blocks(one.values, "access_config"):
            if access.get("authentication_mode") != "API" or access.get("bootstrap_cluster_creator_admin_permissions"):
                yield f"{one.address}: there are administrators that no access entry names"
    networks = {one.values.get("vpc_id") for one in of_kind(resources, "aws_flow_log")}
    for one in of_kind(resources, "aws_vpc"):
        if not networks:
            yield f"{one.address}: has no flow log"


def metadata_is_out_of_reach_of_pods(resources):
    for one in of_kind(resources, "aws_launch_template"):
        for options in blocks(one.values, "metadata_options") or [{}]:
            if options.get("http_tokens") != "required" or options.get("http_put_response_hop_limit") != 1:
                yield f"{one.address}: pods can ask for the credentials of the node"
