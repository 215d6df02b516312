"""Nothing unfinished and nothing of the machine where it was written stands in a page."""

import re
import unittest

from pages import pages

# In two pieces, so that a search for such words finds what is unfinished, and not this.
MARKS = ["".join(pieces) for pieces in (("TO", "DO"), ("FIX", "ME"), ("XX", "X"), ("TB", "D"))]
BANNED = {
    rf"\b({'|'.join(MARKS)})\b": "something unfinished",
    r"(?<![\w.])/(root|work|home/\w+|Users/\w+)/": "a path of somebody's machine",
    r"\blorem ipsum\b": "a text that says nothing",
}


def problems(text):
    return [f"{number}: {found[0]!r} is {what}" for number, line in enumerate(text.split("\n"), 1) for pattern, what in BANNED.items()
            if (found := re.search(pattern, line))]


class Terms(unittest.TestCase):
    def test_no_page_holds_them(self):
        for page in pages():
            with self.subTest(page=page.name):
                self.assertEqual(problems(page.text), [])

    def test_each_is_noticed(self):
        folders = ("root/x", "work/x", "home/ada/x", "Users/ada/x")
        for text in (*(f"{mark}: write" for mark in MARKS), *(f"see /{folder}" for folder in folders)):
            self.assertEqual(len(problems(text)), 1, text)

    def test_pages_begin_with_their_title(self):
        for page in pages():
            if page.name.startswith(("docs/", "README")):
                with self.subTest(page=page.name):
                    first = next(line for line in page.text.split("\n") if line and not line.startswith("<!--"))
                    self.assertTrue(first.startswith("# "), first)
