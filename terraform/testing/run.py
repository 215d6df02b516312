#!/usr/bin/env python3
"""Runs the tests in groups, as many at a time as there are processors: those of a group share what they have applied. Options are those of `python3 -m unittest`.

PYTHONPATH=terraform/testing:terraform:… terraform/testing/run.py [-k PATTERN]…
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent / "tests"
# The longest first. What stands in none of them is the last group.
GROUPS = [
    ["test_aws_environments", "test_aws_policies", "test_aws_archive", "test_aws_pipelines", "test_aws_trust"],
    ["test_configurations"],
    ["test_azure_plans", "test_azure_restore"],
    ["test_local_environment"],
]
# `python3 -m unittest` of 3.12 and newer, when no test has the name that was asked for.
NO_TESTS = 5


def groups():
    found = {file.stem for file in TESTS.glob("test_*.py")}
    named = {name for group in GROUPS for name in group}
    if named - found:
        sys.exit(f"run.py: {', '.join(sorted(named - found))} is not there any more")
    return [*GROUPS, sorted(found - named)]


def run(group, options):
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-B", "-m", "unittest", *options, *group], cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return group, done, time.monotonic() - begun


def main(options):
    # The tests run in their own folder, so paths must not depend on where this was called.
    os.environ["PYTHONPATH"] = os.pathsep.join(str(pathlib.Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path)
    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, group, options) for group in groups()]):
            group, done, seconds = future.result()
            good = done.returncode == 0 or (done.returncode == NO_TESTS and options)
            failed |= not good
            print(f"== {' '.join(group)}: {'passed' if good else 'FAILED'} in {seconds:.0f} s\n{done.stdout}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
