"""In which GitHub environments the jobs of the workflows run: a job's token names that and nothing else."""

import pathlib
import re

WORKFLOWS = pathlib.Path(__file__).resolve().parents[3] / ".github" / "workflows"


def environments(cloud, environment):
    """Names by what is done there, of one cloud and environment. A drill is there where the workflow has one."""
    found = {}
    jobs = [("plan", "terraform.yml", "plan"), ("apply", "terraform.yml", "apply"), ("push", "release.yml", "publish")]
    if (cloud, environment) in drills():
        jobs.append(("drill", "drill.yml", "drill"))
    for role, file, job in jobs:
        text = (WORKFLOWS / file).read_text()
        [body] = re.findall(rf"^  {job}:\n((?:    .*\n|\n)+)", text, re.M)
        [name] = re.findall(r"^    environment: (.+)$", body, re.M)
        found[role] = name.replace("${{ matrix.cloud }}", cloud).replace("${{ matrix.environment }}", environment)
    return found


def drills():
    """Clouds and environments whose archives are restored from every week."""
    found = re.findall(r"^          - \{cloud: (\w+), environment: (\w+)\}$", (WORKFLOWS / "drill.yml").read_text(), re.M)
    assert found, "drill.yml names no cloud and environment as it did"
    return found


def seconds_of_a_drill():
    """How long a session of the drill's role is asked for."""
    [found] = re.findall(r"^          role-duration-seconds: (\d+)$", (WORKFLOWS / "drill.yml").read_text(), re.M)
    return int(found)
