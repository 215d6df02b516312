"""The runner of the end-to-end tests, over tests that need no cluster."""

import contextlib
import io
import os
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from e2e.runner import SideBySide


def suite(*kinds: type) -> unittest.TestSuite:
    return unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(kind) for kind in kinds)


class Runner(unittest.TestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.notes = Path(folder.name, "notes")
        self.addCleanup(mock.patch.stopall)
        mock.patch.dict(os.environ, {"TIDEMARK_E2E_AT_ONCE": ""}).start()

    def note(self, text: str) -> None:
        """From whatever process."""
        with open(self.notes, "a") as notes:
            notes.write(f"{text}\n")

    def run_all(self, *kinds: type, at_once: int = 2) -> tuple[bool, str]:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            succeeded = SideBySide(at_once).run(suite(*kinds)).wasSuccessful()
        return succeeded, said.getvalue()

    def test_classes_run_side_by_side_and_tests_of_a_class_one_after_the_other(self):
        note = self.note

        class One(unittest.TestCase):
            def test_1(self):
                note("one begins")
                deadline = time.monotonic() + 20
                while "two begins" not in Path(self.notes).read_text():
                    self.assertLess(time.monotonic(), deadline, "the other class never ran beside this one")
                    time.sleep(0.01)

            def test_2(self):
                note("one goes on")

        class Two(unittest.TestCase):
            def test_1(self):
                note("two begins")

        One.notes = self.notes
        succeeded, said = self.run_all(One, Two)
        self.assertTrue(succeeded, said)
        self.assertIn("3 tests, 0 failed, 0 skipped", said)
        notes = self.notes.read_text().splitlines()
        self.assertEqual(notes[-1], "one goes on")

    def test_whatever_fails_is_named_at_the_end_and_others_go_on(self):
        class Wrong(unittest.TestCase):
            def test_assertion(self):
                self.fail("not so")

            def test_error(self):
                raise OSError("away")

            def test_part(self):
                with self.subTest("this one"):
                    self.fail("nor so")

            def test_skipped(self):
                self.skipTest("elsewhere")

        class NotSetUp(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise OSError("no room")

            def test_never(self):
                pass

        class Killed(unittest.TestCase):
            def test_killed(self):
                os._exit(9)

        class Right(unittest.TestCase):
            def test_right(self):
                pass

        succeeded, said = self.run_all(Wrong, NotSetUp, Right)
        self.assertFalse(succeeded)
        ending = said[said.index("failed:\n"):]
        for name in ("test_assertion", "test_error", "test_part", "setUpClass"):
            self.assertIn(name, ending)
        self.assertIn("5 tests, 4 failed, 1 skipped", ending)
        succeeded, said = self.run_all(Killed)
        self.assertFalse(succeeded)
        self.assertIn("Killed ... ERROR: its process ended", said)

    def test_figures_are_said_once_more_at_the_end(self):
        class Measured(unittest.TestCase):
            def test_measured(self):
                type(self).figures = ("an answer: 42",)

        said = self.run_all(Measured)[1]
        self.assertIn("figures:\n  an answer: 42\n", said)

    def test_others_begin_when_the_quiet_one_is_set_up_or_could_not_be(self):
        note = self.note

        class Other(unittest.TestCase):
            minutes = 9.0

            def test_other(self):
                note("other")

        for fails in (False, True):
            class Quiet(unittest.TestCase):
                quiet_start = True

                @classmethod
                def setUpClass(cls):
                    time.sleep(0.5)
                    note("set up")
                    if fails:
                        raise OSError("no room")

                def test_quiet(self):
                    pass

            with self.subTest(fails=fails):
                self.notes.unlink(missing_ok=True)
                self.assertEqual(self.run_all(Other, Quiet)[0], not fails)
                self.assertEqual(self.notes.read_text().splitlines(), ["set up", "other"])

    def test_the_longest_begin_first(self):
        note = self.note

        class Short(unittest.TestCase):
            def test_short(self):
                note("short")

        class Long(unittest.TestCase):
            minutes = 9.0

            def test_long(self):
                note("long")

        self.run_all(Short, Long, at_once=1)
        self.assertEqual(self.notes.read_text().splitlines(), ["long", "short"])


if __name__ == "__main__":
    unittest.main()
