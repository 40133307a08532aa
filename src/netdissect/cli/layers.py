"""``netdissect layers``: list the layers that can be dissected."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.bounds import RESOLUTION_RANGE, require_integer
from netdissect.cli.console import print_json, print_line
from netdissect.cli.option_groups import IS_MODEL, MODEL, ModelOptions, describe_default
from netdissect.io.text import escape_line
from netdissect.setting_fields import list_field_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import Layer

_HEADINGS = ("  layer", "type", "output", "units", "grid", "receptive field", "step", "starts at", "note")


def layers(
    model: Annotated[str, IS_MODEL],
    /,
    *,
    resolution: Annotated[int | None, Parameter(group=MODEL), describe_default("the network's")] = None,
    as_json: Annotated[bool, Parameter("--json", negative="", group=MODEL)] = False,
    loading: ModelOptions = ModelOptions(),
) -> None:
    """List the layers that can be dissected, with type, output, grid and receptive field; * marks suggestions.

    Args:
        model: the network.
        resolution: Side of the network's input in pixels.
        as_json: Print the table as JSON.
        loading: how it is loaded.
    """
    from netdissect.model_loading import list_layers, load_network
    from netdissect.networks.load import load_without_weights
    from netdissect.networks.suggest import suggest_layers

    if resolution is not None:
        require_integer("resolution", resolution, *RESOLUTION_RANGE)
    network = load_without_weights(model, loading) or load_network(model, **asdict(loading))
    found = list_layers(network, resolution)
    marked = suggest_layers(found)
    if as_json:
        rows = [asdict(layer) | {"field": layer.field._asdict(), "suggested": layer.name in marked} for layer in found]
        print_json(rows)
        return
    for line in _format_table(found, marked):
        print_line(line)
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


def _format_table(layers: Sequence[Layer], marked: Sequence[str]) -> list[str]:
    """Return the table's lines; names are never cut off, so that they can be copied."""
    from netdissect.networks.unit_axes import FAILS_AFTER, GLOBAL_VIEW  # a warning and a column say these

    rows: list[tuple[str, ...]] = [_HEADINGS]
    for layer in layers:
        mark = "* " if layer.name in marked else "  "
        note = "; ".join(part for part in layer.note.split("; ") if not part.startswith((GLOBAL_VIEW, FAILS_AFTER)))
        shape, grid = _format_size(layer.shape), _format_size(layer.grid)
        rows.append((mark + layer.name, layer.kind, shape, str(layer.units), grid, *_describe_field(layer), note))
    rows = [tuple(map(escape_line, row)) for row in rows]
    filled = [any(row[column] for row in rows[1:]) for column in range(len(_HEADINGS))]
    widths = [max(len(row[column]) for row in rows) if filled[column] else 0 for column in range(len(_HEADINGS))]
    return [
        "  ".join(
            cell.rjust(width) if heading == "units" else cell.ljust(width)
            for cell, width, heading in zip(row, widths, _HEADINGS, strict=True)
            if width
        ).rstrip()
        for row in rows
    ]


def _describe_field(layer: Layer) -> tuple[str, str, str]:
    """Return the receptive field's size, step and offset in pixels; "everything" if cells depend on the whole image."""
    if layer.geometry != "receptive-field":
        return "everything", "", ""
    size, step, offset = layer.field.size, layer.field.step, layer.field.offset
    return _format_size(size), _format_pair(step), _format_pair(offset)


def _format_size(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _format_pair(pair: tuple[float, float]) -> str:
    """Return a pair as text; if both numbers are the same, only one."""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}, {pair[1]:g}"
