"""Of the chart tenant."""

from .common import PEER, SUBJECT

TENANT = [
    ("name", "books", "Namespace/books", True),
    ("namespace", "tenant-shop", "Namespace/tenant-shop", True),
    ("labels", {"a": "b"}, "Namespace/shop metadata/labels/a", "b"),
    ("podSecurity.enforce", "baseline", "Namespace/shop metadata/labels/pod-security.kubernetes.io%enforce", "baseline"),
    ("podSecurity.version", "v1.33", "Namespace/shop metadata/labels/pod-security.kubernetes.io%enforce-version", "v1.33"),
    ("quota", {"pods": "7"}, "ResourceQuota/tenant spec/hard/pods", "7"),
    ("limitRange", {"max": {"memory": "1Gi"}}, "LimitRange/tenant spec/limits/[0]/max/memory", "1Gi"),
    ("networkPolicy.defaultDeny", False, "NetworkPolicy/default-deny", False),
    ("networkPolicy.dns.to", [PEER], "NetworkPolicy/default-deny spec/egress/[0]/to", [PEER]),
    ("networkPolicy.dns.ipBlocks", ["169.254.20.10/32"], "NetworkPolicy/default-deny spec/egress/[0]/to/[1]", {"ipBlock": {"cidr": "169.254.20.10/32"}}),
    ("rbac.deployers", [SUBJECT], "RoleBinding/tenant-deployer subjects", [SUBJECT]),
    ("rbac.viewers", [SUBJECT], "RoleBinding/tenant-viewer roleRef/name", "view"),
]
