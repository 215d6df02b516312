"""Small questions that several policies ask."""

import json


def of_kind(resources, *kinds):
    return [one for one in resources if one.kind in kinds]


def is_given(resource, attribute):
    """Has a value, or will have one that only the apply tells."""
    return bool(resource.values.get(attribute)) or resource.unknown.get(attribute) is True


def blocks(values, *path):
    """All blocks at a path, [] where there are none."""
    found = [values]
    for name in path:
        found = [inner for outer in found for inner in (outer.get(name) or [])]
    return found


def documents(resource):
    """The policies of a resource that are known: (attribute, document). A lifecycle policy of images is another thing of that name."""
    for attribute in ("policy", "assume_role_policy"):
        text = resource.values.get(attribute)
        if isinstance(text, str) and text.startswith("{") and "Statement" in json.loads(text):
            yield attribute, json.loads(text)


def listed(value):
    return value if isinstance(value, list) else [value]
