"""The reader of Azure's conditions: what it says is what Azure's documentation says."""

import unittest

from harness.rbac import Grant, Unreadable, holds, is_allowed, matches

PATH = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path]"
WRITE = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write"
READ = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"
BOUND = f"((!(ActionMatches{{'{WRITE}'}})) OR ({PATH} StringLike '*/pins/*' OR {PATH} StringLike 'one'))"


class Conditions(unittest.TestCase):
    def test_what_a_clause_does_not_name_is_free(self):
        self.assertTrue(holds(BOUND, READ, {PATH: "elsewhere"}))

    def test_what_it_names_is_bound(self):
        self.assertTrue(holds(BOUND, WRITE, {PATH: "a/b/pins/c"}))
        self.assertTrue(holds(BOUND, WRITE, {PATH: "one"}))
        self.assertFalse(holds(BOUND, WRITE, {PATH: "a/b/pin/c"}))

    def test_a_request_without_the_attribute_is_refused(self):
        self.assertFalse(holds(BOUND, WRITE, {}))

    def test_and_binds_closer_than_or(self):
        yes, no = f"{PATH} StringLike 'x'", f"{PATH} StringLike 'y'"
        self.assertTrue(holds(f"{yes} OR {no} AND {no}", READ, {PATH: "x"}))
        self.assertFalse(holds(f"({yes} OR {no}) AND {no}", READ, {PATH: "x"}))

    def test_a_pattern_is_the_whole_name(self):
        self.assertTrue(matches("*/control/*", "shop/rs0/control/x/y"))
        self.assertFalse(matches("*/control/*", "control/x"))
        self.assertFalse(matches("a?c", "ac"))
        self.assertFalse(matches("one", "one/two"))

    def test_what_is_not_understood_is_no_guess(self):
        for text in (f"{PATH} StringNotLike 'x'", "ActionMatches{'a'", f"({PATH} StringLike 'x'", "Exists something", f"{PATH} StringLike 'x' {PATH} StringLike 'x'"):
            with self.subTest(text), self.assertRaises(Unreadable):
                holds(text, READ, {PATH: "x"})

    def test_rights_add_up(self):
        grants = [Grant.of([READ]), Grant.of([WRITE], BOUND)]
        self.assertTrue(is_allowed(grants, READ, {PATH: "x"}))
        self.assertTrue(is_allowed(grants, WRITE, {PATH: "one"}))
        self.assertFalse(is_allowed(grants, WRITE, {PATH: "x"}))
        self.assertTrue(is_allowed([*grants, Grant.of([WRITE])], WRITE, {PATH: "x"}))


if __name__ == "__main__":
    unittest.main()
