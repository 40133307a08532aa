"""``netdissect dissect``: from a folder of photos to a report in one command."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from netdissect.cli.config_file import ConfigOptions
from netdissect.cli.console import print_line
from netdissect.cli.help_screen import HelpScreen
from netdissect.cli.option_groups import (
    IS_MODEL,
    MODEL,
    SEVERAL,
    ExecutionOptions,
    MethodOptions,
    ModelOptions,
    RunOptions,
    describe_default,
)
from netdissect.cli.run import print_run_result, require_layers_and_data
from netdissect.cli.typed_words import PATHS
from netdissect.config import Settings
from netdissect.progress import show_progress

_LABELS = Parameter(group=Group("Labels of the photos", sort_key=2.5, help_formatter=HelpScreen()))


def dissect(
    photos: Annotated[Path, Parameter(group=MODEL)],
    model: Annotated[str, IS_MODEL],
    /,
    *,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer", "-l"], group=MODEL), SEVERAL] = None,
    out: Annotated[Path | None, Parameter(group=MODEL), describe_default("dissection/MODEL-PHOTOS")] = None,
    words: Annotated[list[str] | None, _LABELS, SEVERAL, describe_default("none")] = None,
    segmenter: Annotated[str | None, PATHS, _LABELS, describe_default("none")] = None,
    word_model: Annotated[str, PATHS, _LABELS] = "hf:CIDAS/clipseg-rd64-refined",
    label_threshold: Annotated[float | None, _LABELS, describe_default("0.5 with --words, else 0")] = None,
    probe_set: Annotated[Path | None, _LABELS, describe_default("dataset/PHOTOS-LABELS")] = None,
    size: Annotated[int, _LABELS] = 224,
    loading: ModelOptions = ModelOptions(),
    method: MethodOptions = MethodOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    this_run: RunOptions = RunOptions(),
    config: ConfigOptions = ConfigOptions(),
) -> None:
    """Label a folder of photos with words or a segmentation network, and dissect a network with them.

    The labels become a probe set, which other networks use with netdissect run --data; repeating the command continues it.
    They are only as good as the network that makes them: look at preview.html in its folder.

    Args:
        photos: Folder of photos, without labels.
        layers: Layers, 'layer4.*' or last; netdissect layers MODEL lists them.
        out: Run folder.
        words: Concepts to look for in the photos: --words dog sky 'red car'.
        segmenter: Segmentation network whose classes are the concepts: hf:NAME, torchvision:NAME, or a folder as hf:FOLDER.
        word_model: CLIPSeg model that finds the words, by name or as hf:FOLDER.
        label_threshold: Smallest probability of a label.
        probe_set: Folder of the probe set.
        size: Side of the probe set's images in pixels.
    """
    from netdissect.experiments import photo_labels

    photo_labels.check_labels(photos, words, segmenter)
    settings = Settings(**vars(method) | vars(execution))
    named = photo_labels.name_probe_set(photos, words, segmenter, settings.limit)
    folder = probe_set or Path("dataset") / named
    layers, _ = require_layers_and_data(model, layers, str(folder))

    from netdissect import api, arguments
    from netdissect.model_loading import load_network

    network = load_network(model, **asdict(replace(loading, seed=method.seed)))
    print_line(f"{network.source}: {network.preprocess.describe()}")
    run_folder = out or Path("dissection") / f"{network.name}-{photos.resolve().name}"
    arguments.require_run_folder(run_folder)
    photo_labels.require_layers(network, layers, (size, size), settings)
    config.save()
    labeler = photo_labels.load_labeler(
        words, segmenter, word_model=word_model, threshold=label_threshold, device=settings.device
    )
    with show_progress(not this_run.quiet) as bars:
        made = photo_labels.label_photos(
            labeler, photos, folder, by_words=bool(words), size=size, limit=settings.limit, workers=os.cpu_count() or 1,
            progress=bars, say=print_line,
        )  # fmt: skip
    del labeler
    print_line(f"{made.folder}: look at {made.folder / 'preview.html'}: a dissection is only as good as these labels")
    concepts, settings, _ = api.check_inputs(folder, settings, run_folder)
    with show_progress(not this_run.quiet) as bars:
        result = api.dissect(
            network, layers, concepts, out=run_folder, fresh=this_run.fresh, progress=bars, settings=settings
        )
    print_run_result(result, run_folder, with_report=settings.pictures)
