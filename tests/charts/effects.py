"""What each value says: (path, another value, where it is seen, what is seen there[, other values it needs]).

`test_effects.py` sees to it that every value is here, that the sight is as written, and that it was another before.
"""

POD = "StatefulSet/r-mongodb spec/template/spec"
MONGOD = f"{POD}/containers/[mongod]"
SIDECAR = f"{POD}/initContainers/[sidecar]"
MEMBER = f"{POD}/initContainers/[member]"
CONF = "ConfigMap/r-mongodb data/mongod.conf/|yaml"
TOML = "ConfigMap/r-mongodb data/sidecar.toml/|toml"
POLICY = "NetworkPolicy/r-mongodb spec"
RESTORE = "Job/r-mongodb-restore-* spec/template/spec/containers/[restore]"
VERIFY = "CronJob/r-mongodb-verify spec/jobTemplate/spec/template/spec/containers/[verify]"
RECOVERY = {"mode": "recovery", "recovery": {"to": "latest"}}
VERIFYING = {"verify": {"schedule": "30 3 * * *"}}
TLS = {"tls": {"enabled": True, "existingSecret": "tls"}}
GIVEN = {"auth": {"existingSecret": "", "keyfile": "a2V5ZmlsZQ", "passwords": dict.fromkeys(("tidemark-backup", "orders", "developer"), "password-1")}}
PEER = {"podSelector": {"matchLabels": {"a": "b"}}}
EGRESS = {"to": [PEER], "ports": [{"port": 9000, "protocol": "TCP"}]}
ENV = [{"name": "A", "value": "b"}]
TOLERATIONS = [{"key": "dedicated", "operator": "Exists"}]
DIGEST = "sha256:" + "a" * 64
RESOURCES = {"requests": {"cpu": "77m", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
SUBJECT = {"kind": "Group", "name": "developers", "apiGroup": "rbac.authorization.k8s.io"}


def image(path, where, name, tag, extra=None):
    extra = extra or {}
    return [
        (f"{path}.registry", "registry.example", f"{where}/image", f"registry.example/{name}:{tag}", extra),
        (f"{path}.repository", "other", f"{where}/image", f"other:{tag}", extra),
        (f"{path}.tag", "t", f"{where}/image", f"{name}:t", extra),
        (f"{path}.digest", DIGEST, f"{where}/image", f"{name}:{tag}@{DIGEST}", extra),
        (f"{path}.pullPolicy", "Always", f"{where}/imagePullPolicy", "Always", extra),
    ]


def setting(value, key, text="7"):
    return (f"sidecar.{value}", text, f"{TOML}/{key}", text)


MONGODB = [
    ("fullnameOverride", "db", "StatefulSet/db", True),
    ("mode", "recovery", "Job/r-mongodb-restore-*", True, {"recovery": {"to": "latest"}}),
    ("mode", "recovery", f"{TOML}/new_lineage", "true", {"recovery": {"to": "latest"}}),
    ("mode", "recovery", f"{MEMBER}/args/~recovery", True, {"recovery": {"to": "latest"}}),
    ("replicaCount", 5, "StatefulSet/r-mongodb spec/replicas", 5),
    ("replicaCount", 5, "ConfigMap/r-mongodb data/members", "5"),
    ("replicaCount", 1, "PodDisruptionBudget/r-mongodb", False),
    ("replicaSetName", "shop", f"{CONF}/replication/replSetName", "shop"),
    ("replicaSetName", "shop", f"{MEMBER}/args/~shop", True),
    ("clusterDomain", "k8s.example", f"{MEMBER}/args/~svc.k8s.example:27017", True),
    *image("image", MONGOD, "tidemark/mongod", "6.0.5"),
    *image("sidecar.image", SIDECAR, "tidemark/sidecar", "0.1.0"),
    *image("tests.image", "Pod/r-mongodb-test-write spec/containers/[write]", "tidemark/orders-api", "0.1.0"),
    ("imagePullSecrets", ["pull"], f"{POD}/imagePullSecrets", [{"name": "pull"}]),
    ("auth.existingSecret", "other", f"{POD}/volumes/[auth]/secret/secretName", "other"),
    ("auth.existingSecret", "", "Secret/r-mongodb-auth", True, {"auth": {k: v for k, v in GIVEN["auth"].items() if k != "existingSecret"}}),
    ("auth.keyfile", "b3RoZXI", "Secret/r-mongodb-auth data/keyfile", "YjNSb1pYSQ==", GIVEN),
    ("auth.passwords.orders", "password-2", "Secret/r-mongodb-auth data/password-orders", "cGFzc3dvcmQtMg==", GIVEN),
    ("auth.passwords.orders", "password-2", "Secret/r-mongodb-orders stringData/password", "password-2", GIVEN),
    ("users.reports", {"roles": [{"role": "read", "db": "orders"}]}, "ConfigMap/r-mongodb data/users.json/~password-reports", True),
    ("users.developer", None, "ConfigMap/r-mongodb data/users.json/|json/[developer]", None),
    ("users.orders.url", "none", "Secret/r-mongodb-orders", False, GIVEN),
    ("users.orders.afterRestore", False, "ConfigMap/r-mongodb data/users.json/|json/[orders]/afterRestore", False),
    ("tls.enabled", True, f"{CONF}/net/tls/mode", "requireTLS", {"tls": {"existingSecret": "tls"}}),
    ("tls.mode", "preferTLS", f"{CONF}/net/tls/mode", "preferTLS", TLS),
    ("tls.existingSecret", "other", f"{POD}/volumes/[tls]/secret/secretName", "other", TLS),
    ("tls.issuerRef", {"name": "ca"}, "Certificate/r-mongodb-tls spec/issuerRef/name", "ca", {"tls": {"enabled": True}}),
    ("tls.clientCaFile", "/ca.crt", "Secret/r-mongodb-orders stringData/MONGODB_URL", "TAIL:&tls=true&tlsCAFile=/ca.crt", {**GIVEN, **TLS}),
    ("mongod.cacheSizeGB", 0.7, f"{CONF}/storage/wiredTiger/engineConfig/cacheSizeGB", 0.7),
    ("mongod.cacheRatio", 0.3, f"{CONF}/storage/wiredTiger/engineConfig/cacheSizeGB", 0.3),
    ("mongod.oplogSizeMB", 4096, f"{CONF}/replication/oplogSizeMB", 4096),
    ("mongod.oplogMinRetentionHours", 48, f"{CONF}/storage/oplogMinRetentionHours", 48),
    ("mongod.transactionLifetimeLimitSeconds", 30, f"{CONF}/setParameter/transactionLifetimeLimitSeconds", 30),
    ("mongod.maxIncomingConnections", 1000, f"{CONF}/net/maxIncomingConnections", 1000),
    ("mongod.journalCommitIntervalMs", 50, f"{CONF}/storage/journal/commitIntervalMs", 50),
    ("mongod.defaultWriteConcern", 2, f"{MEMBER}/args/[17]", "2"),
    ("mongod.defaultReadConcern", "local", f"{MEMBER}/args/[19]", "local"),
    ("mongod.slowOpThresholdMs", 50, f"{CONF}/operationProfiling/slowOpThresholdMs", 50),
    ("mongod.slowOpSampleRate", 0.5, f"{CONF}/operationProfiling/slowOpSampleRate", 0.5),
    ("mongod.extraConfig", "net: {compression: {compressors: '{{ .Release.Name }}'}}", f"{CONF}/net/compression/compressors", "r"),
    ("mongod.glibcTunables", "glibc.pthread.rseq=0", f"{MONGOD}/env/[GLIBC_TUNABLES]/value", "glibc.pthread.rseq=0"),
    ("mongod.extraEnv", ENV, f"{MONGOD}/env/[A]/value", "b"),
    ("resources", RESOURCES, f"{MONGOD}/resources/limits/memory", "3Gi"),
    ("resources", RESOURCES, f"{CONF}/storage/wiredTiger/engineConfig/cacheSizeGB", 1),
    ("persistence.size", "30Gi", "StatefulSet/r-mongodb spec/volumeClaimTemplates/[0]/spec/resources/requests/storage", "30Gi"),
    ("persistence.storageClass", "fast", "StatefulSet/r-mongodb spec/volumeClaimTemplates/[0]/spec/storageClassName", "fast"),
    ("persistence.accessModes", ["ReadWriteOncePod"], "StatefulSet/r-mongodb spec/volumeClaimTemplates/[0]/spec/accessModes/[0]", "ReadWriteOncePod"),
    ("persistence.retentionPolicy.whenDeleted", "Delete", "StatefulSet/r-mongodb spec/persistentVolumeClaimRetentionPolicy/whenDeleted", "Delete"),
    ("persistence.retentionPolicy.whenScaled", "Delete", "StatefulSet/r-mongodb spec/persistentVolumeClaimRetentionPolicy/whenScaled", "Delete"),
    ("archive.url", "s3://other/p", f"{SIDECAR}/env/[TIDEMARK_ARCHIVE]/value", "s3://other/p"),
    ("archive.controlUrl", "s3://other/c", f"{SIDECAR}/env/[TIDEMARK_CONTROL]/value", "s3://other/c"),
    ("archive.credentials.existingSecret", "keys", f"{SIDECAR}/envFrom/[0]/secretRef/name", "keys"),
    ("archive.credentials.env", {"AWS_ACCESS_KEY_ID": "id"}, "Secret/r-mongodb-archive stringData/AWS_ACCESS_KEY_ID", "id"),
    ("archive.caSecret", "ca", f"{POD}/volumes/[archive-ca]/secret/secretName", "ca"),
    ("archive.volume", {"persistentVolumeClaim": {"claimName": "backups"}}, f"{POD}/volumes/[archive]/persistentVolumeClaim/claimName", "backups"),
    ("archive.volume", {"persistentVolumeClaim": {"claimName": "backups"}}, f"{SIDECAR}/volumeMounts/[archive]/mountPath", "/archive"),
    ("sidecar.enabled", False, f"{POD}/initContainers/[sidecar]", None),
    setting("snapshotSchedule", "snapshot_schedule", "0 5 * * *"),
    setting("referenceSchedule", "reference_schedule", "0 5 * * *"),
    setting("referenceBudget", "reference_budget", "4m,50GiB"),
    setting("sliceSpan", "slice_span", "9s"),
    setting("sliceBytes", "slice_bytes", "8MiB"),
    setting("sliceIdle", "slice_idle", "90s"),
    setting("compressionLevel", "compression_level"),
    setting("scanParallelism", "scan_parallelism"),
    setting("lagLimit", "lag_limit", "20s"),
    setting("shutdownGrace", "shutdown_grace", "30s"),
    ("sidecar.recipients", ["age1a", "age1b"], f"{TOML}/recipients", "age1a,age1b"),
    ("sidecar.newLineage", True, f"{TOML}/new_lineage", "true"),
    setting("rpoTarget", "rpo_target", "2m"),
    setting("rtoTarget", "rto_target", "1h"),
    setting("drillInterval", "drill_interval", "7d"),
    setting("metricsInterval", "metrics_interval", "20s"),
    setting("storageInterval", "storage_interval", "9m"),
    setting("slowProfiler", "slow_profiler", "read"),
    setting("slowProfilerDatabases", "slow_profiler_databases", "shop"),
    setting("runbookBase", "runbook_base", "https://wiki.example/runbooks"),
    setting("logFormat", "log_format", "text"),
    setting("logLevel", "log_level", "debug"),
    ("sidecar.retention.schedule", "0 4 * * *", f"{TOML}/expire_schedule", "0 4 * * *", {"sidecar": {"retention": {"keepLast": 3}}}),
    ("sidecar.retention.archiveUrl", "s3://b/p?profile=expire", f"{TOML}/expire_archive", "s3://b/p?profile=expire"),
    ("sidecar.retention.keepLast", 3, f"{TOML}/keep_last", "3"),
    ("sidecar.retention.keepFor", "30d", f"{TOML}/keep_for", "30d"),
    ("sidecar.retention.pitrWindow", "7d", f"{TOML}/pitr_window", "7d"),
    ("sidecar.retention.keepMonthly", 12, f"{TOML}/keep_monthly", "12"),
    ("sidecar.retention.minimumRedundancy", 2, f"{TOML}/minimum_redundancy", "2"),
    ("sidecar.resources", RESOURCES, f"{SIDECAR}/resources/limits/memory", "3Gi"),
    ("sidecar.extraEnv", ENV, f"{SIDECAR}/env/[A]/value", "b"),
    ("member.resources", RESOURCES, f"{MEMBER}/resources/limits/memory", "3Gi"),
    ("recovery.to", "before:1:2", f"{RESTORE}/args/[1]", "--to=before:1:2", RECOVERY),
    ("recovery.lineage", "rs0-1", f"{RESTORE}/args/~--lineage=rs0-1", True, RECOVERY),
    ("recovery.snapshot", "s1", f"{RESTORE}/args/~--snapshot=s1", True, RECOVERY),
    ("recovery.archive.url", "s3://old/p", f"{RESTORE}/env/[TIDEMARK_ARCHIVE]/value", "s3://old/p", RECOVERY),
    ("recovery.archive.controlUrl", "s3://old/c", f"{RESTORE}/env/[TIDEMARK_CONTROL]/value", "s3://old/c", RECOVERY),
    ("recovery.archive.existingSecret", "reader", f"{RESTORE}/envFrom/[0]/secretRef/name", "reader", RECOVERY),
    ("recovery.identitySecret", "keys", f"{RESTORE}/env/[TIDEMARK_IDENTITY_FILE]/value", "/etc/tidemark/identity/identity.txt", RECOVERY),
    ("recovery.verifyFirst", True, f"{RESTORE}/args/~--verify-first", True, RECOVERY),
    ("recovery.release", True, f"{RESTORE}/args/~--release", True, RECOVERY),
    ("recovery.connections", 9, f"{RESTORE}/args/~--connections=9", True, RECOVERY),
    ("recovery.backoffLimit", 3, "Job/r-mongodb-restore-* spec/backoffLimit", 3, RECOVERY),
    ("recovery.resources", RESOURCES, f"{RESTORE}/resources/limits/memory", "3Gi", RECOVERY),
    ("verify.schedule", "30 4 * * *", "CronJob/r-mongodb-verify spec/schedule", "30 4 * * *"),
    ("verify.level", "decode", f"{VERIFY}/args/[1]", "--level=decode", VERIFYING),
    ("verify.sample", "5%", f"{VERIFY}/args/[2]", "--sample=5%", VERIFYING),
    ("serviceAccount.create", False, "ServiceAccount/r-mongodb", False),
    ("serviceAccount.name", "robot", f"{POD}/serviceAccountName", "robot"),
    ("serviceAccount.annotations", {"a": "b"}, "ServiceAccount/r-mongodb metadata/annotations/a", "b"),
    ("podLabels", {"a": "b"}, "StatefulSet/r-mongodb spec/template/metadata/labels/a", "b"),
    ("podAnnotations", {"a": "b"}, "StatefulSet/r-mongodb spec/template/metadata/annotations/a", "b"),
    ("service.port", 27018, "Service/r-mongodb spec/ports/[0]/port", 27018),
    ("service.annotations", {"a": "b"}, "Service/r-mongodb metadata/annotations/a", "b"),
    ("pdb.maxUnavailable", 2, "PodDisruptionBudget/r-mongodb spec/maxUnavailable", 2, {"replicaCount": 5}),
    ("affinityPreset", "hard", f"{POD}/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/[0]/topologyKey", "kubernetes.io/hostname"),
    ("affinityPreset", "none", f"{POD}/affinity", None),
    ("topologySpread.enabled", False, f"{POD}/topologySpreadConstraints", None),
    ("topologySpread.topologyKey", "rack", f"{POD}/topologySpreadConstraints/[0]/topologyKey", "rack"),
    ("topologySpread.whenUnsatisfiable", "DoNotSchedule", f"{POD}/topologySpreadConstraints/[0]/whenUnsatisfiable", "DoNotSchedule"),
    ("nodeSelector", {"pool": "data"}, f"{POD}/nodeSelector", {"pool": "data"}),
    ("tolerations", TOLERATIONS, f"{POD}/tolerations", TOLERATIONS),
    ("priorityClassName", "high", f"{POD}/priorityClassName", "high"),
    ("terminationGracePeriodSeconds", 120, f"{POD}/terminationGracePeriodSeconds", 120),
    ("minReadySeconds", 9, "StatefulSet/r-mongodb spec/minReadySeconds", 9),
    ("probes.startup.failureThreshold", 9, f"{MONGOD}/startupProbe/failureThreshold", 9),
    ("probes.liveness.periodSeconds", 9, f"{MONGOD}/livenessProbe/periodSeconds", 9),
    ("probes.readiness.timeoutSeconds", 9, f"{MONGOD}/readinessProbe/exec/command/[5]", "7s"),
    ("podSecurityContext", {"fsGroup": 999}, f"{POD}/securityContext/fsGroup", 999),
    ("securityContext", {"runAsUser": 999}, f"{MONGOD}/securityContext/runAsUser", 999),
    ("networkPolicy.enabled", False, "NetworkPolicy/r-mongodb", False),
    ("networkPolicy.clients", [PEER], f"{POLICY}/ingress/[0]/from/[2]", PEER),
    ("networkPolicy.metricsFrom", [PEER], f"{POLICY}/ingress/[1]/from", [PEER]),
    ("networkPolicy.objectStore", [EGRESS], f"{POLICY}/egress/[2]", EGRESS),
    ("networkPolicy.dns.to", [PEER], f"{POLICY}/egress/[1]/to", [PEER]),
    ("networkPolicy.dns.ipBlocks", ["169.254.20.10/32"], f"{POLICY}/egress/[1]/to/[1]", {"ipBlock": {"cidr": "169.254.20.10/32"}}),
    ("developerAccess.subjects", [SUBJECT], "RoleBinding/r-mongodb-developer subjects", [SUBJECT]),
    ("developerAccess.user", "orders", "Role/r-mongodb-developer rules/[2]/resourceNames", ["r-mongodb-orders"], {"developerAccess": {"subjects": [SUBJECT]}}),
    ("global.imageRegistry", "registry.example", f"{MONGOD}/image", "registry.example/tidemark/mongod:6.0.5"),
    ("global.imagePullSecrets", ["pull"], f"{POD}/imagePullSecrets", [{"name": "pull"}]),
    ("auth.revision", "2", "StatefulSet/r-mongodb spec/template/metadata/annotations/tidemark%credentials-revision", "2"),
]

DEPLOYMENT = "Deployment/r-orders-api spec/template/spec"
API = f"{DEPLOYMENT}/containers/[api]"
EDGE = "Deployment/r-orders-api-edge spec/template/spec/containers/[nginx]"
WITH_EDGE = {"edge": {"enabled": True}}
INGRESS = {"ingress": {"enabled": True}}
ROUTE = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}
LIMITED = {"httpRoute": {**ROUTE["httpRoute"], "rateLimit": {"enabled": True}}}
HPA = {"autoscaling": {"enabled": True}}
ORDERS_API = [
    ("fullnameOverride", "api", "Deployment/api", True),
    ("replicaCount", 3, "Deployment/r-orders-api spec/replicas", 3),
    *image("image", API, "tidemark/orders-api", "0.1.0"),
    *image("edge.image", EDGE, "tidemark/edge", "0.1.0", WITH_EDGE),
    ("imagePullSecrets", ["pull"], f"{DEPLOYMENT}/imagePullSecrets", [{"name": "pull"}]),
    ("global.imageRegistry", "registry.example", f"{API}/image", "registry.example/tidemark/orders-api:0.1.0"),
    ("database.existingSecret", "mine-{{ .Release.Name }}", f"{API}/env/[MONGODB_URL]/valueFrom/secretKeyRef/name", "mine-r"),
    ("database.key", "url", f"{API}/env/[MONGODB_URL]/valueFrom/secretKeyRef/key", "url"),
    ("database.url", "mongodb://h/d", "Secret/r-orders-api stringData/MONGODB_URL", "mongodb://h/d"),
    ("database.url", "mongodb://h/d", "Deployment/r-orders-api spec/template/metadata/annotations/checksum%mongodb-url", "CHANGED"),
    ("database.caSecret", "ca", f"{DEPLOYMENT}/volumes/[mongodb-tls]/secret/secretName", "ca"),
    ("database.clientOf", "db", "Deployment/r-orders-api spec/template/metadata/labels/tidemark%mongodb-client", "db"),
    ("database.revision", 2, "Deployment/r-orders-api spec/template/metadata/annotations/checksum%mongodb-url", "CHANGED"),
    ("config", {"LOG_LEVEL": "debug"}, "ConfigMap/r-orders-api data/LOG_LEVEL", "debug"),
    ("config", {"LOG_LEVEL": "debug"}, "Deployment/r-orders-api spec/template/metadata/annotations/checksum%config", "CHANGED"),
    ("extraEnv", ENV, f"{API}/env/[A]/value", "b"),
    ("resources", RESOURCES, f"{API}/resources/limits/memory", "3Gi"),
    ("autoscaling.enabled", True, "HorizontalPodAutoscaler/r-orders-api", True),
    ("autoscaling.enabled", True, "Deployment/r-orders-api spec/replicas", None),
    ("autoscaling.minReplicas", 3, "HorizontalPodAutoscaler/r-orders-api spec/minReplicas", 3, HPA),
    ("autoscaling.maxReplicas", 9, "HorizontalPodAutoscaler/r-orders-api spec/maxReplicas", 9, HPA),
    ("autoscaling.targetCPUUtilization", 50, "HorizontalPodAutoscaler/r-orders-api spec/metrics/[0]/resource/target/averageUtilization", 50, HPA),
    ("pdb.maxUnavailable", 2, "PodDisruptionBudget/r-orders-api spec/maxUnavailable", 2, {"replicaCount": 4}),
    ("service.type", "LoadBalancer", "Service/r-orders-api spec/type", "LoadBalancer"),
    ("service.port", 8080, "Service/r-orders-api spec/ports/[0]/port", 8080),
    ("service.annotations", {"a": "b"}, "Service/r-orders-api metadata/annotations/a", "b"),
    ("ingress.enabled", True, "Ingress/r-orders-api", True),
    ("ingress.className", "alb", "Ingress/r-orders-api spec/ingressClassName", "alb", INGRESS),
    ("ingress.annotations", {"a": "b"}, "Ingress/r-orders-api metadata/annotations/a", "b", INGRESS),
    ("ingress.host", "api.example", "Ingress/r-orders-api spec/rules/[0]/host", "api.example", INGRESS),
    ("ingress.path", "/v1", "Ingress/r-orders-api spec/rules/[0]/http/paths/[0]/path", "/v1", INGRESS),
    ("ingress.tlsSecret", "cert", "Ingress/r-orders-api spec/tls/[0]/secretName", "cert", INGRESS),
    ("httpRoute.enabled", True, "HTTPRoute/r-orders-api", True, {"httpRoute": {"parentRefs": [{"name": "public"}]}}),
    ("httpRoute.parentRefs", [{"name": "other"}], "HTTPRoute/r-orders-api spec/parentRefs", [{"name": "other"}], ROUTE),
    ("httpRoute.hostnames", ["api.example"], "HTTPRoute/r-orders-api spec/hostnames", ["api.example"], ROUTE),
    ("httpRoute.rateLimit.enabled", True, "BackendTrafficPolicy/r-orders-api", True, ROUTE),
    ("httpRoute.rateLimit.requests", 7, "BackendTrafficPolicy/r-orders-api spec/rateLimit/local/rules/[0]/limit/requests", 7, LIMITED),
    ("httpRoute.rateLimit.unit", "Minute", "BackendTrafficPolicy/r-orders-api spec/rateLimit/local/rules/[0]/limit/unit", "Minute", LIMITED),
    ("edge.enabled", True, "Deployment/r-orders-api-edge", True),
    ("edge.replicaCount", 2, "Deployment/r-orders-api-edge spec/replicas", 2, WITH_EDGE),
    ("edge.command", ["/nginx"], f"{EDGE}/command", ["/nginx"], WITH_EDGE),
    ("edge.rate", 7, "ConfigMap/r-orders-api-edge data/nginx.conf", "HAS:rate=7r/s", WITH_EDGE),
    ("edge.burst", 7, "ConfigMap/r-orders-api-edge data/nginx.conf", "HAS:burst=7 nodelay", WITH_EDGE),
    ("edge.service.type", "LoadBalancer", "Service/r-orders-api-edge spec/type", "LoadBalancer", WITH_EDGE),
    ("edge.service.port", 8080, "Service/r-orders-api-edge spec/ports/[0]/port", 8080, WITH_EDGE),
    ("edge.service.nodePort", 30080, "Service/r-orders-api-edge spec/ports/[0]/nodePort", 30080, WITH_EDGE),
    ("edge.resources", RESOURCES, f"{EDGE}/resources/limits/memory", "3Gi", WITH_EDGE),
    ("probes.startup.failureThreshold", 9, f"{API}/startupProbe/failureThreshold", 9),
    ("probes.liveness.periodSeconds", 9, f"{API}/livenessProbe/periodSeconds", 9),
    ("probes.readiness.timeoutSeconds", 9, f"{API}/readinessProbe/timeoutSeconds", 9),
    ("drainSeconds", 9, f"{API}/env/[SHUTDOWN_DELAY_MS]/value", "9000"),
    ("trustProxy", "10.0.0.0/8", f"{API}/env/[TRUST_PROXY]/value", "10.0.0.0/8"),
    ("edge.enabled", True, f"{API}/env/[TRUST_PROXY]/value", "1"),
    ("terminationGracePeriodSeconds", 90, f"{DEPLOYMENT}/terminationGracePeriodSeconds", 90),
    ("serviceAccount.create", False, "ServiceAccount/r-orders-api", False),
    ("serviceAccount.name", "robot", f"{DEPLOYMENT}/serviceAccountName", "robot"),
    ("serviceAccount.annotations", {"a": "b"}, "ServiceAccount/r-orders-api metadata/annotations/a", "b"),
    ("podLabels", {"a": "b"}, "Deployment/r-orders-api spec/template/metadata/labels/a", "b"),
    ("podAnnotations", {"a": "b"}, "Deployment/r-orders-api spec/template/metadata/annotations/a", "b"),
    ("nodeSelector", {"pool": "web"}, f"{DEPLOYMENT}/nodeSelector", {"pool": "web"}),
    ("tolerations", TOLERATIONS, f"{DEPLOYMENT}/tolerations", TOLERATIONS),
    ("priorityClassName", "high", f"{DEPLOYMENT}/priorityClassName", "high"),
    ("topologySpread.enabled", False, f"{DEPLOYMENT}/topologySpreadConstraints", None),
    ("topologySpread.whenUnsatisfiable", "DoNotSchedule", f"{DEPLOYMENT}/topologySpreadConstraints/[0]/whenUnsatisfiable", "DoNotSchedule"),
    ("podSecurityContext", {"fsGroup": 999}, f"{DEPLOYMENT}/securityContext/fsGroup", 999),
    ("securityContext", {"runAsUser": 999}, f"{API}/securityContext/runAsUser", 999),
    ("networkPolicy.enabled", False, "NetworkPolicy/r-orders-api", False),
    ("networkPolicy.from", [PEER], "NetworkPolicy/r-orders-api spec/ingress/[0]/from/[2]", PEER),
    ("networkPolicy.metricsFrom", [PEER], "NetworkPolicy/r-orders-api spec/ingress/[1]/from", [PEER]),
    ("networkPolicy.egress", [EGRESS], "NetworkPolicy/r-orders-api spec/egress/[2]", EGRESS),
    ("networkPolicy.dns.to", [PEER], "NetworkPolicy/r-orders-api spec/egress/[0]/to", [PEER]),
    ("networkPolicy.dns.ipBlocks", ["169.254.20.10/32"], "NetworkPolicy/r-orders-api spec/egress/[0]/to/[1]", {"ipBlock": {"cidr": "169.254.20.10/32"}}),
]

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

EFFECTS = {
    "mongodb": MONGODB,
    "orders-api": ORDERS_API,
    "tidemark-node": TIDEMARK_NODE,
    "tenant": TENANT,
    "monitoring": MONITORING,
    "tidemark": TIDEMARK,
}
