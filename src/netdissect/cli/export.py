"""``netdissect export``: what a run's network computes, for analyses of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import IS_MODEL, SEVERAL, SWITCH, ModelOptions, describe_default
from netdissect.cli.typed_words import PATHS
from netdissect.progress import show_progress


def export(
    run: Path,
    model: Annotated[str | None, IS_MODEL, describe_default("the bundled network")] = None,
    /,
    *,
    out: Path,
    data: Annotated[str | None, PATHS, Parameter(["--data", "-s"]), describe_default("the run's probe set")] = None,
    layers: Annotated[list[str] | None, Parameter(["--layers", "-l"]), SEVERAL, describe_default("all")] = None,
    activations: Annotated[
        Literal["npy", "parquet"] | None, Parameter(["--activations", "--export-activations"]), describe_default("none")
    ] = None,
    counts: Annotated[bool, SWITCH] = False,
    quantiles: Annotated[bool, SWITCH] = False,
    maxima: Annotated[bool, SWITCH] = False,
    limit: Annotated[int | None, describe_default("all")] = None,
    device: str = "auto",
    loading: ModelOptions = ModelOptions(),
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Write what a finished run's network computes over images into a folder: activations, counts, quantiles, maxima.

    Args:
        run: Run folder.
        out: Folder of the export, new or empty; an interrupted export in it goes on.
        data: Probe set, or any folder of images.
        layers: Layers of the run, also by patterns.
        activations: Every activation, as one .npy array per layer (images, units, rows, columns) or as Parquet.
        counts: Pixels of every unit's mask, of its label and of both, image by image.
        quantiles: Exact quantiles of every unit's activations.
        maxima: Maximum of every image and unit.
        limit: Use only the first N images.
        device: Device of the network: auto, cpu, cuda or cuda:N.
        quiet: Show no progress.
    """
    from netdissect.analyses.export import export_activations
    from netdissect.model_loading import defer_loading

    with show_progress(not quiet) as bars:
        folder = export_activations(
            run, defer_loading(model, loading), data, out=out, layers=layers, activations=activations, counts=counts, quantiles=quantiles,
            maxima=maxima, limit=limit, device=device, progress=bars,
        )  # fmt: skip
    print_line(f"export: {folder} (export.json says what is in it)")
