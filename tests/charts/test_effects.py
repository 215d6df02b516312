"""A value that changes nothing is a lie: each is set to another value, and what it promises is looked for."""

import concurrent.futures
import unittest

import yaml

import helm
from effects import EFFECTS

# Of an umbrella chart's conditions.
WITHOUT_MEANING = {"enabled", "global"}


def leaves(value, path=""):
    """Paths of values.yaml down to what is no map, or an empty one."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else key)
    else:
        yield path


class Effects(unittest.TestCase):
    def test_every_value_has_an_effect_that_is_looked_for(self):
        for chart, effects in EFFECTS.items():
            tried = {effect[0] for effect in effects}
            values = yaml.safe_load((helm.CHARTS / chart / "values.yaml").read_text())
            for leaf in leaves(values):
                # A part of what is set whole, or of a group with one member tried, such as the limits of a probe.
                whole = {leaf.rsplit(".", depth)[0] for depth in range(leaf.count(".") + 1)}
                group = leaf.rsplit(".", 1)[0]
                partly = group.split(".")[0] in ("probes", "users", "containers") and any(path.startswith(group) for path in tried)
                partly = partly or any(path.startswith(f"{leaf}.") for path in tried)
                with self.subTest(chart=chart, value=leaf):
                    self.assertTrue(leaf in WITHOUT_MEANING or whole & tried or partly, f"{chart}: {leaf} is in no effect")

    def test_values_do_what_they_say(self):
        cases = [(chart, *effect) for chart, effects in EFFECTS.items() for effect in effects]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for case, outcome in zip(cases, pool.map(self.outcome, cases)):
                with self.subTest(chart=case[0], value=case[1], to=case[2], seen_at=case[3]):
                    before, after, expected = outcome
                    if isinstance(after, Exception):
                        raise after
                    if isinstance(expected, str) and expected.startswith("HAS:"):
                        self.assertIn(expected[4:], after)
                        self.assertNotIn(expected[4:], before)
                    elif isinstance(expected, str) and expected.startswith("TAIL:"):
                        self.assertTrue(after.endswith(expected[5:]), after)
                        self.assertFalse(before.endswith(expected[5:]), before)
                    else:
                        if expected != "CHANGED":
                            self.assertEqual(after, expected)
                        self.assertNotEqual(before, after, "it was the same before")

    @staticmethod
    def outcome(case):
        chart, path, value, query, expected, *extra = case
        extra = extra[0] if extra else {}
        before = helm.look(helm.render(chart, extra) if allowed(chart, extra) else [], query)
        changed = helm.merged(extra, helm.nested(path, value))
        try:
            return before, helm.look(helm.render(chart, changed), query), expected
        except Exception as error:
            return before, error, expected


def allowed(chart, values):
    """Some values cannot be as they were: a target of a recovery that is asked for, for example."""
    try:
        helm.text(chart, values)
        return True
    except helm.Refused:
        return False


if __name__ == "__main__":
    unittest.main()
