"""Pack what the first page tells besides counts: units that rules find, intervals of scores, and what controls reach.

Numbers that do not exist are NaN in arrays; arrays that a run has no tables for are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.report.html.script_data import pack_arrays
from netdissect.results import unit_lists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from netdissect.results.controls import ControlLayer
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result


def pack_story(result: Result) -> str:
    """Return the file ``story``: arrays of shape (U,) for every layer, and those of its controls, in the order of the run's facts."""
    arrays: dict[str, NDArray[Any]] = {}
    for number, layer in enumerate(result.layers.values()):
        arrays |= {f"{number}.{name}": array for name, array in _collect_unit_arrays(layer).items()}
        columns = {name: column for column, name in enumerate(layer.vocabulary.names)}
        for place, control in enumerate(_list_layer_controls(result, layer.name)):
            if control.scores is None or control.labels is None:
                continue
            arrays[f"{number}.control{place}.score"] = np.array(control.scores, np.float64)
            arrays[f"{number}.control{place}.label"] = np.array(
                [columns.get(name, -1) for name in control.labels], np.int32
            )
    return pack_arrays("story", {"shownShare": unit_lists.SHOWN_SHARE, "asked": unit_lists.ASKED_EXEMPLARS}, arrays)


def _collect_unit_arrays(layer: LayerResult) -> dict[str, NDArray[Any]]:
    units, label = np.arange(layer.layer.units), layer.labels
    column, score = unit_lists.find_second_things(layer)
    arrays: dict[str, NDArray[Any]] = {
        "second": column.astype(np.int32),
        "secondScore": score,
        "twin": unit_lists.find_duplicates(layer).astype(np.int32),
        "family": unit_lists.find_image_families(layer).astype(np.int32),
    }
    if len(layer.vocabulary):
        arrays["I"], arrays["A"] = (np.where(label >= 0, table[units, label], 0).astype(np.float64) for table in (layer.counts.I, layer.counts.A))  # fmt: skip
    shown, largest = unit_lists.count_shown_labels(layer), unit_lists.find_largest_image_share(layer)
    if shown is not None:
        arrays["shown"], arrays["asked"] = (array.astype(np.uint8) for array in shown)
    if largest is not None:
        arrays["largest"] = largest.astype(np.float32)
    if layer.trust is not None and layer.trust.spread is not None:
        for name in ("low", "high"):
            ends = (getattr(unit, name) for unit in layer.unit_trust)
            arrays[name] = np.array([np.nan if end is None else end for end in ends], np.float32)
    return arrays


def _list_layer_controls(result: Result, layer: str) -> Iterator[ControlLayer]:
    """Yield what every control found in a layer, in the order of `netdissect.report.html.trust_data.list_controls`."""
    return (control.layers[layer] for control in result.controls if layer in control.layers)
