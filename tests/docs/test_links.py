"""Links of all pages lead somewhere: files, anchors; and addresses are addresses (nothing is asked for over a network)."""

import re
import unittest
import urllib.parse

from pages import Page, REPOSITORY, pages

ANCHORS = {}


def anchors(path):
    if path not in ANCHORS:
        ANCHORS[path] = Page(path).anchors
    return ANCHORS[path]


def problem(page, target):
    """What is wrong with a link, or None."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        parts = urllib.parse.urlsplit(target)
        if parts.scheme == "mailto":
            return None
        if parts.scheme not in ("http", "https"):
            return f"{parts.scheme} is no scheme for a link"
        if not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", parts.hostname or "") or re.search(r"[\s\"\\^`{|}]", target):
            return "not a well-formed address"
        return None
    name, _, anchor = target.partition("#")
    path = (page.path.parent / urllib.parse.unquote(name)).resolve() if name else page.path
    if not path.exists():
        return "leads nowhere"
    if not path.is_relative_to(REPOSITORY):
        return "leads out of the repository"
    if anchor and path.suffix == ".md" and anchor not in (anchors(path) if name else page.anchors):
        return "there is no such heading"
    return None


class Links(unittest.TestCase):
    def test_every_link_leads_somewhere(self):
        seen = 0
        for page in pages():
            for line, target in page.links:
                seen += 1
                with self.subTest(page=page.name, line=line, target=target):
                    self.assertIsNone(problem(page, target))
        self.assertGreater(seen, 300)

    def test_a_link_that_leads_nowhere_is_noticed(self):
        page = Page(REPOSITORY / "README.md", "# One\n[a](docs/nothing.md) [b](#two) [c](docs/drills.md#nothing) [d](https://nowhere) [e](ftp://x.org) [f](../../x)\n"
                                              "[good](#one) [good](docs/drills.md#queries) [good](https://example.org/x#y) `[no](link.md)`\n")
        found = [problem(page, target) for _, target in page.links]
        self.assertEqual(found, ["leads nowhere", "there is no such heading", "there is no such heading", "not a well-formed address", "ftp is no scheme for a link",
                                 "leads nowhere", None, None, None])

    def test_every_page_of_the_documents_is_in_the_index(self):
        index = Page(REPOSITORY / "docs/README.md")
        linked = {(index.path.parent / target.partition("#")[0]).resolve() for _, target in index.links if ":" not in target}
        missing = [path.name for path in sorted((REPOSITORY / "docs").glob("*.md")) if path not in linked and path.name != "README.md"]
        self.assertEqual(missing, [])
        self.assertIn(index.path, {(REPOSITORY / target).resolve() for _, target in Page(REPOSITORY / "README.md").links if ":" not in target})
