"""Of the chart tidemark-node."""

from .common import ENV, PEER, RESOURCES, TOLERATIONS, image

DAEMONS = "DaemonSet/r-tidemark-node spec/template/spec"
NODE = f"{DAEMONS}/containers/[node]"
TIDEMARK_NODE = [
    ("fullnameOverride", "agent", "DaemonSet/agent", True),
    ("namespace.name", "agents", "DaemonSet/r-tidemark-node metadata/namespace", "agents"),
    ("namespace.create", True, "Namespace/agents metadata/labels/pod-security.kubernetes.io%enforce", "privileged", {"namespace": {"name": "agents"}}),
    *image("image", NODE, "tidemark/sidecar", "0.1.0"),
    ("imagePullSecrets", ["pull"], f"{DAEMONS}/imagePullSecrets", [{"name": "pull"}]),
    ("global.imageRegistry", "registry.example", f"{NODE}/image", "registry.example/tidemark/sidecar:0.1.0"),
    ("logsPath", "/logs", f"{DAEMONS}/volumes/[logs]/hostPath/path", "/logs"),
    ("logsPath", "/logs", f"{NODE}/args/[1]", "--logs=/logs"),
    ("logPatterns", "*.log", f"{NODE}/args/~--log-patterns=*.log", True),
    ("logFormat", "text", f"{NODE}/args/~--log-format=text", True),
    ("logLevel", "debug", f"{NODE}/args/~--log-level=debug", True),
    ("extraEnv", ENV, f"{NODE}/env/[A]/value", "b"),
    ("resources", RESOURCES, f"{NODE}/resources/limits/memory", "3Gi"),
    ("nodeSelector", {"pool": "data"}, f"{DAEMONS}/nodeSelector/pool", "data"),
    ("tolerations", TOLERATIONS, f"{DAEMONS}/tolerations", TOLERATIONS),
    ("priorityClassName", "high", f"{DAEMONS}/priorityClassName", "high"),
    ("podAnnotations", {"a": "b"}, "DaemonSet/r-tidemark-node spec/template/metadata/annotations/a", "b"),
    ("podSecurityContext", {"runAsUser": 999}, f"{DAEMONS}/securityContext/runAsUser", 999),
    ("securityContext", {"capabilities": {"add": ["DAC_READ_SEARCH"]}}, f"{NODE}/securityContext/capabilities/add", ["DAC_READ_SEARCH"]),
    ("networkPolicy.enabled", False, "NetworkPolicy/r-tidemark-node", False),
    ("networkPolicy.metricsFrom", [PEER], "NetworkPolicy/r-tidemark-node spec/ingress/[0]/from", [PEER]),
]
