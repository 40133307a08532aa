"""``netdissect layers``: list the layers that can be dissected."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from netdissect.bounds import RESOLUTION_RANGE, require_integer
from netdissect.cli.console import measure_columns, print_json, print_line, stdout
from netdissect.cli.option_groups import IS_MODEL, MODEL, ModelOptions, describe_default
from netdissect.setting_fields import list_field_names

#: Names of layers inside attention: queries, heads and the like.
_INSIDE_ATTENTION = re.compile(r"(^|[._])(self_?)?att(n|ention)\w*[.:]", re.IGNORECASE)


def layers(
    model: Annotated[str, IS_MODEL],
    /,
    *,
    resolution: Annotated[int | None, Parameter(group=MODEL), describe_default("the network's")] = None,
    as_json: Annotated[bool, Parameter("--json", negative="", group=MODEL)] = False,
    show_all: Annotated[bool, Parameter("--all", negative="", group=MODEL)] = False,
    loading: ModelOptions = ModelOptions(),
) -> None:
    """List the layers that can be dissected, with type, output, grid and receptive field; * marks suggestions.

    Args:
        model: the network.
        resolution: Side of the network's input in pixels.
        as_json: Print the table as JSON.
        show_all: Show all layers and columns on a terminal too, where layers inside attention and columns that do not fit
            are left out; files and pipes always get everything.
        loading: how it is loaded.
    """
    from netdissect.model_loading import list_layers, load_network
    from netdissect.networks.layer_list import format_layers
    from netdissect.networks.load import load_without_weights

    if resolution is not None:
        require_integer("resolution", resolution, *RESOLUTION_RANGE)
    network = load_without_weights(model, loading) or load_network(model, **asdict(loading))
    found = list_layers(network, resolution)
    marked = found.suggested
    if as_json:
        rows = [asdict(layer) | {"field": layer.field._asdict(), "suggested": layer.name in marked} for layer in found]
        print_json(rows)
        return
    is_shortened = stdout.is_terminal and not show_all
    shown = [
        layer for layer in found if not is_shortened or layer.name in marked or not _INSIDE_ATTENTION.search(layer.name)
    ]
    lines, left_out = format_layers(shown, marked, measure_columns() if is_shortened else None)
    for line in lines:
        print_line(line)
    said = [f"{len(found) - len(shown)} layers inside attention"] if len(shown) < len(found) else []
    said += (
        [f"the columns {', '.join(left_out)}" if len(left_out) > 1 else f"the column {left_out[0]}"] if left_out else []
    )
    if said:
        print_line(f"--all shows {' and '.join(said)} too")
    for line in [*getattr(network, "describe_uncomputable", list)(), *network.remarks()]:
        print_line(line)
    options = "".join(
        _spell_option(name, getattr(loading, name))
        for name in list_field_names(type(loading))
        if name in loading.changed_options()
    )
    height, width = (resolution, resolution) if resolution else network.input_size or (224, 224)
    print_line(f"{network.source}, {width} x {height} images: {network.preprocess.describe()}")
    print_line(f"* to start: netdissect run {model}{options} --layers {shlex.join(marked) or 'NAME …'} --data DATA")


def _spell_option(name: str, value: object) -> str:
    """Return an option as it is typed, after a space.

    >>> _spell_option("mean", ["0.5", "0.5", "0.5"]), _spell_option("trust", True)
    (' --mean 0.5 0.5 0.5', ' --trust')
    """
    if value is True:
        return f" --{name}"
    return f" --{name} {' '.join(value) if isinstance(value, (list, tuple)) else value}"
