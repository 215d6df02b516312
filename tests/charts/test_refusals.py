"""What cannot work is refused by `helm template` with a sentence: which value, what follows, what to write instead."""

import re
import unittest

import helm
from effects.mongodb import GIVEN, RETAINING
from test_upgrades import DURING, KEYFILES, UPGRADES

FILE = {"archive": {"url": "file:///archive"}}
NOBODY_ORDERS = {"auth": {"existingSecret": "", "keyfile": "a2V5ZmlsZQ", "passwords": dict.fromkeys(("tidemark-backup", "developer"), "password-1")}}

# (chart, values, the sentence)
SENTENCES = [
    ("mongodb", {"replicaCount": 4}, "mongodb: replicaCount is 4, but a majority needs an odd number of members: set replicaCount to 1, 3 or 5"),
    ("mongodb", {"replicaCount": 0}, "mongodb: replicaCount is 0, but a majority needs an odd number of members: set replicaCount to 1, 3 or 5"),
    (
        "mongodb",
        {"archive": {"url": ""}},
        "mongodb: archive.url is empty, and nothing would be backed up: set it to s3://BUCKET/PREFIX?region=REGION, azblob://ACCOUNT/CONTAINER/PREFIX or file:///archive "
        "(with archive.volume), or set sidecar.enabled=false to run without backups",
    ),
    (
        "mongodb",
        {"archive": {"url": "bucket/prefix"}},
        "mongodb: archive.url is `bucket/prefix`, which names no archive: write s3://BUCKET/PREFIX?region=REGION, azblob://ACCOUNT/CONTAINER/PREFIX or file:///archive",
    ),
    (
        "mongodb",
        {"archive": {"url": "s3://KEY:SECRET@bucket/prefix"}},
        "mongodb: archive.url holds credentials, which everybody who may read a ConfigMap would see: put them into a Secret and name it in archive.credentials.existingSecret",
    ),
    (
        "mongodb",
        FILE,
        "mongodb: archive.url is `file:///archive`, but archive.volume is empty and backups would be lost with the pod: set archive.volume, for example to "
        "{persistentVolumeClaim: {claimName: archive}}",
    ),
    (
        "mongodb",
        {"archive": {"url": "file:///backups", "volume": {"emptyDir": {}}}},
        "mongodb: archive.url is `file:///backups`, but archive.volume is mounted at /archive: write file:///archive or file:///archive/PREFIX",
    ),
    (
        "mongodb",
        {"archive": {"credentials": {"existingSecret": "keys", "env": {"AWS_ACCESS_KEY_ID": "id"}}}},
        "mongodb: archive.credentials.existingSecret and archive.credentials.env are both set, and it would not be clear which credentials are used: remove one of them",
    ),
    (
        "mongodb",
        {"auth": {"passwords": {"orders": "password-1"}}},
        "mongodb: auth.existingSecret (`given`) and auth.passwords are both set, and it would not be clear which one counts: remove one of them",
    ),
    (
        "mongodb",
        {"mongod": {"defaultWriteConcern": 4}},
        "mongodb: mongod.defaultWriteConcern is 4, but there are 3 members, and no write would ever be acknowledged: set it to majority",
    ),
    (
        "mongodb",
        {"mongod": {"cacheSizeGB": 3}},
        "mongodb: mongod.cacheSizeGB is 3, but connections, sorts and index builds need 40 % of resources.limits.memory (2Gi): set mongod.cacheSizeGB to 1.20 or less, or raise the limit",
    ),
    (
        "mongodb",
        {"resources": {"limits": {"memory": "256Mi"}}},
        "mongodb: resources.limits.memory is 256Mi, too little for the smallest cache (0.25 GB) and 40 % beside it: set it to 512Mi or more, or lower mongod.cacheRatio",
    ),
    (
        "mongodb",
        {"resources": {"limits": None}},
        "mongodb: resources.limits.memory is empty, and mongod would size its cache by the memory of the node: set it, for example to 2Gi",
    ),
    (
        "mongodb",
        {"mode": "recovery"},
        "mongodb: mode is recovery, but recovery.to is empty: set it to latest, a time such as 2026-05-01T12:30:00Z, T:I, before:T:I (as `dr-cli find` prints it), snapshot:ID or -15m",
    ),
    (
        "mongodb",
        {"mode": "recovery", "recovery": {"to": "yesterday"}},
        "mongodb: recovery.to is `yesterday`, which is no moment: write latest, a time with its zone such as 2026-05-01T12:30:00Z, T:I, before:T:I, snapshot:ID or -15m",
    ),
    (
        "mongodb",
        {"mode": "recovery", "recovery": {"to": "2026-05-01T12:30:00"}},
        "mongodb: recovery.to is `2026-05-01T12:30:00`, which is no moment: write latest, a time with its zone such as 2026-05-01T12:30:00Z, T:I, before:T:I, snapshot:ID or -15m",
    ),
    (
        "mongodb",
        {"mode": "recovery", "recovery": {"to": "latest"}, "sidecar": {"enabled": False}, "archive": {"url": ""}},
        "mongodb: mode is recovery, but neither recovery.archive.url nor archive.url says what to restore from: set recovery.archive.url",
    ),
    (
        "mongodb",
        {"pdb": {"maxUnavailable": 2}},
        "mongodb: pdb.maxUnavailable is 2 of 3 members, which lets evictions take the majority: set pdb.maxUnavailable to 1 or less",
    ),
    (
        "mongodb",
        {"mongod": {"oplogSizeMB": 20000}},
        "mongodb: mongod.oplogSizeMB is 20000, which leaves no room for data on a volume of 20Gi: set it to 16384 or less, or raise persistence.size",
    ),
    (
        "mongodb",
        {"mongod": {"extraConfig": "net: ["}},
        "): write it as in mongod.conf, for example `net: {compression: {compressors: zstd}}`",
    ),
    (
        "mongodb",
        {"tls": {"enabled": True}},
        "mongodb: tls.enabled needs a certificate: set tls.existingSecret to a Secret with tls-combined.pem and ca.crt, or tls.issuerRef.name to an issuer of cert-manager",
    ),
    (
        "mongodb",
        {"tls": {"existingSecret": "tls", "issuerRef": {"name": "ca"}}},
        "mongodb: tls.existingSecret and tls.issuerRef.name are both set, and only one can give the certificate: remove one of them",
    ),
    (
        "mongodb",
        {"auth": {"clusterAuthMode": "x509"}},
        "mongodb: auth.clusterAuthMode is x509, but tls.enabled is false and members have no certificates: set tls.enabled=true with tls.existingSecret or tls.issuerRef, "
        "or auth.clusterAuthMode=keyFile",
    ),
    (
        "mongodb",
        {"auth": {"clusterAuthMode": "sendX509"}, "tls": {"enabled": True, "mode": "allowTLS", "existingSecret": "tls"}},
        "mongodb: auth.clusterAuthMode is sendX509, but with tls.mode=allowTLS members show each other no certificates: set tls.mode to preferTLS or requireTLS, "
        "or auth.clusterAuthMode=keyFile",
    ),
    (
        "mongodb",
        helm.merged(GIVEN, {"auth": {"clusterAuthMode": "x509"}, "tls": {"enabled": True, "existingSecret": "tls"}}),
        "mongodb: auth.keyfile is given, but with auth.clusterAuthMode=x509 nobody uses it: remove auth.keyfile, or set auth.clusterAuthMode=keyFile",
    ),
    (
        "mongodb",
        {"sidecar": {"retention": {"schedule": "0 4 * * *"}}},
        "mongodb: sidecar.retention.schedule is `0 4 * * *`, but no rule says what is kept: set sidecar.retention.keepLast, keepFor, pitrWindow or keepMonthly",
    ),
    (
        "mongodb",
        {"retention": {"schedule": "0 5 * * *"}},
        "mongodb: retention.schedule is `0 5 * * *`, but no rule says what is kept: set retention.keepLast, keepFor, pitrWindow or keepMonthly",
    ),
    (
        "mongodb",
        helm.merged(RETAINING, {"sidecar": {"retention": {"schedule": "0 4 * * *", "keepLast": 3}}}),
        "mongodb: retention.schedule and sidecar.retention.schedule are both set, and what either of them lets go would be deleted: remove one of them "
        "(with retention.schedule the sidecar needs no right to delete)",
    ),
    (
        "mongodb",
        helm.merged(RETAINING, {"retention": {"serviceAccount": {"name": "r-mongodb"}}}),
        "mongodb: retention.serviceAccount is `r-mongodb`, which the members use, and whoever takes over a pod could delete backups: set retention.serviceAccount.name to another",
    ),
    (
        "mongodb",
        helm.merged(RETAINING, {"sidecar": {"enabled": False}, "archive": {"url": ""}}),
        "mongodb: retention.schedule is `0 5 * * *`, but archive.url is empty and there is nothing to delete from: set archive.url, or leave retention.schedule empty",
    ),
    (
        "mongodb",
        {"sidecar": {"recipients": ["AGE-SECRET-KEY-1QQ"]}},
        "mongodb: sidecar.recipients holds a secret key, which would let a stolen pod read all backups: give the public key (age1…), and change the key pair since this one was in your values",
    ),
    (
        "mongodb",
        helm.merged(GIVEN, {"auth": {"passwords": {"ordres": "password-1"}}}),
        "mongodb: auth.passwords.ordres is the password of nobody: known users are developer, orders, tidemark-backup; add it to users, or correct the name",
    ),
    (
        "mongodb",
        helm.merged(GIVEN, {"auth": {"passwords": {"orders": "p@ss/word"}}}),
        "mongodb: auth.passwords.orders does not fit into a connection string: use at least 8 letters, digits or ._~-",
    ),
    (
        "mongodb",
        helm.merged(GIVEN, {"auth": {"keyfile": "not base64!"}}),
        "mongodb: auth.keyfile is not what mongod accepts: use 6 to 1024 characters of base64, for example of `openssl rand -base64 756`",
    ),
    (
        "mongodb",
        {"auth": {"existingSecret": ""}},
        "mongodb: auth.keyfile is not given, and a password cannot be generated without a cluster, since each rendering would make another: name a Secret in auth.existingSecret "
        "(keys keyfile, password-developer, password-orders, password-tidemark-backup), give auth.passwords and auth.keyfile, or use `helm install` (with --dry-run=server to look first)",
    ),
    (
        "mongodb",
        {"users": {"tidemark-x": {"roles": [{"role": "read", "db": "a"}]}}},
        "mongodb: users.tidemark-x has a name that is kept for Tidemark's own users: choose one that does not begin with tidemark-",
    ),
    *(
        (
            "mongodb",
            {"users": {name: {"roles": [{"role": "read", "db": "a"}]}}},
            f"mongodb: users.{name} would have its connection string in r-mongodb-{name}, a Secret of the chart's own: choose another name than auth, archive and tls",
        )
        for name in ("auth", "archive", "tls")
    ),
    ("mongodb", {"users": {"shop": {}}}, "mongodb: users.shop has no roles, and could do nothing: add for example roles: [{role: readWrite, db: shop}]"),
    (
        "mongodb",
        {"developerAccess": {"subjects": [{"kind": "Group", "name": "g"}], "user": "nobody"}},
        "mongodb: developerAccess.user is `nobody`, which is no user: name one of developer, orders, tidemark-backup",
    ),
    (
        "orders-api",
        {"database": {"url": "mongodb://h/d", "existingSecret": "mine"}},
        "orders-api: database.url and database.existingSecret (`mine`) are both set, and it would not be clear which one counts: remove one of them",
    ),
    (
        "orders-api",
        {"database": {"existingSecret": ""}},
        "orders-api: neither database.existingSecret nor database.url is set, and the API has no database: set database.existingSecret to a Secret with the key MONGODB_URL",
    ),
    (
        "orders-api",
        {"database": {"url": "localhost"}},
        "orders-api: database.url is no connection string: write mongodb://USER:PASSWORD@HOST:27017/DATABASE?replicaSet=NAME",
    ),
    ("orders-api", {"replicaCount": 1}, "orders-api: replicaCount is 1, and each restart or eviction would be an outage: set replicaCount to 2 or more"),
    (
        "orders-api",
        {"autoscaling": {"enabled": True, "minReplicas": 1}},
        "orders-api: autoscaling.minReplicas is 1, and each restart or eviction would be an outage: set it to 2 or more",
    ),
    (
        "orders-api",
        {"autoscaling": {"enabled": True, "minReplicas": 5, "maxReplicas": 3}},
        "orders-api: autoscaling.maxReplicas is 3, less than autoscaling.minReplicas (5): raise it",
    ),
    (
        "orders-api",
        {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}},
        "orders-api: autoscaling.enabled needs resources.requests.cpu, which utilization is a percentage of: set it, for example to 100m",
    ),
    ("orders-api", {"pdb": {"maxUnavailable": 2}}, "orders-api: pdb.maxUnavailable is 2 of 2 pods, which lets evictions take all of them: set it to 1 or less"),
    *(
        (
            "orders-api",
            values,
            f"orders-api: {value} lets everybody connect to the API while networkPolicy.from is empty, and it would believe whatever address a pod gives in X-Forwarded-For, so that no limit holds: "
            "set networkPolicy.from to the ingress controller, the gateway or the subnets of the load balancer, or trustProxy to the addresses of the proxies",
        )
        for value, values in (
            ("ingress.enabled", {"ingress": {"enabled": True}}),
            ("httpRoute.enabled", {"httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}]}}),
            ("service.type", {"service": {"type": "LoadBalancer"}, "edge": {"enabled": True}}),
        )
    ),
    (
        "orders-api",
        {"httpRoute": {"enabled": True}},
        "orders-api: httpRoute.enabled needs a gateway: set httpRoute.parentRefs, for example to [{name: public, namespace: gateways}]",
    ),
    (
        "orders-api",
        {"httpRoute": {"rateLimit": {"enabled": True}}},
        "orders-api: httpRoute.rateLimit.enabled limits a route that is not there: set httpRoute.enabled=true, or use edge.rate or a rule of your ingress",
    ),
    (
        "orders-api",
        {"drainSeconds": 60},
        "orders-api: drainSeconds is 60, and terminationGracePeriodSeconds (60) leaves no time to finish requests: raise terminationGracePeriodSeconds",
    ),
    (
        "tidemark-node",
        {"namespace": {"create": True}},
        "tidemark-node: namespace.create is true, but namespace.name is empty: set namespace.name, for example to tidemark-node",
    ),
    (
        "tidemark-node",
        {"namespace": {"create": True, "name": "ns"}},
        "tidemark-node: namespace.name is `ns`, the namespace of the release, which is there already: set namespace.create=false, or another namespace.name",
    ),
    ("tidemark-node", {"logsPath": "logs"}, "tidemark-node: logsPath is `logs`, which is no folder of a node: write the whole path, for example /var/log/pods"),
    (
        "log-collector",
        {"namespace": {"create": True}},
        "log-collector: namespace.create is true, but namespace.name is empty: set namespace.name, for example to log-collector",
    ),
    (
        "log-collector",
        {"namespace": {"create": True, "name": "ns"}},
        "log-collector: namespace.name is `ns`, the namespace of the release, which is there already: set namespace.create=false, or another namespace.name",
    ),
    ("log-collector", {"logsPath": "logs"}, "log-collector: logsPath is `logs`, which is no folder of a node: write the whole path, for example /var/log/pods"),
    (
        "log-collector",
        {"sinks": {"loki": {"endpoint": ""}}},
        "log-collector: no sink is named, and the logs would go nowhere: set one of sinks.otlp.endpoint, sinks.loki.endpoint, sinks.cloudwatch.logGroup or "
        "sinks.logAnalytics.existingSecret",
    ),
    (
        "log-collector",
        {"sinks": {"cloudwatch": {"logGroup": "g"}}},
        "log-collector: sinks.cloudwatch.logGroup needs sinks.cloudwatch.region and sinks.cloudwatch.logStream: set both",
    ),
    ("tenant", {"name": ""}, "tenant: name is empty: set name to the name of the tenant, for example --set name=shop"),
    ("tenant", {"name": "kube-system"}, "tenant: the namespace would be `kube-system`, which belongs to the cluster: set name or namespace to another one"),
    (
        "monitoring",
        {"alertmanager": {"enabled": True}},
        "monitoring: alertmanager.enabled without prometheus.enabled would be told of nothing: set prometheus.enabled=true, or use the Alertmanager of your operator",
    ),
    (
        "monitoring",
        {"prometheus": {"enabled": True}, "alertmanager": {"enabled": True}},
        "monitoring: alertmanager.pageUrl is empty, and nobody would be called: set it to a webhook, or give the whole alertmanager.config",
    ),
    (
        "monitoring",
        {"alertmanager": {"config": "a", "pageUrl": "http://p"}, "prometheus": {"enabled": True}},
        "monitoring: alertmanager.config and the addresses beside it are both set, and only the former would count: remove one of them",
    ),
    (
        "tidemark",
        {"orders-api": {"database": {"existingSecret": "{{ .Release.Name }}-mongodb-orders"}}},
        "tidemark: mongodb.auth.existingSecret is `given`, so no chart knows the API's password, but orders-api.database.existingSecret still names the Secret that a chart would make "
        "(r-mongodb-orders): make a Secret with the key MONGODB_URL and name it in orders-api.database.existingSecret",
    ),
    (
        "tidemark",
        {"mongodb": {"tls": {"enabled": True, "existingSecret": "tls"}}},
        "tidemark: mongodb.tls.enabled is true, but orders-api.database.caSecret is empty, and the API could not check the server: set it to tls",
    ),
    (
        "tidemark",
        {"mongodb": {"fullnameOverride": "db"}},
        "tidemark: mongodb.fullnameOverride is `db`, but orders-api.database.clientOf is still `r-mongodb`, and the network policy would keep the API out: set orders-api.database.clientOf "
        "and existingSecret, too",
    ),
    (
        "tidemark",
        {"monitoring": {"nodeNamespace": "agents"}},
        "tidemark: tidemark-node.namespace.name is `tidemark-node`, but monitoring.nodeNamespace is `agents`, and the node agent would not be scraped: make them equal",
    ),
    (
        "tidemark",
        {"mongodb": {"users": {"orders": None}, **NOBODY_ORDERS}, "orders-api": {"database": {"existingSecret": "r-mongodb-orders"}}},
        "tidemark: mongodb.users.orders is missing, but the API signs in as that user: add it, or name another Secret in orders-api.database.existingSecret",
    ),
]

# One value alone: the schema names it and says what is possible. (chart, values, words of the message)
SCHEMA = [
    ("mongodb", {"auth": {"clusterAuthMode": "X509"}}, ["'/auth/clusterAuthMode'", "'keyFile', 'sendKeyFile', 'sendX509', 'x509'"]),
    ("mongodb", {"mode": "replica"}, ["'/mode'", "'standard', 'recovery'"]),
    ("mongodb", {"replicas": 3}, ["additional properties 'replicas' not allowed"]),
    ("mongodb", {"archive": {"ulr": "s3://b/p"}}, ["'/archive'", "additional properties 'ulr' not allowed"]),
    ("mongodb", {"replicaCount": "three"}, ["'/replicaCount'", "got string, want integer"]),
    ("mongodb", {"sidecar": {"sliceSpan": "5"}}, ["'/sidecar/sliceSpan'", "does not match pattern"]),
    ("mongodb", {"retention": {"keepFor": "a month"}}, ["'/retention/keepFor'", "does not match pattern"]),
    ("mongodb", {"retention": {"archiveUrl": "s3://b/p"}}, ["'/retention'", "additional properties 'archiveUrl' not allowed"]),
    ("mongodb", {"mongod": {"oplogSizeMB": 500}}, ["'/mongod/oplogSizeMB'", "minimum: got 500, want 990"]),
    ("mongodb", {"image": {"digest": "sha256:1"}}, ["'/image/digest'", "does not match pattern"]),
    ("mongodb", {"persistence": {"size": "lots"}}, ["'/persistence/size'", "does not match pattern"]),
    ("mongodb", {"users": {"a": {"roles": [{"role": "read"}]}}}, ["'/users/a/roles/0'", "missing property 'db'"]),
    ("mongodb", {"service": {"type": "LoadBalancer"}}, ["'/service'", "additional properties 'type' not allowed"]),
    ("orders-api", {"service": {"type": "Nodeport"}}, ["'/service/type'", "'ClusterIP', 'NodePort', 'LoadBalancer'"]),
    ("tidemark", {"mongo": {}}, ["additional properties 'mongo' not allowed"]),
    ("tidemark", {"mongodb": {"replicas": 3}}, ["mongodb:", "additional properties 'replicas' not allowed"]),
    ("tenant", {"podSecurity": {"enforce": "strict"}}, ["'/podSecurity/enforce'", "'restricted', 'baseline', 'privileged'"]),
]


class Refusals(unittest.TestCase):
    def refusal(self, chart, values, **options):
        with self.assertRaises(helm.Refused) as caught:
            helm.text(chart, values, **options)
        return str(caught.exception)

    def test_rules_across_values_are_sentences(self):
        for chart, values, sentence in SENTENCES:
            with self.subTest(sentence=sentence[:80]):
                message = self.refusal(chart, values)
                self.assertIn(sentence, message)
                # Only of what is wrong: no trace of templates after it.
                self.assertLess(len(message), len(sentence) + 260, message)

    def test_a_name_that_is_too_long_is_refused_and_the_longest_fits(self):
        message = self.refusal("mongodb", {}, release="a" * 36)
        self.assertIn(
            "has more than 43 characters, and names of jobs made from it would be too long for Kubernetes: use a shorter release name, or set fullnameOverride",
            message,
        )
        everything = {"mode": "recovery", "recovery": {"to": "latest"}, "verify": {"schedule": "0 1 * * *"}, **RETAINING}
        for document in helm.render("mongodb", everything, release="a" * 35):
            most = {"CronJob": 52, "StatefulSet": 63 - len("-1234567890")}.get(document["kind"], 63)
            self.assertLessEqual(len(document["metadata"]["name"]), most, document["metadata"]["name"])

    def test_the_schema_names_the_value_and_what_is_possible(self):
        for chart, values, words in SCHEMA:
            with self.subTest(chart=chart, values=values):
                message = self.refusal(chart, values)
                for word in words:
                    self.assertIn(word, message)

    def test_each_sentence_of_the_charts_is_tried(self):
        tried = "\n".join(sentence for *_, sentence in SENTENCES + UPGRADES + DURING + KEYFILES if sentence) + " has more than 43 characters"

        for template in helm.CHARTS.glob("*/templates/**/*"):
            if template.suffix not in (".tpl", ".yaml"):
                continue
            for text in re.findall(r'fail \(?(?:printf )?"((?:[^"\\]|\\.)*)"', template.read_text()):
                longest = max(re.split(r"%[\d.]*[a-z]", text.replace("%%", "%").replace('\\"', '"')), key=len)
                with self.subTest(template=template.name, sentence=text):
                    self.assertTrue(longest.strip() in tried or "has more than 43 characters" in text, f"no test refuses: {text}")


if __name__ == "__main__":
    unittest.main()
