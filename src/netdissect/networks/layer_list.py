"""The layers of a network as a list that prints as a table."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from netdissect.io.text import escape_line
from netdissect.layers import Layer
from netdissect.networks.unit_axes import FAILS_AFTER, GLOBAL_VIEW  # a warning and a column say these
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Columns that are left out first on a narrow terminal; the others stay.
_RARE = ("starts at", "step", "type", "note", "receptive field", "grid", "output")
_HEADINGS = ("  layer", "type", "output", "units", "grid", "receptive field", "step", "starts at", "note")


class LayerList(list[Layer]):
    """A network's layers in the order of computation: a list of Layer that prints as a table, in which ``*`` marks suggestions.

    Attributes:
        suggested: names of the layers to start with.
    """

    def __init__(self, layers: Iterable[Layer] = (), suggested: Sequence[str] = ()) -> None:
        super().__init__(layers)
        self.suggested = tuple(suggested)

    def __repr__(self) -> str:
        """Return an aligned table."""
        return "\n".join(format_layers(self, self.suggested)[0])

    def _repr_html_(self) -> str:
        """Return the table as notebooks show it; suggested layers are bold."""
        head = "".join(f"<th>{heading.strip()}</th>" for heading in _HEADINGS)
        rows = []
        for layer in self:
            cells = [html.escape(cell) for cell in _describe_layer(layer)]
            cells[0] = f"<b>{cells[0]}</b> *" if layer.name in self.suggested else cells[0]
            rows.append("".join(["<tr>", *(f"<td>{cell}</td>" for cell in cells), "</tr>"]))
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>"

    def to_pandas(self) -> Any:
        """Return a data frame with a row for each layer.

        Raises:
            MissingExtraError: if pandas is not installed.
        """
        pandas = import_optional("pandas", extra="pandas", purpose="for data frames")
        return pandas.DataFrame([
            {
                "name": layer.name, "type": layer.kind, "units": layer.units, "grid": layer.grid, "output": layer.shape,
                "field_size": layer.field.size, "field_step": layer.field.step, "field_offset": layer.field.offset,
                "geometry": layer.geometry, "suggested": layer.name in self.suggested, "note": layer.note,
            }
            for layer in self
        ])  # fmt: skip


def _describe_layer(layer: Layer) -> tuple[str, ...]:
    """Return a layer's row of the table."""
    note = "; ".join(part for part in layer.note.split("; ") if not part.startswith((GLOBAL_VIEW, FAILS_AFTER)))
    shape, grid = _format_size(layer.shape), _format_size(layer.grid)
    return tuple(
        map(escape_line, (layer.name, layer.kind, shape, str(layer.units), grid, *_describe_field(layer), note))
    )


def format_layers(
    layers: Sequence[Layer], marked: Sequence[str], columns: int | None = None
) -> tuple[list[str], list[str]]:
    """Return the table's lines, and the headings of columns that are left out to fit.

    Names are never cut off, so that they can be copied.

    Args:
        layers: the rows.
        marked: names of the layers that are suggested.
        columns: the most columns of a line; None for as many as needed.
    """
    rows: list[tuple[str, ...]] = [_HEADINGS]
    for layer in layers:
        mark = "* " if layer.name in marked else "  "
        name, *others = _describe_layer(layer)
        rows.append((mark + name, *others))
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
