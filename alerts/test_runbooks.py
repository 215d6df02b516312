"""Every alert has its runbook, and what a runbook says to type is something that our binaries take."""

import re
import shlex
import subprocess
import unittest

import rulebook

SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Verify fixed", "Escalate when", "Do not"]


class Runbooks(unittest.TestCase):
    def test_every_alert_has_its_page_and_every_page_its_alert(self):
        pages = {path.stem for path in rulebook.RUNBOOKS.glob("[A-Z]*.md")} - {"README"}
        self.assertEqual(sorted(rulebook.NAMES ^ pages), [])

    def test_pages_have_their_sections_in_order(self):
        for path in rulebook.RUNBOOKS.glob("*.md"):
            if path.name == "README.md":
                continue
            with self.subTest(page=path.name):
                text = path.read_text()
                self.assertTrue(text.startswith(f"# {path.stem}\n") or path.stem not in rulebook.NAMES)
                self.assertEqual(re.findall(r"^## (.+)$", text, re.M), SECTIONS)

    def test_a_diagnosis_has_one_to_five_commands_with_good_and_bad_output(self):
        for alert in rulebook.NAMES:
            with self.subTest(page=alert):
                text = (rulebook.RUNBOOKS / f"{alert}.md").read_text()
                diagnosis = text.partition("## Diagnosis")[2].partition("\n## ")[0]
                commands = re.findall(r"^```sh\n(.*?)^```$", diagnosis, re.M | re.S)
                self.assertIn(len(commands), range(1, 6))
                self.assertIn("Good:", diagnosis)
                self.assertIn("Bad:", diagnosis)

    def test_pages_name_only_metrics_of_the_catalogue_and_link_to_pages_that_are_there(self):
        known = rulebook.metrics(rulebook.catalogue())
        for path in rulebook.RUNBOOKS.glob("*.md"):
            with self.subTest(page=path.name):
                text = path.read_text()
                commands = "".join(re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S))
                # A command may grep for what several names begin with.
                begun = {name for name in rulebook.metrics(commands) if any(one.startswith(name) for one in known)}
                self.assertEqual(sorted(rulebook.metrics(text) - known - begun), [])
                for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", text):
                    self.assertTrue((path.parent / link).exists(), link)


def commands(text):
    """Command lines of our binaries in the shell blocks and code spans of a page, as words without placeholders."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S))
    for line in [line for block in blocks for line in block.splitlines()] + spans:
        if re.match(r"(dr-cli|sidecar) \S", line):
            words = shlex.split(line.partition("|")[0])
            yield line, [PLACEHOLDERS.get(word, word).replace("T:I", "1795900413:1") for word in words]


PLACEHOLDERS = {"ID": "20261128T010000Z-f07079", "N": "7", "FILE": "file", "TARGET": "latest", "URI": "mongodb://fresh"}


class Commands(unittest.TestCase):
    """Every command in a runbook is one that our binaries accept: with `--help` behind it they parse, and do nothing."""

    def parse(self, words):
        done = subprocess.run([rulebook.BINARIES / words[0], *words[1:], "--help"], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_commands_of_the_runbooks_are_accepted(self):
        seen = 0
        for path in rulebook.RUNBOOKS.glob("*.md"):
            for line, words in commands(path.read_text()):
                seen += 1
                with self.subTest(page=path.name, command=line):
                    self.assertEqual(self.parse(words), (0, ""))
        self.assertGreater(seen, 100)

    def test_a_flag_or_command_that_does_not_exist_is_noticed(self):
        for wrong in (["dr-cli", "status", "--frobnicate"], ["dr-cli", "frobnicate"], ["sidecar", "check", "--all"],
                      ["dr-cli", "plan", "--to", "yesterday"]):
            self.assertNotEqual(self.parse(wrong)[0], 0, wrong)
