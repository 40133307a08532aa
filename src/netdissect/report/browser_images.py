"""Convert image files so that every browser shows them as the network saw them."""

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
#: EXIF's orientation tag.
_ORIENTATION = 274


def convert_for_browser(data: bytes) -> bytes:
    """Return an image file unchanged if every browser shows it as the network saw it, else converted to JPEG.

    An image is converted if it is larger than `MAX_SIDE`, has transparency or an EXIF orientation, or is of another format
    or mode.
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
