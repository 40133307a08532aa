"""Write and read ``LAYER-exemplars.npz``: the exemplars of a layer besides the strongest."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import RunFileError, root_message
from netdissect.io import atomic
from netdissect.io.arrays import encode_npz, parse_npz
from netdissect.results.exemplar_groups import GROUP_SIZES, ExemplarGroup, ExemplarGroups
from netdissect.results.record_values import check_whole_number
from netdissect.results.table_files import require_valid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult
    from netdissect.results.table_files import TableFiles

#: Suffixes of the files of a layer's groups.
EXEMPLAR_SUFFIXES = (_ARRAYS,) = ("-exemplars.npz",)
#: The most images that a group may have of a unit.
_MAX_IMAGES_EACH = 1_000
#: The most pixels that the masks of a unit may have.
_MAX_MASK_PIXELS = 2**60
#: Arrays that are no group's.
_OWN = ("pixels", "labeled", "mask_pixels")
#: Types of the arrays of a group.
_KINDS: dict[str, type[np.generic]] = {
    "images": np.int64, "maxima": np.float32, "grids": np.float16, "pixels": np.int64, "labeled": np.int64,
}  # fmt: skip


def write_exemplars(folder: Path, layer: LayerResult) -> list[str]:
    """Write a layer's groups into a run's folder, and return the names of the files; none if it has no groups."""
    if layer.groups is None:
        return []
    arrays = {name: getattr(layer.groups, name) for name in _OWN}
    for group in GROUP_SIZES:
        arrays |= {f"{group}.{name}": getattr(getattr(layer.groups, group), name) for name in _KINDS}
    name = f"{layer.layer.file_stem}{_ARRAYS}"
    atomic.write_bytes(folder / name, encode_npz(arrays, compressed=True))
    return [name]


def groups_to_json(layer: LayerResult) -> dict[str, Any]:
    """Return what ``run.json`` says of a layer's groups: how many images each has of a unit."""
    if layer.groups is None:
        return {}
    return {"exemplar_groups": {name: getattr(layer.groups, name).images.shape[1] for name in GROUP_SIZES}}


def read_exemplars(tables: TableFiles, layer: LayerResult, record: Mapping[str, Any]) -> ExemplarGroups:
    """Return the groups of a layer.

    Args:
        tables: the run's tables.
        layer: the layer without its groups.
        record: how many images each group has of a unit, as `groups_to_json` returned it.

    Raises:
        RunFileError: as `TableFiles.read`, or if they are of another layer or impossible.
        KeyError, TypeError, ValueError: if the record is impossible.
    """
    name = f"{layer.layer.file_stem}{_ARRAYS}"
    path, data = tables.folder / name, tables.read(name)
    shapes = _list_shapes(
        layer, {group: check_whole_number(record[group], 0, _MAX_IMAGES_EACH) for group in GROUP_SIZES}
    )
    size = 2**20 + sum(
        int(np.prod(shape, dtype=object)) * np.dtype(kind).itemsize + 512 for shape, kind in shapes.values()
    )
    try:
        arrays = parse_npz(data, most=min(size, 1_100 * len(data) + 2**20))
        for key, (shape, kind) in shapes.items():
            require_valid(path, arrays[key].shape == shape, f"its {key} are of another layer")
            require_valid(path, arrays[key].dtype == kind, f"its {key} are {arrays[key].dtype}, not {np.dtype(kind)}")
    except (ValueError, KeyError, AttributeError) as error:
        raise RunFileError(f"{path} is damaged: {root_message(error)}; run it again") from error
    groups = {
        group: ExemplarGroup(**{field.name: arrays[f"{group}.{field.name}"] for field in fields(ExemplarGroup)})
        for group in GROUP_SIZES
    }
    found = ExemplarGroups(arrays["pixels"], arrays["labeled"], arrays["mask_pixels"], **groups)
    _check_masks(path, layer.exemplars.images, found.pixels, found.labeled, found.mask_pixels)
    for group, entry in groups.items():
        _check_group(path, entry, may_miss=group == "missed")
        _check_masks(path, entry.images, entry.pixels, entry.labeled, found.mask_pixels)
    return found


def _list_shapes(layer: LayerResult, sizes: Mapping[str, int]) -> dict[str, tuple[tuple[int, ...], type[np.generic]]]:
    """Return shape and type of every array of the file."""
    units, strongest = layer.layer.units, layer.exemplars.images.shape
    shapes: dict[str, tuple[tuple[int, ...], type[np.generic]]] = {
        "pixels": (strongest, np.int64), "labeled": (strongest, np.int64), "mask_pixels": ((units,), np.int64),
    }  # fmt: skip
    for group, k in sizes.items():
        for name, kind in _KINDS.items():
            shapes[f"{group}.{name}"] = ((units, k, *(layer.layer.grid if name == "grids" else ())), kind)
    return shapes


def _check_masks(
    path: Path,
    images: NDArray[np.int64],
    pixels: NDArray[np.int64],
    labeled: NDArray[np.int64],
    mask_pixels: NDArray[np.int64],
) -> None:
    """Refuse impossible numbers of pixels."""
    require_valid(
        path, bool(((mask_pixels >= 0) & (mask_pixels <= _MAX_MASK_PIXELS)).all()), "a mask has an impossible size"
    )
    require_valid(
        path, bool(((pixels >= 0) & (pixels <= mask_pixels[:, np.newaxis])).all()), "a mask has an impossible size"
    )
    require_valid(path, bool(((labeled >= -1) & (labeled <= _MAX_MASK_PIXELS)).all()), "a label has an impossible size")
    require_valid(path, not (labeled[pixels == 0] > 0).any(), "a label lies on a mask without pixels")
    require_valid(path, not (pixels[images < 0] > 0).any(), "there is a mask without an image")


def _check_group(path: Path, group: ExemplarGroup, *, may_miss: bool) -> None:
    """Refuse impossible images, maxima and grids."""
    ordered = np.sort(group.images, axis=1)
    twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    require_valid(path, not (group.images < -1).any(), "the row of an exemplar image is negative")
    require_valid(path, not twice.any(), "a unit shows an image twice")
    known = np.isfinite(group.maxima) | (np.isnan(group.maxima) if may_miss else False)
    require_valid(path, bool(known.all()), "its maxima are not all finite numbers")
    possible = (group.grids >= -1) & (group.grids <= 1)
    require_valid(path, bool(possible.all()), "its grids are not all between -1 and 1")
