#!/usr/bin/env python3
"""Inputs, outputs and resources of each module into its README.md, below a mark; what stands above it is written by hand.

docs.py           writes
docs.py --check   says which are not up to date, exit code 1
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
MARK = "<!-- Below: terraform/docs.py. Change the descriptions in *.tf, then run it. -->"


def blocks(text, kind):
    """(labels, body) of the blocks of a kind, in files as `terraform fmt` leaves them: a block ends at the first brace in column one."""
    for found in re.finditer(rf'^{kind} ((?:"[^"]+" ?)+)\{{\n(.*?)^\}}', text, re.M | re.S):
        yield re.findall(r'"([^"]+)"', found[1]), found[2]
    for found in re.finditer(rf'^{kind} ((?:"[^"]+" ?)+)\{{\}}', text, re.M):
        yield re.findall(r'"([^"]+)"', found[1]), ""


def argument(body, name):
    """The text of an argument, without indentation; None where there is none."""
    heredoc = re.search(rf"^  {name}\s+= <<-EOT\n(.*?)^\s+EOT", body, re.M | re.S)
    if heredoc:
        return " ".join(heredoc[1].split())
    one_line = re.search(rf"^  {name}\s+= (.*)$", body, re.M)
    if not one_line:
        return None
    if not re.search(r"[({\[]$", one_line[1]):
        return one_line[1]
    # Several lines: up to the closing bracket at the argument's own depth.
    rest = body[one_line.start() :]
    return re.match(r"  .*?\n  [)}\]]+", rest, re.S)[0].split("= ", 1)[1]


def prose(text):
    text = re.sub(r'^"(.*)"$', r"\1", text.strip()).replace('\\"', '"')
    return text.replace("|", "\\|")


def code(text):
    if text is None:
        return ""
    lines = [re.sub(r"\s+", " ", re.sub(r"#.*$", "", line)).strip().rstrip(",") for line in text.splitlines()]
    flat = ", ".join(line for line in lines if line)
    return "`" + re.sub(r"([({\[]),? | ?,? (?=[)}\]])", r"\1", flat).replace("|", "\\|") + "`"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)])


def generated(folder):
    text = "\n".join(file.read_text() for file in sorted(folder.glob("*.tf")))
    inputs = []
    for [name], body in blocks(text, "variable"):
        default = argument(body, "default")
        inputs.append([f"`{name}`", prose(argument(body, "description")), code(argument(body, "type")), code(default) if default else "required"])
    outputs = [[f"`{name}`", prose(argument(body, "description"))] for [name], body in blocks(text, "output")]
    kinds = sorted({f"`{labels[0]}`" for labels, _ in blocks(text, "resource")})
    parts = [MARK, "## Inputs", table(["name", "what it is", "type", "default"], inputs) if inputs else "None."]
    parts += ["## Outputs", table(["name", "what it is"], outputs) if outputs else "None."]
    if kinds:
        parts += ["## Resources", ", ".join(kinds)]
    return "\n\n".join(parts) + "\n"


def folders():
    """Modules, and roots that take variables."""
    found = {file.parent for file in HERE.glob("modules/*/*/variables.tf")} | {file.parent for file in HERE.glob("environments/**/variables.tf")}
    return sorted(folder for folder in found if ".terraform" not in folder.parts)


def main(check):
    stale = []
    for folder in folders():
        readme = folder / "README.md"
        now = readme.read_text() if readme.exists() else f"# {folder.relative_to(HERE)}\n\n"
        wanted = now.split(MARK)[0].rstrip("\n") + "\n\n" + generated(folder)
        if wanted != now:
            stale.append(str(readme.relative_to(HERE.parent)))
            if not check:
                readme.write_text(wanted)
    if check and stale:
        sys.exit("not up to date, run terraform/docs.py: " + ", ".join(stale))


if __name__ == "__main__":
    main("--check" in sys.argv[1:])
