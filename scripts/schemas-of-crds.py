#!/usr/bin/env python3
"""Writes a strict JSON schema for each version of each custom resource: schemas-of-crds.py FOLDER FILE…

Strict as the API server is with `--validate=strict`: what a definition does not name is refused, unless it says that
unknown fields are kept.
"""

import json
import pathlib
import sys

import yaml


def strict(schema):
    """The definition's schema, with what Kubernetes means and JSON schema does not say."""
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    for key in ("properties", "patternProperties"):
        if key in result:
            result[key] = {name: strict(each) for name, each in result[key].items()}
    for key in ("items", "additionalProperties", "not"):
        if key in result:
            result[key] = strict(result[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in result:
            result[key] = [strict(each) for each in result[key]]
    if schema.get("x-kubernetes-int-or-string"):
        result.pop("type", None)
        result.pop("anyOf", None)
        result["type"] = ["string", "integer"]
    if result.get("nullable") and isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    kept = schema.get("x-kubernetes-preserve-unknown-fields")
    if "properties" in result and not kept and "additionalProperties" not in result:
        result["additionalProperties"] = False
    return result


def whole(schema):
    """The parts that every object has, which definitions leave out."""
    result = strict(schema)
    result["properties"] = {**result["properties"], "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
    result["required"] = sorted({*result.get("required", []), "apiVersion", "kind", "metadata"})
    return result


def main():
    folder, files = pathlib.Path(sys.argv[1]), sys.argv[2:]
    for file in files:
        for document in yaml.safe_load_all(pathlib.Path(file).read_text()):
            if not document or document.get("kind") != "CustomResourceDefinition":
                continue
            spec = document["spec"]
            for version in spec["versions"]:
                target = folder / spec["group"] / f"{spec['names']['kind'].lower()}_{version['name']}.json"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(json.dumps(whole(version["schema"]["openAPIV3Schema"])))


if __name__ == "__main__":
    main()
