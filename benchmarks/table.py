"""Write the table of docs/performance.md, and the machine, from the figures that other benchmarks recorded."""

from __future__ import annotations

from pathlib import Path

from benchmarks import machine

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main(words: list[str]) -> None:
    """Replace the text between the page's marks."""
    del words
    figures = machine.read_figures()
    if not figures:
        raise SystemExit("no figure was recorded yet: run some benchmarks first, such as python -m benchmarks overhead")
    lines = ["| what | measured | at least | load |", "|---|---|---|---|"]
    lines += [f"| {what} | {f['value']} | {f['target']} | {f['load']} |" for what, f in figures.items()]
    machines = sorted({figure["machine"] for figure in figures.values()})
    table = "\n".join([BEGIN, "", *(f"Measured on {name}.\n" for name in machines), *lines, "", END])
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + table + rest.partition(END)[2], encoding="utf-8")
    print(f"{len(figures)} rows in {PAGE}")
