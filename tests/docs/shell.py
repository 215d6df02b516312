"""Simple commands of a shell block, and what can be known about one without running it.

`sidecar`, `dr-cli`, `helm` and `kubectl` are asked themselves: with `--help` behind it a command line is parsed and nothing is done.
"""

import functools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

from pages import REPOSITORY

HELM = os.environ.get("HELM", "helm")
TERRAFORM = os.environ.get("TERRAFORM", "terraform")
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BINARIES = pathlib.Path(os.environ.get("TIDEMARK_BIN_DIR", TARGET / "debug"))
OURS = {"sidecar", "dr-cli"}
# Words of the shell and programs whose arguments are theirs to judge.
KNOWN = set("""cd export set echo cat printf test [ read trap sleep true false wait kill source . local return umask
    age age-keygen awk az aws base64 bsondump cargo chmod command cosign cp curl cut date diff dirname git grep head jq ls minisign mkdir mongod mongorestore mongodump mongosh mv node npm
    openssl pgrep python3 rm sed seq sha256sum sort tail tar tee touch tr uname watch wc xargs zstd docker kind promtool""".split())
KEYWORDS = {"{", "}", "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "!", "case", "esac", "in", "sudo", "exec", "time"}
# What a variable of a document may hold, where the programs look at it.
VALUES = {"TARGET": "latest", "ARCHIVE": "file:///archive", "DESTINATION": "mongodb://fresh", "LINEAGE": "rs0-000000000000000000000001", "PORT": "30080", "N": "3"}
# Files that a document has the reader make elsewhere.
READERS = {"shop.yaml"}
ROOTS = "alerts|charts|crates|dashboards|docs|dockerfiles|gitops|packages|scripts|terraform|tests|\\.github"


def flatten(text):
    """The block as one line: comments, here-documents and substitutions are gone; and what was substituted."""
    text = re.sub(r"<<-?\s*['\"]?(\w+)['\"]?([^\n]*)\n.*?\n\1(?=\n|$)", r"\2", text, flags=re.S)
    inner = []

    def substitution(found):
        inner.append(found[1])
        return "x"

    while re.search(r"\$\(([^()]*)\)", text):
        text = re.sub(r"\$\(([^()]*)\)", substitution, text)
    text = re.sub(r"\$\{?(\w+)[^}\s\"'/:]*\}|\$(\w+)", lambda found: VALUES.get(found[1] or found[2], "x"), text).replace("$@", "")
    line, quote, skipping, previous = "", "", False, "\n"
    position = 0
    while position < len(text):
        one = text[position]
        if skipping:
            skipping = one != "\n"
            if skipping:
                position += 1
                continue
        if quote:
            quote = "" if one == quote else quote
        elif one in "'\"":
            quote = one
        elif one == "\\" and text[position + 1 : position + 2] == "\n":
            position += 2
            line, previous = line + " ", " "
            continue
        elif one == "#" and previous.isspace():
            skipping = True
            position += 1
            continue
        line += " ; " if one == "\n" and not quote else one
        previous = one
        position += 1
    return line, inner


def simple_commands(text):
    """Words of each simple command; and the files that redirections make."""
    line, inner = flatten(text)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&()<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    commands, made, words, redirected = [], set(), [], None
    for token in [*lexer, ";"]:
        if redirected is not None:
            if ">" in redirected and not token.isdigit():
                made.add(token)
            redirected = None
        elif token and set(token) <= set("<>&") and set(token) & set("<>"):
            redirected = token
        elif token and set(token) <= set(";|&()"):
            if words and token != "()":
                commands.append(words)
            words = []
        elif token:
            words.append(token)
    for one in inner:
        more, files = simple_commands(one)
        commands += more
        made |= files
    return [stripped for stripped in map(strip, commands) if stripped], made


def strip(words):
    """Without keywords and assignments in front."""
    while words and (words[0] in KEYWORDS or re.match(r"\w+=", words[0])):
        if words[0] in ("for", "case"):
            return []
        words = words[1:]
    if words and words[0] == "timeout":
        while len(words) > 1 and (words[1].startswith("-") or words[1][0].isdigit()):
            words = words[1:]
        return strip(words[1:])
    return words


@functools.cache
def help_of(program, *words):
    binary = BINARIES / program if program in OURS else program
    done = subprocess.run([binary, *words, "--help"], capture_output=True, text=True, check=False, env={**os.environ, "NO_COLOR": "1"})
    return done.returncode, done.stdout, done.stderr.strip()


@functools.cache
def makefile():
    return (REPOSITORY / "Makefile").read_text()


@functools.cache
def make_targets():
    return set(re.findall(r"^([a-z0-9-]+):", makefile(), re.M))


def is_value(chart, path):
    """Whether the schema of a chart knows a value; those of subcharts have their own."""
    first, _, rest = path.partition(".")
    if chart == "tidemark" and (REPOSITORY / "charts" / first / "values.schema.json").exists():
        return is_value(first, rest) if rest else True
    schema = json.loads((REPOSITORY / "charts" / chart / "values.schema.json").read_text())
    for key in re.sub(r"\[\d+\]", "", path).split("."):
        open_ended = schema.get("additionalProperties")
        schema = schema.get("properties", {}).get(key) or (open_ended if isinstance(open_ended, dict) else None)
        if schema is None:
            return False
    return True


class Judge:
    """Reads the commands of a page in order: it knows where a block stands, which functions it defined, and which files it made."""

    def __init__(self, page):
        self.page = page
        self.made = set()
        self.functions = dict(re.findall(r"^(\w+)\(\) \{.* (dr-cli|sidecar) \"\$@\"; \}", page.text, re.M))

    def block(self, text):
        """Problems of a block, which begins in the repository, or where the page lies when that is a root of Terraform."""
        beside = self.page.path.parent
        self.folder = beside if list(beside.glob("*.tf")) else REPOSITORY
        problems = [subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False).stderr.strip()]
        commands, made = simple_commands(text)
        self.made |= {os.path.normpath(file) for file in made}
        for words in commands:
            problems += self.command(words)
        return [problem for problem in problems if problem], len(commands)

    def command(self, words):
        program, rest = words[0], words[1:]
        program = self.functions.get(program, program)
        problems = list(self.files(words))
        if program in OURS:
            return problems + self.asked(program, rest)
        if program == "kubectl":
            if "--" in rest:
                problems += self.command(rest[rest.index("--") + 1 :] or ["true"])
                rest = rest[: rest.index("--")]
            return problems + (self.asked("kubectl", rest) if shutil.which("kubectl") else [])
        if program == "helm":
            return problems + self.asked(HELM, rest) + self.helm(rest)
        if program == "make":
            return problems + self.make(rest)
        if program == "terraform":
            return problems + self.terraform(rest)
        if program == "cd":
            beside = self.folder / rest[0]
            self.folder = beside if beside.is_dir() or rest[0].startswith("..") else REPOSITORY / rest[0]
            if rest[0] != "tidemark" and REPOSITORY in [self.folder, *self.folder.parents] and not self.folder.is_dir():
                problems.append(f"cd {rest[0]}: there is no such folder")
            if rest[0] == "tidemark":  # A clone of this repository.
                self.folder = REPOSITORY
            return problems
        if "/" in program and not program.startswith(("http", "-")):
            path = self.folder / program
            if not os.access(path, os.X_OK) and "target/" not in program:
                problems.append(f"{program} is no program of the repository")
            return problems
        if program not in KNOWN and not re.search(rf"^{re.escape(program)}\(\)", self.page.text, re.M):
            problems.append(f"{program}: an unknown program")
        return problems

    def asked(self, program, words):
        if words and words[-1] in ("--help", "--version"):
            words = words[:-1]
        code, _, error = help_of(program, *words)
        return [] if code == 0 else [f"{pathlib.Path(program).name} {shlex.join(words)}: {error}"]

    def files(self, words):
        for word in words:
            for path in re.findall(rf"(?:^|=|@)((?:\./|\.\./)*(?:{ROOTS})/[\w./*-]+)", word):
                if os.path.normpath(path) in self.made or "helm" == words[0] and "=" in word and "url" in word:
                    continue
                # A page beside a root of Terraform may begin there or at the top.
                folders = {self.folder, REPOSITORY} if self.page.path.parent == self.folder else {self.folder}
                if not any(list(folder.glob(path.removeprefix("./"))) or (folder / path).exists() for folder in folders):
                    yield f"{path} is not there"

    def make(self, rest):
        problems = []
        for word in rest:
            name, given, _ = word.partition("=")
            if given and not re.search(rf"\$\({name}[):]|\$\((?:or|if) \$\({name}\)|ifdef {name}", makefile()):
                problems.append(f"make {word}: the Makefile reads no {name}")
            if not given and not word.startswith("-") and word not in make_targets():
                problems.append(f"make {word}: there is no such target")
        return problems

    def helm(self, rest):
        problems = []
        charts = [word.split("/")[1] for word in rest if re.fullmatch(r"charts/[a-z-]+", word)]
        for flag, value in zip(rest, rest[1:]):
            if flag in ("--set", "--set-string", "--set-json") and charts:
                for path in re.findall(r"(?:^|(?<=,))([\w.\[\]-]+)=", value):
                    if not is_value(charts[0], path):
                        problems.append(f"{path} is no value of {charts[0]}")
            if flag in ("--values", "-f") and not (self.folder / value).exists() and value not in self.made | READERS and not value.startswith("x"):
                problems.append(f"{value} is not there")
        return problems

    def terraform(self, rest):
        problems, folder = [], self.folder
        if rest and rest[0].startswith("-chdir="):
            folder = self.folder / rest[0].removeprefix("-chdir=")
            rest = rest[1:]
        if not list(folder.glob("*.tf")):
            return [f"{folder} has no configuration"]
        done = subprocess.run([TERRAFORM, rest[0], "-help"], capture_output=True, text=True, check=False, env={**os.environ, "CHECKPOINT_DISABLE": "1"})
        if done.returncode != 0:
            return [f"terraform {rest[0]}: no such command"]
        options = done.stdout
        for base in {"apply": ["plan"], "destroy": ["apply", "plan"]}.get(rest[0], []):
            options += subprocess.run([TERRAFORM, base, "-help"], capture_output=True, text=True, check=False).stdout
        configuration = "".join(file.read_text() for file in folder.glob("*.tf"))
        for position, word in enumerate(rest[1:], 1):
            flag = re.match(r"-{1,2}([\w-]+)", word)
            if flag and not re.search(rf"-{flag[1]}\b", options):
                problems.append(f"terraform {rest[0]}: no option -{flag[1]}")
            if word.startswith(("-var=", "-var")) and not word.startswith("-var-file"):
                name = (word.removeprefix("-var=") if "=" in word else rest[position + 1]).partition("=")[0]
                if f'variable "{name}"' not in configuration:
                    problems.append(f"{name} is no variable of {folder.relative_to(REPOSITORY)}")
            backend = re.fullmatch(r"-backend-config=([^=]+)", word)
            if backend and not (folder / backend[1]).exists():
                problems.append(f"{backend[1]} is not there")
        return problems
