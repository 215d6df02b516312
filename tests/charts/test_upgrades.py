"""What an installation that is there lets nobody change is refused before anything is done, with a sentence as in test_refusals.py."""

import base64
import copy
import unittest

import helm
from effects.mongodb import GIVEN

# What is there already: (values of it, values now, the sentence; none: it may be changed so).
ISSUER = {"issuerRef": {"name": "ca"}}
UPGRADES = [
    (
        {},
        {"persistence": {"storageClass": "fast"}},
        "mongodb: persistence.storageClass is `fast`, but the volumes of r-mongodb were made with ``, and Kubernetes lets nobody change that: set persistence.storageClass back; "
        'the README of the chart tells under "Changes that are no upgrade" how volumes grow',
    ),
    (
        {},
        {"persistence": {"size": "40Gi"}},
        "mongodb: persistence.size is `40Gi`, but the volumes of r-mongodb were made with `20Gi`, and Kubernetes lets nobody change that: set persistence.size back",
    ),
    ({"persistence": {"size": "1Ti"}}, {"persistence": {"size": "1024Gi"}}, None),
    (
        {},
        {"persistence": {"accessModes": ["ReadWriteOncePod"]}},
        "mongodb: persistence.accessModes is `ReadWriteOncePod`, but the volumes of r-mongodb were made with `ReadWriteOnce`, and Kubernetes lets nobody change that",
    ),
    (
        {},
        {"replicaSetName": "other"},
        "mongodb: replicaSetName is `other`, but the members' data is that of `rs0`, and they would refuse it: set replicaSetName=rs0, or restore into another release",
    ),
    (
        {},
        {"clusterDomain": "k8s.example"},
        "mongodb: clusterDomain is `k8s.example`, but the members of r-mongodb know each other under `cluster.local`, and would not find each other: set clusterDomain=cluster.local, "
        "or restore into another release",
    ),
    ({"clusterDomain": "k8s.example"}, {"clusterDomain": "k8s.example"}, None),
    (
        {},
        {"fullnameOverride": "db"},
        "mongodb: the set would be called `db`, but that of this release is `r-mongodb`, and a new one without data would take its place: set fullnameOverride=r-mongodb, "
        "or restore into another release",
    ),
    ({"fullnameOverride": "db"}, {}, "mongodb: the set would be called `r-mongodb`, but that of this release is `db`"),
    ({"fullnameOverride": "db"}, {"fullnameOverride": "db"}, None),
    (
        {},
        {"tls": {"enabled": True, **ISSUER}},
        "mongodb: tls.mode would go from disabled to requireTLS, and members that are restarted first could not talk to the others: upgrade to allowTLS first, and wait for it",
    ),
    ({}, {"tls": {"enabled": True, "mode": "allowTLS", **ISSUER}}, None),
    ({"tls": {"enabled": True, "mode": "preferTLS", **ISSUER}}, {"tls": {"enabled": True, **ISSUER}}, None),
    (
        {"tls": {"enabled": True, **ISSUER}},
        {},
        "mongodb: tls.mode would go from requireTLS to disabled, and members that are restarted first could not talk to the others: upgrade to preferTLS first, and wait for it",
    ),
    (
        {"tls": {"enabled": True, **ISSUER}},
        {"tls": {"enabled": True, **ISSUER}, "auth": {"clusterAuthMode": "x509"}},
        "mongodb: auth.clusterAuthMode would go from keyFile to x509, and members that are restarted first could not talk to the others: upgrade to sendKeyFile first, and wait for it",
    ),
    ({"tls": {"enabled": True, **ISSUER}, "auth": {"clusterAuthMode": "sendX509"}}, {"tls": {"enabled": True, **ISSUER}, "auth": {"clusterAuthMode": "x509"}}, None),
    ({"replicaCount": 1}, {"replicaCount": 1, "tls": {"enabled": True, **ISSUER}, "auth": {"clusterAuthMode": "x509"}}, None),
    ({}, {"replicaCount": 5, "mongod": {"slowOpThresholdMs": 7}}, None),
    *(
        (
            {"replicaCount": before},
            {"replicaCount": 1},
            f"mongodb: replicaCount would go from {before} to 1, and those that stay are no majority and would have no primary any more: set replicaCount to 3 or more; "
            "for fewer members restore the archive into another release, with mode=recovery and replicaCount=1",
        )
        for before in (3, 5)
    ),
    ({"replicaCount": 5}, {"replicaCount": 3}, None),
    ({"replicaCount": 5}, {"replicaCount": 3, "users": {"reports": {"roles": [{"role": "read", "db": "orders"}]}}}, None),
    *(
        (
            {"replicaCount": 5},
            {"replicaCount": 3, **change},
            "mongodb: replicaCount would go from 5 to 3 and what the pods are made of would change, too, and Kubernetes would stop one more at the same time, which is the majority: "
            "upgrade with replicaCount=5 first, wait for it, and lower replicaCount alone then",
        )
        for change in (
            {"mongod": {"slowOpThresholdMs": 7}},
            {"image": {"tag": "6.0.6"}},
            {"resources": {"limits": {"memory": "3Gi"}}},
            {"podLabels": {"a": "b"}},
            {"auth": {"revision": "2"}},
        )
    ),
    ({"replicaCount": 1}, {"replicaCount": 5}, None),
]

# Members that are not all as the last upgrade wants them: (what the StatefulSet says of itself, is that so).
FINISHED = {"observedGeneration": 4, "currentRevision": "r-mongodb-2", "updateRevision": "r-mongodb-2"}
ROLLOUTS = [
    ({}, False),
    ({"currentRevision": "r-mongodb-1"}, True),
    ({"currentRevision": "r-mongodb-1", "updatedReplicas": 1}, True),
    ({"updatedReplicas": 2}, True),
    # Of before the last upgrade.
    ({"observedGeneration": 3}, True),
]
ENCRYPTED = {"tls": {"enabled": True, **ISSUER}}
WAIT = (
    "mongodb: {} would go from {} to {}, but members of r-mongodb are still restarted for an earlier upgrade, and could not talk to those of the next: "
    "wait until `kubectl --namespace ns rollout status statefulset r-mongodb` ends and upgrade then, or take the earlier one back with `helm rollback`"
)
# (values before, values now, the sentence while members are restarted).
DURING = [
    ({"tls": {"enabled": True, "mode": "allowTLS", **ISSUER}}, {"tls": {"enabled": True, "mode": "preferTLS", **ISSUER}}, WAIT.format("tls.mode", "allowTLS", "preferTLS")),
    (ENCRYPTED, helm.merged(ENCRYPTED, {"auth": {"clusterAuthMode": "sendKeyFile"}}), WAIT.format("auth.clusterAuthMode", "keyFile", "sendKeyFile")),
    (helm.merged(ENCRYPTED, {"auth": {"clusterAuthMode": "sendKeyFile"}}), ENCRYPTED, WAIT.format("auth.clusterAuthMode", "sendKeyFile", "keyFile")),
    (
        {"replicaCount": 5},
        {"replicaCount": 3},
        "mongodb: replicaCount would go from 5 to 3, but members of r-mongodb are still restarted for an earlier upgrade, and Kubernetes would stop one more at the same time, which is the majority: "
        "wait until `kubectl --namespace ns rollout status statefulset r-mongodb` ends, and upgrade then",
    ),
    ({"replicaCount": 3}, {"replicaCount": 5}, None),
    (ENCRYPTED, ENCRYPTED, None),
    (ENCRYPTED, helm.merged(ENCRYPTED, {"mongod": {"slowOpThresholdMs": 7}}), None),
    (helm.merged(ENCRYPTED, {"replicaCount": 1}), helm.merged(ENCRYPTED, {"replicaCount": 1, "auth": {"clusterAuthMode": "sendKeyFile"}}), None),
]

# The keyfile of members that run: (values of them, values now, keyfiles of the Secrets that are there, the sentence or none).
GENERATED = {"auth": {"existingSecret": ""}}
OTHER = {"auth": {"existingSecret": "other"}}
CERTIFIED = {"tls": {"enabled": True, **ISSUER}, "auth": {"clusterAuthMode": "sendX509"}}
DIFFERENT = (
    "mongodb: {} gives another keyfile than the Secret `{}`, which the members of r-mongodb have it from, and members with different ones cannot talk to each other: "
    "put the keyfile of `{}` there, or stop all members before (kubectl --namespace ns scale statefulset r-mongodb --replicas=0)"
)
NO_KEYFILE = (
    "mongodb: there is no keyfile in a Secret `r-mongodb-auth`, and a new one would be another than that of the members of r-mongodb, who could not talk to each other: "
    "put the Secret back, or name the one they have it from (`{}`) in auth.existingSecret"
)
KEYFILES = [
    ({}, {}, {"given": "one"}, None),
    ({}, {}, {}, None),
    ({}, OTHER, {"given": "one", "other": "two"}, DIFFERENT.format("the Secret `other`", "given", "given")),
    ({}, OTHER, {"given": "one", "other": "o ne\n"}, None),
    ({}, OTHER, {"given": "one"}, None),
    ({}, OTHER, {"other": "two"}, None),
    ({"replicaCount": 1}, {"replicaCount": 1, **OTHER}, {"given": "one", "other": "two"}, None),
    ({"replicaCount": 1}, OTHER, {"given": "one", "other": "two"}, DIFFERENT.format("the Secret `other`", "given", "given")),
    (CERTIFIED, helm.merged(CERTIFIED, OTHER), {"given": "one", "other": "two"}, None),
    (CERTIFIED, helm.merged(CERTIFIED, OTHER, {"auth": {"clusterAuthMode": "sendKeyFile"}}), {"given": "one", "other": "two"}, DIFFERENT.format("the Secret `other`", "given", "given")),
    (GIVEN, GIVEN, {"r-mongodb-auth": "a2V5ZmlsZQ"}, None),
    (GIVEN, helm.merged(GIVEN, {"auth": {"keyfile": "b3RoZXI"}}), {"r-mongodb-auth": "a2V5ZmlsZQ"}, DIFFERENT.format("auth.keyfile", "r-mongodb-auth", "r-mongodb-auth")),
    (GIVEN, GIVEN, {}, None),
    (GIVEN, GENERATED, {"r-mongodb-auth": "a2V5ZmlsZQ"}, None),
    (GIVEN, GENERATED, {}, NO_KEYFILE.format("r-mongodb-auth")),
    (GIVEN, {}, {"r-mongodb-auth": "one", "given": "two"}, DIFFERENT.format("the Secret `given`", "r-mongodb-auth", "r-mongodb-auth")),
    ({}, GENERATED, {"given": "one"}, NO_KEYFILE.format("given")),
    ({}, GENERATED, {"given": "one", "r-mongodb-auth": "two"}, DIFFERENT.format("the Secret `r-mongodb-auth`", "given", "given")),
    ({}, GENERATED, {"given": "one", "r-mongodb-auth": "one"}, None),
    ({}, GIVEN, {"given": "a2V5ZmlsZQ\n"}, None),
    (helm.merged(CERTIFIED, {"auth": {"clusterAuthMode": "x509"}}), helm.merged(CERTIFIED, GENERATED), {}, None),
]


def upgraded(values, **status):
    """What the chart compares with: made with these values, and done with it."""
    there = copy.deepcopy([document for document in helm.render("mongodb", values) if document["kind"] in ("StatefulSet", "ConfigMap")])
    for document in there:
        if document["kind"] == "StatefulSet":
            document["metadata"]["generation"] = FINISHED["observedGeneration"]
            document["status"] = {**FINISHED, "updatedReplicas": document["spec"]["replicas"], **status}
    return there


class Upgrades(unittest.TestCase):
    def test_an_upgrade_that_cannot_be_is_refused_before_anything_is_done(self):
        for before, now, sentence in UPGRADES:
            with self.subTest(before=before, now=now):
                done = helm.beside(upgraded(before), "mongodb", now)
                self.assertEqual(done.returncode, 1 if sentence else 0, done.stderr)
                if sentence:
                    self.assertIn(sentence, done.stderr)

    def test_the_next_step_waits_for_the_members_of_the_one_before(self):
        for before, now, sentence in DURING:
            for status, unfinished in ROLLOUTS:
                with self.subTest(before=before, now=now, status=status):
                    done = helm.beside(upgraded(before, **status), "mongodb", now)
                    self.assertEqual(done.returncode, 1 if sentence and unfinished else 0, done.stderr)
                    if sentence and unfinished:
                        self.assertIn(sentence, done.stderr)

    def test_members_of_an_earlier_chart_are_as_far_as_known_not_those_of_now(self):
        there = upgraded({"replicaCount": 5})
        del helm.find(there, "StatefulSet/r-mongodb")["metadata"]["annotations"]
        done = helm.beside(there, "mongodb", {"replicaCount": 3})
        self.assertIn("lower replicaCount alone then", done.stderr)

    def test_a_set_of_another_release_is_no_concern_of_this_one(self):
        other = [document for document in helm.render("mongodb", release="s") if document["kind"] in ("StatefulSet", "ConfigMap")]
        done = helm.beside([*other, {"kind": "StatefulSet", "metadata": {"name": "somebodys"}}], "mongodb", {})
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_members_that_run_keep_their_keyfile(self):
        for before, now, keyfiles, sentence in KEYFILES:
            for running in (True, False):
                with self.subTest(before=before, now=now, keyfiles=keyfiles, running=running):
                    there = upgraded(before)
                    if not running:
                        helm.find(there, "StatefulSet/r-mongodb")["spec"]["replicas"] = 0
                    for name, keyfile in keyfiles.items():
                        there.append({"kind": "Secret", "metadata": {"name": name}, "data": {"keyfile": base64.b64encode(keyfile.encode()).decode()}})
                    done = helm.beside(there, "mongodb", now)
                    self.assertEqual(done.returncode, 1 if sentence and running else 0, done.stderr)
                    if sentence and running:
                        self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main()
