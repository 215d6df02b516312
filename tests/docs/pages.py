"""The Markdown of the repository: its pages, and of a page its headings, links, code spans and blocks."""

import functools
import os
import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Built, fetched or copied: not ours to judge.
SKIPPED = {"target", "node_modules", ".git", ".terraform", ".tidemark-cache", "__pycache__"}
SHELLS = {"sh", "bash", "console"}


class Block:
    """A fenced block. `needs` is what its marker says that it cannot be run without, `until_stopped` whether it runs for ever."""

    def __init__(self, page, line, language, text, above, page_needs):
        self.page, self.line, self.language = page, line, language
        # A session shows what was typed behind a prompt, and answers.
        self.text = text if language != "console" else "".join(f"{typed}\n" for typed in re.findall(r"^[$#] (.*)$", text, re.M))
        marked = re.fullmatch(r"<!-- needs: (.+) -->", above)
        self.needs = marked[1] if marked else page_needs
        self.until_stopped = above == "<!-- runs until it is stopped -->"
        self.file = (re.fullmatch(r"<!-- file: (\S+) -->", above) or [None, None])[1]
        # What is wrong on purpose says how it ends.
        self.ends_with = int((re.fullmatch(r"<!-- ends with exit code: (\d+) -->", above) or [0, 0])[1])

    def __str__(self):
        return f"{self.page.name}:{self.line}"


class Page:
    def __init__(self, path, text=None):
        self.path = path
        self.name = str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else path.name
        self.text = path.read_text() if text is None else text

    @functools.cached_property
    def _split(self):
        """Blocks, and the text without them (lines stay where they are)."""
        blocks, prose, begun = [], [], None
        page_needs = (re.search(r"^<!-- this page needs: (.+) -->$", self.text, re.M) or [None, None])[1]
        for number, line in enumerate(self.text.split("\n"), 1):
            fence = re.match(r"(\s*)(```+|~~~+)(.*)$", line)
            if begun and fence and fence[2] == begun[1] and not fence[3].strip():
                at, _, indent, language, inside, above = begun
                text = "".join(one.removeprefix(indent) + "\n" for one in inside)
                blocks.append(Block(self, at, language, text, above, page_needs))
                begun = None
                prose.append("")
            elif begun:
                begun[4].append(line)
                prose.append("")
            elif fence:
                begun = (number, fence[2], fence[1], fence[3].strip(), [], prose[-1].strip() if prose else "")
                prose.append("")
            else:
                prose.append(line)
        if begun:
            raise ValueError(f"{self.name}:{begun[0]}: a block without an end")
        return blocks, "\n".join(prose)

    @property
    def blocks(self):
        return self._split[0]

    @property
    def shell_blocks(self):
        return [block for block in self.blocks if block.language in SHELLS]

    @property
    def prose(self):
        return self._split[1]

    @functools.cached_property
    def anchors(self):
        """What can follow a `#`: headings as GitHub makes anchors of them, and anchors that are written out."""
        found, seen = set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", self.prose)), {}
        for heading in re.findall(r"^#{1,6}\s+(.+?)\s*#*$", self.prose, re.M):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
            anchor = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            times = seen.get(anchor, 0)
            seen[anchor] = times + 1
            found.add(f"{anchor}-{times}" if times else anchor)
        return found

    @property
    def links(self):
        """(line, target) of every link."""
        for number, line in enumerate(self.prose.split("\n"), 1):
            bare = re.sub(r"`[^`]*`", "", line)
            for target in re.findall(r"\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)", bare) + re.findall(r"^\[[^\]]+\]:\s*(\S+)", bare):
                yield number, target
            for target in re.findall(r"<(https?://[^>]*)>", bare):
                yield number, target

    @property
    def spans(self):
        """(line, text) of every code span."""
        for number, line in enumerate(self.prose.split("\n"), 1):
            for text in re.findall(r"(?<!`)`([^`]+)`(?!`)", line):
                yield number, text


def pages():
    found = []
    for folder, folders, files in os.walk(REPOSITORY):
        folders[:] = sorted(set(folders) - SKIPPED)
        found += [pathlib.Path(folder, name) for name in files if name.endswith(".md")]
    return [Page(path) for path in sorted(found)]


def executed(page):
    """Whether the blocks of a page are run: those that a reader of the documents follows."""
    return page.name in {"README.md", "CONTRIBUTING.md"} or re.fullmatch(r"docs/[^/]+\.md", page.name)
