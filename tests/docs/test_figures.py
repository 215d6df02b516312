"""Measured figures that a page repeats are those of the page that measured them: a new measurement changes both."""

import re
import unittest

from pages import REPOSITORY

# Where it was measured, what stands there, and what other pages make of it.
MEASURED = [
    ("benchmarks", "half were in the archive after 0.7 s, the slowest after 5.6 s", {"dr-plan": "after 0.7 s, 99 of 100 after 1.5 s, the slowest after 5.6 s", "faq": "5.6 for the slowest"}),
    ("benchmarks", "| archive lag p99 beside a client that writes as fast as it can | 1.5 s |", {"dr-plan": "99 of 100 after 1.5 s", "slides": "after 1.5 s"}),
    ("benchmarks", "| restore with indexes, wall time | 7.91 s |", {"dr-plan": "7.9 s on another day", "slides": "5.7 to 7.9 s"}),
    ("benchmarks", "| restore of 318 MiB, S3 server on this machine | 5.90 s | folder 5.73 s |", {"dr-plan": "5.7 s from a folder, 5.9 s from an S3 server"}),
    ("benchmarks", "| restore of 318 MiB, S3 server, 100 ms for each request | 8.27 s | folder 5.73 s | 1.44 |", {"dr-plan": "8.3 s when each request", "tuning": "cost 44 % for 318 MiB"}),
    ("benchmarks", "restore of 3181 MiB: 80.07 s wall", {"dr-plan": "80 s, of which 54 s loading and 26 s building indexes", "slides": "| 80 s |", "comparison": "3 GiB take 80 s"}),
    ("benchmarks", "| replay of mixed oplog entries | 63130 entries/s | one `applyOps` per entry 3377 entries/s | 18.70 |",
     {"dr-plan": "63,130", "tuning": "63,130 entries a second, 18.7 times", "comparison": "63,130", "slides": "63,130"}),
    ("benchmarks", "| processor time of the archiver per GiB of oplog | 7.2 CPU-seconds |", {"tuning": "7.2 CPU-seconds", "cost": "7.2 CPU-seconds"}),
    ("benchmarks", "p99, with the archiver | 35.1 ms | without 32.4 ms |", {"faq": "35.1 ms instead of 32.4"}),
    ("benchmarks", "| restore with indexes, wall time | 7.91 s | insertMany and index builds 6.81 s | 1.16 |", {"tuning": "1.16 times plain inserts"}),
    ("benchmarks", "| listing and coverage of 1,000,000 slices, time | 1.42 s |", {"scaling": "1.4 s and 130 MiB"}),
    ("cluster", "from an empty namespace to an API that answers with the restored orders 35 s", {"dr-plan": "35 s, images present", "slides": "| 35 s |"}),
    ("cluster", "14 millicores and 11 MiB when idle", {"cost": "14 millicores and 11 MiB"}),
]


def page(name):
    return " ".join((REPOSITORY / f"docs/{name}.md").read_text().split())


class Figures(unittest.TestCase):
    def test_what_is_repeated_is_what_was_measured(self):
        for source, measured, repeated in MEASURED:
            with self.subTest(source=source, measured=measured):
                self.assertIn(" ".join(measured.split()), page(source), f"measured anew: change {', '.join(repeated)} and this list")
            for name, text in repeated.items():
                with self.subTest(page=name, text=text):
                    self.assertIn(text, page(name))

    def test_every_figure_of_the_recovery_plan_is_in_the_list(self):
        rows = re.findall(r"^\| recovery [^|]*\|[^|]*\|([^|]*)\|", (REPOSITORY / "docs/dr-plan.md").read_text(), re.M)
        figures = {figure for row in rows for figure in re.findall(r"\d[\d.,]* s\b", row)}
        listed = " ".join(text for _, _, repeated in MEASURED for text in repeated.values()) + " within 30 s"
        self.assertGreater(len(figures), 6)
        self.assertEqual({figure for figure in figures if figure not in listed}, set())
