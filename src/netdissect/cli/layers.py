"""``netdissect layers``: what can be dissected."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from netdissect.cli.console import say, say_json
from netdissect.cli.options import ModelOptions
from netdissect.io.text import one_line
from netdissect.limits import RESOLUTION, whole
from netdissect.models.kinds import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.layers import Layer

_HEADINGS = ("  layer", "type", "output", "units", "grid", "receptive field", "step", "starts at", "note")


def layers(
    model: Annotated[str, Parameter(help=f"{in_words()}.")],
    /,
    *,
    resolution: int | None = None,
    as_json: Annotated[bool, Parameter("--json", negative="")] = False,
    of_model: ModelOptions = ModelOptions(),
) -> None:
    """Show what can be dissected: name, type, output, grid and receptive field of every layer; * marks suggestions.

    Args:
        model: what MODEL may be.
        resolution: side of the input in pixels; the network's own if not given.
        as_json: print the table as JSON.
        of_model: what may be said of MODEL besides its name.
    """
    from netdissect.api import layers_of, load_network
    from netdissect.models.load import LoadOptions, described
    from netdissect.models.network import remarks_of
    from netdissect.models.suggest import suggested

    if resolution is not None:
        whole("resolution", resolution, *RESOLUTION)
    options = LoadOptions(**asdict(of_model))
    network = described(model, options) or load_network(model, options)
    found = layers_of(network, resolution)
    marked = suggested(found)
    if as_json:
        rows = [asdict(layer) | {"field": layer.field._asdict(), "suggested": layer.name in marked} for layer in found]
        say_json(rows)
        return
    for line in _table(found, marked):
        say(line)
    for line in [*getattr(network, "left_out", list)(), *remarks_of(network)]:
        say(line)
    said = "".join(
        f" --{name} {_typed(getattr(options, name))}" for name in asdict(of_model) if name in options.given()
    )
    height, width = (resolution, resolution) if resolution else network.input_size or (224, 224)
    say(f"{network.source}, {width} x {height} pictures: {network.preprocess.describe()}")
    say(f"* to begin with: netdissect run {model}{said} --layers {' '.join(marked) or 'NAME …'} --data DATA")


def _typed(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _table(layers: Sequence[Layer], marked: Sequence[str]) -> list[str]:
    """Return the table's lines, as wide as they need to be: a name that is cut off could not be typed."""
    from netdissect.models.shapes import EVERYWHERE  # the column "receptive field" says it

    rows: list[tuple[str, ...]] = [_HEADINGS]
    for layer in layers:
        mark = "* " if layer.name in marked else "  "
        note = "; ".join(part for part in layer.note.split("; ") if part != EVERYWHERE)
        shape, grid = _by(layer.shape), _by(layer.grid)
        rows.append((mark + layer.name, layer.kind, shape, str(layer.units), grid, *_field(layer), note))
    rows = [tuple(map(one_line, row)) for row in rows]
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


def _field(layer: Layer) -> tuple[str, str, str]:
    """Return the receptive field's size, step and offset in pixels; a layer that sees everything has none to show."""
    if layer.geometry != "receptive-field":
        return "everything", "", ""
    size, step, offset = layer.field.size, layer.field.step, layer.field.offset
    return _by(size), _once(step), _once(offset)


def _by(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:g}" for number in numbers)


def _once(pair: tuple[float, float]) -> str:
    """Return a pair, once where both are the same."""
    return f"{pair[0]:g}" if pair[0] == pair[1] else f"{pair[0]:g}, {pair[1]:g}"
