"""The story names tests as its criteria: they exist, or it promises what nobody shows. So does every page that names tests."""

import functools
import re
import unittest

from pages import Page, REPOSITORY


@functools.cache
def tests():
    """Names of test functions in Rust and Python, and sentences of tests in Node."""
    found = set()
    for folder in ("crates", "sidecar", "dr-cli", "tests", "alerts", "dashboards", "terraform/testing", "packages/orders-api/test"):
        for path in (REPOSITORY / folder).rglob("*"):
            if "node_modules" in path.parts or not path.is_file():
                continue
            if path.suffix == ".py":
                found |= set(re.findall(r"^\s+def (test_\w+)", path.read_text(), re.M))
            elif path.suffix == ".rs":
                found |= set(re.findall(r"#\[(?:tokio::)?test[^\]]*\]\s+(?:#\[[^\n]*\]\s+)*(?:async )?fn (\w+)", path.read_text()))
            elif path.name.endswith(".test.js"):
                found |= set(re.findall(r"\btest\(['`\"]([^'`\"]+)['`\"]", path.read_text()))
    return found


def named(text):
    """Code spans that are names or sentences of tests."""
    return [span for span in re.findall(r"`([^`\n]+)`", text) if re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+){2,}", span) or re.fullmatch(r"[a-z][^`/{}$=]* [^`/{}$=]* [^`/{}$=]*", span)]


class Story(unittest.TestCase):
    def criteria(self):
        return re.findall(r"^\| *(\d+\.\d+) \|(.+)\|(.+)\|$", Page(REPOSITORY / "docs/story.md").text, re.M)

    def test_every_criterion_names_tests_that_exist(self):
        self.assertGreater(len(self.criteria()), 25)
        for number, _, shown in self.criteria():
            with self.subTest(criterion=number):
                names = re.findall(r"`([^`]+)`", shown)
                self.assertGreater(len(names), 0)
                self.assertEqual(sorted(set(names) - tests()), [])

    def test_criteria_have_numbers_of_their_own_and_are_sentences_of_what_is_given_and_what_follows(self):
        numbers = [number for number, _, _ in self.criteria()]
        self.assertEqual(len(numbers), len(set(numbers)))
        for number, text, _ in self.criteria():
            with self.subTest(criterion=number):
                self.assertRegex(text, r"(?s)given .*when .*then ")

    def test_tests_that_other_pages_name_exist(self):
        seen = 0
        for name in ("mission", "threat-model", "security", "comparison", "tenancy", "scaling", "tuning", "faq", "dr-plan", "operations"):
            for test in re.findall(r"`(test_\w+|[a-z0-9]+(?:_[a-z0-9]+){4,})`", Page(REPOSITORY / f"docs/{name}.md").text):
                seen += 1
                with self.subTest(page=name, test=test):
                    self.assertTrue(test in tests())
        self.assertGreater(seen, 10)

    def test_a_test_that_does_not_exist_is_noticed(self):
        self.assertNotIn("nobody_shows_this", tests())
        self.assertGreater(len(tests()), 800)
