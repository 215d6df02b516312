"""python3 -m e2e [unittest arguments]: brings our node up, or uses the cluster of KUBECONFIG and starts none.

python3 -m e2e --small: the tests that need no images of the product, when our node can be up within seconds; a line says whether
they ran. The cluster is left as it was found.
"""

import os
import signal
import subprocess
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from e2e import target  # noqa: E402
from e2e.runner import SideBySide  # noqa: E402
from harness import cluster  # noqa: E402
from harness.problem import Problem  # noqa: E402
from harness.settings import Settings  # noqa: E402

SMALL = ("e2e.test_node", "e2e.test_network_policy")


def use_kubeconfig() -> None:
    os.environ[target.FOREIGN] = "1"
    print(f"using the cluster of KUBECONFIG={os.environ['KUBECONFIG']}; none is started", flush=True)


def use_our_node(settings: Settings, with_product: bool) -> None:
    cluster.up(settings)
    if with_product:
        for archive in sorted((settings.home / "images").glob("*.tar")):
            cluster.import_image(settings, archive)
    os.environ["KUBECONFIG"] = str(settings.kubeconfig)


def need_answer() -> None:
    result = subprocess.run(["kubectl", "version", "--request-timeout=10s"], capture_output=True, text=True)
    if result.returncode != 0:
        raise Problem(f"the cluster does not answer: {result.stderr.strip()}", "it is down, or KUBECONFIG names another", "kubectl cluster-info")


def succeeds(names: list[str]) -> bool:
    return unittest.main(module=None, argv=["e2e", *names], testRunner=SideBySide(), exit=False).result.wasSuccessful()


def run(names: list[str]) -> bool:
    if os.environ.get("KUBECONFIG"):
        use_kubeconfig()
        need_answer()
        return succeeds(names)
    settings = Settings.from_environment()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("e2e: stopped"))
    with cluster.used(settings):
        use_our_node(settings, with_product=True)
        with cluster.weighing_as_it(settings):
            need_answer()
            return succeeds(names)


def run_small() -> bool:
    """A machine on which they cannot run is no failure; a test that fails is one."""
    # Whatever cluster somebody works with is not asked.
    os.environ.pop("KUBECONFIG", None)
    settings = Settings.from_environment()
    if obstacle := cluster.obstacle(settings, os.geteuid()):
        print(f"cluster tests: not run, because {obstacle}", flush=True)
        return True
    print(f"cluster tests: run: {', '.join(SMALL)}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("e2e: stopped"))
    found = cluster.is_up(settings)
    try:
        with cluster.used(settings):
            use_our_node(settings, with_product=False)
            with cluster.weighing_as_it(settings):
                need_answer()
                return succeeds(list(SMALL))
    finally:
        if not found:
            cluster.down_unless_used(settings)


def main() -> int:
    names = sys.argv[1:]
    if names == ["--small"]:
        return 0 if run_small() else 1
    return 0 if run(names or ["discover", "--start-directory", str(HERE / "e2e"), "--top-level-directory", str(HERE)]) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"e2e: {problem}")
