"""What the tests of delivery share: where things are, and how they are read."""

import os
import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
HELM = os.environ.get("HELM", "helm")
sys.path.insert(0, str(ROOT / "scripts"))


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """`on:` of a workflow is a key, and no boolean."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, expression) for tag, expression in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in Loader.yaml_implicit_resolvers.items()
}
Loader.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(true|false)$"), list("tf"))


def load(text):
    return yaml.load(text, Loader)


def documents(text):
    return [document for document in yaml.load_all(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
