"""`make terraform-plan` and `make terraform-apply`, with the real Terraform on roots without any provider."""

import json
import os
import pathlib
import shutil
import tempfile
import unittest

from repository import ROOT, run

ROOT_MODULE = """
terraform { required_version = ">= 1.11.0" }
variable "text" {
  type    = string
  default = "one"
}
variable "password" {
  type      = string
  sensitive = true
  default   = "do-not-show-this"
}
resource "terraform_data" "place" {
  input = { text = var.text, password = var.password }
}
"""


@unittest.skipUnless(shutil.which("terraform"), "terraform is not on PATH")
class TerraformRoot(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.roots = self.folder / "environments"
        self.place = self.roots / "aws/dev/20-cluster"
        self.place.mkdir(parents=True)
        (self.place / "main.tf").write_text(ROOT_MODULE)
        self.output = self.folder / "output"

    def step(self, step, root="aws/dev/20-cluster", **variables):
        # Of nobody's settings: a mirror of providers that some machine has is not needed here.
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TERRAFORM_ROOTS": str(self.roots), "OUTPUT": str(self.output), **variables}
        return run(ROOT / "scripts/terraform-root.sh", step, root, env=environment)

    def digest(self):
        return (self.output / "digest").read_text().strip()

    def applied(self):
        state = self.place / "terraform.tfstate"
        return [resource["name"] for resource in json.loads(state.read_text())["resources"]] if state.exists() else []

    def test_what_was_approved_is_applied(self):
        done = self.step("plan")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("1 to add", (self.output / "plan.txt").read_text())
        self.assertEqual(json.loads((self.output / "changes.json").read_text()), [{"address": "terraform_data.place", "actions": ["create"]}])
        self.assertEqual(self.applied(), [], "a plan changed something")
        done = self.step("apply", EXPECTED=self.digest())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.applied(), ["place"])
        self.assertEqual(self.step("plan").returncode, 0)
        self.assertEqual(json.loads((self.output / "changes.json").read_text()), [])

    def test_another_plan_than_the_approved_one_is_not_applied(self):
        self.step("plan")
        approved = self.digest()
        # Only a value: the same resource, the same action.
        done = self.step("apply", EXPECTED=approved, TF_VAR_text="two")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("is not the one that was approved", done.stderr)
        self.assertEqual(self.applied(), [])

    def test_nothing_is_applied_without_an_approval(self):
        done = self.step("apply")
        self.assertEqual(done.returncode, 2)
        self.assertIn("EXPECTED is empty", done.stderr)
        self.assertEqual(self.applied(), [])

    def test_make_takes_the_digest_from_the_folder_of_the_plan(self):
        self.step("plan")
        done = run("make", "--dry-run", "terraform-apply", "ROOT=aws/dev/20-cluster", f"APPROVED={self.output}", cwd=ROOT)
        self.assertIn(f'EXPECTED="$(cat "{self.output}/digest")"', done.stdout)

    def test_values_that_are_sensitive_leave_no_trace(self):
        done = self.step("plan")
        self.assertNotIn("do-not-show-this", done.stdout + done.stderr)
        for path in self.output.iterdir():
            self.assertNotIn("do-not-show-this", path.read_text(), path.name)
        self.assertEqual(sorted(path.name for path in self.output.iterdir()), ["changes.json", "digest", "plan.txt"])

    def test_a_plan_that_fails_says_why_and_approves_nothing(self):
        (self.place / "main.tf").write_text(ROOT_MODULE + '\noutput "x" { value = var.missing }\n')
        done = self.step("plan")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("missing", done.stderr)
        self.assertFalse((self.output / "digest").exists())

    def test_bad_input_is_named(self):
        for root in ("/etc", "../x", "aws/dev/none"):
            done = self.step("plan", root)
            self.assertEqual(done.returncode, 2, root)
            self.assertRegex(done.stderr, "write a path below|holds no Terraform")

    def test_roots_are_listed_in_their_order_without_those_of_a_disaster_and_of_administrators(self):
        for name in ("aws/dev/00-bootstrap", "aws/dev/10-network", "aws/prod/10-network", "azure/dev/10-network", "aws/restore/10-network", "local/primary/10-x"):
            (self.roots / name).mkdir(parents=True)
            (self.roots / name / "main.tf").touch()
        (self.roots / "aws/dev/90-empty").mkdir()
        done = run(ROOT / "scripts/terraform-roots.py", env={**os.environ, "TERRAFORM_ROOTS": str(self.roots)})
        listed = json.loads(done.stdout.removeprefix("roots="))
        self.assertEqual([each["root"] for each in listed], ["aws/dev/10-network", "aws/dev/20-cluster", "aws/prod/10-network", "azure/dev/10-network"])
        self.assertEqual(listed[0], {"root": "aws/dev/10-network", "cloud": "aws", "environment": "dev", "layer": "10-network"})
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_without_any_root_the_matrix_is_empty(self):
        done = run(ROOT / "scripts/terraform-roots.py", env={**os.environ, "TERRAFORM_ROOTS": str(self.folder / "none")})
        self.assertEqual(done.stdout, "roots=[]\n")


if __name__ == "__main__":
    unittest.main()
