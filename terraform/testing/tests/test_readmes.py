"""READMEs of modules say what the modules take and give."""

import importlib.util
import re
import subprocess
import sys
import unittest

from harness.workspace import TERRAFORM

_spec = importlib.util.spec_from_file_location("terraform_docs", TERRAFORM / "docs.py")
docs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(docs)


class Readmes(unittest.TestCase):
    def test_they_are_up_to_date(self):
        done = subprocess.run([sys.executable, "-B", TERRAFORM / "docs.py", "--check"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_variable_and_output_is_described_and_in_the_table(self):
        for folder in docs.folders():
            text = "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))
            readme = (folder / "README.md").read_text()
            for kind in ("variable", "output"):
                self.assertEqual(len(list(docs.blocks(text, kind))), len(re.findall(rf"^{kind} ", text, re.M)), f"{folder}: a {kind} is not found")
                for [name], body in docs.blocks(text, kind):
                    self.assertTrue(docs.argument(body, "description"), f"{folder}: {kind} {name}")
                    self.assertIn(f"| `{name}` |", readme)

    def test_somebody_has_written_what_each_is_for(self):
        for folder in docs.folders():
            above = (folder / "README.md").read_text().split(docs.MARK)[0]
            self.assertGreater(len(above.splitlines()), 2, folder)


if __name__ == "__main__":
    unittest.main()
