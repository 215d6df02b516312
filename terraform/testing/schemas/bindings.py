#!/usr/bin/env python3
"""Derives schemas of a provider from its prebuilt CDK bindings, where the provider itself cannot be had.

bindings.py WHEEL OUT.json.gz NAME...   adds NAME (data sources as data.NAME) to OUT.json.gz, beside what it has already

The bindings are generated from `terraform providers schema -json`, and their JavaScript says of each attribute whether it is computed, optional or
required, its type, and how blocks nest. `pip download --no-deps cdktn-provider-azurerm==18.2.0` has those of azurerm 5.2.0; compared with the schemas of
that release at hand (26 resources and 5 data sources), they differ in what bindings do not carry: write-only and sensitive marks, upper limits
of blocks beyond one, and one attribute that is written as a block. The stub needs none of these but the marks of SENSITIVE.
"""

import argparse
import gzip
import io
import json
import pathlib
import re
import sys
import tarfile
import zipfile

ATTRIBUTE = re.compile(r"^    // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$", re.M)
CLASS = re.compile(r"^class (\w+) extends cdktn\.(\w+) \{$", re.M)
NESTED = re.compile(r'= new ([\w.]+)\(this, "\w+"(?:, (true|false))?\)')
SIMPLE = re.compile(r"(Fn\.tolist\()?this\.get(\w+)Attribute\('\w+'\)")
SIMPLE_TYPES = {
    "String": "string",
    "Number": "number",
    "Boolean": "bool",
    "List": ["list", "string"],
    "NumberList": ["list", "number"],
    "StringMap": ["map", "string"],
    "NumberMap": ["map", "number"],
    "BooleanMap": ["map", "bool"],
}
SENSITIVE = {"primary_shared_key", "secondary_shared_key"}


class Bindings:
    """The classes of one resource: the resource itself and one for each block in it."""

    def __init__(self, script):
        marks = list(CLASS.finditer(re.sub(r"^//# sourceMapping.*$", "", script, flags=re.M)))
        ends = [mark.start() for mark in marks[1:]] + [len(script)]
        self.classes = {mark[1]: script[mark.end() : end] for mark, end in zip(marks, ends)}
        self.main = next(mark[1] for mark in marks if mark[2] in ("TerraformResource", "TerraformDataSource"))

    def _attributes(self, name):
        body = self.classes[name]
        marks = list(ATTRIBUTE.finditer(body))
        ends = [mark.start() for mark in marks[1:]] + [len(body)]
        for mark, end in zip(marks, ends):
            flags = {flag: True for flag, said in zip(("computed", "optional", "required"), mark.groups()[1:]) if said == "true"}
            piece = body[mark.end() : end]
            yield mark[1], flags, NESTED.search(piece), SIMPLE.search(piece)

    def _inner(self, reference):
        return re.sub(r"List$", "OutputReference", reference)

    def _type(self, nested, simple):
        if nested and nested[1].startswith("cdktn."):
            return SIMPLE_TYPES[nested[1].removeprefix("cdktn.")]
        if nested:
            fields = {name: self._type(deeper, plain) for name, _, deeper, plain in self._attributes(self._inner(nested[1]))}
            return ["set" if nested[2] == "true" else "list", ["object", fields]]
        kind = SIMPLE_TYPES[simple[2]]
        return ["set", kind[1]] if simple[1] else kind

    def block(self, name=None):
        made = {"attributes": {}, "block_types": {}}
        for attribute, flags, nested, simple in self._attributes(name or self.main):
            # A block is never computed; what is both is an attribute that may be written as one.
            if nested and nested[1] in self.classes and "computed" not in flags:
                inner = self.block(self._inner(nested[1]))
                if attribute == "timeouts":
                    made["block_types"][attribute] = {"nesting_mode": "single", "block": inner}
                    continue
                made["block_types"][attribute] = {"nesting_mode": "set" if nested[2] == "true" else "list", "block": inner}
                made["block_types"][attribute] |= {"max_items": 1} if nested[2] is None else {}
                made["block_types"][attribute] |= {"min_items": 1} if "required" in flags else {}
            else:
                made["attributes"][attribute] = flags | {"type": self._type(nested, simple)} | ({"sensitive": True} if attribute in SENSITIVE else {})
        return {part: fields for part, fields in made.items() if fields}


def folder_of(name):
    return ("data-" if name.startswith("data.") else "") + name.removeprefix("data.").removeprefix("azurerm_").replace("_", "-")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("wheel", type=pathlib.Path)
    options.add_argument("out", type=pathlib.Path)
    options.add_argument("names", nargs="+")
    given = options.parse_args()
    wheel = zipfile.ZipFile(given.wheel)
    packed = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
    left = {f"package/lib/{folder_of(name).replace('data-', 'data-azurerm-', 1) if name.startswith('data.') else folder_of(name)}/index.js": name for name in given.names}
    schemas = json.loads(gzip.decompress(given.out.read_bytes()))
    with tarfile.open(fileobj=io.BytesIO(wheel.read(packed))) as package:
        for member in package:
            if name := left.pop(member.name, None):
                made = {"version": 0, "block": Bindings(package.extractfile(member).read().decode()).block()}
                part, plain = ("data_source_schemas", name[5:]) if name.startswith("data.") else ("resource_schemas", name)
                schemas[part][plain] = made
    if left:
        sys.exit(f"not in the bindings: {' '.join(left.values())}")
    # No time in the header: the same schemas are the same file.
    given.out.write_bytes(gzip.compress(json.dumps(schemas, sort_keys=True, separators=(",", ":")).encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
