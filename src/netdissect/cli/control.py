"""``netdissect control``: dissect untrained networks of an architecture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.cli.config_file import ConfigOptions
from netdissect.cli.console import print_line
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

if TYPE_CHECKING:
    from netdissect.networks.network import Network


def control(
    model: Annotated[str, IS_MODEL],
    /,
    *,
    seeds: Annotated[int, Parameter(group=MODEL)] = 3,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer", "-l"], group=MODEL), SEVERAL] = None,
    data: Annotated[str | None, PATHS, Parameter(["--data", "--dataset"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(group=MODEL), describe_default("dissection/MODEL-control")] = None,
    loading: ModelOptions = ModelOptions(),
    method: MethodOptions = MethodOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    this_run: RunOptions = RunOptions(),
    config: ConfigOptions = ConfigOptions(),
) -> None:
    """Dissect untrained networks of MODEL's architecture; images and labels are decoded once.

    Weights are drawn again as the architecture draws them before training; trained weights are not read. Each network
    gets its own run folder below --out. netdissect run MODEL --reference OUT, or netdissect report RUN --reference OUT,
    tests a trained network's units against them.

    Args:
        seeds: Number of untrained networks, drawn from the seeds 1, 2, …; --reference takes at least two.
        layers: Layers, 'layer4.*' or last; netdissect layers MODEL lists them.
        data: Probe set: folder, prepared file, or name of a downloaded one.
        out: Folder of the run folders, seed-1, seed-2, ….
    """
    layers, data = require_layers_and_data(model, layers, data)
    settings = Settings(**vars(method) | vars(execution))

    from netdissect.api import check_inputs
    from netdissect.experiments import checkpoint_series
    from netdissect.experiments.control_runs import name_untrained
    from netdissect.model_loading import load_untrained

    def draw(seed: int) -> Network:
        return load_untrained(model, replace(loading, seed=seed))

    members = name_untrained(draw, seeds)
    concepts, settings, _ = check_inputs(data, settings, None)
    first = draw(1)
    print_line(f"{first.source}: {first.preprocess.describe()}")
    folder = checkpoint_series.require_series_folder(out or Path("dissection") / f"{first.name}-control", members)
    del first
    if loading.weights not in (None, "random"):
        print_line(f"the weights of {loading.weights} are not used: those of untrained networks are drawn")
    config.save()
    for name, result in checkpoint_series.dissect_members(
        members.items(), layers, concepts, settings, out=folder, total=seeds, fresh=this_run.fresh,
        progress=not this_run.quiet,
    ):  # fmt: skip
        print_line(name, bold=True)
        print_run_result(result, folder / name, with_report=settings.pictures)
    print_line(f"netdissect run or netdissect report tests a trained network against them: --reference {folder}")
