"""The workflows: what they run is a target of the Makefile, whom they trust is pinned, and nobody has more rights than the job needs."""

import os
import re
import shlex
import unittest

from repository import ROOT, load, run

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
# Each is confirmed by its use in public workflows; a new one has to be looked at before it gets in here.
ACTIONS = {
    "actions/checkout": ("08c6903cd8c0fde910a37f88322edcfb5dd907a8", "v5.0.0"),
    "actions/cache": ("0400d5f644dc74513175e3cd8d07132dd4860809", "v4.2.4"),
    "actions/upload-artifact": ("ea165f8d65b6e75b540449e92b4886f43607fa02", "v4.6.2"),
    "actions/download-artifact": ("634f93cb2916e3fdff6788551b99b062d0335ce0", "v5.0.0"),
    "aws-actions/configure-aws-credentials": ("a03048d87541d1d9fcf2ecf528a4a65ba9bd7838", "v5.0.0"),
    "azure/login": ("a457da9ea143d694b1b9c7c869ebb04ebe844ef5", "v2.3.0"),
    "hashicorp/setup-terraform": ("b9cd54a3c349d3f38e8881555d616ced269862dd", "v3.1.2"),
}
# Rights beyond reading, and the only jobs that have them.
WRITERS = {
    ("release.yml", "publish"): {"id-token"},
    ("release.yml", "page"): {"contents"},
    ("release.yml", "propose"): {"contents", "pull-requests"},
    ("promote.yml", "propose"): {"contents", "pull-requests"},
    ("terraform.yml", "plan"): {"id-token"},
    ("terraform.yml", "apply"): {"id-token"},
    ("drill.yml", "drill"): {"id-token"},
}


def jobs():
    for path in WORKFLOWS:
        for name, job in load(path.read_text())["jobs"].items():
            yield path.name, name, job


def steps():
    for file, name, job in jobs():
        for step in job.get("steps", []):
            yield file, name, job, step


def variables_of(file, job):
    return {**load((ROOT / ".github/workflows" / file).read_text()).get("env", {}), **job.get("env", {})}


class Workflows(unittest.TestCase):
    def test_there_are_some(self):
        self.assertEqual([path.name for path in WORKFLOWS], ["ci.yml", "drill.yml", "promote.yml", "release.yml", "terraform.yml"])

    def test_actionlint_has_nothing_to_say(self):
        done = run(os.environ["ACTIONLINT"], "-shellcheck", os.environ["SHELLCHECK"], "-pyflakes=", "-no-color", *WORKFLOWS)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_actionlint_would_say_something(self):
        text = WORKFLOWS[0].read_text().replace("runs-on: ubuntu-24.04", "runs-on: ${{ nothing.here }}", 1)
        done = run(os.environ["ACTIONLINT"], "-no-color", "-", input=text)
        self.assertIn("nothing", done.stdout)

    def test_each_step_that_runs_something_is_one_target_of_the_makefile(self):
        found = 0
        for file, name, job, step in steps():
            if "run" not in step:
                continue
            with self.subTest(f"{file} {name}", run=step["run"]):
                found += 1
                words = shlex.split(step["run"].split(" >> ")[0])
                self.assertEqual(words[0], "make")
                self.assertNotRegex(step["run"], r"\$\{\{|[;|&`]|\$\(", "texts of events belong into variables, where no shell reads them")
                # As the step would have it: its variables are there, with something in them.
                environment = {**os.environ, **{key: "value" for key in variables_of(file, job)}}
                done = run(*words[:1], "--dry-run", *words[1:], cwd=ROOT, env=environment)
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(found, 15)

    def test_make_knows_a_target_that_is_missing(self):
        self.assertNotEqual(run("make", "--dry-run", "no-such-target", cwd=ROOT).returncode, 0)

    def test_targets_get_the_variables_that_they_cannot_do_without(self):
        makefile = (ROOT / "Makefile").read_text()
        for file, name, job, step in steps():
            if "run" not in step:
                continue
            words = [word for word in shlex.split(step["run"].split(" >> ")[0])[1:] if not word.startswith("-")]
            target, given = words[0], {word.split("=")[0] for word in words[1:]} | set(variables_of(file, job))
            recipe = re.search(rf"^{target}:.*?(?=\n\n|\Z)", makefile, re.M | re.S)[0]
            needed = set(re.findall(r'"\$\(([A-Z]+)\)"', recipe)) | ({"VERSION"} if "$(version)" in recipe else set())
            with self.subTest(f"{file} {name}", target=target):
                self.assertEqual(needed - given, set())

    def test_actions_are_pinned_by_commit_and_known(self):
        for path in WORKFLOWS:
            for line in path.read_text().splitlines():
                used = re.search(r"uses: (\S+)(?: # (\S+))?", line)
                if not used or used[1].startswith("./"):
                    continue
                action, _, commit = used[1].partition("@")
                with self.subTest(path.name, line=line.strip()):
                    self.assertEqual((commit, used[2]), ACTIONS[action])

    def test_images_of_containers_are_of_one_release(self):
        builder = re.search(r"^ARG BUILDER_IMAGE=(.*)$", (ROOT / "dockerfiles/sidecar/Dockerfile").read_text(), re.M)[1]
        for file, name, job in jobs():
            if "container" in job:
                # What is tested is compiled as what is released.
                self.assertEqual(job["container"], {"image": builder}, f"{file} {name}")

    def test_nobody_has_rights_that_are_not_named(self):
        for path in WORKFLOWS:
            self.assertEqual(load(path.read_text())["permissions"], {}, path.name)
        for file, name, job in jobs():
            with self.subTest(f"{file} {name}"):
                writes = {right for right, level in job["permissions"].items() if level != "read"}
                self.assertEqual(writes, WRITERS.get((file, name), set()))
                self.assertLessEqual(set(job["permissions"]), {"contents", "id-token", "pull-requests"})

    def test_who_asks_for_an_identity_names_an_environment(self):
        """The trust policies of the roles are bound to it; a job without one would be trusted on every branch, or nowhere."""
        asking = [(file, name, job) for file, name, job in jobs() if job["permissions"].get("id-token") == "write"]
        self.assertTrue(asking)
        for file, name, job in asking:
            with self.subTest(f"{file} {name}"):
                self.assertTrue(job.get("environment"))
        # And environments of different rights are different ones.
        named = {job["environment"] for _, _, job in asking}
        self.assertEqual(len(named), len(asking), named)

    def test_no_secret_is_stored(self):
        for path in WORKFLOWS:
            text = path.read_text()
            self.assertNotIn("secrets.", text, path.name)
            self.assertNotRegex(text, r"(?i)access-key-id|secret-access-key|client-secret|password", path.name)

    def test_what_may_be_written_by_strangers_runs_without_rights(self):
        for path in WORKFLOWS:
            workflow = load(path.read_text())
            self.assertNotIn("pull_request_target", workflow["on"], path.name)
            if "pull_request" not in workflow["on"]:
                continue
            for name, job in workflow["jobs"].items():
                if set(job["permissions"].values()) != {"read"}:
                    guard = job["if"]
                    self.assertTrue(
                        "github.event_name != 'pull_request'" in guard, f"{path.name} {name}"
                    )
                    if "||" in guard:
                        self.assertIn("head.repo.full_name == github.repository", guard)

    def test_credentials_of_the_checkout_stay_nowhere_but_where_it_pushes(self):
        for file, name, job, step in steps():
            if step.get("uses", "").startswith("actions/checkout@"):
                pushes = "pull-requests" in WRITERS.get((file, name), ())
                self.assertEqual((step.get("with") or {}).get("persist-credentials") is not False, pushes, f"{file} {name}")

    def test_everything_ends_and_nothing_runs_twice_at_a_time(self):
        for file, name, job in jobs():
            with self.subTest(f"{file} {name}"):
                if "uses" not in job:
                    self.assertLessEqual(job["timeout-minutes"], 180)
                    self.assertEqual(job["runs-on"], "ubuntu-24.04")
        for path in WORKFLOWS:
            workflow = load(path.read_text())
            singly = [job for job in workflow["jobs"].values() if "environment" in job]
            self.assertTrue("concurrency" in workflow or all("concurrency" in job for job in singly), path.name)
        # What was begun in a cloud is ended.
        for file, name, job in jobs():
            limits = job.get("concurrency") or load((ROOT / ".github/workflows" / file).read_text()).get("concurrency")
            if (file, name) in WRITERS and name != "plan":
                self.assertIs(limits["cancel-in-progress"], False, f"{file} {name}")

    def test_the_drill_of_a_schedule_takes_the_archive_it_is_given_or_none(self):
        """Without one `make drill` makes an archive, and a drill of that passes whatever became of the real one."""
        job = load((ROOT / ".github/workflows/drill.yml").read_text())["jobs"]["drill"]
        self.assertEqual([step["run"] for step in job["steps"] if "run" in step], ["make drill"])
        given = {**os.environ, "ARCHIVE": "s3://backups/shop", "CONTROL": "s3://control/shop", "RPO": "5m", "RTO": "2h", "ARGS": job["env"]["ARGS"]}
        self.assertLessEqual({"ARCHIVE", "CONTROL", "ARGS"}, set(job["env"]))
        shown = run("make", "--dry-run", "drill", cwd=ROOT, env=given).stdout
        self.assertIn('demo drill --archive "s3://backups/shop" -- --control "s3://control/shop" --rpo "5m" --rto "2h" --trigger schedule', shown)
        # So is a variable of an environment that nobody has set.
        refused = run("make", "--dry-run", "drill", cwd=ROOT, env={**given, "ARCHIVE": "", "CONTROL": ""})
        self.assertEqual(refused.returncode, 2)
        self.assertIn("ARCHIVE is empty", refused.stderr)
        self.assertNotIn("demo drill", refused.stdout)
        # On AWS the archive holds its control.
        self.assertNotIn("--control", run("make", "--dry-run", "drill", cwd=ROOT, env={**given, "CONTROL": ""}).stdout)

    def test_the_drill_of_a_schedule_has_objectives_that_it_can_fail(self):
        """`dr-cli drill` judges loss and time only when it is told how much may be."""
        job = load((ROOT / ".github/workflows/drill.yml").read_text())["jobs"]["drill"]
        # Of the environment: each has objectives of its own, and a value in the file would be nobody's decision.
        self.assertEqual({name: job["env"].get(name) for name in ("RPO", "RTO")}, {"RPO": "${{ vars.RPO }}", "RTO": "${{ vars.RTO }}"})
        given = {**os.environ, "ARCHIVE": "s3://backups/shop", "RPO": "5m", "RTO": "2h", "ARGS": job["env"]["ARGS"]}
        shown = " ".join(run("make", "--dry-run", "drill", cwd=ROOT, env=given).stdout.split())
        self.assertIn('demo drill --archive "s3://backups/shop" -- --rpo "5m" --rto "2h" --trigger schedule', shown)
        for name in ("RPO", "RTO"):
            with self.subTest(name):
                refused = run("make", "--dry-run", "drill", cwd=ROOT, env={**given, name: ""})
                self.assertEqual(refused.returncode, 2)
                self.assertIn(f"{name} is empty", refused.stderr)
                self.assertNotIn("demo drill", refused.stdout)
        # A person may leave both away.
        for name in ("RPO", "RTO", "ARCHIVE"):
            given.pop(name)
        alone = run("make", "--dry-run", "drill", cwd=ROOT, env=given)
        self.assertEqual(alone.returncode, 0, alone.stderr)
        self.assertNotRegex(alone.stdout, "--rpo|--rto|--archive")

    def test_the_way_of_an_apply_goes_through_a_plan_and_people(self):
        apply = load((ROOT / ".github/workflows/terraform.yml").read_text())["jobs"]["apply"]
        self.assertIn("plan", apply["needs"])
        self.assertIn("refs/heads/main", apply["if"])
        self.assertFalse(apply["environment"].endswith("-plan"))


class Scripts(unittest.TestCase):
    def test_shellcheck_has_nothing_to_say(self):
        done = run(os.environ["SHELLCHECK"], *sorted((ROOT / "scripts").glob("*.sh")), ROOT / ".ci/run")
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_shellcheck_would_say_something(self):
        self.assertIn("SC2086", run(os.environ["SHELLCHECK"], "-", input="#!/bin/sh\nrm $1\n").stdout)


if __name__ == "__main__":
    unittest.main()
