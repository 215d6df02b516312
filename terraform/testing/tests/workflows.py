"""In which GitHub environments the jobs of the workflows run: a job's token names that and nothing else."""

import pathlib
import re

WORKFLOWS = pathlib.Path(__file__).resolve().parents[3] / ".github" / "workflows"


def environments(cloud, environment):
    """Names by what is done there, of one cloud and environment."""
    found = {}
    for role, file, job in (("plan", "terraform.yml", "plan"), ("apply", "terraform.yml", "apply"), ("push", "release.yml", "publish")):
        text = (WORKFLOWS / file).read_text()
        [body] = re.findall(rf"^  {job}:\n((?:    .*\n|\n)+)", text, re.M)
        [name] = re.findall(r"^    environment: (.+)$", body, re.M)
        found[role] = name.replace("${{ matrix.cloud }}", cloud).replace("${{ matrix.environment }}", environment)
    return found
