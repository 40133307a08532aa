"""``netdissect layers``: what can be dissected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from netdissect.cli.console import out, say

if TYPE_CHECKING:
    from netdissect.layers import Layer


def layers(
    model: str,
    /,
    *,
    resolution: int | None = None,
    arch: str | None = None,
    weights: str | None = None,
    channels: Literal["rgb", "bgr"] | None = None,
    colordepth: Annotated[int, Parameter()] = 3,
) -> None:
    """Show what can be dissected: name, type, units, grid, receptive field.

    Args:
        model: as for netdissect run.
        resolution: side of the input in pixels; the network's own if not given.
        arch: architecture of a state dict.
        weights: weights file of MODEL, or random.
        channels: order of the input's channels.
        colordepth: 1 for a network of grey pictures.
    """
    from rich.table import Table

    from netdissect.api import layers_of
    from netdissect.models.load import LoadOptions, load

    network = load(model, LoadOptions(arch=arch, weights=weights, channels=channels, colordepth=colordepth))
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "type", "units", "grid", "receptive field", "step", "starts at"):
        table.add_column(heading, justify="right" if heading == "units" else "left", no_wrap=True)
    for layer in layers_of(network, resolution):
        table.add_row(layer.name, layer.kind, str(layer.units), "{} x {}".format(*layer.grid), *_field(layer))
    out.print(table)
    say(f"netdissect run {model} --layers NAME … --data DATA")


def _field(layer: Layer) -> tuple[str, str, str]:
    if layer.geometry != "receptive-field":
        return layer.note or "everything", "", ""
    size, step, offset = (
        tuple(f"{value:g}" for value in pair) for pair in (layer.field.size, layer.field.step, layer.field.offset)
    )
    return (
        " x ".join(size),
        step[0] if step[0] == step[1] else ", ".join(step),
        offset[0] if offset[0] == offset[1] else ", ".join(offset),
    )
