"""Code blocks of the documents: commands that a reader types, and the lines that a command prints."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
#: Languages of blocks that hold commands; a block without a language holds commands if a line begins with one.
SHELL = ("", "sh", "bash", "console", "text")
#: Programs that readers are told to type.
PROGRAMS = ("netdissect", "python", "python3", "pip", "curl", "cd", "mkdir", "git", "unzip", "tar", "cat", "export")
_BLOCK = re.compile(
    r'^(?P<indent> *)```(?P<language>\w*)(?: title="(?P<title>[^"\n]+)")?[^\n`]*\n(?P<code>.*?)^(?P=indent)```$|(?<=\n\n)(?P<indented>(?:    [^\n]*\n)+)',
    re.DOTALL | re.MULTILINE,
)
_NOTE = re.compile(r"<!-- (.+?) -->\s*\Z", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A code block of a page.

    Attributes:
        page: path of the page, relative to the repository's root.
        line: line of the page on which the code begins.
        language: the language that the page names, or "".
        code: the lines, without the page's indentation.
        note: the HTML comment right above the block, or "".
        title: the name of the file that the block is, or "".
    """

    page: str
    line: int
    language: str
    code: str
    note: str = ""
    title: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines, without prompts and comments, with continued lines joined; () if the block has none."""
        if self.language not in SHELL:
            return ()
        lines = self.code.replace("\\\n", " ").splitlines()
        prompts = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
        found = prompts or [line.strip() for line in lines if line.split() and line.split()[0] in PROGRAMS]
        return tuple(" ".join(line.split()) for line in map(_without_comment, found) if line)

    @property
    def output(self) -> tuple[str, ...]:
        """The lines below the last command, if the block has one command: what it prints."""
        lines = self.code.replace("\\\n", " ").splitlines()
        if len(self.commands) != 1:
            return ()
        first = next(
            number
            for number, line in enumerate(lines)
            if line.removeprefix("$ ").split()[:1] == self.commands[0].split()[:1]
        )
        return tuple(line.rstrip() for line in lines[first + 1 :])


def find_blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page, fenced or indented by four spaces."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        indent = match["indent"] if match["indented"] is None else "    "
        code = match["code"] if match["indented"] is None else match["indented"]
        lines = [line.removeprefix(indent) for line in code.splitlines()]
        note = _NOTE.search(text[: match.start()])
        yield Block(
            page.relative_to(ROOT).as_posix(), text[: match.start()].count("\n") + (2 if match["indented"] is None else 1),
            match["language"] or "", "\n".join(lines) + "\n", note[1].strip() if note else "",
            match["title"] or "",
        )  # fmt: skip


def list_pages() -> list[Path]:
    """Return README.md, the other Markdown files of the root, and all pages below docs/ and examples/."""
    return [
        *sorted(ROOT.glob("*.md")),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "examples").glob("*.md")),
    ]


def split_words(command: str) -> list[str]:
    """Return a command's words as a shell splits them."""
    return shlex.split(command, comments=True)


def _without_comment(line: str) -> str:
    """Return a line without the comment at its end, if a space is before the ``#``."""
    return re.sub(r"(^|\s)#\s.*$", "", line).strip()
