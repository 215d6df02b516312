"""Helm 4 makes of the charts what Helm 3 makes of them: manifests, refusals, and nothing to complain of."""

import json
import os
import unittest
from unittest import mock

import helm
from test_refusals import SCHEMA, SENTENCES
from variants import variants

HELM4 = os.environ.get("HELM4")


def objects(text):
    return sorted(helm.parse(text), key=lambda document: (document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]))


@unittest.skipUnless(HELM4, "HELM4 names no Helm 4")
class Helm4(unittest.TestCase):
    def setUp(self):
        helm.vendor()
        self.third = dict(variants())
        helm._text.cache_clear()
        self.addCleanup(helm._text.cache_clear)
        self.enterContext(mock.patch.object(helm, "HELM", HELM4))

    def test_it_is_helm_4(self):
        self.assertRegex(helm.run("version", "--short").stdout, "^v4")

    def test_manifests_are_the_same(self):
        for name, text in variants():
            with self.subTest(name):
                self.assertEqual(objects(text), objects(self.third[name]))

    def test_what_is_refused_is_refused_with_the_same_words(self):
        # A part of each kind: all of them were tried with Helm 3.
        for chart, values, sentence in SENTENCES[::6]:
            with self.subTest(sentence=sentence[:80]), self.assertRaises(helm.Refused) as caught:
                helm.text(chart, values)
            self.assertIn(sentence, str(caught.exception))
        for chart, values, words in SCHEMA[::4]:
            with self.subTest(chart=chart, values=values), self.assertRaises(helm.Refused) as caught:
                helm.text(chart, values)
            for word in words:
                self.assertIn(word, str(caught.exception))

    def test_its_lint_has_nothing_to_say(self):
        for chart, values in helm.BASE.items():
            with self.subTest(chart):
                done = helm.run("lint", "--strict", helm.CHARTS / chart, "--values", "-", stdin=json.dumps(values))
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
