"""python3 -m e2e [unittest arguments]: brings our node up, or uses the cluster of KUBECONFIG and starts none."""

import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE))

from e2e import target  # noqa: E402
from harness import cluster  # noqa: E402
from harness.problem import Problem  # noqa: E402
from harness.settings import Settings  # noqa: E402


class TimedResult(unittest.TextTestResult):
    """Says how long each test took: the suite has a limit."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        self.stream.write(f"({time.monotonic() - self.began:.1f} s) ")
        super().addSuccess(test)


def prepare() -> None:
    if os.environ.get("KUBECONFIG"):
        os.environ[target.FOREIGN] = "1"
        print(f"using the cluster of KUBECONFIG={os.environ['KUBECONFIG']}; none is started", flush=True)
    else:
        settings = Settings.from_environment()
        cluster.up(settings)
        for archive in sorted((settings.home / "images").glob("*.tar")):
            cluster.import_image(settings, archive)
        os.environ["KUBECONFIG"] = str(settings.kubeconfig)
    result = subprocess.run(["kubectl", "version", "--request-timeout=10s"], capture_output=True, text=True)
    if result.returncode != 0:
        raise Problem(f"the cluster does not answer: {result.stderr.strip()}", "it is down, or KUBECONFIG names another", "kubectl cluster-info")


def main() -> None:
    prepare()
    names = sys.argv[1:] or ["discover", "--start-directory", str(HERE / "e2e"), "--top-level-directory", str(HERE)]
    runner = unittest.TextTestRunner(verbosity=2, resultclass=TimedResult)
    unittest.main(module=None, argv=["e2e", *names], testRunner=runner)


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"e2e: {problem}")
