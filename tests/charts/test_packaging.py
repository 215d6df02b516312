"""What is generated is current, what is installed is lintable, and notes tell the next command."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

import helm
from variants import EVERYTHING

HELM_DOCS = os.environ.get("HELM_DOCS", "helm-docs")


def notes(chart, values=None):
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, chart)
        shutil.copytree(helm.CHARTS / chart, copy)
        helm.render_notes(copy)
        done = helm.run("template", "r", copy, "--namespace", "ns", "--values", "-", stdin=json.dumps(helm.merged(helm.BASE[chart], values or {})))
        assert done.returncode == 0, done.stderr
        return helm.look(helm.parse(done.stdout), "Notes/notes text")


class Packaging(unittest.TestCase):
    def test_schemas_and_copies_are_current(self):
        done = subprocess.run([sys.executable, "-B", helm.CHARTS / "render.py", "--check"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_readmes_are_current(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = pathlib.Path(folder, "charts")
            shutil.copytree(helm.CHARTS, copy, ignore=shutil.ignore_patterns("*.tgz", "files", "__pycache__"))
            arguments = [
                "--chart-search-root",
                copy,
                "--template-files",
                "./_readme.gotmpl",
                "--template-files",
                "README.md.gotmpl",
                "--sort-values-order",
                "file",
                "--log-level",
                "error",
            ]
            subprocess.run([HELM_DOCS, *arguments], check=True)
            for chart in helm.BASE:
                with self.subTest(chart):
                    self.assertEqual((helm.CHARTS / chart / "README.md").read_text(), (copy / chart / "README.md").read_text(), "run `make charts`")

    def test_helm_lint_has_nothing_to_say(self):
        helm.vendor()
        for chart, values in helm.BASE.items():
            with self.subTest(chart):
                done = helm.run("lint", "--strict", helm.CHARTS / chart, "--values", "-", stdin=json.dumps(values))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_versions_of_the_charts_are_those_that_the_umbrella_asks_for(self):
        umbrella = yaml.safe_load((helm.CHARTS / "tidemark/Chart.yaml").read_text())
        for dependency in umbrella["dependencies"]:
            chart = yaml.safe_load((helm.CHARTS / dependency["name"] / "Chart.yaml").read_text())
            self.assertEqual((dependency["version"], umbrella["appVersion"]), (chart["version"], chart["appVersion"]))

    def test_notes_tell_the_next_command(self):
        helm.vendor()
        for chart in helm.BASE:
            with self.subTest(chart):
                self.assertRegex(notes(chart), r"kubectl |monitoring\.operator\.enabled")
        restoring = notes("mongodb", EVERYTHING["mongodb"])
        self.assertIn("as it was at -15m", restoring)
        self.assertIn("--set mode=standard", restoring)
        self.assertIn("THERE ARE NO BACKUPS", notes("mongodb", {"sidecar": {"enabled": False}}))
        self.assertIn("CreateContainerConfigError until the Secret r-mongodb-orders", notes("orders-api"))

    def test_relative_links_of_readmes_lead_somewhere(self):
        for chart in helm.BASE:
            readme = helm.CHARTS / chart / "README.md"
            for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", readme.read_text()):
                with self.subTest(chart, target=target):
                    self.assertTrue((readme.parent / target).exists())

    def test_commands_of_the_documents_are_shell_and_set_values_that_exist(self):
        documents = [helm.CHARTS / chart / "README.md" for chart in helm.BASE] + [helm.REPOSITORY / "docs/install.md"]
        commands = 0
        for document in documents:
            for block in re.findall(r"```sh\n(.*?)```", document.read_text(), re.S):
                with self.subTest(document=document.name, block=block):
                    self.assertEqual(subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True).stderr, "")
                    for command in re.findall(r"helm (?:\\\n|[^\n])*?charts/([a-z-]+)((?:\\\n|[^\n])*)", block):
                        for path in re.findall(r"--set(?:-string)? '?([\w.-]+)=", command[1]):
                            commands += 1
                            self.assertTrue(is_value(command[0], path), f"{path} is no value of {command[0]}")
        self.assertGreater(commands, 10)


def is_value(chart, path):
    """Whether the schema knows it; those of subcharts have their own."""
    first, _, rest = path.partition(".")
    if chart == "tidemark" and first in helm.BASE:
        return is_value(first, rest)
    schema = json.loads((helm.CHARTS / chart / "values.schema.json").read_text())
    for key in path.split("."):
        open_ended = schema.get("additionalProperties")
        schema = schema.get("properties", {}).get(key) or (open_ended if isinstance(open_ended, dict) else None)
        if schema is None:
            return False
    return True


if __name__ == "__main__":
    unittest.main()
