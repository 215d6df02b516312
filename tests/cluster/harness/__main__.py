"""python3 -m harness up|down|ready|status|import|exec: a one-node Kubernetes for the tests of this repository."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from . import cluster
from .problem import Problem
from .settings import Settings


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="harness", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="build what is missing, start the node, wait until it is ready")
    down = commands.add_parser("down", help="stop it")
    down.add_argument("--wipe", action="store_true", help="remove its state as well")
    commands.add_parser("ready", help="exit 0 when `up` takes seconds; else 1, with the reason")
    commands.add_parser("status", help="exit 0 when it is up; prints the kubeconfig")
    images = commands.add_parser("import", help="import image archives")
    images.add_argument("archives", nargs="+", type=Path)
    execute = commands.add_parser("exec", help="run a command in the node's namespaces")
    execute.add_argument("words", nargs=argparse.REMAINDER)
    return parser.parse_args()


def need_node(settings: Settings) -> None:
    if cluster.node_pid(settings) is None:
        raise Problem("the cluster is not up", "it was not started, or it was stopped", "make cluster-up")


def main() -> int:
    given = arguments()
    settings = Settings.from_environment()
    if given.command == "up":
        cluster.up(settings)
    elif given.command == "down":
        cluster.down(settings, given.wipe)
    elif given.command == "ready":
        if obstacle := cluster.obstacle(settings, os.geteuid()):
            print(obstacle)
            return 1
    elif given.command == "status":
        need_node(settings)
        print(settings.kubeconfig)
    elif given.command == "import":
        need_node(settings)
        for archive in given.archives:
            cluster.import_image(settings, archive.resolve())
    else:
        need_node(settings)
        return subprocess.run(cluster.in_node(settings, *given.words)).returncode
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"cluster: {problem}")
    except KeyboardInterrupt:
        sys.exit("cluster: interrupted; the same command goes on from here")
