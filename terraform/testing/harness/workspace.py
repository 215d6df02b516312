"""A copy of terraform/ in a temporary folder, so that no lock file, state or provider cache of an offline run gets into the repository.

A root's backend is replaced by a local one, and what it reads of other layers by the states that were made before, so that layers are applied one on
the other as in a real environment.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

TERRAFORM = pathlib.Path(__file__).resolve().parents[2]


class Failed(Exception):
    """Terraform ended with an error; the text is what it printed."""


def binary():
    return os.environ.get("TERRAFORM", "terraform")


def configuration():
    """The configuration file that shows Terraform the mirror of schema stubs only."""
    mirror = os.environ.get("TERRAFORM_MIRROR")
    if not mirror:
        raise Failed("TERRAFORM_MIRROR names no folder: run make test-terraform, or export it from scripts/fetch-terraform-mirror.sh")
    return str(pathlib.Path(mirror, "terraform.rc"))


def environment(**extra):
    # No variable that could lead to a cloud, a plugin cache of the user or a prompt.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_", "ARM_", "AZURE_"))}
    return kept | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"} | extra


class Workspace:
    """One root or module of the copy. A context manager; several may stand in one copy (`beside`)."""

    def __init__(self, path, states=None, copy=None, providers=True):
        self.path, self.states, self.providers = path, states or {}, providers
        self.owned = copy is None
        self.copy = copy or pathlib.Path(tempfile.mkdtemp(prefix="tidemark-terraform-"))
        if self.owned:
            ignored = shutil.ignore_patterns(".terraform", ".terraform.lock.hcl", "*.tfstate*", "testing", "__pycache__")
            shutil.copytree(TERRAFORM, self.copy / "terraform", ignore=ignored)
        self.folder = self.copy / "terraform" / path
        self.state = self.folder / "offline.tfstate"
        self._replace_backends()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.owned:
            shutil.rmtree(self.copy, ignore_errors=True)

    def beside(self, path, states=None):
        return Workspace(path, states=states, copy=self.copy, providers=self.providers)

    def _replace_backends(self):
        text = "\n".join(file.read_text() for file in sorted(self.folder.glob("*.tf")))
        lines = []
        if re.search(r'^\s*backend\s+"', text, re.M):
            lines.append(f'terraform {{\n  backend "local" {{\n    path = "{self.state}"\n  }}\n}}\n')
        for name in re.findall(r'^data "terraform_remote_state" "(\w+)"', text, re.M):
            path = self.states.get(name, "/state-was-not-given")
            lines.append(f'data "terraform_remote_state" "{name}" {{\n  backend = "local"\n  config  = {{ path = "{path}" }}\n}}\n')
        if lines:
            (self.folder / "offline_override.tf").write_text("\n".join(lines))

    def types(self):
        """Names of the providers' types in this folder, in the modules that it uses and in the mocks of their tests: what the stub has to know."""
        seen, left, found = set(), [self.folder], set()
        while left:
            folder = left.pop()
            if folder in seen:
                continue
            seen.add(folder)
            for file in [*folder.glob("*.tf"), *folder.glob("tests/*.hcl"), *folder.glob("../mocks/*.hcl")]:
                text = file.read_text()
                found |= set(re.findall(r"\b(?:aws|azurerm)_\w+", text))
                left += [(folder / path).resolve() for path in re.findall(r'^\s*source\s*=\s*"(\.{1,2}/[^"]+)"', text, re.M)]
        return sorted(found)

    def run(self, *arguments, check=True):
        extra = {"TF_CLI_CONFIG_FILE": configuration(), "SCHEMA_STUB_TYPES": ",".join(self.types())} if self.providers else {"TF_CLI_CONFIG_FILE": "/dev/null"}
        done = subprocess.run(
            [binary(), f"-chdir={self.folder}", *arguments], env=environment(**extra), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if check and done.returncode:
            raise Failed(f"terraform {' '.join(arguments)} in {self.path}\n{done.stdout}{done.stderr}")
        return done

    def init(self):
        self.run("init", "-no-color")
        return self

    def validate(self):
        """The errors and warnings of `terraform validate`, as one line each."""
        found = json.loads(self.run("validate", "-json", check=False).stdout)
        return [f"{one['severity']}: {one['summary']}: {one.get('detail', '')}" for one in found["diagnostics"]]

    def plan(self, **variables):
        """The plan as `terraform show -json` has it."""
        self.run("plan", "-no-color", "-out=offline.plan", *_variables(variables))
        return json.loads(self.run("show", "-json", "offline.plan").stdout)

    def refuses(self, **variables):
        """What a plan says that must not come about."""
        done = self.run("plan", "-no-color", *_variables(variables), check=False)
        if done.returncode == 0:
            raise AssertionError(f"{self.path}: a plan was made with {variables}")
        # Terraform breaks its messages into lines with a bar before each.
        return " ".join((done.stdout + done.stderr).replace("│", " ").split())

    def apply(self, **variables):
        """Applies with made-up answers and returns the state as values: now ARNs and policies are known."""
        self.run("apply", "-no-color", "-auto-approve", *_variables(variables))
        return json.loads(self.run("show", "-json").stdout)

    def apply_planned(self):
        """The same for what `plan` has planned."""
        self.run("apply", "-no-color", "offline.plan")
        return json.loads(self.run("show", "-json").stdout)

    def test(self):
        return self.run("test", "-no-color", check=False)


def _variables(variables):
    return [f"-var={name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in variables.items()]
