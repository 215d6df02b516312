"""What documents say to type at pods works on what the charts deploy: the container is there, its image has the program, the port is open."""

import functools
import pathlib
import re
import sys
import unittest

from pages import Page, REPOSITORY, pages

sys.path.append(str(REPOSITORY / "tests/charts"))
import helm  # noqa: E402
import variants  # noqa: E402

RUNBOOKS = REPOSITORY / "docs/runbooks"
README = RUNBOOKS / "README.md"
# Options whose value is a word of its own.
VALUED = {"-n", "--namespace", "-c", "--container", "-l", "--selector", "--context", "--kubeconfig", "--address"}
PASSWORDS = {"auth": {"existingSecret": "", "keyfile": "a2V5ZmlsZQ", "passwords": {name: "password" for name in ("tidemark-backup", "orders", "developer")}}}


@functools.cache
def deployed():
    """What the charts make as a release `shop`, with their defaults and with everything switched on. The umbrella has nothing of its own."""
    return [one for chart in helm.BASE if chart != "tidemark" for values in ({}, variants.EVERYTHING.get(chart, {})) for one in helm.render(chart, values, release="shop")]


def pod_of(document):
    spec = document.get("spec") or {}
    spec = (spec.get("jobTemplate") or {}).get("spec") or spec
    return spec if document["kind"] == "Pod" else (spec.get("template") or {}).get("spec") or {}


@functools.cache
def containers():
    """(KIND/NAME of what makes the pod, the container), those first that kubectl takes when none is named."""
    return [(f"{one['kind']}/{one['metadata']['name']}".lower(), container) for one in deployed() for group in ("containers", "initContainers") for container in pod_of(one).get(group) or []]


def programs(image):
    """Names of the programs in an image, by its Dockerfile; None when it has all of a distribution."""
    name = image.partition("@")[0].rpartition(":")[0].rpartition("/")[2]
    file = REPOSITORY / "dockerfiles" / name / "Dockerfile"
    text = file.read_text() if file.exists() else ""
    if re.findall(r"^FROM (\S+)", text, re.M)[-1:] != ["scratch"]:
        return None
    return set(re.findall(r"(?:target/release|target|/programs|/usr/local/bin)/([a-z][\w-]*)(?![\w/-])", text))


class Kubectl:
    """`exec`, `logs` or `port-forward`: at what, in which container, and what comes behind."""

    def __init__(self, line):
        # A quote may end on another line, which nothing here looks at.
        words = [word.strip("\"'") for word in re.findall(r"\"[^\"]*\"|'[^']*'|[^\s|;&)]+", line)]
        words, _, program = (words[: words.index("--")], "--", words[words.index("--") + 1 :]) if "--" in words else (words, "", [])
        self.program = program[0] if program else None
        options, plain = {}, []
        rest = iter(words)
        for word in rest:
            if word in VALUED:
                options[word] = next(rest, "")
            elif word.startswith("-"):
                options[word.partition("=")[0]] = word.partition("=")[2]
            else:
                plain.append(word)
        self.verb, self.at, self.more = (plain + [""])[0], (plain + ["", ""])[1], plain[2:]
        self.container = options.get("-c") or options.get("--container")

    def problem(self):
        return {"exec": self.of_container, "logs": self.of_container, "port-forward": self.of_ports}.get(self.verb, lambda: None)()

    def of_container(self):
        if self.container:
            found = [container for _, container in containers() if container["name"] == self.container]
            if not found:
                return f"no pod has a container {self.container}"
        elif self.verb == "logs":
            return None
        else:
            found = [container for maker, container in containers() if maker == self.at][:1]
            if not found:
                return f"which container of {self.at}?"
        for image in {container["image"] for container in found} if self.program and self.program != "…" else ():
            there = programs(image)
            if there is not None and self.program not in there:
                return f"{image} has no {self.program}"
        return None

    def of_ports(self):
        if self.at.startswith(("service/", "svc/")):
            there = {port["port"] for one in deployed() if one["kind"] == "Service" for port in one["spec"]["ports"]}
        else:
            there = {port["containerPort"] for _, container in containers() for port in container.get("ports") or []}
        ports = [int(word.rpartition(":")[2]) for word in self.more if re.fullmatch(r"(\d*:)?\d+", word)]
        unknown = sorted(set(ports) - there)
        return f"nothing listens on {unknown}" if unknown or not ports else None

    @property
    def local_ports(self):
        return {int(word.partition(":")[0]) for word in self.more if re.fullmatch(r"\d+(:\d+)?", word)} if self.verb == "port-forward" else set()


def commands(page):
    """(line, command) of every kubectl in the blocks and code spans of a page."""
    texts = [(block.line, block.text.replace("\\\n", " ")) for block in page.shell_blocks] + list(page.spans)
    for line, text in texts:
        for found in re.findall(r"\bkubectl ([^\n]*)", text):
            yield line, Kubectl(found)


def prefixed(page):
    """(line, container, program) where a paragraph or an item of a list names programs and an `exec` to put before them."""
    line = 1
    for part in re.split(r"(\n(?=- )|\n\n+)", page.prose):
        spans = re.findall(r"`([^`]+)`", part)
        for container in [Kubectl(span.removeprefix("kubectl ")).container for span in spans if re.match(r"kubectl .* exec .* --$", span)]:
            yield from ((line, container, span) for span in spans if span in typed())
        line += part.count("\n")


@functools.cache
def typed():
    """The programs with which commands of the runbooks begin."""
    blocks = [block for path in RUNBOOKS.glob("*.md") for block in Page(path).shell_blocks]
    return {found for block in blocks for found in re.findall(r"^([a-z][\w-]*) ", block.text, re.M)} - {"kubectl"}


class Pods(unittest.TestCase):
    def test_commands_at_pods_name_containers_programs_and_ports_that_are_deployed(self):
        seen = 0
        for page in pages():
            if page.name.startswith(("docs/", "README")):
                for line, command in commands(page):
                    seen += command.verb in ("exec", "logs", "port-forward")
                    with self.subTest(page=page.name, line=line, at=command.at):
                        self.assertIsNone(command.problem())
        self.assertGreater(seen, 20)

    def test_what_is_to_be_put_before_commands_runs_them(self):
        seen = 0
        for page in pages():
            for line, container, program in prefixed(page):
                seen += 1
                with self.subTest(page=page.name, line=line, program=program):
                    self.assertIsNone(Kubectl(f"exec POD -c {container} -- {program}").problem())
        self.assertGreater(seen, 0)

    def test_ports_of_the_runbooks_are_forwarded_on_their_first_page(self):
        forwarded = {port for _, command in commands(Page(README)) for port in command.local_ports}
        asked = {int(port) for path in RUNBOOKS.glob("*.md") for block in Page(path).shell_blocks for port in re.findall(r"127\.0\.0\.1:(\d+)", block.text)}
        self.assertGreater(len(asked), 1)
        self.assertEqual(asked - forwarded, set())

    def test_the_first_page_of_the_runbooks_knows_what_the_chart_gives(self):
        text = README.read_text()
        sidecar = next(container for maker, container in containers() if container["name"] == "sidecar")
        self.assertIn(f"`{' '.join(sidecar['args'][1:])}`", text)
        self.assertLessEqual({"TIDEMARK_URI", "TIDEMARK_ARCHIVE"}, {one["name"] for one in sidecar["env"]})
        secrets = {one["metadata"]["name"]: one for one in helm.render("mongodb", PASSWORDS, release="shop") if one["kind"] == "Secret"}
        keys = re.findall(r"get secret \"\$SET-auth\".*index \.data \"([^\"]+)\"", text)
        self.assertEqual([key for key in keys if key in secrets["shop-mongodb-auth"]["data"]], ["password-tidemark-backup"])
        self.assertIn('secret "$SET-tls"', text)
        encrypted = helm.render("mongodb", {"tls": {"enabled": True, "issuerRef": {"name": "ca"}}}, release="shop")
        self.assertEqual(helm.find(encrypted, "Certificate/shop-mongodb-tls")["spec"]["secretName"], "shop-mongodb-tls")
        self.assertIn("127.0.0.1", helm.find(encrypted, "Certificate/shop-mongodb-tls")["spec"]["ipAddresses"])

    def test_every_mistake_is_noticed(self):
        for line, problem in {
            'exec "$POD" -c tidemark -- dr-cli status': "no pod has a container tidemark",
            'logs "$POD" --container=tidemark --tail=50': "no pod has a container tidemark",
            'exec "$POD" --container sidecar -- curl -s http://127.0.0.1:9717/status': "tidemark/sidecar:0.1.0 has no curl",
            'exec "$POD" -c mongod -- df -h /data/db': "tidemark/mongod:6.0.5 has no df",
            "--namespace shop exec deployment/shop-orders-api -- sh -c 'x": "has no sh",
            'exec "$POD" -- dr-cli status': "which container",
            'port-forward "$POD" 9716': "nothing listens on [9716]",
            'port-forward "$POD" 9717:9716 27017': "nothing listens on [9716]",
            "port-forward service/shop-mongodb": "nothing listens",
        }.items():
            with self.subTest(line=line):
                self.assertIn(problem, Kubectl(line).problem() or "")
        for line in ('-n "$NAMESPACE" exec "$POD" -c sidecar -- dr-cli status', '-n "$NAMESPACE" logs "$POD" -c mongod --tail=50 --previous', "exec deployment/shop-orders-api -- node --eval '",
                     'port-forward "$POD" 9717 27017', "port-forward pod/x 9717:9719", "port-forward service/shop-orders-api-edge 8080:80", "get pods -o wide"):
            with self.subTest(line=line):
                self.assertIsNone(Kubectl(line).problem())
        wrong = Page(pathlib.Path("x.md"), '- With `sidecar` or `mongosh` put `kubectl -n "$NAMESPACE" exec "$POD" -c sidecar --` before them.\n- `curl` is yours.\n')
        self.assertEqual([program for _, _, program in prefixed(wrong)], ["sidecar", "mongosh"])
