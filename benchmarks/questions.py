"""Run the commands of docs/questions.md and compare what they print with the page.

    python -m benchmarks questions -- [--folder DIR] [--write]

Every block of the page has commands and, if it has one command, what this prints; a last line of … stands for the rest. --write
puts what is printed now into the page. The commands run in DIR, a new folder by default; finished runs in it are used again. Commands
that name squeezenet need the reference data (../shared) and are left out without it.
"""

from __future__ import annotations

import argparse
import csv
import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PAGE = Path(__file__).resolve().parents[1] / "docs/questions.md"
SHARED = Path(__file__).resolve().parents[2] / "shared"
#: A line that stands for the rest of an output.
REST = "…"
#: ImageNet's name for what MSRC's images show, by the number in their name; those with at least 10 images.
MSRC_CLASSES = {"4": "airliner", "5": "ox", "9": "ram", "11": "street sign", "13": "library"}
_BLOCK = re.compile(r"^```\n(netdissect .*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A block of the page: its commands, as they are typed, and the lines that the page shows of the output."""

    commands: tuple[str, ...]
    shown: tuple[str, ...]

    @property
    def needs_shared(self) -> bool:
        return any("squeezenet" in command for command in self.commands)

    def run(self, folder: Path) -> list[str]:
        """Run the commands in a folder; return the lines that the last one prints, errors too."""
        lines: list[str] = []
        for command in self.commands:
            words = shlex.split(command, comments=True)[1:]
            done = subprocess.run(
                [sys.executable, "-m", "netdissect", *words], cwd=folder, text=True, capture_output=True, check=False,
                env={**os.environ, "PYTHONUTF8": "1"},
            )  # fmt: skip
            if done.returncode not in (0, 2):
                raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stderr}")
            lines = [
                line.rstrip() for line in (done.stdout + (done.stderr if done.returncode == 2 else "")).splitlines()
            ]
        return lines

    def cut(self, lines: Sequence[str]) -> list[str]:
        """Return as much of an output as the page shows."""
        if not self.shown:
            return []
        most = len(self.shown) - 1
        return [*lines[:most], REST] if self.shown[-1] == REST and len(lines) > most else list(lines)


def find_blocks(text: str) -> Iterator[tuple[re.Match[str], Block]]:
    """Yield the blocks of a page that have commands, and where they are."""
    for match in _BLOCK.finditer(text):
        lines = match[1].splitlines()
        commands = [line for line in lines if line.startswith("netdissect ")]
        shown = lines[len(commands) :]
        if shown and len(commands) > 1:
            raise SystemExit(f"{PAGE}: a block with an output has one command, not {len(commands)}: {lines[0]}")
        yield match, Block(tuple(commands), tuple(line.rstrip() for line in shown))


def link_shared(folder: Path) -> bool:
    """Link the reference network and images into a folder, and write their classes; return whether they are there."""
    models, data = SHARED.resolve() / "models", SHARED.resolve() / "data/real_a_227"
    if not data.exists():
        return False
    (folder / "zoo").mkdir(exist_ok=True)
    for target, name in ((data, "real_a_227"), *((path, f"zoo/{path.name}") for path in models.glob("squeezenet*"))):
        if not (folder / name).exists():
            (folder / name).symlink_to(target)
    write_classes(folder)
    return True


def write_classes(folder: Path) -> None:
    """Write ImageNet's classes, and a table of the photographs that MSRC calls one of them (`MSRC_CLASSES`)."""
    from benchmarks.machine import shim_torchvision

    shim_torchvision()
    from torchvision.models import ResNet18_Weights

    (folder / "imagenet.txt").write_text("".join(f"{name}\n" for name in ResNet18_Weights.DEFAULT.meta["categories"]))
    with (
        (folder / "real_a_227/index.csv").open(newline="") as file,
        (folder / "photos.csv").open("w", newline="") as out,
    ):
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["image", "class"])
        for image in (row["image"] for row in csv.DictReader(file)):
            found = re.match(r"msrc/msrc_(\d+)_", image)
            if found and found[1] in MSRC_CLASSES:
                table.writerow([image, MSRC_CLASSES[found[1]]])


def main(words: Sequence[str]) -> None:
    """Run every block, and print which outputs differ from the page."""
    parser = argparse.ArgumentParser("python -m benchmarks questions")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as new:
        folder = options.folder or Path(new)
        folder.mkdir(parents=True, exist_ok=True)
        text, differing = run_page(PAGE.read_text(encoding="utf-8"), folder, has_shared=link_shared(folder))
    if options.write:
        PAGE.write_text(text, encoding="utf-8")
    print(f"{differing} outputs differ from the page" + (", which has the new ones now" if options.write else ""))
    if differing and not options.write:
        raise SystemExit(1)


def run_page(text: str, folder: Path, *, has_shared: bool) -> tuple[str, int]:
    """Return the page with what its commands print now, and how many outputs differ."""
    parts, end, differing = [], 0, 0
    for match, block in find_blocks(text):
        if block.needs_shared and not has_shared:
            print(f"left out, no reference data: {block.commands[0]}")
            continue
        found = block.cut(block.run(folder))
        same = not block.shown or found == list(block.shown)
        differing += not same
        print(f"{'same' if same else 'DIFFERS'}: {'; '.join(block.commands)}", flush=True)
        for line in () if same else found:
            print(f"    {line}")
        parts += [text[end : match.start(1)], *(f"{line}\n" for line in (*block.commands, *found))]
        end = match.end(1)
    return "".join([*parts, text[end:]]), differing
