"""Installations that are looked at as a whole: with their defaults, with everything switched on, and those of charts/values/."""

import yaml

import helm

PEER = [{"podSelector": {}}]
EVERYTHING = {
    "mongodb": {
        "mode": "recovery",
        "recovery": {"to": "-15m", "identitySecret": "identity", "lineage": "rs0-1"},
        "replicaCount": 5,
        "tls": {"enabled": True, "existingSecret": "tls"},
        "auth": {"clusterAuthMode": "x509"},
        "archive": {"credentials": {"existingSecret": "keys"}, "caSecret": "ca", "volume": {"persistentVolumeClaim": {"claimName": "backups"}}},
        "verify": {"schedule": "30 3 * * *"},
        "retention": {"schedule": "0 5 * * *", "keepFor": "30d", "existingSecret": "expirer", "lineage": "rs0-1"},
        "affinityPreset": "hard",
        "developerAccess": {"subjects": [{"kind": "Group", "name": "developers", "apiGroup": "rbac.authorization.k8s.io"}]},
        "networkPolicy": {"clients": PEER, "dns": {"ipBlocks": ["169.254.20.10/32"]}},
        "priorityClassName": "high",
        "imagePullSecrets": ["pull"],
    },
    "orders-api": {
        "edge": {"enabled": True, "service": {"nodePort": 30080}},
        "autoscaling": {"enabled": True},
        "ingress": {"enabled": True, "host": "api.example", "tlsSecret": "cert", "className": "nginx"},
        "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["api.example"], "rateLimit": {"enabled": True}},
        "database": {"url": "mongodb://h/d", "caSecret": "ca"},
        "config": {"LOG_LEVEL": "debug"},
        "networkPolicy": {"from": PEER},
    },
    "tidemark-node": {"namespace": {"name": "agents", "create": True}},
    "tenant": {
        "rbac": {role: [{"kind": "Group", "name": role, "apiGroup": "rbac.authorization.k8s.io"}] for role in ("deployers", "viewers")},
    },
    "monitoring": {
        "operator": {"enabled": True, "labels": {"release": "kps"}},
        "prometheus": {"enabled": True, "size": "10Gi"},
        "alertmanager": {"enabled": True, "pageUrl": "http://page"},
        "cluster": "prod",
        "networkPolicy": {"from": PEER},
    },
    "log-collector": {
        "namespace": {"name": "agents", "create": True},
        "cluster": "prod",
        "namespaces": ["shop", "books"],
        "redaction": {"extra": [{"pattern": "(iban )[A-Z0-9]+", "replacement": "$1***"}]},
        "sinks": {
            "otlp": {"endpoint": "grpc://otel.example:4317", "headers": {"authorization": "Bearer ${env:OTLP_TOKEN}"}, "caSecret": "ca"},
            "loki": {"tenant": "shop"},
            "cloudwatch": {"region": "eu-central-1", "logGroup": "/tidemark/prod", "logStream": "nodes"},
            "logAnalytics": {"existingSecret": "insights"},
            "debug": True,
        },
        "networkPolicy": {"dns": {"ipBlocks": ["169.254.20.10/32"]}},
    },
}


def variants():
    """(what it is, its manifests)"""
    for chart in helm.BASE:
        yield f"{chart} with defaults", helm.text(chart)
    for chart, values in EVERYTHING.items():
        yield f"{chart} with everything", helm.text(chart, values)
    for path in sorted((helm.CHARTS / "values").glob("*/*.yaml")):
        yield f"{path.parent.name}/{path.name}", helm.text(path.stem, yaml.safe_load(path.read_text()))
