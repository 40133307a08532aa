"""``netdissect discriminate``: how well a linear classifier tells classes apart by a layer's activations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import IS_MODEL, SEVERAL, SWITCH, ModelOptions, describe_default
from netdissect.cli.typed_words import PATHS
from netdissect.progress import show_progress


def discriminate(
    run: Path,
    model: Annotated[str | None, IS_MODEL, describe_default("the bundled network")] = None,
    /,
    *,
    data: Annotated[str | None, PATHS, Parameter(["--data", "-s"]), describe_default("the run's probe set")] = None,
    classes: Annotated[Path | None, describe_default("the names that the images have")] = None,
    labels: Annotated[Path | None, describe_default("class folders, or labels of whole images")] = None,
    layers: Annotated[list[str] | None, Parameter(["--layers", "-l"]), SEVERAL, describe_default("all")] = None,
    folds: int = 5,
    seed: int = 0,
    split: Annotated[str | None, describe_default("all")] = None,
    limit: Annotated[int | None, describe_default("all")] = None,
    beside: Annotated[list[Path] | None, SEVERAL, describe_default("none")] = None,
    device: str = "auto",
    loading: ModelOptions = ModelOptions(),
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Measure how well a linear classifier tells classes apart by each layer's activations, beside its unique detectors.

    Writes discrimination.json, .csv, .svg, .pdf and .png into the run folder.

    Args:
        run: Run folder.
        data: Images whose class is known: a folder with one folder per class, a folder of images with --labels, or a
            probe set that labels whole images.
        classes: File that lists the classes.
        labels: Table of images and their classes, a .csv.
        layers: Layers of the run, also by patterns.
        folds: Parts of the images, each held out once.
        seed: Seed of the division into folds.
        split: Use only images of this split, such as val.
        limit: Use at most this many images.
        beside: Run folders of other networks for which this was measured over the same images; the figure shows them too.
        device: Device of the network: auto, cpu, cuda or cuda:N.
        quiet: Show no progress.
    """
    from netdissect.analyses.discriminate import discriminate
    from netdissect.model_loading import defer_loading

    with show_progress(not quiet) as bars:
        answer = discriminate(
            run, defer_loading(model, loading), data, classes=classes, labels=labels, layers=layers, folds=folds, seed=seed, split=split,
            limit=limit, beside=beside or (), device=device, progress=bars,
        )  # fmt: skip
    for line in answer.describe():
        print_line(line)
    for note in answer.notes:
        print_line(f"note: {note}")
    print_line(f"figure: {run / 'discrimination.svg'} (and .pdf, .png, .csv, .json)")
