"""``netdissect rotate``: is the network's own basis special?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import ProgressBars, print_line
from netdissect.cli.option_groups import MODEL, MethodOptions, ModelOptions, WorkOptions
from netdissect.cli.run import load_model_and_data, print_run_location, require_layers_and_data
from netdissect.networks.kinds import describe_spellings

_Several = Parameter(consume_multiple=True, negative_iterable="")


def rotate(
    model: Annotated[str, Parameter(group=MODEL, help=f"{describe_spellings()}.")],
    /,
    *,
    layers: Annotated[list[str] | None, Parameter(["--layers", "--layer"], group=MODEL), _Several] = None,
    data: Annotated[str | None, Parameter(["--data", "--dataset"], group=MODEL)] = None,
    out: Annotated[Path | None, Parameter(group=MODEL)] = None,
    alphas: Annotated[list[float] | None, _Several] = None,
    rotation_seed: int = 1,
    near_axes: Annotated[bool, Parameter(negative="")] = False,
    of_model: ModelOptions = ModelOptions(),
    of_method: MethodOptions = MethodOptions(),
    of_work: WorkOptions = WorkOptions(),
) -> None:
    """Turn a layer's units away from their axes, step by step, and count what is still detected (paper, section 4.2).

    All steps are dissected in one forward pass; rotation.svg, .png and .csv in the run's folder show the counts.

    Args:
        model: what MODEL may be.
        layers: layers whose units are turned.
        data: probe set: a folder in Broden's format, or the name of a downloaded one.
        out: folder of the run; dissection/MODEL-rotation if not given.
        alphas: powers of the rotation: 0 leaves the units, 1 is a random basis; 0 0.2 0.4 0.6 0.8 1 if not given.
        rotation_seed: of the random rotation.
        near_axes: order the rotation's rows as they lie nearest to the axes, so that units turn as little as can be.
    """
    wanted, probe_set = require_layers_and_data(model, layers, data)

    from netdissect.experiments.rotation_curve import ALPHAS
    from netdissect.experiments.rotation_curve import rotate as turn
    from netdissect.networks.units.rotation import check_powers

    check_powers(alphas or ALPHAS, rotation_seed)
    options = asdict(of_method) | of_work.settings()
    network, concepts, settings = load_model_and_data(model, of_model, of_method.seed, probe_set, options, out)
    folder = out or Path("dissection") / f"{network.name}-rotation"
    with ProgressBars(quiet=of_work.quiet) as bars:
        turned = turn(
            network, wanted, concepts, alphas=alphas or ALPHAS, rotation_seed=rotation_seed, near_axes=near_axes,
            out=folder, fresh=of_work.fresh, progress=bars, settings=settings,
        )  # fmt: skip
    turned.write(folder / "rotation.svg")
    for layer, found in turned.detectors().items():
        for alpha, one in found:
            print_line(f"{layer} α = {alpha:g}: {one.unique} unique concepts, {one.units} of {one.total} units")
    print_line(f"figure: {folder / 'rotation.svg'} (and .png, .csv)")
    print_run_location(folder, drawn=settings.pictures)
