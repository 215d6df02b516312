"""Renders charts with the pinned helm, and finds things in what comes out."""

import functools
import json
import os
import pathlib
import subprocess
import tomllib

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CHARTS = REPOSITORY / "charts"
HELM = os.environ.get("HELM", "helm")
# The least that each chart needs.
MONGODB = {"archive": {"url": "s3://bucket/prefix"}, "auth": {"existingSecret": "given"}}
BASE = {
    "mongodb": MONGODB,
    "orders-api": {},
    "tidemark-node": {},
    "tenant": {"name": "shop"},
    "monitoring": {},
    "log-collector": {"sinks": {"loki": {"endpoint": "http://loki.example"}}},
    "tidemark": {"mongodb": MONGODB, "orders-api": {"database": {"existingSecret": "given-url"}}},
}


class Refused(Exception):
    """Helm did not render; the message is what a person sees."""


def merged(*layers):
    result = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
    return result


def nested(path, value):
    """{"a": {"b": value}} of `a.b`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def run(*arguments, stdin=""):
    return subprocess.run([HELM, *map(str, arguments)], input=stdin, capture_output=True, text=True)


def text(chart, values=None, base=True, release="r", arguments=()):
    """The manifests as text; `values` come over the least that is needed."""
    if chart == "tidemark":
        vendor()
    layers = merged(BASE.get(chart, {}) if base else {}, values or {})
    return _text(str(CHARTS / chart), json.dumps(layers), release, tuple(arguments))


@functools.lru_cache(maxsize=None)
def vendor():
    """The umbrella carries copies of the other charts, which must be those of today."""
    done = run("dependency", "update", "--skip-refresh", CHARTS / "tidemark")
    assert done.returncode == 0, done.stderr


@functools.lru_cache(maxsize=None)
def _text(chart, values, release, arguments):
    done = run("template", release, chart, "--namespace", "ns", "--values", "-", *arguments, stdin=values)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def parse(manifests):
    return [document for document in yaml.load_all(manifests, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) if document]


def render(chart, values=None, **options):
    return parse(text(chart, values, **options))


def find(documents, name):
    """The one object that is called KIND/NAME; a name that ends in `*` is a prefix. None when there is none."""
    kind, _, wanted = name.partition("/")
    found = [
        document
        for document in documents
        if document["kind"] == kind
        and (document["metadata"]["name"].startswith(wanted[:-1]) if wanted.endswith("*") else document["metadata"]["name"] == wanted)
    ]
    assert len(found) <= 1, f"{name} is there {len(found)} times"
    return found[0] if found else None


def look(documents, query):
    """`KIND/NAME a/b/[x]/c`: keys, list items by name or number, `|yaml` `|json` `|toml` decode, `~text`: any item has it."""
    name, _, path = query.partition(" ")
    value = find(documents, name)
    if not path:
        return value is not None
    for step in path.split("/"):
        if value is None:
            return None
        if step.startswith("|"):
            value = {"yaml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}[step[1:]](value)
        elif step.startswith("~"):
            wanted = step[1:].replace("%", "/")
            return wanted in value if isinstance(value, str) else any(wanted in str(item) for item in value)
        elif step.startswith("["):
            key = step[1:-1]
            numbered = key.isdigit()
            value = (
                value[int(key)] if numbered and int(key) < len(value) else None if numbered else next((item for item in value if item.get("name") == key), None)
            )
        else:
            # A slash in a key is written as %.
            value = value.get(step.replace("%", "/"))
    return value
