"""``netdissect compare``: compare the unique detectors of networks, layers and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import SEVERAL, SWITCH, describe_default
from netdissect.cli.typed_words import PATHS


def compare(
    *sources: Annotated[str, PATHS],
    out: Path = Path("comparison.svg"),
    definition: Annotated[
        Literal["label", "category"] | None, describe_default("label, unless a source is the paper's .mat")
    ] = None,
    threshold: float = 0.04,
    layers: Annotated[list[str] | None, SEVERAL, describe_default("all")] = None,
    steps: Annotated[list[float] | None, SEVERAL, describe_default("read from the names")] = None,
    figures: Annotated[
        list[Literal["networks", "width", "concepts", "iou", "curve"]] | None,
        SEVERAL,
        describe_default("all that apply"),
    ] = None,
    width: Literal["column", "text", "slide"] = "text",
    figures_only: Annotated[bool, SWITCH] = False,
) -> None:
    """Compare the unique detectors of networks, layers or checkpoints: figures as SVG, PDF and PNG, numbers as CSV.

    Two or more runs also give a report of all of them, with a page that compares them unit by unit.

    Args:
        sources: Run folders, folders of runs, the released code's *-result.csv or the paper's .mat, in any mix;
            NAME=PATH names a source.
        out: Folder of the report, or the main figure; the other figures add a word to its name, and the report goes to a folder of its name.
        definition: How unique detectors are counted: by label (the paper's text) or by category (its figure).
        threshold: Smallest score of a detector, an IoU by default.
        layers: Compare only these layers.
        steps: Training step of each source, for the training curve.
        figures: Draw only these figures.
        width: Where figures are set, true to size: in a column (3.25 inches), over a text (5.5) or on a slide (10).
        figures_only: Draw the figures and write no report.
    """
    from netdissect.experiments import compare_runs
    from netdissect.experiments.compared_text import describe_comparison

    comparison = compare_runs.compare(
        sources, definition=definition, threshold=threshold, layers=layers or (), steps=steps or ()
    )
    page = (
        None if figures_only else comparison.write_page(out)
    )  # refuses the folder of something else before figures are drawn
    main = out / "comparison.svg" if page is not None and page.parent == out else out
    for path in comparison.write_figures(main, figures=figures or (), width=width):
        print_line(f"figure: {path} (and .pdf, .png, .csv)")
    if page is not None:
        print_line(f"report: {page}")
    for line in describe_comparison(comparison):
        print_line(line)
    for remark in comparison.remarks:
        print_line(remark)
