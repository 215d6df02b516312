"""docs/install.md, typed word by word: each block in its order, in one shell, on the way for one machine."""

import os
import re
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path

from harness.settings import REPOSITORY

from .fixture import ClusterTest, Kubernetes
from .product import prepared_charts

PAGE = REPOSITORY / "docs/install.md"
LOCAL = "--values charts/values/local/tidemark.yaml --values shop.yaml"
END = "--- the block has ended ---"


class Shell:
    """One bash for all blocks, since functions and variables go from one to the next."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(["bash"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                        start_new_session=True)

    def type(self, text: str) -> tuple[int, str]:
        """As somebody types it who stops at the first command that fails."""
        # A function, so that what it sets stays and what fails ends it and not the shell; a here-document may stand in it.
        self.process.stdin.write(f"typed() {{\n{text}\n}}\nset -E; trap '[ ${{#FUNCNAME[@]}} = 0 ] || return 1' ERR; typed </dev/null; code=$?; trap - ERR; printf '\\n%s %s\\n' '{END}' $code\n")
        self.process.stdin.flush()
        said = []
        for line in self.process.stdout:
            if line.startswith(END):
                return int(line.split()[-1]), "".join(said)
            said.append(line)
        raise AssertionError(f"the shell ended: {''.join(said)}")

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def blocks() -> dict[str, list[str]]:
    """Of each heading its shell blocks."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^##+ ", PAGE.read_text(), flags=re.M):
        heading, _, text = part.partition("\n")
        found[heading] = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    return found


class Page(ClusterTest):
    minutes = 5.0

    @classmethod
    def prepare(cls) -> None:
        prepared_charts()

    def setUp(self) -> None:
        self.cluster = Kubernetes("shop")
        self.outside()
        for name in ("shop", "store"):
            if Kubernetes(name).kubectl("get", "namespace", name, check=False).returncode == 0:
                self.fail(f"there is a namespace {name} already: somebody followed the page on this cluster; kubectl delete namespace {name}")
        for name in ("store", "tidemark-node"):
            self.addCleanup(self.cluster.kubectl, "delete", "namespace", name, "--wait=false", "--ignore-not-found")
        self.addCleanup(self.cluster.kubectl, "delete", "namespace", "shop", "--wait=true", "--ignore-not-found", timeout=300)
        self.addCleanup(self.cluster.helm, "uninstall", "shop", "--ignore-not-found", "--wait")
        folder = self.enterContext(tempfile.TemporaryDirectory())
        # The folder of this repository, in which nobody's shop.yaml is overwritten.
        for entry in REPOSITORY.iterdir():
            if entry.name != "shop.yaml":
                os.symlink(entry, Path(folder, entry.name))
        self.shell = Shell(Path(folder))
        self.addCleanup(self.shell.end)

    def type(self, text: str) -> str:
        code, said = self.shell.type(text)
        self.assertEqual(code, 0, f"{text}\n{said}")
        return said

    def ready(self, written: float) -> None:
        """What the page tells to wait for."""
        def is_ready() -> bool:
            said = self.shell.type("dr status")[1]
            through = re.search(r"archived through +(\S+Z)", said)
            return bool(re.search(r"^  restorable +\d", said, re.M)) and datetime.fromisoformat(through[1]).timestamp() >= written - 1

        self.eventually(is_ready, 180, "a snapshot, and an archive up to what was written last")

    def test_every_block_does_what_the_page_says(self):
        page = blocks()
        machine = page["On one machine"][0]
        # The images are imported and the cluster is up.
        begin = machine.index("export AWS_ACCESS_KEY_ID")
        self.assertEqual([line.split()[0] for line in machine[:begin].splitlines()], ["make", "export", "(cd"])
        self.type(f'helm() {{ "$(scripts/fetch-helm.sh | tail -n 1)" "$@"; }}\n{machine[begin:]}')
        for block in page["Prepare"]:
            self.type(block)
        update, install = page["Install"][0].strip().splitlines()
        # Side by side with others that use the same charts: `prepare` has typed the first.
        self.assertTrue(update.startswith("helm dependency update --skip-refresh charts/tidemark "))
        self.type(self.local(install))
        self.assertIn("Phase:          Succeeded", self.type(page["Install"][1]))
        order, status = page["See it work"]
        ordered = self.type(order)
        written = time.time()
        identifier = re.search(r'"id":"([^"]+)"', ordered)[1]
        self.assertEqual(ordered.count(identifier), 2)
        self.type(status)
        self.ready(written)

        delete, find, keep, lose = page["Break it"]
        self.assertIn("deletedCount: 1", self.type(delete))
        written = time.time()
        found = []

        def finds() -> bool:
            _, said = self.shell.type(find)
            found[:] = re.findall(r"before:\d+:\d+", said)
            return bool(found)

        self.eventually(finds, 60, "the deletion in the archive")
        self.assertRegex(keep, r"^TARGET=before:\d+:\d+\n$")
        self.type(f"TARGET={found[0]}")
        self.ready(written)
        self.type(lose)

        again, wait, look = page["Recover"][:3]
        self.type(self.local(again))
        self.type(wait)
        # The API is ready a moment before the edge knows.
        self.eventually(lambda: identifier in self.shell.type(look)[1], 30, "the order")
        self.type(self.local(page["Recover"][3]))

    def local(self, text: str) -> str:
        """As the page says under "On one machine"."""
        self.assertIn("--values shop.yaml", text)
        return text.replace("--values shop.yaml", LOCAL)
