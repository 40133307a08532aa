"""``netdissect compare``: unique detectors across networks, layers and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from netdissect.cli.console import print_line

_Many = Parameter(consume_multiple=True, negative_iterable="")


def compare(
    *sources: str,
    out: Path = Path("comparison.svg"),
    definition: Literal["label", "category"] | None = None,
    threshold: float = 0.04,
    layers: Annotated[list[str] | None, _Many] = None,
    steps: Annotated[list[float] | None, _Many] = None,
    figures: Annotated[list[Literal["networks", "width", "concepts", "iou", "curve"]] | None, _Many] = None,
) -> None:
    """Compare networks, layers, checkpoints: figures as SVG and PNG, their numbers as CSV.

    Two runs of the same network also give a page that sets them side by side, unit by unit.

    Args:
        sources: run folders, folders of runs, the released code's *-result.csv, the paper's .mat, in any mix; NAME=PATH gives a name.
        out: the main figure; the others add a word to its name.
        definition: of unique detectors: by label (the paper's text), or by category (its figure; all a .mat has).
        threshold: IoU from which a unit counts as a detector.
        layers: only these layers of runs.
        steps: training step of every source, for the training curve; looked for in the names if not given.
        figures: only these; all that apply if not given.
    """
    from netdissect.experiments import compare_runs

    comparison = compare_runs.compare(
        sources, definition=definition, threshold=threshold, layers=layers or (), steps=steps or ()
    )
    for path in comparison.write_figures(out, figures=figures or ()):
        print_line(f"figure: {path} (and .png, .csv)")
    page = comparison.write_page(out)
    if page is not None:
        print_line(f"side by side: {page}")
    width, matched = comparison.match_widths()
    longest = max(len(entry.name) for entry in comparison.entries)
    for entry in sorted(comparison.entries, key=lambda entry: -entry.total):
        line = f"{entry.name:<{longest}}  {entry.total:4d} unique by {entry.definition}, {entry.detectors:5d} of {entry.units} units"
        if entry.name in matched and len(matched) > 1:
            mean, spread = matched[entry.name]
            line += f", {mean:.1f} ± {spread:.1f} unique among {width} random units"
        print_line(line)
    for remark in comparison.remarks:
        print_line(remark)
