"""python3 -m policies PLAN.json: findings on standard output, one a line."""

import json
import pathlib
import sys

from harness import resources
from policies import AWS, deletion, judge
from policies.azure import AZURE


def main(path):
    plan = json.loads(pathlib.Path(path).read_text())
    findings = judge(resources.of_plan(plan), list(dict.fromkeys([*AWS, *AZURE]))) + deletion.destroys_nothing_that_holds_data(plan)
    print("\n".join(findings) or "no findings")
    return 1 if findings else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 -m policies PLAN.json")
    sys.exit(main(sys.argv[1]))
