"""Images of a run's own probe set, by row or name, and what a finished run knows of the units that fire in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.analyses.kept_grids import read_kept_grids
from netdissect.bounds import format_value
from netdissect.errors import DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io.images import decode_image
from netdissect.protocols import NullProgress
from netdissect.report.browser_images import shrink_image
from netdissect.report.image_look import ImageLook, select_firing
from netdissect.run.finished_scans import open_kept_scans

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import ConceptSource
    from netdissect.report.image_look import LayerLook
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result
    from netdissect.run.finished_scans import FinishedScans

_FROM_KEPT = "activations are those that the run has kept"
_FROM_EXEMPLARS = (
    "without the network, and without scans that the run has kept, a unit's activations are known only in the {} images that "
    "activate it most, and other units may fire too: give MODEL to know all"
)


def find_rows(names: Mapping[int, str], rows: Sequence[int | str]) -> list[int]:
    """Return rows of ``index.csv`` that were given as numbers, from 0, or as names of images.

    Args:
        names: names of the images that there are, by row.
        rows: the rows or names; an ending of a name after ``/`` is enough where only one image has it.

    Raises:
        DataNotFoundError: if there is no such row or name.
    """
    return [_find_row(names, row) for row in rows]


def _find_row(names: Mapping[int, str], given: int | str) -> int:
    if isinstance(given, bool) or not (isinstance(given, str) or hasattr(given, "__index__")):
        raise SettingsError(
            f"rows= takes rows of index.csv, counted from 0, or names of images, not {format_value(given)}"
        )
    if not isinstance(given, str) or (given.isdecimal() and given.isascii()):
        row = int(given)
        if row in names:
            return row
        raise DataNotFoundError(
            f"there is no row {row} among the {len(names):,} images, whose rows are from {min(names, default=0)} to {max(names, default=0)}"
        )
    found = [row for row, name in names.items() if name == given] or [
        row for row, name in names.items() if name.endswith(f"/{given}")
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataNotFoundError(f"{len(found)} images are named {given}: give the row of one of them")
    raise DataNotFoundError(
        f"there is no image {given!r} among the {len(names):,}: {suggest_nearest(given, names.values())}"
    )


def list_image_names(concepts: ConceptSource) -> dict[int, str]:
    """Return the names of a probe set's images by row."""
    return {concepts.row(index): concepts.image_name(index) for index in range(len(concepts))}


def read_stored(
    run: Result,
    rows: Sequence[int | str],
    labeled: Mapping[str, NDArray[np.int64]],
    concepts: ConceptSource | None,
    whole: Result,
) -> tuple[list[ImageLook], str]:
    """Return the units that fire in images of the run's probe set, as far as the run has kept their activations.

    Args:
        run: the run, with the layers to look at.
        rows: rows of ``index.csv`` or names of images.
        labeled: the labeled units of every layer, counted from 0, by layer name.
        concepts: the probe set; None if it is not available.
        whole: the run with all of its layers, in whose folder there may be scans that it has kept.

    Returns:
        the images, and a sentence that says from where their activations are known.
    """
    folder = whole.analyses.folder if whole.analyses is not None else None
    if concepts is not None:
        with open_kept_scans(whole, folder, concepts, NullProgress()) as scans:
            if scans is not None:
                positions = {concepts.row(index): index for index in range(len(concepts))}
                found = find_rows(list_image_names(concepts), rows)
                return [_read_kept(run, scans, concepts, row, positions[row], labeled) for row in found], _FROM_KEPT
    found = find_rows(run.image_names if concepts is None else list_image_names(concepts), rows)
    names = {**run.image_names, **({} if concepts is None else list_image_names(concepts))}
    note = _FROM_EXEMPLARS.format(run.settings.images_per_unit)
    return [_read_exemplar(run, row, names[row], labeled) for row in found], note


def _read_kept(
    run: Result,
    scans: FinishedScans,
    concepts: ConceptSource,
    row: int,
    position: int,
    labeled: Mapping[str, NDArray[np.int64]],
) -> ImageLook:
    grids, name = read_kept_grids(scans, run.layers, position), concepts.image_name(position)
    if grids is None:
        raise DataNotFoundError(
            f"image {name} could not be read when the run was made, so nothing is known of it: look at another"
        )
    layers = {}
    for layer in run.layers.values():
        channels = labeled[layer.name]
        layers[layer.name] = select_firing(
            layer, run.network.input_size, channels, channels, grids[layer.name][channels]
        )
    return ImageLook(name, shrink_image(concepts.read_image(position)), layers, row)


def _read_exemplar(run: Result, row: int, name: str, labeled: Mapping[str, NDArray[np.int64]]) -> ImageLook:
    data = run.read_image_file(row)
    if data is None:
        raise DataNotFoundError(
            f"image {name} is neither in the run's report nor in its probe set, {run.probe_set.path or run.probe_set.name}: put the "
            f"probe set back, or give the network and the images"
        )
    layers = {
        layer.name: _find_among_exemplars(layer, run.network.input_size, labeled[layer.name], row)
        for layer in run.layers.values()
    }
    return ImageLook(name, shrink_image(decode_image(data, name)), layers, row)


def _find_among_exemplars(layer: LayerResult, size: tuple[int, int], labeled: NDArray[np.int64], row: int) -> LayerLook:
    """Return the units that fire, of those that have an image among their exemplars."""
    exemplars = layer.exemplars
    units, places = np.nonzero(exemplars.images[labeled] == row)
    channels = labeled[units]
    grids = exemplars.grids[channels, places].astype(np.float32) * exemplars.scale[channels][:, None, None]
    return select_firing(layer, size, labeled, channels, grids, np.zeros(channels.size, np.float32))
