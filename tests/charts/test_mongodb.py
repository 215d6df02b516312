"""What the chart of the database promises beyond single values."""

import json
import unittest

import yaml

import helm

GIVEN = {
    "auth": {"existingSecret": "", "keyfile": "a2V5ZmlsZQ", "passwords": {"tidemark-backup": "password-1", "orders": "password-2", "developer": "password-3"}}
}
TLS = {"tls": {"enabled": True, "existingSecret": "tls"}}
RETAINING = {"retention": {"schedule": "0 5 * * *", "keepFor": "30d", "pitrWindow": "7d", "keepLast": 3, "keepMonthly": 12, "minimumRedundancy": 2, "lineage": "rs0-1"}}


def look(query, values=None, **options):
    return helm.look(helm.render("mongodb", values, **options), query)


def conf(values):
    return look("ConfigMap/r-mongodb data/mongod.conf/|yaml", values)


class Mongodb(unittest.TestCase):
    def test_a_member_that_is_not_ready_is_evicted_only_while_the_set_can_spare_it(self):
        # Not ready is also who knows no primary: with AlwaysAllow two drains would take two voting members.
        self.assertEqual(look("PodDisruptionBudget/r-mongodb spec/unhealthyPodEvictionPolicy"), "IfHealthyBudget")

    def test_the_cache_follows_from_the_limit_of_memory(self):
        expected = {"512Mi": 0.25, "1Gi": 0.25, "2Gi": 0.5, "1536Mi": 0.25, "8Gi": 3.5, "64Gi": 31.5, "4G": 1.36, "17179869184": 7.5}
        for memory, cache in expected.items():
            with self.subTest(memory=memory):
                self.assertEqual(conf({"resources": {"limits": {"memory": memory}}})["storage"]["wiredTiger"]["engineConfig"]["cacheSizeGB"], cache)

    def test_extra_configuration_comes_over_the_rest_and_leaves_it(self):
        changed = conf(
            {
                "mongod": {
                    "extraConfig": "storage:\n  wiredTiger:\n    collectionConfig: {blockCompressor: zstd}\nsetParameter: {transactionLifetimeLimitSeconds: 5}"
                }
            }
        )
        self.assertEqual(changed["storage"]["wiredTiger"], {"engineConfig": {"cacheSizeGB": 0.5}, "collectionConfig": {"blockCompressor": "zstd"}})
        self.assertEqual(changed["setParameter"], {"enableLocalhostAuthBypass": False, "transactionLifetimeLimitSeconds": 5})

    def test_an_upgrade_keeps_what_cannot_be_changed(self):
        """A version in a selector or a volume claim template would make each upgrade fail."""
        spec = look("StatefulSet/r-mongodb spec")
        with_other_version = helm.text("mongodb").replace("0.1.0", "0.2.0")
        self.assertIn("mongodb-0.2.0", with_other_version)
        other = helm.find(helm.parse(with_other_version), "StatefulSet/r-mongodb")["spec"]
        for field in ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"):
            self.assertEqual(spec[field], other[field])
        self.assertNotIn("0.1.0", json.dumps([spec["selector"], spec["volumeClaimTemplates"]]))

    def test_scaling_changes_no_pod(self):
        """A restart in the middle of five to three would cost the majority."""
        self.assertEqual(look("StatefulSet/r-mongodb spec/template", {"replicaCount": 5}), look("StatefulSet/r-mongodb spec/template"))

    def test_the_restore_job_is_another_one_for_another_target_only(self):
        def name(**recovery):
            documents = helm.render("mongodb", {"mode": "recovery", "recovery": {"to": "latest", **recovery}})
            return next(document["metadata"]["name"] for document in documents if document["kind"] == "Job")

        self.assertEqual(name(), name())
        self.assertEqual(name(), name(backoffLimit=3))
        self.assertNotEqual(name(), name(to="1:2"))
        self.assertNotEqual(name(), name(lineage="a"))

    def test_queries_of_a_drill_are_as_they_were_written(self):
        for text in ("[[query]]\n  name = 'a'\n", "  [[query]]\nname = 'a'\n", "\n    # A comment.\n\n[[query]]\n", "\t[[query]]\n"):
            with self.subTest(text=text):
                recovery = {"mode": "recovery", "recovery": {"to": "latest", "drill": {"enabled": True, "queries": text}}}
                self.assertEqual(look("ConfigMap/r-mongodb data/queries.toml", recovery), text)

    def test_a_restore_is_a_plain_job_that_lets_nobody_in_nor_archives_before_it_is_done(self):
        documents = helm.render("mongodb", {"mode": "recovery", "recovery": {"to": "latest"}})
        job = helm.find(documents, "Job/r-mongodb-restore-*")
        # As a hook it would wait for members that `--wait` waits for.
        self.assertNotIn("annotations", job["metadata"])
        users = {user["name"]: user for user in helm.look(documents, "ConfigMap/r-mongodb data/users.json/|json")}
        self.assertEqual(
            {name: user["afterRestore"] for name, user in users.items()},
            {"orders": True, "developer": True, "tidemark-backup": True, "tidemark-restore": False},
        )
        self.assertNotIn("tidemark-restore", look("ConfigMap/r-mongodb data/users.json"))

    def test_sidecars_hold_nothing_back(self):
        """A startup or readiness probe of theirs would make mongod wait for the store."""
        template = look("StatefulSet/r-mongodb spec/template/spec")
        native = [container for container in template["initContainers"] if container.get("restartPolicy") == "Always"]
        self.assertEqual([container["name"] for container in native], ["member", "sidecar"])
        for container in native:
            self.assertNotIn("startupProbe", container)
            self.assertNotIn("readinessProbe", container)
            self.assertEqual(container["livenessProbe"]["httpGet"]["path"], "/livez")

    def test_members_find_each_other_before_they_are_ready(self):
        self.assertTrue(look("Service/r-mongodb-headless spec/publishNotReadyAddresses"))
        self.assertEqual(look("Service/r-mongodb-headless spec/clusterIP"), "None")
        self.assertIsNone(look("Service/r-mongodb spec/publishNotReadyAddresses"))

    def test_nothing_is_exposed(self):
        for values in ({}, TLS, {"mode": "recovery", "recovery": {"to": "latest"}}):
            documents = helm.render("mongodb", values)
            self.assertFalse([document for document in documents if document["kind"] in ("Ingress", "HTTPRoute")])
            for document in documents:
                if document["kind"] == "Service":
                    self.assertIn(document["spec"].get("type", "ClusterIP"), ("ClusterIP",))
                    self.assertNotIn("externalIPs", document["spec"])

    def test_only_named_pods_reach_the_database(self):
        ingress = look("NetworkPolicy/r-mongodb spec/ingress")
        database = [rule for rule in ingress if any(port["port"] == 27017 for port in rule["ports"])]
        self.assertEqual(len(database), 1)
        members = {"app.kubernetes.io/name": "mongodb", "app.kubernetes.io/instance": "r", "app.kubernetes.io/component": "server"}
        # No namespace selector: pods of this namespace alone.
        self.assertEqual(
            database[0]["from"], [{"podSelector": {"matchLabels": members}}, {"podSelector": {"matchLabels": {"tidemark/mongodb-client": "r-mongodb"}}}]
        )
        for document in helm.render("mongodb", {"mode": "recovery", "recovery": {"to": "latest"}}):
            if document["kind"] == "Job":
                self.assertEqual(document["spec"]["template"]["metadata"]["labels"]["tidemark/mongodb-client"], "r-mongodb")

    def test_passwords_are_in_secrets_only(self):
        for values in (GIVEN, helm.merged(GIVEN, TLS)):
            for document in helm.render("mongodb", values):
                if document["kind"] != "Secret":
                    for password in ("password-1", "password-2", "password-3", "a2V5ZmlsZQ"):
                        self.assertNotIn(password, json.dumps(document), document["kind"])

    def test_the_secret_of_passwords_outlives_the_release(self):
        self.assertEqual(look("Secret/r-mongodb-auth metadata/annotations", GIVEN), {"helm.sh/resource-policy": "keep"})

    def test_connection_strings_name_every_member(self):
        url = look("Secret/r-mongodb-orders stringData/MONGODB_URL", GIVEN)
        hosts = ",".join(f"r-mongodb-{ordinal}.r-mongodb-headless.ns.svc.cluster.local:27017" for ordinal in range(3))
        self.assertEqual(url, f"mongodb://orders:password-2@{hosts}/orders?replicaSet=rs0&authSource=admin&retryWrites=true&w=majority")
        self.assertEqual(
            look("Secret/r-mongodb-developer stringData/MONGODB_URL", GIVEN),
            "mongodb://developer:password-3@127.0.0.1:27017/orders?directConnection=true&authSource=admin&readPreference=secondaryPreferred",
        )

    def test_the_sidecar_names_its_own_member_as_the_set_does(self):
        sidecar = look("StatefulSet/r-mongodb spec/template/spec/initContainers/[sidecar]")
        variables = {variable["name"]: variable.get("value") for variable in sidecar["env"]}
        member = variables["TIDEMARK_MEMBER"].replace("$(POD_NAME)", "r-mongodb-1")
        template = look("StatefulSet/r-mongodb spec/template/spec/initContainers/[member]/args/[7]")
        self.assertEqual(member, template.replace("{ordinal}", "1"))
        # Variables are expanded only by those that stand before them.
        names = [variable["name"] for variable in sidecar["env"]]
        self.assertLess(names.index("POD_NAME"), names.index("TIDEMARK_MEMBER"))
        self.assertLess(names.index("MONGODB_PASSWORD"), names.index("TIDEMARK_URI"))

    def test_with_encryption_every_connection_is_encrypted(self):
        text = helm.text(
            "mongodb", helm.merged(GIVEN, TLS, {"mode": "recovery", "recovery": {"to": "latest"}, "auth": {"passwords": {"tidemark-restore": "password-4"}}})
        )
        urls = [line for line in text.splitlines() if "mongodb://" in line]
        self.assertGreaterEqual(len(urls), 8)
        for url in urls:
            self.assertIn("tls=true&tlsCAFile=", url)

    def test_members_with_certificates_need_no_keyfile(self):
        given = helm.merged(GIVEN, TLS, {"auth": {"clusterAuthMode": "x509", "keyfile": ""}})
        for document in helm.render("mongodb", given):
            with self.subTest(document["kind"]):
                self.assertNotRegex(json.dumps(document), "(?<!ertificate)(?i:keyfile)")
        # Until the last step the keyfile stays where it is: members of the step before send it.
        for mode in ("sendKeyFile", "sendX509"):
            documents = helm.render("mongodb", helm.merged(GIVEN, TLS, {"auth": {"clusterAuthMode": mode}}))
            self.assertIn("keyfile", helm.look(documents, "Secret/r-mongodb-auth data"))
            self.assertIn("/etc/tidemark/auth/keyfile", helm.look(documents, "StatefulSet/r-mongodb spec/template/spec/initContainers/[install]/args"))

    def test_who_deletes_is_nobody_else(self):
        identity = {"serviceAccount": {"annotations": {"a": "writer"}}, "archive": {"credentials": {"existingSecret": "writer"}}}
        documents = helm.render("mongodb", helm.merged(identity, RETAINING, {"retention": {"existingSecret": "expirer", "serviceAccount": {"annotations": {"a": "expirer"}}}}))
        pod = helm.look(documents, "CronJob/r-mongodb-expire spec/jobTemplate/spec/template/spec")
        member = helm.look(documents, "StatefulSet/r-mongodb spec/template/spec")
        for spec, name, of in ((pod, "r-mongodb-expirer", "expirer"), (member, "r-mongodb", "writer")):
            self.assertEqual(spec["serviceAccountName"], name)
            self.assertEqual(helm.look(documents, f"ServiceAccount/{name} metadata/annotations"), {"a": of})
            sources = [source for container in spec["containers"] + spec.get("initContainers", []) for source in container.get("envFrom", [])]
            self.assertEqual(sources, [{"secretRef": {"name": of}}])
        self.assertFalse(pod["automountServiceAccountToken"])
        # Nothing of it is there unless it is asked for, and `none` asks for nothing.
        for values in ({}, {"retention": {"schedule": "none"}}):
            self.assertFalse([document for document in helm.render("mongodb", values) if "expire" in document["metadata"]["name"]])

    def test_an_expiry_asks_for_no_lock_which_its_role_may_not_set(self):
        """On S3 that is a right of its own (s3:PutObjectRetention), and the expirer's policy denies it."""
        urls = {
            "s3://b/p?region=r&retention_days=14&retention_mode=governance&sse=aws:kms": "s3://b/p?region=r&sse=aws:kms",
            "s3://b/p?retention_mode=compliance&retention_days=14": "s3://b/p",
            "s3://b/p?region=r": "s3://b/p?region=r",
            "azblob://a/c/p": "azblob://a/c/p",
        }
        for url, expected in urls.items():
            documents = helm.render("mongodb", helm.merged(RETAINING, {"archive": {"url": url, "controlUrl": "s3://b/control"}}))
            environment = helm.look(documents, "CronJob/r-mongodb-expire spec/jobTemplate/spec/template/spec/containers/[expire]/env")
            self.assertEqual(environment, [{"name": "TIDEMARK_ARCHIVE", "value": expected}, {"name": "TIDEMARK_CONTROL", "value": "s3://b/control"}])

    def test_options_of_an_expiry_are_those_that_dr_cli_knows(self):
        arguments = look("CronJob/r-mongodb-expire spec/jobTemplate/spec/template/spec/containers/[expire]/args", RETAINING)
        self.assertEqual((arguments[0], arguments[-3:]), ("expire", ["--apply", "--yes", "--json"]))
        self.assertEqual(len(arguments), 10)
        page = (helm.REPOSITORY / "docs/cli.md").read_text()
        known = page.split("\n### dr-cli expire\n")[1].split("\n### ")[0] + page.split("\n## dr-cli\n")[1].split("\n### ")[0]
        for argument in arguments[1:]:
            self.assertIn(f"{argument.split('=')[0]} ", known)

    def test_notes_name_the_secrets_that_are_not_there(self):
        values = {
            "auth": {"existingSecret": "passwords"},
            "archive": {"credentials": {"existingSecret": "keys"}},
            "tls": {"enabled": True, "existingSecret": "tls"},
            "mode": "recovery",
            "recovery": {"to": "latest", "identitySecret": "identity"},
            "retention": {"schedule": "0 5 * * *", "keepLast": 3, "existingSecret": "expirer"},
        }

        def attention(*there):
            done = helm.beside([{"kind": "Secret", "metadata": {"name": name}, "data": dict.fromkeys(keys, "")} for name, keys in there], "mongodb", values)
            self.assertEqual(done.returncode, 0, done.stderr)
            return helm.look(helm.parse(done.stdout), "Notes/notes text").partition("ATTENTION")[2]

        nothing_there = attention()
        for name in ("passwords (auth.existingSecret)", "keys (archive.credentials.existingSecret)", "tls (tls.existingSecret)", "identity (recovery.identitySecret)", "expirer (retention.existingSecret)"):
            self.assertIn(f"there is no Secret {name} in namespace ns, and pods wait until it is there", nothing_there)
        self.assertIn("kubectl --namespace ns create secret generic keys --from-literal=AWS_ACCESS_KEY_ID=… --from-literal=AWS_SECRET_ACCESS_KEY=…", nothing_there)
        self.assertIn("--from-literal=password-tidemark-restore=…", nothing_there)
        self.assertIn("create secret generic tls --from-file=tls-combined.pem=… --from-file=ca.crt=…", nothing_there)
        users = ("developer", "orders", "tidemark-backup", "tidemark-restore")
        passwords = ("passwords", ["keyfile", *(f"password-{user}" for user in users)])
        rest = [("keys", []), ("expirer", []), ("tls", ["tls-combined.pem", "ca.crt"]), ("identity", ["identity.txt"])]
        self.assertEqual(attention(passwords, *rest), "")
        self.assertIn("(auth.existingSecret) in namespace ns has no password-orders, and pods wait", attention(("passwords", [key for key in passwords[1] if key != "password-orders"]), *rest))

    def test_developers_get_these_pods_and_one_secret(self):
        rules = look("Role/r-mongodb-developer rules", {"developerAccess": {"subjects": [{"kind": "Group", "name": "g"}]}})
        self.assertTrue(all(rule["resourceNames"] for rule in rules))
        self.assertEqual(
            {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]},
            {("pods", "get"), ("pods/portforward", "create"), ("pods/portforward", "get"), ("secrets", "get")},
        )

    def test_settings_are_those_that_the_sidecar_knows(self):
        source = (helm.REPOSITORY / "sidecar/src/config/origin.rs").read_text()
        known = set(__import__("re").findall(r'^    "(\w+)",$', source, __import__("re").M))
        everything = {"sidecar": yaml.safe_load((helm.CHARTS / "mongodb/values.yaml").read_text())["sidecar"]}
        filled = {key: ("5s" if value == "" else value) for key, value in everything["sidecar"].items() if key not in ("image", "resources", "retention")}
        filled |= {
            "compressionLevel": 3,
            "scanParallelism": 3,
            "snapshotSchedule": "0 1 * * *",
            "referenceSchedule": "none",
            "slowProfiler": "read",
            "recipients": ["age1x"],
            "newLineage": True,
        }
        filled["retention"] = {
            "schedule": "none",
            "archiveUrl": "s3://b/p",
            "keepLast": 1,
            "keepFor": "1d",
            "pitrWindow": "1d",
            "keepMonthly": 1,
            "minimumRedundancy": 1,
        }
        settings = look("ConfigMap/r-mongodb data/sidecar.toml/|toml", {"sidecar": filled})
        self.assertEqual(set(settings) - known, set())
        # By other ways, or of the node agent; the slow threshold is in mongod.conf.
        elsewhere = {"uri", "archive", "control", "member", "recipients_file", "logs", "log_patterns", "log_positions", "config", "slow_ms", "slow_sample_rate"}
        self.assertEqual(known - set(settings), elsewhere)


if __name__ == "__main__":
    unittest.main()
