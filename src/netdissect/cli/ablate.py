"""``netdissect ablate``: what the network's class outputs lose without the units of each concept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import IS_MODEL, MODEL, SEVERAL, SWITCH, ModelOptions, describe_default
from netdissect.cli.run import print_run_location
from netdissect.cli.typed_words import PATHS
from netdissect.progress import show_progress
from netdissect.results.ablation import Replacement


def ablate(
    run: Annotated[Path, Parameter(group=MODEL)],
    model: Annotated[str | None, IS_MODEL, describe_default("the bundled network")] = None,
    /,
    *,
    data: Annotated[
        str | None, PATHS, Parameter(["--data", "--dataset"], group=MODEL), describe_default("the run's")
    ] = None,
    labels: Annotated[
        Path | None, Parameter(group=MODEL), describe_default("folders, or labels of whole images")
    ] = None,
    classes: Annotated[Path | None, Parameter(group=MODEL), describe_default("the network's, or the images'")] = None,
    layers: Annotated[
        list[str] | None, Parameter(["--layers", "--layer", "-l"]), SEVERAL, describe_default("the last")
    ] = None,
    to: Replacement = "zero",
    matched: int = 200,
    curve: Annotated[bool, Parameter(negative="--no-curve", show_default=False)] = True,
    split: Annotated[str | None, describe_default("all")] = None,
    limit: Annotated[int | None, describe_default("all")] = None,
    device: str = "auto",
    loading: ModelOptions = ModelOptions(),
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Remove the units of each concept, and measure what the network's class outputs lose: does it use them?

    The loss is compared with that of other units of similar mean activation. Tables are written into the run's folder, as
    LAYER-ablation.json and .csv, with a figure, .svg and .png, and into its report; an interrupted ablation is continued.

    Args:
        run: Run folder.
        model: The network that the run dissected.
        data: Images whose class is known: a folder with one folder per class, a folder of images with --labels, or a probe
            set whose labels of whole images are classes.
        labels: CSV table of images and their classes.
        classes: The classes in the order of the network's outputs: a list of names, or ImageNet's or Places365's file.
        layers: Layers of the run, also by patterns, such as 'conv*'. Early layers take many times as long as late ones.
        to: What takes the place of removed activations: zero, or mean, the unit's mean over these images.
        matched: How many sets of other units each concept's units are compared with, at most.
        curve: --no-curve: do not measure every class without its most important units, which runs all images with many sets.
        split: Use only images of this split.
        limit: Use at most N images.
        device: Device of the network: auto, cpu, cuda or cuda:N.
        quiet: Show no progress.
        loading: Options for MODEL.
    """
    from netdissect.analyses.ablate import ablate as remove_units
    from netdissect.model_loading import defer_loading
    from netdissect.results.ablation_findings import describe_ablation

    names = None if layers is None else [name for word in layers for name in word.replace(",", " ").split()]
    with show_progress(not quiet) as bars:
        result = remove_units(
            run, defer_loading(model, loading), data, labels=labels, classes=classes, layers=names, to=to, matched=matched, curve=curve, split=split,
            limit=limit, device=device, progress=bars,
        )  # fmt: skip
    for layer in result.layers.values():
        for line in describe_ablation(layer):
            print_line(line)
    print_run_location(run)
