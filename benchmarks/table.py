"""Write the table of docs/performance.md, and the machine, from the figures that other benchmarks recorded."""

from __future__ import annotations

from pathlib import Path

from benchmarks import machine, marked_page

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"


def main(words: list[str]) -> None:
    """Replace the text between the page's marks."""
    del words
    figures = machine.read_figures()
    if not figures:
        raise SystemExit("no figure was recorded yet: run some benchmarks first, such as python -m benchmarks overhead")
    lines = ["| what | measured | at least | load |", "|---|---|---|---|"]
    lines += [f"| {what} | {f['value']} | {f['target']} | {f['load']} |" for what, f in figures.items()]
    machines = sorted({figure["machine"] for figure in figures.values()})
    text = "\n".join([*(f"Measured on {name}.\n" for name in machines), *lines])
    marked_page.replace_part(PAGE, "table", text)
    print(f"{len(figures)} rows in {PAGE}")
