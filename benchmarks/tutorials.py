"""Type the tutorials and compare what is printed with the pages.

    python -m benchmarks tutorials -- [--folder DIR] [--only PAGE …]

The pages of a group are typed in one folder, in the order of the site; scripts that a page shows are saved and run. A line of … stands
for any lines, and times of day and durations for any. A block of output without a command must be part of what was printed
before. Not compared: the tutorial on clusters, whose outputs are those of an interruption, and sessions in Python.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from website import blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GROUPS = (("first-dissection", "is-it-real", "what-does-it-use", "your-network", "your-concepts"), ("checkpoints",))
REST = "…"
_SYNOPSIS = re.compile(r"\[(--|[A-Z])|\b(MODEL|DATA|RUN)\b")
_TIME = re.compile(r"\b\d+:\d\d\b")
#: What every process runs first: where torch is a CPU build, torchvision cannot be imported otherwise.
_START = "from benchmarks import machine\nmachine.shim_torchvision()\n"
#: A line about progress, printed every ten seconds where there is no terminal.
_PROGRESS = re.compile(r"^netdissect: .*(\d/s|\d+/\d+|\bin [\d.:]+( s)?$)")


def main(words: Sequence[str]) -> None:
    """Type every page, print which outputs differ, and exit with 1 if one does."""
    parser = argparse.ArgumentParser("python -m benchmarks tutorials")
    parser.add_argument("--folder", type=Path, help="where pages are typed; a new folder by default")
    parser.add_argument("--only", nargs="+", metavar="PAGE", help="pages, such as checkpoints")
    options = parser.parse_args(words)
    differing = 0
    with tempfile.TemporaryDirectory() as new:
        for pages in GROUPS:
            chosen = [page for page in pages if not options.only or page in options.only]
            folder = (options.folder or Path(new)) / pages[0]
            (folder / ".start").mkdir(parents=True, exist_ok=True)
            (folder / ".start/sitecustomize.py").write_text(_START)
            differing += sum(not same for same in type_pages(chosen, folder))
    print(f"{differing} outputs differ from the tutorials")
    if differing:
        raise SystemExit(1)


def type_pages(pages: Sequence[str], folder: Path) -> Iterator[bool]:
    """Type the commands of tutorials in a folder; yield for every output that a page shows whether it was printed."""
    printed: list[str] = []
    for page in pages:
        for block in blocks.find_blocks(blocks.ROOT / f"docs/tutorials/{page}.md"):
            where = f"{page}:{block.line}"
            if block.title:
                (folder / block.title).write_text(block.code, encoding="utf-8")
            elif block.commands and not block.note.startswith("not run:"):
                found = run_block(block, folder)
                if block.output:
                    yield compare(where, block.output, found, whole=True)
                printed += found
            elif block.language == "text" and not block.code.startswith("UnitTable"):
                yield compare(where, block.code.splitlines(), printed, whole=False)


def run_block(block: blocks.Block, folder: Path) -> list[str]:
    """Run the commands of a block; return what they print, without lines about progress. A command that fails ends the benchmark."""
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(folder / ".start"), str(blocks.ROOT)])
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])
    lines: list[str] = []
    for command in [block.code] if "<<" in block.code else block.commands:
        if _SYNOPSIS.search(command) and "<<" not in command:
            continue
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{block.page}:{block.line}: {command}: exit code {done.returncode}\n{done.stdout}")
        lines += [line.rstrip() for line in done.stdout.splitlines() if not _PROGRESS.match(line)]
    return lines


def compare(where: str, shown: Sequence[str], printed: Sequence[str], *, whole: bool) -> bool:
    """Print whether a page shows what was printed, and this if not.

    Args:
        where: the page and the line of the block.
        shown: lines of the page.
        printed: lines that were printed.
        whole: whether the page shows all of it, but for lines of ….
    """
    lines = [
        r"(?:.*\n)*?" if line.strip() == REST else f"{re.escape(_TIME.sub('0:00', line.rstrip()))}\n" for line in shown
    ]
    text = "".join(f"{_TIME.sub('0:00', line)}\n" for line in printed)
    pattern = "".join(lines)
    same = bool(re.fullmatch(pattern, text) if whole else re.search(f"^{pattern}", text, re.MULTILINE))
    print(f"{'same' if same else 'DIFFERS'}: {where}", flush=True)
    if not same:
        print("".join(f"    {line}\n" for line in printed[-60:]), end="", flush=True)
    return same
