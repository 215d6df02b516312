#!/usr/bin/env python3
"""Writes down which release an environment runs: the digests of its images and the revision of its charts, in gitops/environments.

promote.py --to dev --release target/release/release.json    what a release made, into the first environment
promote.py --from dev --to staging                           what dev runs, into staging

It changes files and nothing else: the change is reviewed as a pull request, and Argo CD carries it out.
"""

import argparse
import json
import os
import pathlib
import re
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
# Nothing gets into an environment that was not in the one before.
ORDER = ("dev", "staging", "prod")
# Where each chart wants which image.
CHARTS = {
    "tidemark": {
        "mongodb.image": "mongod",
        "mongodb.sidecar.image": "sidecar",
        "mongodb.tests.image": "orders-api",
        "orders-api.image": "orders-api",
        "orders-api.edge.image": "edge",
        "tidemark-node.image": "sidecar",
        "monitoring.prometheus.image": "prometheus",
        "monitoring.alertmanager.image": "alertmanager",
    },
    "log-collector": {"image": "log-collector"},
}
IMAGES = sorted({image for chart in CHARTS.values() for image in chart.values()})
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
REVISION = re.compile(r"[0-9a-f]{40}")


class Refused(Exception):
    """What is wrong and what to do, in one sentence."""


def order_of(version):
    return tuple(int(part) for part in VERSION.fullmatch(version).groups())


def checked(release):
    """A release is whole, or it is none."""
    for field, pattern in (("release", VERSION), ("revision", REVISION)):
        if not isinstance(release.get(field), str) or not pattern.fullmatch(release[field]):
            raise Refused(f"the release's `{field}` is {release.get(field)!r}, which is none: use the file that `make publish-images` wrote")
    images = release.get("images") or {}
    missing = [name for name in IMAGES if not DIGEST.fullmatch(str(images.get(name, "")))]
    if missing:
        raise Refused(f"the release has no digest of {', '.join(missing)}: use the file that `make publish-images` wrote for all images")
    return release


def values_of(chart, images):
    """The values file, as text: nested keys in the order of CHARTS."""
    tree = {}
    for path, image in CHARTS[chart].items():
        node = tree
        for key in path.split("."):
            node = node.setdefault(key, {})
        node["digest"] = images[image]
    lines = ["# Written by `make promote`. A digest is what was tested; a tag may be something else tomorrow."]

    def write(node, indent):
        for key, value in node.items():
            lines.append(f"{indent}{key}:" + ("" if isinstance(value, dict) else f" {value}"))
            if isinstance(value, dict):
                write(value, indent + "  ")

    write(tree, "")
    return "\n".join(lines) + "\n"


class Environment:
    def __init__(self, root, name):
        if name not in ORDER:
            raise Refused(f"there is no environment `{name}`: known are {', '.join(ORDER)}")
        self.name, self.folder = name, root / name
        self.path = self.folder / "environment.json"
        try:
            self.state = json.loads(self.path.read_text())
        except FileNotFoundError:
            raise Refused(f"{self.path} is missing: the environment has to be described before anything can be promoted to it") from None

    @property
    def deployed(self):
        return self.state["deployed"] == "true"

    def release(self):
        if not self.deployed:
            raise Refused(f"{self.name} runs no release yet: promote one to it first")
        images = {}
        for chart, places in CHARTS.items():
            path = self.folder / "images" / f"{chart}.yaml"
            found = DIGEST.findall(path.read_text()) if path.exists() else []
            if len(found) != len(places):
                raise Refused(f"{path} does not name each image by digest: restore it from the last promotion")
            images.update(zip(places.values(), found))
            if values_of(chart, images) != path.read_text():
                raise Refused(f"{path} was changed by hand: restore it from the last promotion, so that what goes on is what was tested")
        return checked({"release": self.state["release"], "revision": self.state["revision"], "images": images})

    def write(self, release):
        (self.folder / "images").mkdir(exist_ok=True)
        files = {self.folder / "images" / f"{chart}.yaml": values_of(chart, release["images"]) for chart in CHARTS}
        # Last: before it names the release nobody looks at the others.
        self.state.update(deployed="true", release=release["release"], revision=release["revision"])
        files[self.path] = json.dumps(self.state, indent=2) + "\n"
        changed = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
        for path in changed:
            work = path.with_suffix(".new")
            work.write_text(files[path])
            os.replace(work, path)
        return changed


def promote(root, source, target, release_file, rollback):
    destination = Environment(root, target)
    if bool(source) == bool(release_file):
        raise Refused("name either the environment (--from) or the release (--release) that is promoted")
    if source:
        if source not in ORDER or ORDER.index(target) != ORDER.index(source) + 1:
            raise Refused(f"{source} does not come right before {target}: the way is {' -> '.join(ORDER)}")
        release = Environment(root, source).release()
    else:
        if target != ORDER[0]:
            raise Refused(f"a new release begins in {ORDER[0]}: promote it there, then go on from one environment to the next")
        try:
            release = checked(json.loads(pathlib.Path(release_file).read_text()))
        except (OSError, ValueError) as error:
            raise Refused(f"{release_file} cannot be read ({error}): it is written by `make publish-images`") from error
    if destination.deployed and order_of(release["release"]) < order_of(destination.state["release"]) and not rollback:
        raise Refused(f"{target} runs {destination.state['release']}, and {release['release']} is older: add ROLLBACK=1 when that is meant")
    return release, destination.write(release)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", default="")
    parser.add_argument("--to", required=True)
    parser.add_argument("--release", default="")
    parser.add_argument("--rollback", action="store_true")
    parser.add_argument("--environments", type=pathlib.Path, default=REPOSITORY / "gitops/environments")
    given = parser.parse_args(arguments)
    try:
        release, changed = promote(given.environments, given.source, given.to, given.release, given.rollback)
    except Refused as refused:
        print(f"promote: {refused}", file=sys.stderr)
        return 2
    for path in changed:
        print(path)
    print(f"{given.to}: release {release['release']}" + ("" if changed else ", as before; nothing to do"), file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
