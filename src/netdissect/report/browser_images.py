"""Image files that every browser shows exactly as the network saw them."""

from __future__ import annotations

import io

from PIL import Image

from netdissect.io import images

#: Longer side of a converted image in pixels, at most.
MAX_SIDE = 640
_QUALITY = 85
#: Formats and modes that every browser shows.
_FORMATS = ("JPEG", "PNG")
_MODES = ("L", "RGB", "P", "1")
_ORIENTATION = 274


def convert_for_browser(data: bytes) -> bytes:
    """Return an image file unchanged if browsers show it as the network saw it, else a JPEG file that they do.

    Converted are images larger than `MAX_SIDE`, with transparency or an EXIF orientation, or of other formats.
    """
    with images.open_image(data, "of the report") as image:
        fits = max(image.size) <= MAX_SIDE
        is_plain = image.format in _FORMATS and image.mode in _MODES and "transparency" not in image.info
        if is_plain and fits and image.getexif().get(_ORIENTATION, 1) == 1:
            return data
        factor = min(1.0, MAX_SIDE / max(image.size))
        size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
        pixels = images.convert_to_rgb(image, "of the report")
    out = io.BytesIO()
    Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS).save(out, format="JPEG", quality=_QUALITY)
    return out.getvalue()
