"""``netdissect series``: dissect many checkpoints of one architecture."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.cli.config_file import ConfigOptions
from netdissect.cli.console import print_line
from netdissect.cli.option_groups import (
    IS_MODEL,
    MODEL,
    MODEL_RARE,
    SEVERAL,
    ExecutionOptions,
    MethodOptions,
    PreprocessOptions,
    RunOptions,
    describe_default,
)
from netdissect.cli.run import parse_projections, print_run_result, require_layers_and_data
from netdissect.cli.typed_words import PATHS, PATTERNS
from netdissect.config import Settings

if TYPE_CHECKING:
    from netdissect.networks.network import Network


def series(
    model: Annotated[str, IS_MODEL],
    /,
    *,
    weights: Annotated[
        list[str] | None, PATTERNS, Parameter(["--weights", "-w"], group=MODEL), SEVERAL, describe_default("none")
    ] = None,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer", "-l"], group=MODEL), SEVERAL] = None,
    data: Annotated[str | None, PATHS, Parameter(["--data", "--dataset"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(group=MODEL), describe_default("dissection/MODEL-series")] = None,
    projection: Annotated[
        list[str] | None, PATHS, Parameter(group=MODEL_RARE), SEVERAL, describe_default("none")
    ] = None,
    loading: PreprocessOptions = PreprocessOptions(),
    method: MethodOptions = MethodOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    this_run: RunOptions = RunOptions(),
    config: ConfigOptions = ConfigOptions(),
) -> None:
    """Dissect many checkpoints of one architecture; images and labels are decoded once.

    Each checkpoint gets its own run folder below --out, the same that netdissect run would write. Finished runs are not
    computed again; netdissect track OUT draws the training curve.

    Args:
        weights: Checkpoints: files, or patterns such as 'runs/*.ckpt', in natural order (epoch_2 before epoch_10).
        layers: Layers, 'layer4.*' or last; netdissect layers MODEL lists them.
        data: Probe set: folder, prepared file, or name of a downloaded one.
        out: Folder of the run folders, which are named after the checkpoints.
        projection: Sparse autoencoder whose latents replace the layer's units: a file, or LAYER=FILE for each of
            several layers.
    """
    layers, data = require_layers_and_data(model, layers, data)
    projections = parse_projections(projection)
    settings = Settings(**vars(method) | vars(execution))

    from netdissect.api import check_inputs
    from netdissect.experiments import checkpoint_files, checkpoint_series
    from netdissect.experiments.checkpoint_loader import CheckpointLoader
    from netdissect.model_loading import load_network

    paths = checkpoint_files.find_checkpoints(weights or [])
    concepts, settings, _ = check_inputs(data, settings, None)

    def load(path: str) -> Network:
        return load_network(model, **asdict(replace(loading, weights=path, seed=method.seed)))

    loader = CheckpointLoader(load)
    first = loader(next(iter(paths.values())))
    print_line(f"{model}: {first.preprocess.describe()}")
    folder = checkpoint_series.require_series_folder(out or Path("dissection") / f"{first.name}-series", paths)
    del first
    config.save()
    members = checkpoint_series.open_members(paths, loader)
    for name, result in checkpoint_series.dissect_members(
        members, layers, concepts, settings, out=folder, total=len(paths), projection=projections,
        fresh=this_run.fresh, progress=not this_run.quiet,
    ):  # fmt: skip
        print_line(name, bold=True)
        print_run_result(result, folder / name, with_report=settings.pictures)
    print_line(f"netdissect compare {folder} draws the training curve")
