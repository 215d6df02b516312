"""The roles of an archive on Azure, judged as data: what a stolen credential could do."""

import itertools
import unittest

from harness.rbac import Grant, is_allowed
from harness.workspace import Workspace

BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
PATH = f"@Resource[{BLOBS}:path]"
READ, CREATE, WRITE, DELETE = (f"{BLOBS}/{action}" for action in ("read", "add/action", "write", "delete"))
# Everything else that exists for blobs, and what manages containers and accounts.
BEYOND = [
    f"{BLOBS}/deleteBlobVersion/action", f"{BLOBS}/permanentDelete/action", f"{BLOBS}/move/action", f"{BLOBS}/filter/action", f"{BLOBS}/tags/read", f"{BLOBS}/tags/write",
    f"{BLOBS}/immutableStorage/runAsSuperUser/action", f"{BLOBS}/manageOwnership/action", f"{BLOBS}/modifyPermissions/action", f"{BLOBS}/runAsSuperUser/action",
    "Microsoft.Storage/storageAccounts/blobServices/containers/write", "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/write", "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete",
    "Microsoft.Storage/storageAccounts/blobServices/containers/clearLegalHold/action", "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
    "Microsoft.Storage/storageAccounts/write", "Microsoft.Storage/storageAccounts/delete", "Microsoft.Storage/storageAccounts/listKeys/action",
    "Microsoft.Storage/storageAccounts/managementPolicies/write", "Microsoft.Authorization/roleAssignments/write",
]  # fmt: skip

LINEAGE = "shop/rs0-0123"
STORED = ["lineage.json", "snapshots/1/manifest.json", "snapshots/1/data/a-00000.bson.zst", "oplog/20260101/x.bson.zst", "gaps/a_b.json", "references/1_1.json"]
EXPIRES = STORED[1:]
REPORTS = ["drills/1.json"]
LEASES = ["control/archiver-lease/heartbeat-1.json", "control/archived.json"]
PINS = ["control/pins/audit.json", "control/protect/1.json", "control/freeze.json"]
ROOT = "archive.json"


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with Workspace("modules/azure/archive-rules", providers=False) as work:
            cls.roles = work.init().plan()["planned_values"]["outputs"]["roles"]["value"]

    def may(self, holder, store, action, key):
        grants = [
            Grant.of(role["actions"] + role["data_actions"], role["condition"]) for role in self.roles.values() if (role["holder"], role["store"]) == (holder, store)
        ]
        self.assertTrue(grants, f"no role of {holder} at {store}")
        return is_allowed(grants, action, {PATH: f"shop/{key}" if key == ROOT else f"{LINEAGE}/{key}"})

    def allowed(self, holder, store, keys):
        """Actions by key, of those that change something."""
        return {key: [name for name, action in (("create", CREATE), ("write", WRITE), ("delete", DELETE)) if self.may(holder, store, action, key)] for key in keys}

    def test_everybody_reads_everything_of_the_tenant(self):
        for holder, (store, keys) in itertools.product(("writer", "reader", "expirer"), (("archive", [ROOT, *STORED, *REPORTS]), ("control", [*LEASES, *PINS]))):
            for key in keys:
                self.assertTrue(self.may(holder, store, READ, key), f"{holder} {key}")

    def test_a_writer_creates_and_never_deletes(self):
        # `write` is needed for uploads in parts and could replace: the retention of the container refuses that, and a test of the store's module wants it there.
        self.assertEqual(self.allowed("writer", "archive", [ROOT, *STORED]), {key: ["create", "write"] for key in [ROOT, *STORED]})

    def test_a_writer_keeps_its_leases_in_the_control_container(self):
        self.assertEqual(self.allowed("writer", "control", LEASES), {key: ["create", "write", "delete"] for key in LEASES})
        self.assertEqual(self.allowed("writer", "control", STORED), {key: [] for key in STORED})

    def test_a_reader_reports_drills_and_changes_nothing_else_in_the_archive(self):
        self.assertEqual(self.allowed("reader", "archive", [ROOT, *STORED]), {key: [] for key in [ROOT, *STORED]})
        self.assertEqual(self.allowed("reader", "archive", REPORTS), {key: ["create"] for key in REPORTS})

    def test_a_reader_pins_protects_and_freezes_and_takes_no_lease(self):
        self.assertEqual(self.allowed("reader", "control", PINS), {key: ["create", "write", "delete"] for key in PINS})
        self.assertEqual(self.allowed("reader", "control", LEASES), {key: [] for key in LEASES})

    def test_an_expirer_deletes_what_expires_and_replaces_nothing(self):
        self.assertEqual(self.allowed("expirer", "archive", EXPIRES), {key: ["create", "delete"] for key in EXPIRES})
        self.assertEqual(self.allowed("expirer", "archive", [ROOT, "lineage.json", *REPORTS]), {key: [] for key in [ROOT, "lineage.json", *REPORTS]})

    def test_an_expirer_changes_nothing_beside_control_in_the_control_container(self):
        self.assertEqual(self.allowed("expirer", "control", LEASES), {key: ["create", "write", "delete"] for key in LEASES})
        self.assertEqual(self.allowed("expirer", "control", [*STORED, *REPORTS]), {key: [] for key in [*STORED, *REPORTS]})

    def test_nobody_goes_beyond_blobs_versions_or_retention(self):
        for holder, store, action in itertools.product(("writer", "reader", "expirer"), ("archive", "control"), BEYOND):
            self.assertFalse(self.may(holder, store, action, STORED[1]), f"{holder} at {store}: {action}")


if __name__ == "__main__":
    unittest.main()
