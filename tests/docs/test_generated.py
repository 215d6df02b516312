"""What is generated is current, and what is written by hand beside it says the same."""

import re
import unittest

import render
from pages import REPOSITORY


class Generated(unittest.TestCase):
    def test_command_lines_are_what_the_programs_say(self):
        self.assertEqual(render.PAGE.read_text(), render.page(), "run `make docs`")

    def test_every_command_has_its_section(self):
        headings = set(re.findall(r"^#+ ((?:dr-cli|sidecar).*)$", render.PAGE.read_text(), re.M))
        for program in ("dr-cli", "sidecar"):
            commands = {f"{program} {name}" for name in render.subcommands(render.help_of(program))}
            self.assertGreater(len(commands), 4)
            self.assertEqual(commands - headings, set())
        self.assertIn("sidecar member tend", headings)

    def test_options_that_a_command_shares_stand_once_and_its_own_stay(self):
        text = render.PAGE.read_text()
        self.assertEqual(len(re.findall(r"^ +--slice-span ", text, re.M)), 1)
        for own in ("--drop-after", "--verify-first", "--apply", "--host-template", "--seconds"):
            self.assertEqual(len(re.findall(rf"^ +{own}(?![\w-])", text, re.M)), 1, own)

    def test_exit_codes_are_those_of_the_json_page(self):
        table = (REPOSITORY / "docs/cli-json.md").read_text().partition("| exit code |")[2].partition("\n\n")[0]
        described = re.findall(r"^\| (\d+) \|", table, re.M)
        self.assertEqual(described, [code for code, _ in render.exit_codes()])
        self.assertGreater(len(described), 10)
