"""Of the chart log-collector."""

from .common import EGRESS, ENV, PEER, RESOURCES, TOLERATIONS, image

COLLECTING = "DaemonSet/r-log-collector spec/template/spec"
COLLECTOR = f"{COLLECTING}/containers/[collector]"
COLLECTOR_YAML = "ConfigMap/r-log-collector data/config.yaml/|yaml"
STATEMENTS = f"{COLLECTOR_YAML}/processors/transform/log_statements/[0]/statements"
OTLP = {"sinks": {"otlp": {"endpoint": "https://otel.example"}}}
CLOUDWATCH = {"sinks": {"cloudwatch": {"region": "eu-central-1", "logGroup": "g", "logStream": "s"}}}
LOG_COLLECTOR = [
    ("fullnameOverride", "logs", "DaemonSet/logs", True),
    ("namespace.name", "agents", "DaemonSet/r-log-collector metadata/namespace", "agents"),
    ("namespace.create", True, "Namespace/agents metadata/labels/pod-security.kubernetes.io%enforce", "privileged", {"namespace": {"name": "agents"}}),
    *image("image", COLLECTOR, "tidemark/log-collector", "0.1.0"),
    ("imagePullSecrets", ["pull"], f"{COLLECTING}/imagePullSecrets", [{"name": "pull"}]),
    ("global.imageRegistry", "registry.example", f"{COLLECTOR}/image", "registry.example/tidemark/log-collector:0.1.0"),
    ("logsPath", "/logs", f"{COLLECTING}/volumes/[logs]/hostPath/path", "/logs"),
    ("logsPath", "/logs", f"{COLLECTOR_YAML}/receivers/file_log/include/~%logs%*_*_*%mongod%*.log*", True),
    ("containers.web", "text", f"{COLLECTOR_YAML}/receivers/file_log/include/~%web%*.log*", True),
    ("containers.api", "text", f"{STATEMENTS}/~\"form\"], \"text\") where resource.attributes[\"k8s.container.name\"] == \"api\"", True),
    ("namespaces", ["shop"], f"{COLLECTOR_YAML}/receivers/file_log/include/~%var%log%pods%shop_*_*%mongod%", True),
    ("minimumSeverity", "warn", f"{COLLECTOR_YAML}/processors/filter/logs/log_record/~< 13", True),
    ("cluster", "prod", f"{STATEMENTS}/~k8s.cluster.name\"], \"prod\"", True),
    ("redaction.queryLiterals", "keep", f"{STATEMENTS}/~keep_matching_keys", False),
    ("redaction.keep", ["ns"], f"{STATEMENTS}/~^(ns)$", True),
    ("redaction.extra", [{"pattern": "iban", "replacement": "*"}], f"{STATEMENTS}/~(log.body, \"iban\", \"*\")", True),
    ("sinks.otlp.endpoint", "https://otel.example", f"{COLLECTOR_YAML}/exporters/otlp_http%otlp/endpoint", "https://otel.example"),
    ("sinks.otlp.endpoint", "grpc://otel.example:4317", f"{COLLECTOR_YAML}/exporters/otlp_grpc%otlp/endpoint", "otel.example:4317"),
    ("sinks.otlp.headers", {"a": "b"}, f"{COLLECTOR_YAML}/exporters/otlp_http%otlp/headers", {"a": "b"}, OTLP),
    ("sinks.otlp.caSecret", "ca", f"{COLLECTOR_YAML}/exporters/otlp_http%otlp/tls/ca_file", "/etc/log-collector-ca/ca.crt", OTLP),
    ("sinks.otlp.caSecret", "ca", f"{COLLECTING}/volumes/[otlp-ca]/secret/secretName", "ca", OTLP),
    ("sinks.otlp.insecure", True, f"{COLLECTOR_YAML}/exporters/otlp_http%otlp/tls/insecure", True, OTLP),
    ("sinks.loki.endpoint", "http://other", f"{COLLECTOR_YAML}/exporters/otlp_http%loki/endpoint", "http://other/otlp"),
    ("sinks.loki.tenant", "shop", f"{COLLECTOR_YAML}/exporters/otlp_http%loki/headers/X-Scope-OrgID", "shop"),
    ("sinks.cloudwatch.region", "us-east-1", f"{COLLECTOR_YAML}/extensions/sigv4auth/region", "us-east-1", CLOUDWATCH),
    ("sinks.cloudwatch.logGroup", "h", f"{COLLECTOR_YAML}/exporters/otlp_http%cloudwatch/headers/x-aws-log-group", "h", CLOUDWATCH),
    ("sinks.cloudwatch.logStream", "h", f"{COLLECTOR_YAML}/exporters/otlp_http%cloudwatch/headers/x-aws-log-stream", "h", CLOUDWATCH),
    ("sinks.logAnalytics.existingSecret", "insights", f"{COLLECTOR}/env/[APPLICATIONINSIGHTS_CONNECTION_STRING]/valueFrom/secretKeyRef/name", "insights"),
    (
        "sinks.logAnalytics.key",
        "k",
        f"{COLLECTOR}/env/[APPLICATIONINSIGHTS_CONNECTION_STRING]/valueFrom/secretKeyRef/key",
        "k",
        {"sinks": {"logAnalytics": {"existingSecret": "insights"}}},
    ),
    ("sinks.debug", True, f"{COLLECTOR_YAML}/service/pipelines/logs/exporters/~debug", True),
    ("queue.size", 7, f"{COLLECTOR_YAML}/exporters/otlp_http%loki/sending_queue/queue_size", 7),
    ("queue.flushTimeout", "9s", f"{COLLECTOR_YAML}/exporters/otlp_http%loki/sending_queue/batch/flush_timeout", "9s"),
    ("queue.batchSize", 7, f"{COLLECTOR_YAML}/exporters/otlp_http%loki/sending_queue/batch/max_size", 7),
    ("state.hostPath", "/state", f"{COLLECTING}/volumes/[state]/hostPath/path", "/state"),
    ("state.sizeLimit", "2Gi", f"{COLLECTING}/volumes/[state]/emptyDir/sizeLimit", "2Gi", {"state": {"hostPath": ""}}),
    ("extraEnv", ENV, f"{COLLECTOR}/env/[A]/value", "b"),
    ("serviceAccount.annotations", {"a": "b"}, "ServiceAccount/r-log-collector metadata/annotations/a", "b"),
    ("podLabels", {"a": "b"}, "DaemonSet/r-log-collector spec/template/metadata/labels/a", "b"),
    ("podAnnotations", {"a": "b"}, "DaemonSet/r-log-collector spec/template/metadata/annotations/a", "b"),
    ("resources", RESOURCES, f"{COLLECTOR}/resources/limits/memory", "3Gi"),
    ("nodeSelector", {"pool": "data"}, f"{COLLECTING}/nodeSelector/pool", "data"),
    ("tolerations", TOLERATIONS, f"{COLLECTING}/tolerations", TOLERATIONS),
    ("priorityClassName", "high", f"{COLLECTING}/priorityClassName", "high"),
    ("podSecurityContext", {"runAsUser": 999}, f"{COLLECTING}/securityContext/runAsUser", 999),
    ("securityContext", {"capabilities": {"add": ["DAC_READ_SEARCH"]}}, f"{COLLECTOR}/securityContext/capabilities/add", ["DAC_READ_SEARCH"]),
    ("networkPolicy.enabled", False, "NetworkPolicy/r-log-collector", False),
    ("networkPolicy.metricsFrom", [PEER], "NetworkPolicy/r-log-collector spec/ingress/[0]/from", [PEER]),
    ("networkPolicy.sinks", [EGRESS], "NetworkPolicy/r-log-collector spec/egress/[1]", EGRESS),
    ("networkPolicy.dns.to", [PEER], "NetworkPolicy/r-log-collector spec/egress/[0]/to", [PEER]),
    ("networkPolicy.dns.ipBlocks", ["169.254.20.10/32"], "NetworkPolicy/r-log-collector spec/egress/[0]/to/[1]", {"ipBlock": {"cidr": "169.254.20.10/32"}}),
]
