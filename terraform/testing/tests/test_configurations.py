"""Every module and root: formatted, valid against the providers' schemas, tested, without warnings."""

import os
import pathlib
import re
import subprocess
import unittest

from harness.workspace import TERRAFORM, Workspace, binary, environment


def folders():
    """Everything with configuration in it, by its path below terraform/."""
    found = {file.parent for file in TERRAFORM.rglob("*.tf") if ".terraform" not in file.parts and "testing" not in file.relative_to(TERRAFORM).parts}
    return sorted(str(folder.relative_to(TERRAFORM)) for folder in found)


def valid_once(found):
    """Without the roots of environments whose text another one has (test_environments_differ_in_values_only): all of them are planned and applied besides."""
    texts = set()
    for folder in found:
        text = tuple(file.read_text() for file in sorted((TERRAFORM / folder).glob("*.tf")))
        if not re.match(r"environments/(aws|azure)/[a-z]+/\d\d-", folder) or text not in texts:
            yield folder
        texts.add(text)


def needs_no_provider(folder):
    return folder.startswith(("modules/pure/", "modules/local/", "environments/local"))


class Configurations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.first = Workspace("modules/pure/naming", providers=False)
        cls.addClassCleanup(cls.first.__exit__)

    def work(self, folder):
        return Workspace(folder, copy=self.first.copy, providers=not needs_no_provider(folder)).init()

    def test_files_are_formatted(self):
        done = subprocess.run(
            [binary(), "fmt", "-check", "-recursive", "-no-color", str(TERRAFORM)], env=environment(TF_CLI_CONFIG_FILE=os.devnull), capture_output=True, text=True
        )
        self.assertEqual((done.returncode, done.stdout), (0, ""), "terraform fmt -recursive terraform")

    def test_all_are_valid_and_tests_of_modules_pass(self):
        for folder in valid_once(folders()):
            with self.subTest(folder):
                work = self.work(folder)
                self.assertEqual(work.validate(), [])
                if list((TERRAFORM / folder).glob("tests/*.tftest.hcl")):
                    done = work.test()
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                    self.assertNotIn("Warning", done.stdout)

    def test_every_module_has_tests(self):
        for folder in folders():
            if folder.startswith("modules/"):
                self.assertTrue(list((TERRAFORM / folder).glob("tests/*.tftest.hcl")), folder)

    def test_environments_differ_in_values_only(self):
        """Terraform needs a root for each environment and layer; whoever mends one mends all."""
        for cloud in ("aws", "azure"):
            environments = [file.parent for file in sorted((TERRAFORM / "environments" / cloud).glob("*/environment.yaml"))]
            self.assertGreaterEqual(len(environments), 3, cloud)
            roots = [{str(file.relative_to(folder)): file.read_text() for file in folder.glob("*/*.tf")} for folder in environments]
            for folder, root in zip(environments, roots):
                self.assertTrue(root, folder)
                self.assertEqual(root, roots[0], f"{folder} and {environments[0]}")

    def test_a_wrong_attribute_type_block_or_output_is_seen(self):
        """What `valid` means here: against the real schema, and not only as text."""
        mistakes = {
            "an attribute": 'resource "aws_vpc" "x" {\n  cidr_blok = "10.0.0.0/16"\n}\n',
            "a type": 'resource "aws_vpc" "x" {\n  enable_dns_support = ["a"]\n}\n',
            "a block": 'resource "aws_vpc" "x" {\n  dns {}\n}\n',
            "what is required": 'resource "aws_eks_cluster" "x" {\n  name = "x"\n}\n',
            "a reference": 'output "x" {\n  value = aws_vpc.this.no_such_thing\n}\n',
            "a resource": 'resource "aws_vcp" "x" {}\n',
        }
        with Workspace("modules/aws/network") as work:
            work.init()
            self.assertEqual(work.validate(), [])
            for what, text in mistakes.items():
                with self.subTest(what):
                    (work.folder / "mistake.tf").write_text(text)
                    self.assertTrue(any(one.startswith("error") for one in work.validate()), what)

    def test_lock_files_and_states_are_not_in_the_repository(self):
        listed = subprocess.run(["git", "ls-files", "--", str(TERRAFORM)], cwd=TERRAFORM, capture_output=True, text=True, check=True).stdout.split()
        bad = [name for name in listed if ".terraform" in pathlib.PurePath(name).parts or name.endswith((".tfstate", ".terraform.lock.hcl", "terraform.tfvars"))]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    unittest.main()
