"""Image files, opened in one way wherever they come from: formats that are listed, a size that is known before unpacking.

Photographs become RGB of 8 bits a channel; label maps stay the numbers that are in the file. A format that is not
listed is never tried: Pillow would start other programs for some of them.
"""

from __future__ import annotations

import contextlib
import functools
import io
from pathlib import Path as LocalPath
from typing import TYPE_CHECKING, Any

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from netdissect.errors import DataFileError, DataNotFoundError, NetdissectError
from netdissect.io.reading import open_regular, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Formats that are opened, as Pillow calls them; a Pillow that lacks one refuses such files.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF", "PPM")
#: Endings of image files: what lies beside them in a folder is left aside, counted, and told.
ENDINGS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
    ".avif", ".avifs", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
#: No image is unpacked that has more pixels than this.
MAX_IMAGE_PIXELS = 2**27

#: EXIF's tag of how a camera was held, and its values that swap height and width.
_ORIENTATION = 0x0112
_SIDE_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
#: Formats that change numbers a little, so that no label survives them.
_LOSSY = ("JPEG", "MPO", "WEBP", "AVIF")
#: Formats whose images of mode "I" hold 16 bits.
_SIXTEEN_BITS = ("PNG", "PPM")
_LABEL_MODES = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "LA", "PA", "RGB", "RGBA")
_UNSUPPORTED_MODES = {"F": "floating-point numbers", "I": "32-bit integers"}


def read_indexed_image(path: Path) -> bytes:
    """Return the bytes of an image that ``index.csv`` names.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it cannot be read.
    """
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"image {path}, named in index.csv, does not exist") from error
    except Exception as error:
        raise make_read_error("image", path, error) from error


def make_read_error(what: str, path: Path, error: Exception) -> Exception:
    """Return the error for a file that cannot be read; what lies behind a URL may fail in any way."""
    if isinstance(error, OSError) or not isinstance(path, LocalPath):
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        return DataFileError(f"{what} {path} cannot be read: {reason}")
    return error


def load_image(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """Read any image file, RGB, shape (H, W, 3).

    Args:
        path: the file.
        upright: turn it as its camera says (EXIF); only where no label map lies over it. Pillow always turns TIFF.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it does not decode.
    """
    return decode_image(read_image_bytes(path), path, upright=upright)


def read_image_bytes(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it cannot be read.
    """
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"image {path} does not exist") from error
    except OSError as error:
        raise make_read_error("image", path, error) from error


def load_image_in_frame(path: LocalPath, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image file as what is labeled in it lies; see `decode_image_in_frame`.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it does not decode.
    """
    return decode_image_in_frame(read_image_bytes(path), path, frame)


def decode_image_in_frame(data: bytes, where: object, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image as what is labeled in it lies: turned as its camera says (EXIF), or as it is in the file.

    The labels' frame decides: its height and width belong to one of the two. Where they cannot tell (a square, or a turn
    by half), or fit neither, the image is taken upright, as the tools show it that labels are drawn with.

    Args:
        data: the file's bytes.
        where: its name, for messages.
        frame: height and width of the label map.

    Raises:
        DataFileError: if it does not decode.
    """
    with open_image(data, where) as image:
        stored = image.height, image.width
        turned = image.getexif().get(_ORIENTATION, 1)
    swaps = turned in _SIDE_SWAPPING_ORIENTATIONS and stored[0] != stored[1]
    return decode_image(data, where, upright=turned != 1 and not (swaps and is_same_shape(stored, frame)))


def is_same_shape(image: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Say whether two heights and widths are those of one frame, one perhaps a smaller copy of the other.

    >>> is_same_shape((80, 120), (40, 60)), is_same_shape((80, 120), (120, 80))
    (True, False)
    """
    across, down = frame[1] * image[0], frame[0] * image[1]
    return abs(across - down) <= max(0.03 * down, *frame, *image)


def decode_image(
    data: bytes, where: object, expected: tuple[int, int] | None = None, *, upright: bool = False
) -> NDArray[np.uint8]:
    """Decode an image to RGB, shape (H, W, 3).

    Args:
        data: the file's bytes.
        where: its name, for messages.
        expected: the height and width it must have, if any; checked before anything is unpacked.
        upright: turn it as its camera says (EXIF).

    Raises:
        DataFileError: if it has another size, or does not decode.
    """
    if simplejpeg.is_jpeg(data) and not (upright and b"Exif" in data[:65536]):
        try:
            height, width, space, _ = simplejpeg.decode_jpeg_header(data)
            _check_size(where, (height, width), expected)
            if space in ("YCbCr", "Gray", "RGB", "YUV"):
                pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colorspace="RGB")
                return pixels
        except DataFileError:
            raise
        except ValueError as error:
            raise DataFileError(f"image {where} does not decode: {error}") from error
    with open_image(data, where, expected=expected) as image:
        return convert_to_rgb(ImageOps.exif_transpose(image) if upright else image, where)


@contextlib.contextmanager
def open_image(
    data: bytes | LocalPath,
    where: object,
    *,
    what: str = "image",
    formats: Sequence[str] = FORMATS,
    expected: tuple[int, int] | None = None,
) -> Iterator[Image.Image]:
    """Open an image for the length of a block; its pixels are unpacked only when the block asks for them.

    Args:
        data: the file, or its bytes.
        where: its name, for messages.
        what: what it is, for messages.
        formats: the formats that are tried, as Pillow calls them.
        expected: the height and width it must have, if any.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is of none of the formats, has another size, or does not decode within the block.
    """
    try:
        with open_regular(data) if isinstance(data, LocalPath) else io.BytesIO(data) as file:
            head = file.read(32)
            if not head:
                raise DataFileError(f"{what} {where} is empty: copy or download it again")
            file.seek(0)
            said = parse_header_size(head)
            if said is not None:
                _check_size(where, said, expected, what)
            with Image.open(file, formats=_list_supported(tuple(formats))) as image:
                _check_size(where, (image.height, image.width), expected, what)
                yield image
    except (NetdissectError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{what} {where} does not exist") from error
    except Image.DecompressionBombError as error:
        raise DataFileError(
            f"{what} {where}: expected at most {MAX_IMAGE_PIXELS:,} pixels: scale it down first"
        ) from error
    except UnidentifiedImageError as error:
        raise DataFileError(
            f"{what} {where} does not decode: expected {_join_names(_list_supported(tuple(formats)))}, and it is none"
        ) from error
    except Exception as error:  # decoders meet damaged files with any kind of error
        if isinstance(error, OSError) and error.strerror:
            raise DataFileError(f"{what} {where} cannot be read: {error.strerror}") from error
        raise DataFileError(f"{what} {where} does not decode: {str(error) or type(error).__name__}") from error


def convert_to_rgb(image: Image.Image, where: object) -> NDArray[np.uint8]:
    """Return an opened image's pixels as RGB, 8 bits a channel, shape (H, W, 3); of 16 bits the upper 8.

    Raises:
        DataFileError: if its numbers have no known range: 32-bit integers and floating-point numbers.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _SIXTEEN_BITS):
        wide = np.asarray(image)
        grey = (wide >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., np.newaxis], 3, axis=2)
    if image.mode in _UNSUPPORTED_MODES:
        raise DataFileError(
            f"image {where}: its pixels are {_UNSUPPORTED_MODES[image.mode]} (mode {image.mode}), and nothing says which of them "
            f"is white: save it with 8 or 16 bits a channel"
        )
    return np.asarray(image.convert("RGB"))


def read_label_numbers(path: LocalPath, what: str = "label map") -> NDArray[np.integer[Any]]:
    """Read a label map as it is: (h, w) for grey and palette images (the index), (h, w, 3) for RGB.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it does not decode, or is of a lossy format, which no label survives.
    """
    with open_image(path, path, what=what) as image:
        return extract_label_numbers(image, path, what)


def extract_label_numbers(image: Image.Image, where: object, what: str = "label map") -> NDArray[np.integer[Any]]:
    """Return an opened label map's numbers, as `read_label_numbers`.

    Raises:
        DataFileError: if it is of a lossy format, or its mode holds no numbers of classes.
    """
    if image.format in _LOSSY:
        raise DataFileError(f"{where}: a {what} cannot be a {image.format} file, which changes the numbers: use PNG")
    if image.mode not in _LABEL_MODES:
        raise DataFileError(f"{where}: expected a grey, palette or RGB {what}, got mode {image.mode}")
    pixels = np.asarray(image)
    if image.mode in ("LA", "PA"):
        return pixels[..., 0]
    if pixels.ndim == 3:
        return pixels[..., :3]
    return pixels.astype(np.uint8) if pixels.dtype == bool else pixels


def read_image_size(path: LocalPath, what: str = "image") -> tuple[int, int]:
    """Return height and width of an image as `load_image` gives it where it is not asked to turn it; nothing is unpacked.

    Raises:
        DataNotFoundError: if it is not there.
        DataFileError: if it is no image.
    """
    with open_image(path, path, what=what) as image:
        return image.height, image.width


def parse_header_size(head: bytes) -> tuple[int, int] | None:
    """Return the height and width that a PNG or WebP claims in its first 32 bytes; None for anything else.

    >>> parse_header_size(b"no image") is None
    True
    """
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and len(head) >= 24:
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[27:30], "little"), 1 + int.from_bytes(head[24:27], "little")
    return None


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale (not crop) an image to a height and width, bilinear with smoothing, as Broden itself was made."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _join_names(formats: Sequence[str]) -> str:
    return formats[0] if len(formats) == 1 else f"{', '.join(formats[:-1])} or {formats[-1]}"


@functools.cache
def _list_supported(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Return the formats that this Pillow has."""
    Image.init()
    return tuple(name for name in formats if name in Image.OPEN)


def _check_size(where: object, got: tuple[int, int], expected: tuple[int, int] | None, what: str = "image") -> None:
    if expected is not None and got != expected:
        raise DataFileError(
            f"{what} {where}: expected {expected[1]} x {expected[0]} pixels as index.csv says, got {got[1]} x {got[0]}"
        )
    if got[0] * got[1] > MAX_IMAGE_PIXELS:
        raise DataFileError(
            f"{what} {where}: expected at most {MAX_IMAGE_PIXELS:,} pixels, got {got[1]} x {got[0]}: scale it down first"
        )
