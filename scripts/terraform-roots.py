#!/usr/bin/env python3
"""Prints the root modules of terraform/environments as `roots=[…]`, a matrix for a workflow, in the order in which they are applied.

Left out: `local`, which is no cloud; `restore`, which `dr-cli` applies and destroys when it is needed; and `00-bootstrap`, which makes the identities of the
pipelines and what limits them, and is applied by a person who may do that.
"""

import json
import os
import pathlib

ENVIRONMENTS = pathlib.Path(os.environ.get("TERRAFORM_ROOTS") or pathlib.Path(__file__).resolve().parent.parent / "terraform/environments")


def roots(folder):
    for cloud in ("aws", "azure"):
        for path in sorted(folder.glob(f"{cloud}/*/*")):
            environment, layer = path.parent.name, path.name
            if environment != "restore" and layer != "00-bootstrap" and any(path.glob("*.tf")):
                yield {"root": f"{cloud}/{environment}/{layer}", "cloud": cloud, "environment": environment, "layer": layer}


if __name__ == "__main__":
    print("roots=" + json.dumps(list(roots(ENVIRONMENTS)), separators=(",", ":")))
