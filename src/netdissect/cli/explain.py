"""``netdissect explain``: the best formula of concepts for every unit of a finished run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from netdissect.cli.console import print_line
from netdissect.cli.option_groups import IS_MODEL, MODEL, SEVERAL, SWITCH, ModelOptions, describe_default
from netdissect.cli.run import print_run_location
from netdissect.cli.typed_words import PATHS
from netdissect.progress import show_progress

#: Units that are named for every layer.
_EXAMPLES = 3


def explain(
    run: Path,
    model: Annotated[str | None, IS_MODEL, describe_default("none; the run's scans, or the bundled network")] = None,
    /,
    *,
    layers: Annotated[
        list[str] | None, Parameter(["--layers", "--layer", "-l"]), SEVERAL, describe_default("all")
    ] = None,
    units: Annotated[list[int] | None, SEVERAL, describe_default("all")] = None,
    length: int = 3,
    shifts: int = 5,
    data: Annotated[str | None, PATHS, Parameter(group=MODEL), describe_default("the run's")] = None,
    workers: Annotated[int | None, describe_default("the run's")] = None,
    loading: ModelOptions = ModelOptions(),
    quiet: Annotated[bool, SWITCH] = False,
) -> None:
    """Find the best formula of concepts for every unit of a run: what else does it detect besides its label?

    A run that was made with --keep has all that this needs; other runs are scanned again, which takes MODEL. Formulas are
    written into the run's folder, as LAYER-formulas.csv and .parquet, and into its report.

    Args:
        run: Run folder.
        layers: Layers of the run, also by patterns.
        units: Numbers of units in these layers, from 1.
        length: The most concepts of a formula, up to 5. Up to 3, the best is found exactly.
        shifts: How often formulas are also searched with the labels of other images, to measure what they gain by chance.
        data: The run's probe set, if it is at another place.
        workers: Worker processes that scan and count.
        quiet: Show no progress.
    """
    from netdissect.analyses import best_formulas
    from netdissect.model_loading import load_network
    from netdissect.results.formula_findings import describe_formulas

    network = None if model is None else load_network(model, **asdict(loading))
    names = None if layers is None else [name for word in layers for name in word.replace(",", " ").split()]
    with show_progress(not quiet) as bars:
        result = best_formulas.explain(
            run, network, data, layers=names, units=units, length=length, shifts=shifts, workers=workers, progress=bars
        )
    for layer in result.layers.values() if names is None else [result[name] for name in names]:
        for line in describe_formulas(layer, _EXAMPLES):
            print_line(line)
    print_run_location(run)
