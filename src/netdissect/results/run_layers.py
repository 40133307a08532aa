"""The layers of a run: a mapping by name, and a table of what each detects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netdissect.errors import UnknownLayerError, suggest_nearest
from netdissect.results.found_text import align_columns
from netdissect.results.table import Column, Kind, Table, collect_columns
from netdissect.results.table_html import render_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netdissect.results.layer_result import LayerResult

#: Columns of the table, what each holds, and whether values may be missing.
LAYER_KINDS: dict[str, tuple[Kind, bool]] = {
    "layer": ("text", False), "units": ("integer", False), "grid_height": ("integer", False), "grid_width": ("integer", False),
    "detectors": ("integer", False), "detectors_sd": ("number", True), "unique_detectors": ("integer", False), "unique_sd": ("number", True),
    "beyond_chance": ("integer", True), "times_chance": ("number", True),
}  # fmt: skip


class Layers(Table, Mapping[str, "LayerResult"]):
    """The layers of a run by name, in the order in which they were requested.

    It is a mapping: ``result.layers["conv5"]``, ``list(result.layers)`` for the names, ``"conv5" in result.layers``,
    ``result.layers.items()``; a whole number is a position: ``result.layers[-1]`` is the last layer. And it is a table of
    the detectors of every layer at the run's threshold, by label: ``result.layers.to_pandas()``.
    """

    def __init__(self, layers: Mapping[str, LayerResult]) -> None:
        self._layers = dict(layers)

    @property
    def names(self) -> list[str]:
        """The names of the layers."""
        return list(self._layers)

    def __getitem__(self, layer: str | int) -> LayerResult:
        """Return a layer by name, or by its position: 0 is the first, -1 the last.

        Raises:
            UnknownLayerError: if there is no such layer; the message names the run's layers nearest to it.
        """
        if isinstance(layer, int) and not isinstance(layer, bool):
            if not -len(self) <= layer < len(self):
                raise UnknownLayerError(f"this run has {len(self)} layer(s), so none at position {layer}")
            return list(self._layers.values())[layer]
        if not isinstance(layer, str) or layer not in self._layers:
            raise UnknownLayerError(f"this run has no layer {layer!r}: {suggest_nearest(str(layer), self._layers)}")
        return self._layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self._layers

    def __or__(self, other: Mapping[str, LayerResult]) -> dict[str, LayerResult]:
        return self._layers | dict(other)

    def __repr__(self) -> str:
        cells = [("layer", "units", "grid", "detectors", "unique", "beyond chance")]
        for row in self._list_rows():
            beyond = "" if row["beyond_chance"] is None else str(row["beyond_chance"])
            grid = f"{row['grid_height']} x {row['grid_width']}"
            cells.append(
                (row["layer"], str(row["units"]), grid, str(row["detectors"]), str(row["unique_detectors"]), beyond)
            )
        return "\n".join(
            [*align_columns(cells), 'a mapping: result.layers["NAME"], .names, .items(); a table: .to_pandas()']
        )

    def _repr_html_(self) -> str:
        return render_table(self)

    def _list_rows(self) -> list[dict[str, Any]]:
        rows = []
        for layer in self._layers.values():
            found, spread, trust = layer.detectors(), layer.count_spread(), layer.summarize_trust()
            rows.append({
                "layer": layer.name, "units": layer.layer.units, "grid_height": layer.layer.grid[0], "grid_width": layer.layer.grid[1],
                "detectors": found.units, "detectors_sd": None if spread is None else spread.units_sd,
                "unique_detectors": found.unique, "unique_sd": None if spread is None else spread.unique_sd,
                "beyond_chance": None if trust is None else trust.beyond, "times_chance": None if trust is None else trust.times,
            })  # fmt: skip
        return rows

    def _make_columns(self) -> Mapping[str, Column]:
        return collect_columns(self._list_rows(), LAYER_KINDS)
