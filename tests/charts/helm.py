"""Renders charts with the pinned helm, and finds things in what comes out."""

import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import tomllib

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CHARTS = REPOSITORY / "charts"
HELM = os.environ.get("HELM", "helm")
NAMESPACE = "ns"
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


def render_notes(copy):
    """`helm template` leaves the notes out, and `helm install` wants a cluster: the same text as the object Notes/notes."""
    text = (copy / "templates/NOTES.txt").read_text()
    (copy / "templates/zz-notes.yaml").write_text(
        '{{- define "zz.notes" -}}\n' + text + '{{- end -}}\nkind: Notes\nmetadata: {name: notes}\ntext: {{ include "zz.notes" . | toJson }}\n'
    )


def beside(there, chart, values):
    """`helm template` of a copy of the chart that finds these objects when it looks into the cluster; and always a namespace `default`."""
    found = {f"{document['kind']}/{document['metadata']['name']}": document for document in there} | {"Namespace/default": {"kind": "Namespace"}}
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, chart)
        shutil.copytree(CHARTS / chart, copy)
        (copy / "cluster.json").write_text(json.dumps(found))
        for template in copy.glob("templates/*"):
            if template.is_file():
                asked = r'lookup "[\w/]+" ("\w+") (?:""|\$?\.Release\.Namespace) (\([^()]*\)|[$\w.]+|"\w*")'
                looked = re.sub(asked, r'include "cluster.find" (list $ \1 \2) | fromJson', template.read_text())
                assert "lookup" not in re.sub(r"{{- /\*.*?\*/ -}}", "", looked, flags=re.S), template
                template.write_text(looked)
        (copy / "templates/_cluster.tpl").write_text(
            '{{- define "cluster.find" -}}{{- $root := index . 0 -}}\n'
            '{{- $all := $root.Files.Get "cluster.json" | fromJson -}}{{- $found := get $all (printf "%s/%s" (index . 1) (index . 2)) | default dict -}}\n'
            # Without a name: a list.
            '{{- if not (index . 2) -}}{{- $items := list -}}\n'
            '{{- range $all -}}{{- if eq .kind (index $ 1) -}}{{- $items = append $items . -}}{{- end -}}{{- end -}}\n'
            '{{- $found = dict "items" $items -}}{{- end -}}\n'
            '{{- toJson $found -}}\n{{- end -}}\n'
        )
        render_notes(copy)
        return run("template", "r", copy, "--namespace", NAMESPACE, "--values", "-", stdin=json.dumps(merged(BASE[chart], values)))


@functools.lru_cache(maxsize=None)
def vendor():
    """The umbrella carries copies of the other charts, which must be those of today."""
    done = run("dependency", "update", "--skip-refresh", CHARTS / "tidemark")
    assert done.returncode == 0, done.stderr


@functools.lru_cache(maxsize=None)
def _text(chart, values, release, arguments):
    done = run("template", release, chart, "--namespace", NAMESPACE, "--values", "-", *arguments, stdin=values)
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
