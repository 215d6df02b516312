"""Of the chart monitoring."""

from .common import EGRESS, PEER, RESOURCES, image

PROMETHEUS = "Deployment/r-monitoring-prometheus spec/template/spec"
PROMETHEUS_CONTAINER = f"{PROMETHEUS}/containers/[prometheus]"
PROMETHEUS_YML = "ConfigMap/r-monitoring-prometheus data/prometheus.yml/|yaml"
ALERTMANAGER = "Deployment/r-monitoring-alertmanager spec/template/spec/containers/[alertmanager]"
ALERTMANAGER_YML = "Secret/r-monitoring-alertmanager stringData/alertmanager.yml/|yaml"
PLAIN = {"prometheus": {"enabled": True}}
CALLED = {**PLAIN, "alertmanager": {"enabled": True, "pageUrl": "http://page"}}
OPERATOR = {"operator": {"enabled": True}}
MONITORING = [
    ("fullnameOverride", "m", "ConfigMap/m-rules", True),
    ("operator.enabled", True, "PrometheusRule/r-monitoring", True),
    ("operator.enabled", True, "PodMonitor/r-monitoring-tidemark-sidecar", True),
    ("operator.labels", {"release": "kps"}, "PrometheusRule/r-monitoring metadata/labels/release", "kps", OPERATOR),
    ("operator.labels", {"release": "kps"}, "PodMonitor/r-monitoring-orders-api metadata/labels/release", "kps", OPERATOR),
    ("operator.interval", "30s", "PodMonitor/r-monitoring-tidemark-sidecar spec/podMetricsEndpoints/[0]/interval", "30s", OPERATOR),
    ("operator.namespaces", ["a"], "PodMonitor/r-monitoring-tidemark-sidecar spec/namespaceSelector/matchNames", ["a"], OPERATOR),
    ("cluster", "prod", "PodMonitor/r-monitoring-tidemark-sidecar spec/podMetricsEndpoints/[0]/relabelings/[1]/replacement", "prod", OPERATOR),
    ("nodeNamespace", "agents", "PodMonitor/r-monitoring-tidemark-node spec/namespaceSelector/matchNames", ["agents"], OPERATOR),
    ("nodeNamespace", "", "PodMonitor/r-monitoring-tidemark-node", False, OPERATOR),
    ("rules.configMap", False, "ConfigMap/r-monitoring-rules", False),
    ("dashboards.enabled", False, "ConfigMap/r-monitoring-fleet", False),
    ("dashboards.labels", {"a": "b"}, "ConfigMap/r-monitoring-fleet metadata/labels/a", "b"),
    ("dashboards.annotations", {"a": "b"}, "ConfigMap/r-monitoring-fleet metadata/annotations/a", "b"),
    ("prometheus.enabled", True, "Deployment/r-monitoring-prometheus", True),
    *image("prometheus.image", PROMETHEUS_CONTAINER, "tidemark/prometheus", "0.1.0", PLAIN),
    ("prometheus.command", ["/prometheus"], f"{PROMETHEUS_CONTAINER}/command", ["/prometheus"], PLAIN),
    ("prometheus.scrapeInterval", "5s", f"{PROMETHEUS_YML}/global/scrape_interval", "5s", PLAIN),
    ("prometheus.discovery", "dns", f"{PROMETHEUS}/automountServiceAccountToken", False, PLAIN),
    ("prometheus.discovery", "dns", "Role/r-monitoring-prometheus", False, {"prometheus": {"enabled": True}, "nodeNamespace": ""}),
    *[
        (
            f"prometheus.services.{job}",
            "s-{{ .Release.Name }}.x.svc",
            f"{PROMETHEUS_YML}/scrape_configs/[{number}]/dns_sd_configs/[0]/names",
            ["_metrics._tcp.s-r.x.svc"],
            {"prometheus": {"enabled": True, "discovery": "dns"}},
        )
        for number, job in enumerate(("tidemark-sidecar", "tidemark-node", "orders-api"))
    ],
    ("prometheus.namespaces", ["a", "b"], f"{PROMETHEUS_YML}/scrape_configs/[0]/kubernetes_sd_configs/[0]/namespaces/names", ["a", "b"], PLAIN),
    ("prometheus.namespaces", ["a"], "RoleBinding/r-monitoring-prometheus metadata/namespace", "a", {"prometheus": {"enabled": True}, "nodeNamespace": ""}),
    ("prometheus.retention", "30d", f"{PROMETHEUS_CONTAINER}/args/[2]", "--storage.tsdb.retention.time=30d", PLAIN),
    ("prometheus.size", "9Gi", "PersistentVolumeClaim/r-monitoring-prometheus spec/resources/requests/storage", "9Gi", PLAIN),
    (
        "prometheus.storageClass",
        "fast",
        "PersistentVolumeClaim/r-monitoring-prometheus spec/storageClassName",
        "fast",
        {"prometheus": {"enabled": True, "size": "1Gi"}},
    ),
    ("prometheus.resources", RESOURCES, f"{PROMETHEUS_CONTAINER}/resources/limits/memory", "3Gi", PLAIN),
    (
        "alertmanager.enabled",
        True,
        f"{PROMETHEUS_YML}/alerting/alertmanagers/[0]/static_configs/[0]/targets/[0]",
        "r-monitoring-alertmanager.ns.svc:9093",
        {**PLAIN, "alertmanager": {"pageUrl": "http://page"}},
    ),
    *image("alertmanager.image", ALERTMANAGER, "tidemark/alertmanager", "0.1.0", CALLED),
    ("alertmanager.command", ["/am"], f"{ALERTMANAGER}/command", ["/am"], CALLED),
    ("alertmanager.pageUrl", "http://other", f"{ALERTMANAGER_YML}/receivers/[page]/webhook_configs/[0]/url", "http://other", CALLED),
    ("alertmanager.ticketUrl", "http://ticket", f"{ALERTMANAGER_YML}/receivers/[ticket]/webhook_configs/[0]/url", "http://ticket", CALLED),
    ("alertmanager.deadManUrl", "http://dead", f"{ALERTMANAGER_YML}/receivers/[dead-man]/webhook_configs/[0]/url", "http://dead", CALLED),
    ("alertmanager.config", "route: {receiver: x}", f"{ALERTMANAGER_YML}/route/receiver", "x", {**PLAIN, "alertmanager": {"enabled": True, "pageUrl": ""}}),
    ("alertmanager.resources", RESOURCES, f"{ALERTMANAGER}/resources/limits/memory", "3Gi", CALLED),
    ("imagePullSecrets", ["pull"], f"{PROMETHEUS}/imagePullSecrets", [{"name": "pull"}], PLAIN),
    ("global.imageRegistry", "registry.example", f"{PROMETHEUS_CONTAINER}/image", "registry.example/tidemark/prometheus:0.1.0", PLAIN),
    ("podSecurityContext", {"fsGroup": 999}, f"{PROMETHEUS}/securityContext/fsGroup", 999, PLAIN),
    ("securityContext", {"runAsUser": 999}, f"{PROMETHEUS_CONTAINER}/securityContext/runAsUser", 999, PLAIN),
    ("networkPolicy.enabled", False, "NetworkPolicy/r-monitoring-prometheus", False, PLAIN),
    ("networkPolicy.from", [PEER], "NetworkPolicy/r-monitoring-prometheus spec/ingress/[0]/from", [PEER], PLAIN),
    ("networkPolicy.egress", [EGRESS], "NetworkPolicy/r-monitoring-prometheus spec/egress/[2]", EGRESS, PLAIN),
]
