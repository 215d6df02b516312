"""values.schema.json from values.yaml: types follow from the defaults, and what defaults cannot say is in REFINED.

Only what one value alone may be is decided here; rules across values are sentences in the templates (`*.validate`).
"""

import json
import re

QUANTITY = {"type": ["string", "integer"], "pattern": r"^[0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?$"}
OPTIONAL_QUANTITY = {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(k|M|G|T|Ki|Mi|Gi|Ti)?)?$"}
OPTIONAL_NUMBER = {"type": ["string", "number"], "pattern": r"^([0-9]+(\.[0-9]+)?)?$"}
OPTIONAL_WHOLE = {"type": ["string", "integer"], "pattern": "^[0-9]*$"}
DURATION = {"type": "string", "pattern": r"^(([0-9]+(ms|s|m|h) ?)+)?$"}
SPAN = {"type": "string", "pattern": "^([0-9]+[dhms])*$"}
CRONTAB = {"type": "string", "pattern": r"^(none|(\S+ ){4}\S+)?$"}
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
PERCENT = {"type": "integer", "minimum": 1, "maximum": 100}
POSITIVE = {"type": "integer", "minimum": 1}
STRINGS = {"type": "array", "items": {"type": "string"}}
OBJECTS = {"type": "array", "items": {"type": "object"}}
TEXTS = {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}
OPEN = {"type": "object"}
RESOURCES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "requests": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        "limits": {"type": "object", "additionalProperties": {"type": ["string", "number"]}},
        "claims": OBJECTS,
    },
}
PROBE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {key: POSITIVE for key in ("periodSeconds", "timeoutSeconds", "failureThreshold", "successThreshold")}
    | {"initialDelaySeconds": {"type": "integer", "minimum": 0}},
}
USER = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "roles": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["role", "db"],
                "properties": {"role": {"type": "string", "minLength": 1}, "db": {"type": "string", "minLength": 1}},
            },
        },
        "database": {"type": "string"},
        "url": {"enum": ["set", "port-forward", "none"]},
        "afterRestore": {"type": "boolean"},
    },
}


def one_of(*values):
    return {"enum": list(values)}


# By the name of a key, wherever it is; then by its path in one chart.
EVERYWHERE = {
    "global": OPEN,
    "pullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "digest": {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"},
    "resources": RESOURCES,
    "startup": PROBE,
    "liveness": PROBE,
    "readiness": PROBE,
    "podSecurityContext": OPEN,
    "securityContext": OPEN,
    "annotations": TEXTS,
    "podAnnotations": TEXTS,
    "podLabels": TEXTS,
    "labels": TEXTS,
    "nodeSelector": TEXTS,
    "imagePullSecrets": STRINGS,
    "extraEnv": OBJECTS,
    "tolerations": OBJECTS,
    "metricsFrom": OBJECTS,
    "to": OBJECTS,
    "from": OBJECTS,
    "egress": OBJECTS,
    "ipBlocks": STRINGS,
    "command": STRINGS,
    "namespaces": STRINGS,
    "logFormat": one_of("text", "json"),
    "whenUnsatisfiable": one_of("ScheduleAnyway", "DoNotSchedule"),
    "maxUnavailable": POSITIVE,
    "port": PORT,
    "nodePort": OPTIONAL_WHOLE,
    "revision": {"type": ["string", "number"]},
    "fullnameOverride": {"type": "string", "pattern": "^([a-z]([a-z0-9-]*[a-z0-9])?)?$", "maxLength": 43},
}
REFINED = {
    "mongodb": {
        "mode": one_of("standard", "recovery"),
        "replicaSetName": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"},
        "auth.clusterAuthMode": one_of("keyFile", "sendKeyFile", "sendX509", "x509"),
        "auth.passwords": TEXTS,
        "users": {"type": "object", "additionalProperties": USER},
        "tls.mode": one_of("allowTLS", "preferTLS", "requireTLS"),
        "tls.issuerRef": {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: {"type": "string"} for key in ("name", "kind", "group")},
        },
        "mongod.cacheSizeGB": OPTIONAL_NUMBER,
        "mongod.cacheRatio": {"type": "number", "exclusiveMinimum": 0, "maximum": 0.8},
        "mongod.oplogSizeMB": {"type": "integer", "minimum": 990},
        "mongod.oplogMinRetentionHours": {"type": "number", "minimum": 0},
        "mongod.transactionLifetimeLimitSeconds": POSITIVE,
        "mongod.maxIncomingConnections": {"type": "integer", "minimum": 10},
        "mongod.journalCommitIntervalMs": {"type": "integer", "minimum": 1, "maximum": 500},
        "mongod.defaultWriteConcern": {"type": ["string", "integer"], "pattern": "^(majority|[1-9][0-9]*)$"},
        "mongod.defaultReadConcern": one_of("local", "available", "majority"),
        "mongod.slowOpSampleRate": {"type": "number", "minimum": 0, "maximum": 1},
        "persistence.size": QUANTITY,
        "persistence.accessModes": STRINGS,
        "persistence.retentionPolicy.whenDeleted": one_of("Retain", "Delete"),
        "persistence.retentionPolicy.whenScaled": one_of("Retain", "Delete"),
        "archive.credentials.env": TEXTS,
        "archive.volume": OPEN,
        "sidecar.snapshotSchedule": CRONTAB,
        "sidecar.referenceSchedule": CRONTAB,
        "sidecar.sliceSpan": DURATION,
        "sidecar.sliceIdle": DURATION,
        "sidecar.lagLimit": DURATION,
        "sidecar.shutdownGrace": DURATION,
        "sidecar.rpoTarget": DURATION,
        "sidecar.metricsInterval": DURATION,
        "sidecar.storageInterval": DURATION,
        "sidecar.rtoTarget": SPAN,
        "sidecar.drillInterval": SPAN,
        "sidecar.compressionLevel": OPTIONAL_WHOLE,
        "sidecar.scanParallelism": OPTIONAL_WHOLE,
        "sidecar.recipients": {"type": "array", "items": {"type": "string", "pattern": "^(?i:age1|age-secret-key).+"}},
        "sidecar.slowProfiler": one_of("", "none", "read"),
        "sidecar.retention.schedule": CRONTAB,
        "sidecar.retention.keepLast": OPTIONAL_WHOLE,
        "sidecar.retention.keepFor": SPAN,
        "sidecar.retention.pitrWindow": SPAN,
        "sidecar.retention.keepMonthly": OPTIONAL_WHOLE,
        "sidecar.retention.minimumRedundancy": OPTIONAL_WHOLE,
        "recovery.to": {"type": "string"},
        "recovery.drill.seed": {"type": "string", "pattern": "^[0-9]{0,20}$"},
        "recovery.connections": {"type": "integer", "minimum": 1, "maximum": 256},
        "verify.schedule": CRONTAB,
        "retention.schedule": CRONTAB,
        "retention.keepLast": OPTIONAL_WHOLE,
        "retention.keepFor": SPAN,
        "retention.pitrWindow": SPAN,
        "retention.keepMonthly": OPTIONAL_WHOLE,
        "retention.minimumRedundancy": OPTIONAL_WHOLE,
        "verify.level": one_of("list", "hash", "decode"),
        "verify.sample": {"type": "string", "pattern": r"^([0-9.]+%|[0-9]+/[0-9]+)?$"},
        "affinityPreset": one_of("soft", "hard", "none"),
        "networkPolicy.clients": OBJECTS,
        "networkPolicy.objectStore": OBJECTS,
        "developerAccess.subjects": OBJECTS,
    },
    "orders-api": {
        "config": TEXTS,
        "trustProxy": {"type": ["string", "integer"]},
        "service.type": one_of("ClusterIP", "NodePort", "LoadBalancer"),
        "edge.service.type": one_of("ClusterIP", "NodePort", "LoadBalancer"),
        "edge.replicaCount": POSITIVE,
        "edge.rate": POSITIVE,
        "autoscaling.targetCPUUtilization": PERCENT,
        "ingress.path": {"type": "string", "pattern": "^/"},
        "httpRoute.parentRefs": OBJECTS,
        "httpRoute.hostnames": STRINGS,
        "httpRoute.rateLimit.requests": POSITIVE,
        "httpRoute.rateLimit.unit": one_of("Second", "Minute", "Hour"),
    },
    "tidemark-node": {},
    "tenant": {
        "name": {"type": "string", "pattern": "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", "maxLength": 40},
        "namespace": {"type": "string", "pattern": "^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", "maxLength": 63},
        "podSecurity.enforce": one_of("restricted", "baseline", "privileged"),
        "podSecurity.version": {"type": "string", "pattern": r"^(latest|v1\.[0-9]+)$"},
        "quota": TEXTS,
        "limitRange": {"type": "object", "additionalProperties": TEXTS},
        "rbac.deployers": OBJECTS,
        "rbac.viewers": OBJECTS,
    },
    "monitoring": {
        "operator.interval": DURATION,
        "prometheus.scrapeInterval": DURATION,
        "prometheus.discovery": one_of("kubernetes", "dns"),
        "prometheus.retention": {"type": "string", "pattern": "^[0-9]+[hdwy]$"},
        "prometheus.size": OPTIONAL_QUANTITY,
        **{f"alertmanager.{key}": {"type": "string", "pattern": "^(https?://.+)?$"} for key in ("pageUrl", "ticketUrl", "deadManUrl")},
    },
    "log-collector": {
        "containers": {"type": "object", "additionalProperties": one_of("mongod", "tidemark", "pino", "text", None)},
        "minimumSeverity": one_of("trace", "debug", "info", "warn", "error"),
        "redaction.queryLiterals": one_of("drop", "keep"),
        "redaction.keep": STRINGS,
        "redaction.extra": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["pattern", "replacement"],
                "properties": {"pattern": {"type": "string", "minLength": 1}, "replacement": {"type": "string"}},
            },
        },
        "sinks.otlp.endpoint": {"type": "string", "pattern": "^((https?|grpc)://.+)?$"},
        "sinks.otlp.headers": TEXTS,
        "sinks.loki.endpoint": {"type": "string", "pattern": "^(https?://.+)?$"},
        "queue.size": POSITIVE,
        "queue.flushTimeout": DURATION,
        "queue.batchSize": POSITIVE,
        "state.hostPath": {"type": "string", "pattern": "^(/.+)?$"},
        "state.sizeLimit": QUANTITY,
        "networkPolicy.sinks": OBJECTS,
    },
    # What is in them is checked by the schemas of the charts themselves.
    "tidemark": {name: OPEN for name in ("mongodb", "orders-api", "tidemark-node", "monitoring")},
}


def descriptions(text):
    """Comments that begin with ` # --`, by the path of the key below them."""
    found, path, pending = {}, [], None
    for line in text.splitlines():
        comment = re.match(r"\s*# -- (.*)", line)
        key = re.match(r"( *)([\w.-]+):", line)
        if comment:
            pending = comment[1]
        elif key:
            path = path[: len(key[1]) // 2] + [key[2]]
            if pending:
                found[".".join(path)] = pending
            pending = None
    return found


def inferred(value, path, refined, described):
    key = path.rsplit(".", 1)[-1]
    schema = refined.get(path) or EVERYWHERE.get(key)
    if schema is not None:
        schema = dict(schema)
    elif isinstance(value, bool):
        schema = {"type": "boolean"}
    elif isinstance(value, int):
        schema = {"type": "integer", "minimum": 0}
    elif isinstance(value, float):
        schema = {"type": "number"}
    elif isinstance(value, str):
        schema = {"type": "string"}
    elif isinstance(value, dict) and value:
        inner = {name: inferred(each, f"{path}.{name}", refined, described) for name, each in value.items()}
        schema = {"type": "object", "additionalProperties": False, "properties": inner}
    else:
        raise ValueError(f"{path}: {value!r} says no type; add it to REFINED")
    if path in described:
        schema = {"description": described[path]} | schema
    return schema


def schema_of(chart, values_text, values):
    refined, described = REFINED[chart], descriptions(values_text)
    known = {path.split(".")[0] for path in refined} - set(values)
    if known:
        raise ValueError(f"{chart}: REFINED names {sorted(known)}, which are no values")
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"Values of the chart {chart}",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: inferred(value, name, refined, described) for name, value in values.items()},
    }


def text_of(schema):
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
