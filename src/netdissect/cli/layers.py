"""``netdissect layers``: list the layers that can be dissected."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.bounds import RESOLUTION_RANGE, require_integer
from netdissect.cli.console import measure_columns, print_json, print_line, stdout
from netdissect.cli.option_groups import IS_MODEL, MODEL, ModelOptions, describe_default
from netdissect.io.text import escape_line
from netdissect.setting_fields import list_field_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import Layer

#: Columns that are left out first on a narrow terminal; the others stay.
_RARE = ("starts at", "step", "type", "note", "receptive field", "grid", "output")
#: Names of layers inside attention: queries, heads and the like.
_INSIDE_ATTENTION = re.compile(r"(^|[._])(self_?)?att(n|ention)\w*[.:]", re.IGNORECASE)
_HEADINGS = ("  layer", "type", "output", "units", "grid", "receptive field", "step", "starts at", "note")


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
    is_shortened = stdout.is_terminal and not show_all
    shown = [
        layer for layer in found if not is_shortened or layer.name in marked or not _INSIDE_ATTENTION.search(layer.name)
    ]
    lines, left_out = _format_table(shown, marked, measure_columns() if is_shortened else None)
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


def _format_table(
    layers: Sequence[Layer], marked: Sequence[str], columns: int | None = None
) -> tuple[list[str], list[str]]:
    """Return the table's lines, and the headings of columns that are left out to fit.

    Names are never cut off, so that they can be copied.

    Args:
        layers: the rows.
        marked: names of the layers that are suggested.
        columns: the most columns of a line; None for as many as needed.
    """
    from netdissect.networks.unit_axes import FAILS_AFTER, GLOBAL_VIEW  # a warning and a column say these

    rows: list[tuple[str, ...]] = [_HEADINGS]
    for layer in layers:
        mark = "* " if layer.name in marked else "  "
        note = "; ".join(part for part in layer.note.split("; ") if not part.startswith((GLOBAL_VIEW, FAILS_AFTER)))
        shape, grid = _format_size(layer.shape), _format_size(layer.grid)
        rows.append((mark + layer.name, layer.kind, shape, str(layer.units), grid, *_describe_field(layer), note))
    rows = [tuple(map(escape_line, row)) for row in rows]
    widths = {
        heading: max(len(row[at]) for row in rows)
        for at, heading in enumerate(_HEADINGS)
        if any(row[at] for row in rows[1:])
    }
    left_out = []
    for heading in _RARE:
        if columns is None or sum(width + 2 for width in widths.values()) - 2 <= columns:
            break
        left_out += [heading] if widths.pop(heading, None) is not None else []
    lines = [
        "  ".join(
            cell.rjust(widths[heading]) if heading == "units" else cell.ljust(widths[heading])
            for cell, heading in zip(row, _HEADINGS, strict=True)
            if heading in widths
        ).rstrip()
        for row in rows
    ]
    return lines, left_out


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
