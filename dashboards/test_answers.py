"""What the shipped expressions answer, asked of promtool: over golden scrapes, and over sets that hide each other."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import catalogue
import expressions
import promql
import queries
import scrapes
from shipped import DOCUMENTS, every_target, panels, plain

PROMTOOL = os.environ.get("PROMTOOL", "promtool")


class Answers(unittest.TestCase):
    """Every expression, evaluated by promtool over what the golden scrapes hold."""

    def test_every_panel_has_an_answer(self):
        asked = list(queries.queries({}, "5m", "1h"))
        tests = []
        for entry in asked:
            expected = [{"labels": "{}", "value": 1}]
            tests.append({"expr": f"count({entry['expr']}) >= bool 1", "eval_time": f"{scrapes.MINUTES}m", "exp_samples": expected})
        group = {"name": "golden", "interval": "1m", "input_series": scrapes.series(), "promql_expr_test": tests}
        document = {"rule_files": [str(catalogue.REPOSITORY / "alerts/generated/rules.yaml")], "evaluation_interval": "1m", "tests": [group]}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "golden.yaml"
            path.write_text(json.dumps(document))
            done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[:4000])
        self.assertGreater(len(asked), 350)


def wrong_answers(series, asked):
    """Failures of promtool, which asks after five minutes: `asked` are (expression, labels and value of each answer)."""
    tests = [{"expr": expr, "eval_time": "5m", "exp_samples": [{"labels": labels, "value": value} for labels, value in answers]} for expr, answers in asked]
    group = {"interval": "1m", "input_series": [{"series": name, "values": values} for name, values in series], "promql_expr_test": tests}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "asked.yaml"
        path.write_text(json.dumps({"evaluation_interval": "1m", "tests": [group]}))
        done = subprocess.run([PROMTOOL, "test", "rules", path], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def shipped(uid, title, column=None, chosen=()):
    """The expression of a panel, or of a column of a table, as it is shipped; `chosen` are values of variables."""
    panel = next(panel for panel in panels(DOCUMENTS[uid]) if panel["title"] == title)
    text = next(target["expr"] for target in panel["targets"] if column in (None, target["legendFormat"]))
    return expressions.substituted(text, dict(chosen), "1m", "1h")


# What promtool cannot be told in JSON: without bound.
UNBOUNDED = 1e12


class Fleet(unittest.TestCase):
    """Three sets: one is archived; nobody archives the second; of the third no server answers either, and its sidecar knows it from the archive."""

    ARCHIVED, ORPHAN, DARK = "archived", "orphan", "dark"

    def series(self, *sets):
        served = {
            "tidemark_mongod_up": 1, "tidemark_archiver_lease_held": 1, "tidemark_rpo_target_seconds": 60, 'tidemark_archive_shortfall{kind="slices_missing"}': 0,
            "tidemark_replset_self_state{SET}": 1, "tidemark_replset_has_primary{SET}": 1, "tidemark_replset_majority_commit_lag_seconds{SET}": 0,
            'tidemark_replset_member_info{SET,member="a",votes="1"}': 1, 'tidemark_replset_member_health{SET,member="a"}': 1,
            "tidemark_replset_election_last_timestamp_seconds{SET}": 0, "tidemark_lineage_info{SET}": 1, "tidemark_archive_lag_seconds": 6, "tidemark_pitr_windows{SET}": 1,
            "tidemark_pitr_window_start_timestamp_seconds{SET}": 0, "tidemark_pitr_window_end_timestamp_seconds{SET}": 200, "tidemark_pitr_window_target_seconds{SET}": 100,
            "tidemark_archive_gaps{SET}": 0, "tidemark_backup_verify_findings{SET}": 0, 'tidemark_backup_last_success_timestamp_seconds{SET,kind="snapshot"}': 0,
            'tidemark_backup_expected_interval_seconds{SET,kind="snapshot"}': 600, "tidemark_restore_drill_last_success_timestamp_seconds{SET}": 0,
            "tidemark_restore_drill_expected_interval_seconds{SET}": 600, 'tidemark_restore_drill_last_verdict{SET,verdict="fail"}': 0,
            "tidemark_restore_drill_last_duration_seconds{SET}": 10, "tidemark_rto_target_seconds{SET}": 100,
        }
        of_server = [name for name in served if re.match(r"tidemark_(replset|mongod_up)", name)]
        always = ["tidemark_archiver_lease_held", "tidemark_rpo_target_seconds", 'tidemark_archive_shortfall{kind="slices_missing"}']
        there = {self.ARCHIVED: list(served), self.ORPHAN: of_server + always, self.DARK: ["tidemark_mongod_up", "tidemark_lineage_info{SET}", *always]}
        for one in sets:
            for name in there[one]:
                base, _, labels = name.rstrip("}").partition("{")
                target = f'namespace="n",cluster="{one}",job="j",instance="{one}"'
                labels = ",".join(part for part in (target, labels.replace("SET", f'replset="{one}"')) if part)
                value = 0 if (base, one) in {("tidemark_archiver_lease_held", self.ORPHAN), ("tidemark_archiver_lease_held", self.DARK), ("tidemark_mongod_up", self.DARK)} else served[name]
                yield f"{base}{{{labels}}}", f"{value}+0x5"

    def check(self, sets, expected):
        """`expected`: (uid, title, column) -> value of each set, one value, or None for none."""
        asked = []
        for (uid, title, column), answer in expected.items():
            answers = [] if answer is None else list(answer.items()) if isinstance(answer, dict) else [(None, answer)]
            labels = [("{}" if one is None else f'{{namespace="n",cluster="{one}",replset="{one}"}}', value) for one, value in answers]
            asked.append((f"clamp({shipped(uid, title, column)}, {-UNBOUNDED:.0f}, {UNBOUNDED:.0f})", labels))
        self.assertEqual(wrong_answers(list(self.series(*sets)), asked), "")

    def test_a_set_that_nobody_archives_is_in_the_tables(self):
        every = (self.ARCHIVED, self.ORPHAN, self.DARK)
        fleet, backup = ("tidemark-fleet", "Replica sets"), ("tidemark-backup", "Restore windows")
        archivers = {self.ARCHIVED: 1, self.ORPHAN: 0, self.DARK: 0}
        lags = {self.ARCHIVED: 6, self.ORPHAN: UNBOUNDED, self.DARK: UNBOUNDED}
        self.check(every, {
            (*fleet, "Archivers"): archivers, (*backup, "Archivers"): archivers, (*fleet, "Archive lag"): lags,
            ("tidemark-backup", "Recovery point of each set", "Lag"): lags,
            (*fleet, "Primary"): {self.ARCHIVED: 1, self.ORPHAN: 1, self.DARK: 0},
            (*fleet, "Spare voters"): {self.ARCHIVED: 0, self.ORPHAN: 0, self.DARK: -UNBOUNDED},
        })

    def test_no_tile_is_green_for_a_set_that_nobody_archives(self):
        fleet, backup = "tidemark-fleet", "tidemark-backup"
        tiles = {
            (fleet, "Recovery point / objective"): 0.1, (fleet, "Sets that nobody archives"): 0, (fleet, "Sets without a restorable moment"): 0,
            (fleet, "Snapshot age / interval"): 0.5, (fleet, "Damage in archives"): 0, (fleet, "Drill age / interval"): 0.5,
            (backup, "Would be lost now"): 6, (backup, "… of the objective"): 0.1, (backup, "Missing in the archive"): 0, (backup, "Damage"): 0,
            (backup, "Restore window"): 200, (backup, "… of what is promised"): 2, (backup, "Gaps"): 0, (backup, "Snapshot age / interval"): 0.5,
            (backup, "Last drill"): 0, (backup, "Recovery time / objective"): 0.1, (backup, "Who archives"): 1,
        }
        self.check([self.ARCHIVED], {(*tile, None): value for tile, value in tiles.items()})
        said = {
            (fleet, "Recovery point / objective"): UNBOUNDED, (fleet, "Sets that nobody archives"): 1, (backup, "Would be lost now"): UNBOUNDED,
            (backup, "… of the objective"): UNBOUNDED, (backup, "Who archives"): 0,
        }
        self.check([self.ARCHIVED, self.ORPHAN], {(*tile, None): said.get(tile) for tile in tiles})

    def test_what_is_bad_is_shown_also_while_another_set_is_not_known(self):
        """A worst that is bad is not hidden behind what is not known."""
        series = [(name, "1+0x5" if re.match(r"tidemark_(backup_verify_findings|archive_gaps|archive_shortfall).*archived", name) else values)
                  for name, values in self.series(self.ARCHIVED, self.ORPHAN)]
        asked = [(shipped(uid, title), [("{}", 1)]) for uid, title in
                 (("tidemark-fleet", "Damage in archives"), ("tidemark-backup", "Gaps"), ("tidemark-backup", "Missing in the archive"))]
        self.assertEqual(wrong_answers(series, asked), "")

    def test_a_set_whose_servers_are_all_down_has_no_primary(self):
        fleet, replica_set = "tidemark-fleet", "tidemark-replica-set"
        fine = {(fleet, "Sets without a primary"): 0, (fleet, "Voters to spare"): 0, (fleet, "Sets that vanished"): 0, (replica_set, "Primary"): 1,
                (replica_set, "Voters to spare"): 0, (replica_set, "Majority commit lag"): 0, (replica_set, "Primary since"): 300}
        bad = {**fine, (fleet, "Sets without a primary"): 1, (fleet, "Voters to spare"): -UNBOUNDED, (replica_set, "Primary"): 0,
               (replica_set, "Voters to spare"): -UNBOUNDED, (replica_set, "Majority commit lag"): None, (replica_set, "Primary since"): None}
        self.check([self.ARCHIVED], {(*tile, None): value for tile, value in fine.items()})
        self.check([self.ARCHIVED, self.DARK], {(*tile, None): value for tile, value in bad.items()})

    def test_a_band_of_all_sets_wants_a_window_of_each(self):
        title = ("tidemark-backup", "How far back, how near to now")
        self.check([self.ARCHIVED], {(*title, "restorable from"): 300, (*title, "restorable to"): 100})
        self.check([self.ARCHIVED, self.ORPHAN], {(*title, "restorable from"): None, (*title, "restorable to"): None})

    def test_what_stands_for_no_value_has_a_text(self):
        for uid, title, key, text in (
            ("tidemark-fleet", "Recovery point / objective", "Infinity", "NOBODY ARCHIVES"), ("tidemark-fleet", "Voters to spare", "-Infinity", "NO SERVER ANSWERS"),
            ("tidemark-backup", "Would be lost now", "Infinity", "NOBODY ARCHIVES"), ("tidemark-backup", "Restore window", "0", "NOTHING"),
        ):
            panel = next(panel for panel in panels(DOCUMENTS[uid]) if panel["title"] == title)
            values = next(one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value")
            self.assertEqual((values[key]["text"], values[key]["color"]), (text, "red"), title)

    def test_what_is_gone_is_a_flag_and_no_count(self):
        """`tidemark_archive_shortfall` is 1 however many objects are gone, and 0 also where nobody looks."""
        shown = [(where, panel, target) for where, panel, target, tree in every_target()
                 if panel["type"] != "stat" and any(one.name == "tidemark_archive_shortfall" for one in promql.selectors(tree))]
        self.assertEqual(len(shown), 1)
        where, panel, target = shown[0]
        self.assertEqual((panel["type"], panel["fieldConfig"]["defaults"]["unit"]), ("state-timeline", "bool"), where)
        self.assertNotRegex(panel["title"], r"(?i)objects|number|count|how many")
        values = next(one["options"] for one in panel["fieldConfig"]["defaults"]["mappings"] if one["type"] == "value")
        self.assertEqual({value: mapped["color"] for value, mapped in values.items()}, {"0": "green", "1": "red"})
        labels = f'{{namespace="n",cluster="{self.ARCHIVED}",replset="{self.ARCHIVED}",kind="slices_missing"}}'
        self.assertEqual(wrong_answers(list(self.series(self.ARCHIVED, self.ORPHAN)), [(plain(target["expr"]), [(labels, 0)])]), "")


class SetsOfOneName(unittest.TestCase):
    """What two sets have under one name stays two."""

    def series(self, name, labels="", values=("1", "2"), sets=("rs0", "rs1")):
        """One of each set, in one namespace and cluster; and one of a standalone."""
        for index, one in enumerate((*sets, None)):
            target = f'namespace="n",cluster="c",job="j",pod="p{index}",instance="{index}"'
            value = (*values, "7")[index]
            yield f"{name}{{{target}{labels}}}", f"{value}x5"
            if one:
                yield f'tidemark_replset_self_state{{{target},replset="{one}"}}', "1+0x5"

    def test_databases(self):
        names = {"Databases": ("Data", "data_bytes"), "Databases on disk": (None, "storage_bytes"), "Indexes on disk": (None, "index_bytes"), "Documents stored": (None, "objects")}
        for title, (column, metric) in names.items():
            series = list(self.series(f"tidemark_db_{metric}", ',db="shop"', ("5+0", "3+0")))
            series = [(name, values.replace("7x5", "7+0x5")) for name, values in series]
            answers = [('{namespace="n",cluster="c",replset="rs0",db="shop"}', 5), ('{namespace="n",cluster="c",replset="rs1",db="shop"}', 3),
                       ('{namespace="n",cluster="c",pod="p2",instance="2",db="shop"}', 7)]
            self.assertEqual(wrong_answers(series, [(shipped("tidemark-engine", title, column), answers)]), "", title)

    def test_servers_of_a_set_that_is_not_chosen_are_no_standalones(self):
        series = list(self.series("tidemark_mongod_info", ',version="8"', ("1+0", "1+0")))
        series = [(name, values.replace("7x5", "1+0x5")) for name, values in series]
        expr = shipped("tidemark-fleet", "Versions of mongod", chosen={"replset": "rs0"}.items())
        answers = [('{namespace="n",cluster="c",replset="rs0",version="8"}', 1), ('{namespace="n",cluster="c",pod="p2",instance="2",version="8"}', 1)]
        self.assertEqual(wrong_answers(series, [(expr, answers)]), "")

    def test_what_is_gone_is_said_of_chosen_sets(self):
        series = list(self.series("tidemark_archive_shortfall", ',kind="slices_missing"', ("0+0", "1+0")))[:4]
        series += [(name, "1+0x5") for name, _ in self.series("tidemark_archiver_lease_held")][:4:2]
        asked = [(shipped("tidemark-backup", "Missing in the archive", chosen={"replset": one}.items()), [("{}", value)]) for one, value in (("rs0", 0), ("rs1", 1), (".*", 1))]
        self.assertEqual(wrong_answers(series, asked), "")

    def test_copies_of_a_database_are_one(self):
        series = list(self.series("tidemark_db_data_bytes", ',db="shop"', ("5+0", "3+0"), ("rs0", "rs0")))[:4]
        answers = [('{namespace="n",cluster="c",replset="rs0",db="shop"}', 5)]
        self.assertEqual(wrong_answers(series, [(shipped("tidemark-engine", "Databases", "Data"), answers)]), "")

    def test_a_small_slow_set_is_not_hidden_behind_a_large_fast_one(self):
        """Of 6000 operations in a minute none is slow in one set, of 60 each in the other."""
        bound = f"{catalogue.limit('latency_bound'):g}"
        series = []
        for le, values in ((bound, ("0+6000", "0+0")), ("+Inf", ("0+6000", "0+60"))):
            series += list(self.series("tidemark_op_latency_seconds_bucket", f',type="read",le="{le}"', values))[:4]
        series += list(self.series("tidemark_op_latency_seconds_count", ',type="read"', ("0+6000", "0+60")))[:4]
        expr = shipped("tidemark-slow-queries", f"Slower than {bound} s").replace("[1m]", "[2m]")
        self.assertEqual(wrong_answers(list(dict(series).items()), [(expr, [("{}", 1)])]), "")

    def test_collections_of_two_namespaces(self):
        series = [(f'tidemark_slow_ops_total{{namespace="{one}",pod="p",job="j",instance="i",db="shop",coll="orders",op="find",plan="IXSCAN"}}', "0+60x5") for one in ("a", "b")]
        expr = shipped("tidemark-slow-queries", "Number by collection").replace("[1m]", "[2m]")
        answers = [(f'{{namespace="{one}",db="shop",coll="orders"}}', 1) for one in ("a", "b")]
        self.assertEqual(wrong_answers(series, [(expr, answers)]), "")


if __name__ == "__main__":
    unittest.main()
