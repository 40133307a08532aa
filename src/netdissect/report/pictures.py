"""The probe pictures a report shows, each kept once in the report's own folder.

A report must be drawn again when the probe set is long gone, so pictures stay as the files they are; only one too large
to be shown whole is made smaller, and one that a browser would show other than the network saw it (turned by its
camera's note, see-through, of another format) is written anew.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

from netdissect.errors import DataNotFoundError
from netdissect.io import atomic, images
from netdissect.report import owner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.protocols import PictureSource
    from netdissect.results.run import RunResult

#: The longer side of a kept picture in pixels, at most.
LONGEST = 640
_QUALITY = 85
#: What a browser shows as it is.
_FORMATS = ("JPEG", "PNG")
_MODES = ("L", "RGB", "P", "1")
_ORIENTATION = 274


def gather(result: RunResult, folder: Path, source: PictureSource) -> Mapping[int, Path]:
    """Put every exemplar picture into a folder; what lies there already of the same probe set is kept.

    Returns:
        the files, by the picture's row in ``index.csv``.

    Raises:
        DataNotFoundError: if a picture is neither there nor given.
    """
    owner.claim(result, folder)
    there = owner.by_row(folder)
    found = {}
    for row, name in result.image_names.items():
        if row not in there:
            data = source.picture_file(row)
            if data is None:
                raise DataNotFoundError(
                    f"picture {name} is needed for the report and lies neither in {folder} nor in the probe set "
                    f"{result.probe_set.path or result.probe_set.name}: put the probe set back, or redraw the report "
                    f"where it is"
                )
            data = as_shown(data)
            suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
            there[row] = folder / f"{row:06d}{suffix}"
            atomic.write_bytes(there[row], data)
        found[row] = there[row]
    return found


def as_shown(data: bytes) -> bytes:
    """Return a picture's file as it is where a browser shows it as the network saw it, else as a JPEG file that does."""
    with images.opened(data, "of the report") as picture:
        large = max(picture.size) > LONGEST
        plain = picture.format in _FORMATS and picture.mode in _MODES and "transparency" not in picture.info
        if plain and not large and picture.getexif().get(_ORIENTATION, 1) == 1:
            return data
        factor = min(1.0, LONGEST / max(picture.size))
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        out = io.BytesIO()
        Image.fromarray(images.rgb(picture, "of the report")).resize(size, Image.Resampling.LANCZOS).save(
            out, format="JPEG", quality=_QUALITY
        )
        return out.getvalue()
