"""Of the chart tidemark, the umbrella."""

from .mongodb import POD
from .orders_api import API

TIDEMARK = [
    ("mongodb.enabled", False, "StatefulSet/r-mongodb", False),
    ("orders-api.enabled", False, "Deployment/r-orders-api", False),
    ("tidemark-node.enabled", False, "DaemonSet/r-tidemark-node", False),
    ("monitoring.enabled", False, "ConfigMap/r-monitoring-rules", False),
    ("tidemark-node.namespace.name", "agents", "DaemonSet/r-tidemark-node metadata/namespace", "agents", {"monitoring": {"nodeNamespace": "agents"}}),
    ("tidemark-node.namespace.create", False, "Namespace/tidemark-node", False),
    ("global.imageRegistry", "registry.example", f"{API}/image", "registry.example/tidemark/orders-api:0.1.0"),
    ("global.imagePullSecrets", ["pull"], f"{POD}/imagePullSecrets", [{"name": "pull"}]),
]
