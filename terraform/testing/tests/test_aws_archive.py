"""Who reaches the archive on AWS: its bucket's policy with the roles of a tenant, the copy, the key, and the job of the weekly drill."""

import itertools
import unittest

import aws_pipelines
from aws_environments import ACCOUNT, environment, one_of
from harness import iam


class Bucket(unittest.TestCase):
    """The bucket's policy together with the roles of a tenant, as S3 sees both."""

    @classmethod
    def setUpClass(cls):
        prod = environment("prod")
        cls.policy = one_of(prod["30-data"].made, "aws_s3_bucket_policy", "archive").document("policy")
        cls.key = one_of(prod["30-data"].made, "aws_kms_key", "archive").values["arn"]
        cls.roles = {
            role: one_of(prod["40-platform"].made, "aws_iam_role_policy", "this", f"shop-{role}").document("policy") for role in ("writer", "reader", "expirer")
        }

    def may(self, role, action, key="rs0-1/snapshots/1/manifest.json", **keys):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true", "s3:if-none-match": "*"}
        context |= {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/{role}"} | {name.replace("__", ":"): value for name, value in keys.items()}
        identity = [self.roles[role]] if role in self.roles else [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        return iam.is_allowed(identity, action, f"arn:aws:s3:::acme-tidemark-prod-euc1-archive/shop/{key}", context, self.policy)

    def test_a_sidecar_puts_with_the_agreed_lock(self):
        lock = {"s3__object-lock-mode": "COMPLIANCE", "s3__object-lock-remaining-retention-days": 34}
        self.assertTrue(self.may("writer", "s3:PutObject", **lock))
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-mode": "GOVERNANCE"}), "a lock that somebody can undo")
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-remaining-retention-days": 7}), "a shorter lock")
        self.assertFalse(self.may("writer", "s3:PutObject", **lock | {"s3__object-lock-remaining-retention-days": 36500}), "a lock for ever")

    def test_control_and_tombstones_have_no_lock(self):
        self.assertTrue(self.may("writer", "s3:PutObject", "rs0-1/control/archived.json"))
        self.assertTrue(self.may("expirer", "s3:PutObject"))

    def test_only_the_own_key_encrypts(self):
        own = {"s3__x-amz-server-side-encryption": "aws:kms", "s3__x-amz-server-side-encryption-aws-kms-key-id": self.key}
        self.assertTrue(self.may("writer", "s3:PutObject", **own))
        self.assertFalse(self.may("writer", "s3:PutObject", **own | {"s3__x-amz-server-side-encryption-aws-kms-key-id": self.key[:-1] + "x"}), "the key of a stranger")
        self.assertFalse(self.may("writer", "s3:PutObject", **{"s3__x-amz-server-side-encryption": "AES256"}))
        self.assertTrue(self.may("writer", "s3:PutObject"), "the bucket's default, without a header")

    def test_old_or_no_tls_is_refused_to_everybody(self):
        for role in ("writer", "reader", "expirer", "administrator"):
            self.assertTrue(self.may(role, "s3:GetObject"))
            self.assertFalse(self.may(role, "s3:GetObject", aws__SecureTransport="false"))
            self.assertFalse(self.may(role, "s3:GetObject", s3__TlsVersion="1.1"))

    def test_a_lock_is_gone_around_by_break_glass_with_a_second_factor_only(self):
        arn = "arn:aws:iam::333333333333:role/break-glass"
        bypass = "s3:BypassGovernanceRetention"
        self.assertFalse(self.may("administrator", bypass, **{"aws__MultiFactorAuthPresent": "true"}))
        self.assertFalse(self.may("break-glass", bypass, **{"aws__PrincipalArn": arn}))
        self.assertTrue(self.may("break-glass", bypass, **{"aws__PrincipalArn": arn, "aws__MultiFactorAuthPresent": "true"}))

    def test_the_key_is_deleted_by_break_glass_only(self):
        key = one_of(environment("prod")["30-data"].made, "aws_kms_key", "archive").document("policy")
        everything = [{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}]
        for action in ("kms:ScheduleKeyDeletion", "kms:DisableKey"):
            for arn, allowed in (("arn:aws:iam::333333333333:role/break-glass", True), ("arn:aws:iam::333333333333:role/administrator", False)):
                principal = {"AWS": arn}
                self.assertEqual(iam.is_allowed(everything, action, self.key, {"aws:PrincipalArn": arn}, key, principal), allowed, (action, arn))


class Replication(unittest.TestCase):
    """What S3 can do with the role by which it copies the archive into the second region."""

    ARCHIVE = "arn:aws:s3:::acme-tidemark-prod-euc1-archive"
    REPLICA = ARCHIVE + "-replica"
    OTHERS = ("arn:aws:s3:::acme-tidemark-prod-euc1-state", ARCHIVE + "-logs", "arn:aws:s3:::acme-tidemark-staging-euc1-archive", "arn:aws:s3:::payroll")

    @classmethod
    def setUpClass(cls):
        made = environment("prod")["30-data"].made
        cls.documents = [one_of(made, "aws_iam_role_policy", "replication").document("policy")]
        cls.keys = {name: one_of(made, "aws_kms_key", name).values["arn"] for name in ("archive", "replica")}

    def may(self, action, resource, context=()):
        return iam.is_allowed(self.documents, action, resource, context)

    def test_the_replication_copies_and_undoes_nothing(self):
        source, replica = (f"{bucket}/shop/x" for bucket in (self.ARCHIVE, self.REPLICA))
        self.assertTrue(self.may("s3:GetObjectVersionForReplication", source))
        self.assertTrue(self.may("s3:ReplicateObject", replica))
        for action in ("s3:ReplicateDelete", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention", "s3:PutObject"):
            self.assertFalse(self.may(action, replica), action)
        self.assertFalse(self.may("s3:ReplicateObject", source))

    def test_it_copies_out_of_the_archive_and_out_of_no_other_bucket(self):
        versions = ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging", "s3:GetObjectRetention", "s3:GetObjectLegalHold")
        for bucket in (self.ARCHIVE, self.REPLICA, *self.OTHERS):
            for action in ("s3:GetReplicationConfiguration", "s3:ListBucket"):
                self.assertEqual(self.may(action, bucket), bucket == self.ARCHIVE, (action, bucket))
            for action in versions:
                self.assertEqual(self.may(action, f"{bucket}/shop/x"), bucket == self.ARCHIVE, (action, bucket))

    def test_it_opens_with_one_key_and_closes_with_the_other_through_s3_for_objects_of_these_buckets(self):
        for name, region, bucket, actions in (
            ("archive", "eu-central-1", self.ARCHIVE, {"kms:Decrypt"}),
            ("replica", "eu-west-1", self.REPLICA, {"kms:Encrypt", "kms:GenerateDataKey"}),
        ):
            through = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": bucket}
            wrong = [through | {"kms:ViaService": f"secretsmanager.{region}.amazonaws.com"}]
            wrong += [through | {"kms:EncryptionContext:aws:s3:arn": other} for other in self.OTHERS]
            wrong += [{key: value for key, value in through.items() if key != missing} for missing in through]
            for action in ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:CreateGrant", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"):
                self.assertEqual(self.may(action, self.keys[name], through), action in actions, (name, action))
                for context in wrong:
                    self.assertFalse(self.may(action, self.keys[name], context), (name, action, context))
                self.assertFalse(self.may(action, f"arn:aws:kms:{region}:{ACCOUNT}:key/of-something-else", through), (name, action))


class Drill(unittest.TestCase):
    """What the job of the weekly drill can do with all that its role has, at the bucket of the archive and elsewhere."""

    ARCHIVE = "arn:aws:s3:::acme-tidemark-prod-euc1-archive"
    STORED = ["lineage.json", "snapshots/1/manifest.json", "oplog/20260101/x.bson.zst", "gaps/a_b.json", "references/1_1.json"]
    LEASES = ["control/archiver-lease/heartbeat-1.json", "control/archived.json"]
    PINS = ["control/pins/drill.json", "control/protect/1.json", "control/freeze.json"]

    @classmethod
    def setUpClass(cls):
        prod = environment("prod")
        made = prod["00-bootstrap"].made
        [role] = [one.values["name"] for one in made if one.kind == "aws_iam_role" and one.values["name"].endswith("-github-drill")]
        cls.given = [one for one in made if one.kind in ("aws_iam_role_policy", "aws_iam_role_policy_attachment") and one.values["role"].endswith(role)]
        cls.documents = [one.document("policy") for one in cls.given if one.kind == "aws_iam_role_policy"]
        cls.bucket_policy = one_of(prod["30-data"].made, "aws_s3_bucket_policy", "archive").document("policy")
        cls.key = one_of(prod["30-data"].made, "aws_kms_key", "archive")
        cls.principal = f"arn:aws:iam::{ACCOUNT}:role/{role}"

    def may(self, action, resource, **keys):
        context = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3", "s3:ObjectCreationOperation": "true", "aws:PrincipalArn": self.principal}
        return iam.is_allowed(self.documents, action, resource, context | {name.replace("__", ":"): value for name, value in keys.items()}, self.bucket_policy)

    def objects(self, *keys, tenant="shop"):
        return [f"{self.ARCHIVE}/{tenant}/rs0-0123/{key}" for key in keys]

    def test_nothing_is_given_but_one_policy(self):
        self.assertEqual([one.kind for one in self.given], ["aws_iam_role_policy"])

    def test_it_reads_the_archive_of_its_tenant_and_no_other(self):
        for resource in self.objects(*self.STORED, *self.LEASES, *self.PINS, "drills/1.json"):
            self.assertTrue(self.may("s3:GetObject", resource), resource)
            self.assertFalse(self.may("s3:GetObject", resource, aws__SecureTransport="false"))
        self.assertTrue(self.may("s3:ListBucket", self.ARCHIVE, s3__prefix="shop/rs0-0123/"))
        for action, resource in itertools.product(("s3:GetObject", "s3:PutObject", "s3:DeleteObject"), self.objects(*self.STORED, *self.PINS, "drills/1.json", tenant="bakery")):
            self.assertFalse(self.may(action, resource, **{"s3__if-none-match": "*"}), (action, resource))
        for prefix in ("", "bakery/", "shop"):
            self.assertFalse(self.may("s3:ListBucket", self.ARCHIVE, s3__prefix=prefix), prefix)

    def test_it_writes_new_reports_pins_protections_and_the_freeze_only(self):
        created = {"s3__if-none-match": "*"}
        for resource in self.objects("drills/1.json"):
            self.assertTrue(self.may("s3:PutObject", resource, **created))
            self.assertFalse(self.may("s3:PutObject", resource), "a report is replaced")
            self.assertFalse(self.may("s3:DeleteObject", resource))
        for resource in self.objects(*self.PINS):
            self.assertTrue(self.may("s3:PutObject", resource) and self.may("s3:DeleteObject", resource), resource)
        changing = ("s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutObjectRetention", "s3:PutObjectLegalHold", "s3:BypassGovernanceRetention", "s3:PutObjectAcl")
        for action, resource in itertools.product(changing, self.objects(*self.STORED, *self.LEASES)):
            self.assertFalse(self.may(action, resource, aws__MultiFactorAuthPresent="true", **created), (action, resource))
        for action, resource in itertools.product(changing[2:], self.objects(*self.PINS, "drills/1.json")):
            self.assertFalse(self.may(action, resource, aws__MultiFactorAuthPresent="true", **created), (action, resource))

    def test_its_key_is_that_of_the_archive_through_s3(self):
        through = {"kms:ViaService": "s3.eu-central-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": self.ARCHIVE}

        def may(action, context, key=self.key.values["arn"]):
            return iam.is_allowed(self.documents, action, key, context, self.key.document("policy"))

        self.assertTrue(may("kms:Decrypt", through))
        self.assertFalse(may("kms:Decrypt", {}), "straight")
        self.assertFalse(may("kms:Decrypt", through | {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}))
        for other in ("arn:aws:s3:::acme-tidemark-prod-euc1-state", "arn:aws:s3:::acme-tidemark-prod-euc1-archive-replica", f"{self.ARCHIVE}/bakery/x"):
            self.assertFalse(may("kms:Decrypt", through | {"kms:EncryptionContext:aws:s3:arn": other}), other)
        self.assertFalse(may("kms:Decrypt", through, self.key.values["arn"].replace(ACCOUNT, "999999999999")), "of another account")
        for action in ("kms:ScheduleKeyDeletion", "kms:PutKeyPolicy", "kms:DisableKey", "kms:CreateGrant", "kms:Encrypt"):
            self.assertFalse(may(action, through), action)

    def test_no_later_grant_lets_it_around_a_lock_or_reads_backups_in_the_clear(self):
        """Its denials hold by themselves: with everything given beside them, and at a bucket whose policy says nothing."""

        def may(action, resource, tls="true"):
            return iam.is_allowed([*self.documents, aws_pipelines.EVERYTHING], action, resource, {"aws:SecureTransport": tls})

        for bucket in (self.ARCHIVE, f"{self.ARCHIVE}-replica", "arn:aws:s3:::another"):
            self.assertFalse(may("s3:PutBucketObjectLockConfiguration", bucket), bucket)
            for action in ("s3:BypassGovernanceRetention", "s3:PutObjectLegalHold"):
                self.assertFalse(may(action, f"{bucket}/shop/x"), (action, bucket))
        for resource in self.objects("lineage.json") + self.objects("lineage.json", tenant="bakery"):
            self.assertTrue(may("s3:GetObject", resource))
            self.assertFalse(may("s3:GetObject", resource, tls="false"), resource)

    def test_it_can_do_nothing_else(self):
        """Not what any other role of the environment is given, on anything."""
        grants = [statement for one in aws_pipelines.grants() for statement in one["Statement"]]
        for name, layer in (("this", "40-platform"), ("this", "00-bootstrap")):
            for one in environment("prod")[layer].made:
                if (one.kind, one.name) == ("aws_iam_role_policy", name) and "-github-drill" not in one.values["role"]:
                    grants += [statement for statement in one.document("policy")["Statement"] if statement["Effect"] == "Allow"]
        actions = {action for statement in grants for action in iam.listed(statement["Action"])} | {"sts:AssumeRole", "ec2:RunInstances", "iam:CreateUser", "secretsmanager:GetSecretValue"}
        self.assertGreater(len(actions), 180)
        for action in sorted(actions):
            for resource in ("*", "arn:aws:s3:::acme-tidemark-prod-euc1-state/10-network.tfstate", "arn:aws:s3:::acme-tidemark-prod-euc1-archive-replica/shop/x"):
                self.assertFalse(self.may(action, resource, **{"s3__prefix": "shop/", "s3__if-none-match": "*"}), (action, resource))


if __name__ == "__main__":
    unittest.main()
