#!/usr/bin/env python3
"""Writes docs/cli.md from what `dr-cli` and `sidecar` print with --help; with --check only says whether it is current.

TIDEMARK_BIN_DIR names the folder of the programs [default: target/debug].
"""

import os
import pathlib
import re
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs/cli.md"
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
BINARIES = pathlib.Path(os.environ.get("TIDEMARK_BIN_DIR", TARGET / "debug"))

HEAD = """# Command lines

<!-- Made by tests/docs/render.py from the programs themselves: change the text there, then run `make docs`. -->

What `--help` says, command by command. Options that a command shares with all others stand once, at the top of its program. What `--json` prints is in [cli-json.md](cli-json.md).

## Exit codes

| code | meaning |
|---|---|
"""


def help_of(*words):
    # Values of variables would be shown, and widths follow the terminal.
    done = subprocess.run([BINARIES / words[0], *words[1:], "--help"], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().split("\n"))


def subcommands(text):
    section = text.partition("\nCommands:\n")[2].partition("\n\n")[0]
    return [name for name in re.findall(r"^  ([a-z][a-z-]*)\b", section, re.M) if name != "help"]


def entries(text):
    """The options of a help text: their flags, and all lines of each."""
    found = re.split(r"\n(?=(?:  |      )-)", text.partition("\nOptions:")[2])
    return {re.match(r"\s*(-[^\n]*?)(?:  |\n|$)", one)[1]: one for one in found[1:]}


def without(text, shared):
    """The help text without options that stand elsewhere."""
    head, options, _ = text.partition("\nOptions:")
    # Global options of `sidecar` are short at the top and may be longer below, but their flags are the same.
    own = [one.rstrip() for flags, one in entries(text).items() if flags not in shared and not flags.startswith("-h,")]
    return head.rstrip() + ("\n\nOptions:\n" + "\n".join(own) if own else "")


def sections(program, words, shared, depth):
    text = help_of(*words)
    named = " ".join(words)
    whole = len(words) == 1
    body = text if whole else without(text, shared)
    yield f"\n{'#' * depth} {named}\n\n```\n{body}\n```\n"
    for name in subcommands(text):
        yield from sections(program, [*words, name], shared, depth + 1 if depth < 3 else depth)


def exit_codes():
    text = help_of("dr-cli").partition("Exit codes:")[2]
    return re.findall(r"(\d+) ([^·\n]+(?:\n[^·\n]+)?)", " ".join(text.split()))


def page():
    text = HEAD + "".join(f"| {code} | {meaning.strip()} |\n" for code, meaning in exit_codes())
    text += "\n`sidecar` uses the same codes. What each of them means for a command, and `error.kind` in JSON: [cli-json.md](cli-json.md#every-command).\n"
    for program in ("dr-cli", "sidecar"):
        text += "".join(sections(program, [program], set(entries(help_of(program))), 2))
    return text


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(0 if PAGE.read_text() == page() else f"{PAGE.relative_to(REPOSITORY)} is not what the programs say: run `make docs`")
    PAGE.write_text(page())
