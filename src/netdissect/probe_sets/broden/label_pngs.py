"""Read and encode label maps: 24-bit PNGs whose pixels hold a label number as ``R + 256·G``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from netdissect.errors import DataFileError, DataNotFoundError, LabelError
from netdissect.io import images
from netdissect.io.reading import read_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: The largest label number that ``R + 256·G`` can hold.
MAX_LABEL = 256 * 256 - 1

_MODE_NAMES = {
    "L": "an 8-bit gray",
    "P": "a palette",
    "1": "a 1-bit",
    "I;16": "a 16-bit gray",
    "I": "a 32-bit gray",
    "LA": "a gray + alpha",
}


def read_label_map(path: Path, size: tuple[int, int]) -> NDArray[np.uint16]:
    """Return a label map's label numbers, uint16, shape (sh, sw).

    Args:
        path: the PNG.
        size: height and width that it must have; checked before it is decompressed.

    Raises:
        DataNotFoundError: if it is missing.
        LabelError: if it is not 24-bit RGB.
        DataFileError: if it has another size, or does not decode.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"label map {path}, named in index.csv, does not exist") from error
    except Exception as error:
        raise images.make_read_error("label map", path, error) from error
    found = images.parse_header_size(data[:32])
    if found is not None and found != size:
        raise DataFileError(
            f"{path}: expected a label map of {size[1]} x {size[0]} pixels as index.csv says, got {found[1]} x {found[0]}"
        )
    # Imported here because it loads numba, which reading tables does not need.
    from netdissect.probe_sets.broden.png_decoder import decode_plain_png

    plain = decode_plain_png(data, size)
    if plain is not None:
        return plain
    with images.open_image(data, path, what="label map", formats=("PNG",), expected=size) as image:
        if image.mode not in ("RGB", "RGBA"):
            kind = _MODE_NAMES.get(image.mode, f"a {image.mode}")
            raise LabelError(
                f"{path}: expected a 24-bit RGB label map (label = R + 256·G), got {kind} PNG; "
                f"convert it, or make a probe set of masks of your own with: netdissect data from-masks"
            )
        pixels = np.asarray(image)
    labels: NDArray[np.uint16] = pixels[..., 0] | pixels[..., 1].astype(np.uint16) << 8
    return labels


def encode_label_map(labels: NDArray[np.integer]) -> bytes:
    """Return the bytes of a label map's PNG, given its label numbers, shape (sh, sw).

    Raises:
        LabelError: if a number is negative or beyond 65,535.
    """
    if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) <= MAX_LABEL:
        raise LabelError(
            f"a label map holds numbers from 0 to {MAX_LABEL}, not {int(labels.min())} to {int(labels.max())}"
        )
    pixels = np.zeros((*labels.shape, 3), dtype=np.uint8)
    pixels[..., 0] = labels & 255
    pixels[..., 1] = labels >> 8
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="PNG")  # optimize=True takes 9 times as long and saves 10 %
    return out.getvalue()
