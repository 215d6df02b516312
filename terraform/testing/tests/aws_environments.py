"""The AWS roots, applied offline once for all tests: plans, states and outputs by environment and layer."""

import atexit
import dataclasses
import functools

from harness import resources
from harness.workspace import TERRAFORM, Workspace

LAYERS = ("00-bootstrap", "10-network", "20-cluster", "30-data", "40-platform")
READS = {"40-platform": {"network": "10-network", "cluster": "20-cluster", "data": "30-data"}, "20-cluster": {"network": "10-network"}}
ENVIRONMENTS = ("dev", "staging", "prod")
ACCOUNT = "123456789012"  # of the made-up answers


@dataclasses.dataclass
class Applied:
    work: Workspace
    plan: dict
    planned: list
    made: list
    outputs: dict


def _apply(work, **variables):
    plan = work.init().plan(**variables)
    state = work.apply_planned()
    return Applied(work, plan, resources.of_plan(plan), resources.of_state(state), resources.outputs(state))


def one_of(made, kind, name, key=None):
    found = [one for one in made if one.kind == kind and one.name == name and (key is None or one.address.endswith(f'["{key}"]'))]
    assert len(found) == 1, [one.address for one in found]
    return found[0]


@functools.cache
def environment(name):
    """All layers of an environment, each on the states of those before it."""
    copy = Workspace(f"environments/aws/{name}/00-bootstrap")
    atexit.register(copy.__exit__)
    applied = {}
    for layer in LAYERS:
        states = {read: applied[of].work.state for read, of in READS.get(layer, {}).items()}
        applied[layer] = _apply(copy.beside(f"environments/aws/{name}/{layer}", states))
    return applied


def restore_workspace():
    work = Workspace("environments/aws/restore")
    example = (TERRAFORM / "environments/aws/restore/terraform.tfvars.example").read_text()
    (work.folder / "terraform.tfvars").write_text(example)
    return work


@functools.cache
def restore(**variables):
    work = restore_workspace()
    atexit.register(work.__exit__)
    return _apply(work, **variables)
