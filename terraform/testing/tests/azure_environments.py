"""The Azure roots, applied offline once for all tests: plans, states and outputs by environment and layer."""

import atexit
import dataclasses
import functools

from harness import resources
from harness.workspace import TERRAFORM, Workspace

LAYERS = ("00-bootstrap", "10-network", "20-cluster", "30-data", "40-platform")
READS = {
    "20-cluster": {"network": "10-network"},
    "30-data": {"bootstrap": "00-bootstrap", "network": "10-network"},
    "40-platform": {"bootstrap": "00-bootstrap", "network": "10-network", "cluster": "20-cluster", "data": "30-data"},
}
ENVIRONMENTS = ("dev", "staging", "prod")


@dataclasses.dataclass
class Applied:
    work: Workspace
    made: list
    outputs: dict
    state: dict

    def of_kind(self, kind):
        return [one for one in self.made if one.kind == kind]


def _apply(work, **variables):
    state = work.init().apply(**variables)
    return Applied(work, resources.of_state(state), resources.outputs(state), state)


@functools.cache
def environment(name):
    """All layers of an environment, each on the states of those before it."""
    copy = Workspace(f"environments/azure/{name}/00-bootstrap")
    atexit.register(copy.__exit__)
    applied = {}
    for layer in LAYERS:
        states = {read: applied[of].work.state for read, of in READS.get(layer, {}).items()}
        applied[layer] = _apply(copy.beside(f"environments/azure/{name}/{layer}", states))
    return applied


def made(name):
    return [one for layer in environment(name).values() for one in layer.made]


def restore_workspace():
    work = Workspace("environments/azure/restore")
    (work.folder / "terraform.tfvars").write_text((TERRAFORM / "environments/azure/restore/terraform.tfvars.example").read_text())
    return work


@functools.cache
def restore(**variables):
    work = restore_workspace()
    atexit.register(work.__exit__)
    return _apply(work, **variables)


def changes(work, **variables):
    """What a plan would touch: addresses, and outputs that would be others."""
    plan = work.plan(**variables)
    touched = [one["address"] for one in plan["resource_changes"] if one["change"]["actions"] not in (["no-op"], ["read"])]
    return touched + [f"output.{name}" for name, one in plan.get("output_changes", {}).items() if one["actions"] != ["no-op"]]
