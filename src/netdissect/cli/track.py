"""``netdissect track``: follow the units of one network over its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import SEVERAL, describe_default
from netdissect.cli.typed_words import PATHS


def track(
    *sources: Annotated[str, PATHS],
    out: Path = Path("track.svg"),
    definition: Literal["label", "category"] = "label",
    threshold: float = 0.04,
    layers: Annotated[list[str] | None, SEVERAL, describe_default("all")] = None,
    steps: Annotated[list[float] | None, SEVERAL, describe_default("read from the names")] = None,
    width: Literal["column", "text", "slide"] = "text",
) -> None:
    """Follow the units of one network over its checkpoints: unique detectors, and units whose label changes.

    A label change counts only where more than 95 % of resamples keep both labels: others change by chance.

    Args:
        sources: Run folders of one network, or a folder of such runs, as netdissect series writes it; NAME=PATH names a run.
        out: Figure of unique detectors; the others add a word to its name, and all write their numbers as CSV.
        definition: How unique detectors are counted: by label (the paper's text) or by category (its figure).
        threshold: Smallest score of a detector, an IoU by default.
        layers: Follow only these layers.
        steps: Training step of each run.
        width: Where figures are set, true to size: in a column (3.25 inches), over a text (5.5) or on a slide (10).
    """
    from netdissect.experiments import track as tracks
    from netdissect.experiments.track_figures import describe_track

    tracked = tracks.track(sources, definition=definition, threshold=threshold, layers=layers or (), steps=steps or ())
    for path in tracked.write_figures(out, width=width):
        print_line(f"figure: {path} (and .pdf, .png, .csv)" if path.suffix == ".svg" else f"units: {path}")
    for line in describe_track(tracked):
        print_line(line)
