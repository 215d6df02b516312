"""Plans and states as flat lists of resources, the form that policies judge."""

import copy
import dataclasses
import json


@dataclasses.dataclass
class Resource:
    address: str
    kind: str
    name: str
    values: dict
    unknown: dict = dataclasses.field(default_factory=dict)

    def document(self, attribute):
        """A JSON text of the resource, such as a policy, as a value."""
        return json.loads(self.values[attribute])


def _of_module(module):
    for one in module.get("resources", []):
        if one["mode"] == "managed":
            yield Resource(one["address"], one["type"], one["name"], one["values"])
    for child in module.get("child_modules", []):
        yield from _of_module(child)


def of_state(state):
    return list(_of_module(state.get("values", {}).get("root_module", {})))


def of_plan(plan):
    """What there would be after the plan; `unknown` marks what only an apply tells."""
    unknown = {one["address"]: one["change"].get("after_unknown", {}) for one in plan.get("resource_changes", [])}
    found = list(_of_module(plan["planned_values"]["root_module"]))
    for one in found:
        one.unknown = unknown.get(one.address) or {}
    return found


def outputs(state):
    return {name: one["value"] for name, one in state.get("values", {}).get("outputs", {}).items()}


def mutated(resources, kind, change, name=None):
    """A copy in which `change` was called with the values of each resource of that kind: what a careless edit would have planned."""
    again = copy.deepcopy(resources)
    chosen = [one for one in again if one.kind == kind and (name is None or one.name == name)]
    if not chosen:
        raise AssertionError(f"nothing of {kind} {name or ''} to mutate")
    for one in chosen:
        change(one.values)
    return again
