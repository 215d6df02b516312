#!/usr/bin/env python3
"""Cuts the output of `terraform providers schema -json` to what the modules use.

cut.py FULL.json PROVIDER OUT.json.gz NAME...   keeps NAME (data sources as data.NAME) of registry.terraform.io/hashicorp/PROVIDER,
                                                 beside what OUT.json.gz has already; --region adds what version 6 of the AWS provider has on each
                                                 regional resource, when FULL.json is of version 5
"""

import argparse
import gzip
import json
import pathlib
import sys

PROSE = {"description", "description_kind", "deprecation_message"}


def block(given):
    kept = {}
    if given.get("attributes"):
        kept["attributes"] = {name: attribute(one) for name, one in given["attributes"].items()}
    if given.get("block_types"):
        kept["block_types"] = {name: one | {"block": block(one["block"])} for name, one in given["block_types"].items()}
    return kept


def attribute(given):
    kept = {key: value for key, value in given.items() if key not in PROSE}
    if "nested_type" in kept:
        inner = kept["nested_type"]
        kept["nested_type"] = inner | {"attributes": {name: attribute(one) for name, one in inner["attributes"].items()}}
    return kept


def schema(given, region=False):
    kept = {"version": given["version"], "block": block(given["block"])}
    if region:
        kept["block"]["attributes"].setdefault("region", {"type": "string", "optional": True, "computed": True})
    return kept


def main():
    options = argparse.ArgumentParser()
    options.add_argument("full")
    options.add_argument("provider")
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("names", nargs="+")
    options.add_argument("--region", action="store_true")
    given = options.parse_args()
    full = json.loads(pathlib.Path(given.full).read_text())["provider_schemas"][f"registry.terraform.io/hashicorp/{given.provider}"]
    if given.out.exists():
        cut = json.loads(gzip.decompress(given.out.read_bytes()))
    else:
        cut = {"provider": schema(full["provider"]), "resource_schemas": {}, "data_source_schemas": {}}
    for name in given.names:
        part, plain = ("data_source_schemas", name[5:]) if name.startswith("data.") else ("resource_schemas", name)
        if plain not in full.get(part, {}):
            sys.exit(f"{name} is not in {given.full}")
        cut[part][plain] = schema(full[part][plain], given.region)
    # No time in the header: the same cut is the same file.
    given.out.write_bytes(gzip.compress(json.dumps(cut, sort_keys=True, separators=(",", ":")).encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
