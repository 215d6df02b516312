"""What a document says to type is run, in order, page by page; what needs a cloud or a cluster is marked as such, and parsed."""

import os
import re
import shutil
import sys
import time
import unittest

import shell
from pages import Page, REPOSITORY, executed, pages
from world import Run, World

COUNTS = {"ran": {}, "parsed": {}}
# What a marker may say that a block needs.
NEEDS = {"cluster", "aws", "azure", "registry", "release", "a release build", "root", "argo cd", "mongorestore", "the programs of the archive's readers", "a git remote"}


def tearDownModule():
    ran, parsed = COUNTS["ran"], COUNTS["parsed"]
    print("\ncommands of the documents:", file=sys.stderr)
    for page in sorted({*ran, *parsed}):
        seconds = f"{ran[page][0]} blocks ran in {ran[page][1]:.1f} s" if page in ran else ""
        only = "; ".join(f"{count} only parsed ({what})" for what, count in sorted(parsed.get(page, {}).items()))
        print(f"  {page}: {', '.join(filter(None, [seconds, only]))}", file=sys.stderr)
    total = sum(count for page in parsed.values() for count in page.values())
    print(f"  in all {sum(count for count, _ in ran.values())} blocks ran, {total} were only parsed", file=sys.stderr)
    if not shutil.which("kubectl"):
        print("  kubectl is not here: its options were not looked at", file=sys.stderr)


class Executed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.addClassCleanup(cls.world.end)

    def run_page(self, page):
        """What went wrong in the first block that failed, or None; those behind it rest on it."""
        blocks = [block for block in page.shell_blocks if not block.needs]
        if not blocks:
            return None
        begun, run = time.monotonic(), Run(self.world, page)
        try:
            for block in blocks:
                if problem := run.block(block):
                    return f"{block} {problem}"
            COUNTS["ran"][page.name] = len(blocks), time.monotonic() - begun
            return None
        finally:
            run.end()

    def test_blocks_of_the_documents_do_what_they_say(self):
        only = os.environ.get("DOCS_PAGE")
        for page in pages():
            if executed(page) and (not only or page.name == only):
                with self.subTest(page=page.name):
                    self.assertIsNone(self.run_page(page))

    def test_a_block_that_fails_or_a_service_that_ends_is_noticed(self):
        for text, problem in (("true\n```\n```sh\ndr-cli status\ndr-cli show 20200101T000000Z-000000\ntrue", "there is no complete snapshot"),
                              ("false | cat", "failed"), ("dr-cli plan --to 5:1", "failed")):
            page = Page(REPOSITORY / "docs/none.md", f"```sh\n{text}\n```\n")
            self.assertRegex(self.run_page(page) or "", problem)
        ends = Page(REPOSITORY / "docs/none.md", "<!-- runs until it is stopped -->\n```sh\nsidecar run --uri mongodb://127.0.0.1:1 --archive nowhere\n```\n")
        self.assertIn("ended at once", self.run_page(ends) or "")
        COUNTS["ran"].pop("docs/none.md", None)


class Parsed(unittest.TestCase):
    def problems(self, page, blocks):
        judge, found, commands = shell.Judge(page), [], 0
        for block in blocks:
            problems, count = judge.block(block.text)
            found += [f"{block}: {problem}" for problem in problems]
            commands += count
        return found, commands

    def test_what_cannot_be_run_here_parses_and_names_what_exists(self):
        commands = 0
        for page in pages():
            # Runbooks have tests of their own in alerts/.
            if page.name.startswith("docs/runbooks/"):
                continue
            with self.subTest(page=page.name):
                found, count = self.problems(page, page.shell_blocks)
                commands += count
                self.assertEqual(found, [])
            for block in page.shell_blocks:
                if block.needs or not executed(page):
                    needs = f"needs {block.needs}" if block.needs else "not a page that is run"
                    counts = COUNTS["parsed"].setdefault(page.name, {})
                    counts[needs] = counts.get(needs, 0) + 1
        self.assertGreater(commands, 100)

    def test_markers_are_known(self):
        for page in pages():
            for block in page.shell_blocks:
                with self.subTest(block=str(block)):
                    self.assertIn(block.needs, {None, *NEEDS})
            for marker in re.findall(r"^<!-- (.*) -->$", page.prose, re.M):
                if re.match(r"(this page )?(needs|runs|file|ends)\b", marker):
                    with self.subTest(page=page.name, marker=marker):
                        self.assertRegex(marker, r"^(this page needs: .+|needs: .+|runs until it is stopped|file: \S+|ends with exit code: \d+)$")

    def test_every_mistake_is_noticed(self):
        for text, problem in {
            "dr-cli status --frobnicate": "frobnicate",
            "dr-cli frobnicate": "frobnicate",
            "sidecar run --slice-spam 5s": "slice-spam",
            "dr-cli plan --to yesterday": "yesterday",
            "kubectl exec pod --container sidecar -- dr-cli stat": "stat",
            "make frobnicate": "no such target",
            "make demo STOVE=s3": "STOVE",
            "helm install shop charts/tidemark --set mongodb.archive.uri=x": "mongodb.archive.uri is no value",
            "helm install shop charts/mongod": "charts/mongod is not there",
            "helm install shop charts/mongodb --frobnicate": "frobnicate",
            "helm install shop charts/mongodb --values nowhere.yaml": "nowhere.yaml is not there",
            "cd terraform/environments/aws/deb": "no such folder",
            "cd terraform/environments/aws/restore && terraform plan -var=sufix=x": "sufix is no variable",
            "cd terraform/environments/aws/restore && terraform plam": "no such command",
            "cd terraform/environments/aws/dev/10-network && terraform init -backend-config=backend.hcl": "backend.hcl is not there",
            "scripts/fetch-mongot.sh": "fetch-mongot.sh",
            "jq . docs/nothing.json": "docs/nothing.json",
            "frobnicate --all": "unknown program",
            "echo 'unfinished": "unexpected EOF",
        }.items():
            with self.subTest(text=text):
                page = Page(REPOSITORY / "docs/none.md", f"```sh\n{text}\n```\n")
                try:
                    found, _ = self.problems(page, page.shell_blocks)
                except ValueError as error:
                    found = [f"unexpected EOF: {error}"]
                self.assertIn(problem, "\n".join(found))

    def test_commands_in_running_text_name_targets_and_options_that_exist(self):
        seen = 0
        for page in pages():
            if page.name.startswith("docs/runbooks/"):
                continue
            # What is announced need not be there.
            announced = page.prose[: page.prose.find("\n## Not here yet")].count("\n") if "\n## Not here yet" in page.prose else None
            for line, text in page.spans:
                if announced and line > announced:
                    continue
                problem = span(text)
                seen += problem is not None
                with self.subTest(page=page.name, line=line, text=text):
                    self.assertFalse(problem)
        self.assertGreater(seen, 150)
        for wrong in ("make frobnicate", "dr-cli frobnicate", "dr-cli status --frobnicate", "sidecar run --frobnicate"):
            self.assertTrue(span(wrong), wrong)


def span(text):
    """None when it is no command of ours; else what is wrong with it, or nothing."""
    make = re.match(r"make ([a-z0-9-]+)(?: |$)", text)
    if make:
        return "" if make[1] in shell.make_targets() else f"no target {make[1]}"
    ours = re.match(r"(dr-cli|sidecar)((?: [a-z][a-z-]*)*)", text)
    if not ours or not ours[2]:
        return None
    words = ours[2].split()
    code, known, error = shell.help_of(ours[1], words[0])
    if code != 0:
        return error
    if words[0] == "member" and len(words) > 1:
        code, known, error = shell.help_of(ours[1], *words[:2])
        if code != 0:
            return error
    unknown = [flag for flag in re.findall(r"(?<!\S)(--[a-z][a-z-]*)", text) if not re.search(rf"{flag}(?![a-z-])", known)]
    return f"no {unknown}" if unknown else ""
