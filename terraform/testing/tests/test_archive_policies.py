"""The roles of an archive on S3, judged as data: what a stolen credential could do, and whether they are those of docs/policies."""

import itertools
import json
import pathlib
import unittest

from harness import iam
from harness.workspace import Workspace

DOCS = pathlib.Path(__file__).resolve().parents[3] / "docs" / "policies"
BUCKET, TENANT, OTHER, LINEAGE = "acme-archive", "shop", "bakery", "rs0-0123"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ROLES = ("writer", "reader", "expirer")

STORED = ["lineage.json", "snapshots/1/manifest.json", "snapshots/1/data/a-00000.bson.zst", "oplog/20260101/x.bson.zst", "gaps/a_b.json", "references/1_1.json"]
CONTROL = ["control/archiver-lease/heartbeat-1.json", "control/archived.json"]
PINS = ["control/pins/audit.json", "control/protect/1.json", "control/freeze.json"]
REPORTS = ["drills/1.json"]

OBJECT_ACTIONS = [
    "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectRetention", "s3:GetObjectLegalHold", "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention", "s3:PutObjectAcl",
    "s3:PutObjectTagging", "s3:RestoreObject", "s3:ReplicateDelete",
]  # fmt: skip
BUCKET_ACTIONS = [
    "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning",
    "s3:PutBucketPolicy", "s3:DeleteBucketPolicy", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning", "s3:PutBucketObjectLockConfiguration", "s3:DeleteBucket",
    "s3:PutReplicationConfiguration", "s3:PutEncryptionConfiguration", "s3:PutBucketPublicAccessBlock",
]  # fmt: skip


def context(action, if_none_match=False, creates=True, tls=True, lock_days=None, prefix=None):
    keys = {"aws:SecureTransport": str(tls).lower()}
    if action == "s3:PutObject":
        keys["s3:ObjectCreationOperation"] = str(creates).lower()
        if if_none_match:
            keys["s3:if-none-match"] = "*"
    if lock_days is not None:
        keys["s3:object-lock-remaining-retention-days"] = lock_days
    if prefix is not None:
        keys["s3:prefix"] = prefix
    return keys


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = {}
        for tenant in (TENANT, OTHER):
            with Workspace("modules/pure/archive-policies", providers=False) as work:
                plan = work.init().plan(bucket=BUCKET, prefix=tenant, kms_key_arn=KEY, longest_retention_days="35")
            outputs = plan["planned_values"]["outputs"]["documents"]["value"]
            cls.documents[tenant] = {role: json.loads(outputs[role]) for role in ROLES}

    def may(self, role, action, key, tenant=TENANT, **keys):
        resource = f"arn:aws:s3:::{BUCKET}" + (f"/{tenant}/{LINEAGE}/{key}" if key else "")
        return iam.is_allowed([self.documents[TENANT][role]], action, resource, context(action, **keys))

    def test_a_writer_creates_and_never_replaces_deletes_or_unlocks(self):
        for key in STORED + REPORTS:
            with self.subTest(key):
                self.assertTrue(self.may("writer", "s3:PutObject", key, if_none_match=True))
                self.assertTrue(self.may("writer", "s3:PutObject", key, creates=False), "a part of an upload")
                self.assertFalse(self.may("writer", "s3:PutObject", key), "replaces")
                self.assertFalse(self.may("writer", "s3:PutObject", key, if_none_match=True, tls=False))
                for action in ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObjectLegalHold", "s3:PutObjectAcl"):
                    self.assertFalse(self.may("writer", action, key), action)
        for key in CONTROL:
            self.assertTrue(self.may("writer", "s3:PutObject", key))
            self.assertTrue(self.may("writer", "s3:DeleteObject", key))
            self.assertFalse(self.may("writer", "s3:DeleteObjectVersion", key), "history of control/")

    def test_a_writer_locks_for_as_long_as_was_agreed_and_no_longer(self):
        for action in ("s3:PutObject", "s3:PutObjectRetention"):
            self.assertTrue(self.may("writer", action, STORED[1], if_none_match=True, lock_days=35), action)
            self.assertFalse(self.may("writer", action, STORED[1], if_none_match=True, lock_days=36), action)

    def test_a_reader_writes_pins_protections_the_freeze_and_new_reports_only(self):
        for key in STORED + CONTROL:
            for action, matched in itertools.product(("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention"), (True, False)):
                self.assertFalse(self.may("reader", action, key, if_none_match=matched), (action, key))
            self.assertTrue(self.may("reader", "s3:GetObject", key))
        for key in PINS:
            self.assertTrue(self.may("reader", "s3:PutObject", key))
            self.assertTrue(self.may("reader", "s3:DeleteObject", key))
        self.assertTrue(self.may("reader", "s3:PutObject", REPORTS[0], if_none_match=True))
        self.assertFalse(self.may("reader", "s3:PutObject", REPORTS[0]), "a report is replaced")
        self.assertFalse(self.may("reader", "s3:DeleteObject", REPORTS[0]))

    def test_an_expirer_deletes_what_expires_and_goes_around_no_lock(self):
        for key in STORED[1:] + CONTROL:
            for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"):
                self.assertTrue(self.may("expirer", action, key), (action, key))
        for key in STORED[1:]:
            self.assertTrue(self.may("expirer", "s3:PutObject", key, if_none_match=True), "a tombstone")
            self.assertFalse(self.may("expirer", "s3:PutObject", key))
        for key in [STORED[0], *REPORTS]:
            for action in ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"):
                self.assertFalse(self.may("expirer", action, key, if_none_match=True), (action, key))
        for action in ("s3:BypassGovernanceRetention", "s3:PutObjectRetention", "s3:PutObjectLegalHold"):
            self.assertFalse(self.may("expirer", action, STORED[1]), action)

    def test_nobody_changes_the_bucket(self):
        for role, action in itertools.product(ROLES, BUCKET_ACTIONS):
            allowed = {"s3:GetBucketLocation", "s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning"}
            self.assertEqual(self.may(role, action, None), action in allowed, (role, action))

    def test_nobody_asks_or_lists_another_bucket(self):
        for role, action in itertools.product(ROLES, BUCKET_ACTIONS):
            for prefix in (None, f"{TENANT}/{LINEAGE}/"):
                self.assertFalse(iam.is_allowed([self.documents[TENANT][role]], action, "arn:aws:s3:::another", context(action, prefix=prefix)), (role, action))
        for role, action, key in itertools.product(ROLES, OBJECT_ACTIONS, STORED[:2] + CONTROL[:1] + PINS[:1] + REPORTS):
            resource = f"arn:aws:s3:::another/{TENANT}/{LINEAGE}/{key}"
            self.assertFalse(iam.is_allowed([self.documents[TENANT][role]], action, resource, context(action, if_none_match=True)), (role, action, key))

    def test_no_later_grant_makes_a_role_able_to_do_what_it_never_may(self):
        """Its denials, with a policy beside it that gives everything."""
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        locks = ["s3:BypassGovernanceRetention", "s3:PutObjectLegalHold"]
        never = {
            "writer": [("s3:DeleteObjectVersion", STORED + CONTROL), ("s3:DeleteObject", STORED + REPORTS), *((action, STORED + CONTROL) for action in locks)],
            "reader": [(action, STORED + CONTROL) for action in locks],
            "expirer": [("s3:PutObjectRetention", STORED + CONTROL), *((action, STORED + CONTROL) for action in locks)],
        }
        for role, denied in never.items():
            given = [self.documents[TENANT][role], everything]
            for action, keys in denied:
                for tenant, key in itertools.product((TENANT, OTHER), keys):
                    resource = f"arn:aws:s3:::{BUCKET}/{tenant}/{LINEAGE}/{key}"
                    self.assertFalse(iam.is_allowed(given, action, resource, context(action)), (role, action, resource))
            self.assertFalse(iam.is_allowed(given, "s3:PutBucketObjectLockConfiguration", f"arn:aws:s3:::{BUCKET}", context("")), role)
            self.assertFalse(iam.is_allowed(given, "s3:PutObject", f"arn:aws:s3:::{BUCKET}/{TENANT}/{LINEAGE}/{STORED[1]}", context("s3:PutObject")), f"{role} replaces")
            self.assertFalse(iam.is_allowed(given, "s3:GetObject", f"arn:aws:s3:::{BUCKET}/{TENANT}/{LINEAGE}/{STORED[1]}", context("s3:GetObject", tls=False)), role)

    def test_nobody_touches_or_lists_the_prefix_of_another_tenant(self):
        for role, action, key in itertools.product(ROLES, OBJECT_ACTIONS, STORED + CONTROL + PINS + REPORTS):
            for keys in ({"if_none_match": True}, {"creates": False}):
                self.assertFalse(self.may(role, action, key, tenant=OTHER, **keys), (role, action, key))
        # A name that begins like the own one is another.
        self.assertFalse(self.may("writer", "s3:GetObject", "lineage.json", tenant=f"{TENANT}-eu"))
        for role in ROLES:
            self.assertTrue(self.may(role, "s3:ListBucket", None, prefix=f"{TENANT}/{LINEAGE}/"))
            for prefix in ("", f"{OTHER}/", f"{TENANT}-eu/", TENANT):
                self.assertFalse(self.may(role, "s3:ListBucket", None, prefix=prefix), (role, prefix))
            self.assertFalse(self.may(role, "s3:ListBucketVersions", None, prefix=f"{OTHER}/"))

    def test_the_key_serves_the_own_objects_through_s3_only(self):
        through = {"kms:ViaService": "s3.eu-central-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": f"arn:aws:s3:::{BUCKET}"}
        for role in ROLES:
            document = [self.documents[TENANT][role]]
            for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                self.assertTrue(iam.is_allowed(document, action, KEY, through))
                self.assertFalse(iam.is_allowed(document, action, KEY, {}), "straight")
                for service in ({}, {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}):
                    context = {name: value for name, value in through.items() if name != "kms:ViaService"} | service
                    self.assertFalse(iam.is_allowed(document, action, KEY, context), "not through S3")
                self.assertFalse(iam.is_allowed(document, action, KEY, through | {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::other"}))
                self.assertFalse(iam.is_allowed(document, action, KEY.replace("key/1", "key/2"), through))
            for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKey", "kms:CreateGrant"):
                self.assertFalse(iam.is_allowed(document, action, KEY, through), action)

    def test_they_are_those_of_the_documentation(self):
        """Whatever the documented policy says about an object of the tenant or the bucket, these say, too; they deny more only where they say why."""
        for role in ROLES:
            text = (DOCS / f"s3-{role}.json").read_text().replace("BUCKET", BUCKET).replace("PREFIX", TENANT)
            documented = [json.loads(text)]
            for action, key, matched, creates, tls in itertools.product(
                OBJECT_ACTIONS, STORED + CONTROL + PINS + REPORTS, (True, False), (True, False), (True, False)
            ):
                request = (action, f"arn:aws:s3:::{BUCKET}/{TENANT}/{LINEAGE}/{key}", context(action, matched, creates, tls))
                self.assertEqual(iam.is_allowed(documented, *request), iam.is_allowed([self.documents[TENANT][role]], *request), (role, *request))
            for action in BUCKET_ACTIONS:
                request = (action, f"arn:aws:s3:::{BUCKET}", context(action, prefix=f"{TENANT}/"))
                self.assertEqual(iam.is_allowed(documented, *request), iam.is_allowed([self.documents[TENANT][role]], *request), (role, *request))

    def test_a_careless_edit_of_each_role_is_noticed(self):
        """The judge sees what it is there for: each of these edits makes one of the tests above fail."""

        def edited(role, sid, change):
            document = json.loads(json.dumps(self.documents[TENANT][role]))
            [statement] = [one for one in document["Statement"] if one["Sid"] == sid]
            change(document["Statement"], statement)
            return [document]

        def gone(statements, statement):
            statements.remove(statement)

        own = f"arn:aws:s3:::{BUCKET}/{TENANT}/{LINEAGE}/{STORED[1]}"
        others = own.replace(f"/{TENANT}/", f"/{OTHER}/")
        replace = ("s3:PutObject", own, context("s3:PutObject"))
        self.assertTrue(iam.is_allowed(edited("writer", "CreateOnlyOutsideControl", gone), *replace))
        wide = edited("writer", "ReadAndCreate", lambda _, one: one.update(Resource=f"arn:aws:s3:::{BUCKET}/*"))
        self.assertTrue(iam.is_allowed(wide, "s3:GetObject", others, context("s3:GetObject")))
        deletes = edited("writer", "ReadAndCreate", lambda all, one: (one["Action"].append("s3:DeleteObject"), all.remove(all[4])))
        self.assertEqual(self.documents[TENANT]["writer"]["Statement"][4]["Sid"], "NeverRemoveOutsideControl")
        self.assertTrue(iam.is_allowed(deletes, "s3:DeleteObject", own, context("s3:DeleteObject")))
        lists = edited("reader", "FindObjects", lambda _, one: one.pop("Condition"))
        self.assertTrue(iam.is_allowed(lists, "s3:ListBucket", f"arn:aws:s3:::{BUCKET}", context("s3:ListBucket", prefix=f"{OTHER}/")))


if __name__ == "__main__":
    unittest.main()
