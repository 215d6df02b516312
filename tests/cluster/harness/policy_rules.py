"""NetworkPolicy (networking.k8s.io/v1) as nftables rules for a one-node cluster: pure functions from objects to text.

Pods are routed by the node, so pod to pod and outside to pod cross the hook `forward`, and pod to node the hook `input`. The node itself
always reaches its pods, as Kubernetes says it must (kubelet's probes). Connections that exist are not cut by a new policy.
"""

from dataclasses import dataclass, field

TABLE = "tidemark_policy"


@dataclass
class State:
    """Objects as the API server shows them, by `namespace/name`; `announced`: address to pod, before its status says so."""

    pods: dict = field(default_factory=dict)
    namespaces: dict = field(default_factory=dict)
    policies: dict = field(default_factory=dict)
    announced: dict = field(default_factory=dict)


def labels(thing: dict) -> dict:
    return thing["metadata"].get("labels") or {}


def selects(selector: dict | None, values: dict) -> bool:
    """An empty selector selects everything."""
    selector = selector or {}
    if any(values.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for expression in selector.get("matchExpressions") or []:
        value, operator = values.get(expression["key"]), expression["operator"]
        listed = value in (expression.get("values") or [])
        good = {"In": value is not None and listed, "NotIn": not listed, "Exists": value is not None, "DoesNotExist": value is None}
        if not good[operator]:
            return False
    return True


def addresses(state: State) -> dict[str, dict]:
    """Address to pod, for all pods that have the pod network."""
    found = {}
    for pod in state.pods.values():
        status = pod.get("status") or {}
        if status.get("podIP") and not pod["spec"].get("hostNetwork") and status.get("phase") not in ("Succeeded", "Failed"):
            found[status["podIP"]] = pod
    # What the runtime said last is newer than any status.
    for address, name in state.announced.items():
        if name in state.pods:
            found[address] = state.pods[name]
    return found


def peer_matches(state: State, peers: list | None, namespace: str, found: dict[str, dict], side: str) -> list[str]:
    """Match expressions for the peers of one rule; no peers means everybody."""
    if not peers:
        return [""]
    matches, chosen = [], set()
    for peer in peers:
        block = peer.get("ipBlock")
        if block:
            if ":" not in block["cidr"]:
                but = block.get("except") or []
                matches.append(f"ip {side} {block['cidr']} " + (f"ip {side} != {{ {', '.join(but)} }} " if but else ""))
            continue
        for address, pod in found.items():
            other = pod["metadata"]["namespace"]
            if "namespaceSelector" in peer:
                if not selects(peer["namespaceSelector"], labels(state.namespaces.get(other, {"metadata": {}}))):
                    continue
            elif other != namespace:
                continue
            if selects(peer.get("podSelector"), labels(pod)):
                chosen.add(address)
    if chosen:
        matches.append(f"ip {side} {{ {', '.join(sorted(chosen))} }} ")
    return matches


def named_ports(pod: dict, name: str, protocol: str) -> list[int]:
    containers = pod["spec"].get("containers", []) + (pod["spec"].get("initContainers") or [])
    ports = [port for container in containers for port in container.get("ports") or []]
    return [port["containerPort"] for port in ports if port.get("name") == name and port.get("protocol", "TCP") == protocol]


def port_matches(ports: list | None, targets: list[tuple[str, dict]]) -> list[str]:
    """Match expressions for the ports of one rule; a named port is another number on each target, so it names the target's address."""
    if not ports:
        return [""]
    matches = set()
    for port in ports:
        protocol, number = port.get("protocol", "TCP"), port.get("port")
        if number is None:
            matches.add(f"meta l4proto {protocol.lower()} ")
        elif isinstance(number, int):
            end = port.get("endPort")
            matches.add(f"{protocol.lower()} dport {number}" + (f"-{end}" if end else "") + " ")
        else:
            for address, pod in targets:
                matches.update(f"ip daddr {address} {protocol.lower()} dport {one} " for one in named_ports(pod, number, protocol))
    return sorted(matches)


def directions(policy: dict) -> list[str]:
    spec = policy["spec"]
    return spec.get("policyTypes") or ["Ingress"] + (["Egress"] if spec.get("egress") else [])


def chain(state: State, address: str, pod: dict, direction: str, found: dict[str, dict]) -> str | None:
    """What is let through for one pod and direction; None when no policy isolates it."""
    namespace = pod["metadata"]["namespace"]
    rules_key, peers_key, side = ("ingress", "from", "saddr") if direction == "Ingress" else ("egress", "to", "daddr")
    isolating = [
        policy for _, policy in sorted(state.policies.items())
        if policy["metadata"]["namespace"] == namespace and direction in directions(policy)
        and selects(policy["spec"].get("podSelector"), labels(pod))
    ]
    if not isolating:
        return None
    targets = [(address, pod)] if direction == "Ingress" else sorted(found.items())
    # `return`: after a pod's own egress comes its peer's ingress.
    lines = [
        f"    {peer}{port}return\n"
        for policy in isolating for rule in policy["spec"].get(rules_key) or []
        for peer in peer_matches(state, rule.get(peers_key), namespace, found, side)
        for port in port_matches(rule.get("ports"), targets)
    ]
    return f"  chain {chain_name(direction, address)} {{\n{''.join(lines)}    counter drop\n  }}\n"


def chain_name(direction: str, address: str) -> str:
    return f"{direction.lower()}_{address.replace('.', '_')}"


def render(state: State, network: str) -> str:
    """The whole table, replaced in one transaction. An address of the pod network that no known pod has is closed both ways."""
    found = addresses(state)
    chains, jumps = [], {"Ingress": [], "Egress": []}
    for address, pod in sorted(found.items()):
        for direction, entries in jumps.items():
            text = chain(state, address, pod, direction, found)
            if text:
                chains.append(text)
                entries.append(f"{address} : jump {chain_name(direction, address)}")
    known = ", ".join(sorted(found))
    elements = f" elements = {{ {known} }}" if known else ""
    egress = f"    ip saddr vmap {{ {', '.join(jumps['Egress'])} }}\n" if jumps["Egress"] else ""
    ingress = f"    ip daddr vmap {{ {', '.join(jumps['Ingress'])} }}\n" if jumps["Ingress"] else ""
    established = "    ct state established,related accept\n"
    closed = "".join(f"    ip {side} {network} ip {side} != @known counter drop\n" for side in ("saddr", "daddr"))
    return (
        # Named first so that the deletion succeeds when it is not there yet.
        f"table inet {TABLE}\ndelete table inet {TABLE}\ntable inet {TABLE} {{\n"
        f"  set known {{ type ipv4_addr;{elements} }}\n"
        f"{''.join(chains)}"
        f"  chain forward {{\n    type filter hook forward priority -5; policy accept;\n{established}{closed}{egress}{ingress}  }}\n"
        f"  chain input {{\n    type filter hook input priority -5; policy accept;\n{established}{egress}  }}\n}}\n"
    )
