"""What was asked for, where it is and what shows it: every row has all of it, and each command and path is there."""

import re
import unittest

import shell
from pages import Page, REPOSITORY

# What a row may say of how it was shown; the page says what each means.
SEEN = ("run", "plan", "rendered", "its tests exist", "commands parsed", "each step is a target")


def rows(text):
    """(asked for, where, command, seen) of all tables with these columns."""
    found, inside = [], False
    for line in text.split("\n"):
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if cells == ["asked for", "where", "command", "seen"]:
            inside = True
        elif not cells:
            inside = False
        elif inside and not set(line) <= set("|- "):
            found.append(cells)
    return found


def problems(row):
    """What is wrong with a row."""
    if len(row) != 4 or not all(row):
        return [f"{len(row)} columns, or an empty one"]
    _, where, commands, seen = row
    found = []
    for command in commands.split(", "):
        make = re.fullmatch(r"`make ([a-z0-9-]+)( [A-Z]+=\S+)*`", command)
        if not make:
            found.append(f"{command} is no command that a person could type")
        elif make[1] not in shell.make_targets():
            found.append(f"there is no target {make[1]}")
    for path in re.findall(r"`([a-z.]+/[^`<>]*)`", where):
        # Modules are named as the README of terraform/ names them, and a second environment without the first part.
        if not any((REPOSITORY / start / path).exists() for start in ("", "terraform", "terraform/environments")):
            found.append(f"{path} is not there")
    if not seen.startswith(SEEN):
        found.append(f"`{seen}` does not say how it was seen")
    return found


class Mission(unittest.TestCase):
    def test_every_row_names_a_command_that_exists_and_paths_that_are_there(self):
        found = rows(Page(REPOSITORY / "docs/mission.md").text)
        self.assertGreater(len(found), 30)
        for row in found:
            with self.subTest(asked=row[0]):
                self.assertEqual(problems(row), [])

    def test_every_mistake_is_noticed(self):
        good = ["a thing", "`terraform/`", "`make test`, `make drill ARCHIVE=…`", "run"]
        self.assertEqual(problems(good), [])
        for column, wrong, problem in (
            (2, "`make frobnicate`", "no target frobnicate"), (2, "by hand", "no command"), (2, "", "an empty one"), (2, "`make test` and more", "no command"),
            (1, "`terraform/nowhere`", "is not there"), (1, "`modules/aws/nothing`", "is not there"), (3, "seen by somebody", "does not say how"),
        ):  # fmt: skip
            with self.subTest(wrong=wrong):
                row = [*good[:column], wrong, *good[column + 1 :]]
                self.assertIn(problem, "\n".join(problems(row)))

    def test_rows_of_other_tables_are_left_alone(self):
        self.assertEqual(rows("| asked for | where | command | seen |\n|---|---|---|---|\n| a | b | c | d |\n\n| x | y | z | w |\n"), [["a", "b", "c", "d"]])
