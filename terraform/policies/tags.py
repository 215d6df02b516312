"""Who pays, who answers, what for: tags on whatever takes some."""

import functools
import gzip
import json
import pathlib

REQUIRED = {"app", "env", "owner", "cost-center", "data-class", "managed-by", "repo"}
SCHEMAS = pathlib.Path(__file__).resolve().parents[1] / "testing" / "schemas"


@functools.cache
def taggable():
    """Kinds of resources that take tags, as the providers' own schemas say."""
    kinds = set()
    for file in SCHEMAS.glob("*.json.gz"):
        for kind, schema in json.loads(gzip.decompress(file.read_bytes()))["resource_schemas"].items():
            attribute = schema["block"].get("attributes", {}).get("tags", {})
            if attribute.get("optional"):
                kinds.add(kind)
    return kinds


def every_taggable_resource_has_all_tags(resources):
    for one in resources:
        if one.kind in taggable():
            missing = REQUIRED - set(one.values.get("tags") or {})
            if missing:
                yield f"{one.address}: no tags {', '.join(sorted(missing))}"
