"""``netdissect rotate``: count detectors while a layer's units are rotated (paper, § 4.2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter

from netdissect.cli.config_file import ConfigOptions
from netdissect.cli.console import print_line
from netdissect.cli.help_screen import HelpScreen
from netdissect.cli.option_groups import (
    IS_MODEL,
    MODEL,
    MODEL_RARE,
    SEVERAL,
    SWITCH,
    ExecutionOptions,
    MethodOptions,
    ModelOptions,
    RunOptions,
    describe_default,
)
from netdissect.cli.run import load_model_and_data, print_run_location, require_layers_and_data
from netdissect.cli.typed_words import PATHS
from netdissect.config import Settings
from netdissect.progress import show_progress

_ROTATION = Parameter(group=Group("Rotation", sort_key=2.5, help_formatter=HelpScreen()))


def rotate(
    model: Annotated[str, IS_MODEL],
    /,
    *,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer"], group=MODEL), SEVERAL] = None,
    data: Annotated[str | None, PATHS, Parameter(["--data", "--dataset"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(group=MODEL), describe_default("dissection/MODEL-rotation")] = None,
    alphas: Annotated[list[float] | None, _ROTATION, SEVERAL, describe_default("0 0.2 0.4 0.6 0.8 1")] = None,
    rotation_seed: Annotated[int, _ROTATION] = 1,
    near_axes: Annotated[bool, _ROTATION, SWITCH] = False,
    width: Annotated[Literal["column", "text", "slide"], Parameter(group=MODEL_RARE)] = "text",
    loading: ModelOptions = ModelOptions(),
    method: MethodOptions = MethodOptions(),
    execution: ExecutionOptions = ExecutionOptions(),
    this_run: RunOptions = RunOptions(),
    config: ConfigOptions = ConfigOptions(),
) -> None:
    """Rotate a layer's units away from their axes in steps, and count the detectors of each step (paper, § 4.2).

    All steps take one forward pass; rotation.svg, .pdf, .png and .csv show the counts.

    Args:
        layers: Layers, 'layer4.*' or last; netdissect layers MODEL lists them.
        data: Probe set: folder, prepared file, or name of a downloaded one.
        out: Run folder.
        alphas: Powers of the rotation: 0 leaves the units as they are, 1 is a random basis.
        rotation_seed: Seed of the random rotation.
        near_axes: Order the rotation's rows by nearest axis, so that units rotate as little as possible.
        width: Where the figure is set, true to size: in a column (3.25 inches), over a text (5.5) or on a slide (10).
    """
    layers, data = require_layers_and_data(model, layers, data)

    from netdissect.experiments.rotation_curve import ALPHAS
    from netdissect.experiments.rotation_curve import rotate as rotate_network
    from netdissect.networks.units.rotation import check_powers
    from netdissect.results.findings import describe_findings

    check_powers(alphas or ALPHAS, rotation_seed)
    settings = Settings(**vars(method) | vars(execution))
    network, concepts, settings = load_model_and_data(model, replace(loading, seed=method.seed), data, settings, out)
    config.save()
    folder = out or Path("dissection") / f"{network.name}-rotation"
    with show_progress(not this_run.quiet) as bars:
        result = rotate_network(
            network, layers, concepts, alphas=alphas or ALPHAS, rotation_seed=rotation_seed, near_axes=near_axes,
            out=folder, fresh=this_run.fresh, progress=bars, settings=settings,
        )  # fmt: skip
    result.write_figure(folder / "rotation.svg", width=width)
    for layer, by_alpha in result.names.items():
        for alpha, name in by_alpha.items():
            print_line(f"{layer} α = {alpha:g}: {describe_findings(result.result[name], settings.threshold)}")
    print_line(f"figure: {folder / 'rotation.svg'} (and .pdf, .png, .csv)")
    print_run_location(folder, with_report=settings.pictures)
