"""The probe images a report shows, each kept once in the report's own folder.

A report must be drawn again when the probe set is long gone, so images stay as the files they are; only one too large
to be shown whole is made smaller, and one that a browser would show other than the network saw it (turned by its
camera's note, see-through, of another format) is written anew.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from netdissect.errors import DataNotFoundError
from netdissect.io import atomic, images
from netdissect.report import cache_owner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.protocols import ImageSource
    from netdissect.results.run_result import RunResult

#: The longer side of a kept image in pixels, at most.
MAX_SIDE = 640
_QUALITY = 85
#: What a browser shows as it is.
_FORMATS = ("JPEG", "PNG")
_MODES = ("L", "RGB", "P", "1")
_ORIENTATION = 274


def cache_images(result: RunResult, folder: Path, source: ImageSource) -> Mapping[int, Path]:
    """Put every exemplar image into a folder; what lies there already of the same probe set is kept.

    Returns:
        the files, by the image's row in ``index.csv``.

    Raises:
        DataNotFoundError: if an image is neither there nor given.
    """
    cache_owner.claim(result, folder)
    there = cache_owner.by_row(folder)
    found = {}
    for row, name in result.image_names.items():
        if row not in there:
            data = source.read_image_file(row)
            if data is None:
                raise DataNotFoundError(
                    f"picture {name} is needed for the report and lies neither in {folder} nor in the probe set "
                    f"{result.probe_set.path or result.probe_set.name}: put the probe set back, or redraw the report "
                    f"where it is"
                )
            data = convert_for_browser(data)
            suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
            there[row] = folder / f"{row:06d}{suffix}"
            atomic.write_bytes(there[row], data)
        found[row] = there[row]
    return found


def convert_for_browser(data: bytes) -> bytes:
    """Return an image's file as it is where a browser shows it as the network saw it, else as a JPEG file that does."""
    with images.open_image(data, "of the report") as picture:
        large = max(picture.size) > MAX_SIDE
        plain = picture.format in _FORMATS and picture.mode in _MODES and "transparency" not in picture.info
        if plain and not large and picture.getexif().get(_ORIENTATION, 1) == 1:
            return data
        factor = min(1.0, MAX_SIDE / max(picture.size))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        out = io.BytesIO()
        Image.fromarray(images.convert_to_rgb(picture, "of the report")).resize(size, Image.Resampling.LANCZOS).save(
            out, format="JPEG", quality=_QUALITY
        )
        return out.getvalue()
