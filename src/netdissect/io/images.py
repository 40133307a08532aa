"""Read image files: only listed formats are opened, and the size is checked before anything is decompressed.

Images become RGB with 8 bits per channel. Other formats are never tried, because Pillow starts external programs for
some of them.
"""

from __future__ import annotations

import contextlib
import functools
import io
import zlib
from pathlib import Path as LocalPath
from typing import IO, TYPE_CHECKING

import numpy as np
import simplejpeg
from PIL import Image, ImageOps, UnidentifiedImageError

from netdissect.errors import DataFileError, DataNotFoundError, NetdissectError
from netdissect.io.reading import open_regular, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

#: Formats that are opened, by their names in Pillow; files of a format that the installed Pillow lacks are refused.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "AVIF", "PPM")
#: Suffixes of image files; importers skip and count the other files of a folder.
ENDINGS = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff", ".gif",
    ".avif", ".avifs", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
#: An image with more pixels than this is not decoded.
MAX_IMAGE_PIXELS = 2**27

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: EXIF's orientation tag, and its values that swap height and width.
_ORIENTATION = 0x0112
_SIDE_SWAPPING_ORIENTATIONS = (5, 6, 7, 8)
#: Formats whose images of mode "I" hold 16 bits.
_SIXTEEN_BITS = ("PNG", "PPM")
_UNSUPPORTED_MODES = {"F": "floating-point numbers", "I": "32-bit integers"}


def read_image_bytes(path: Path) -> bytes:
    """Return the bytes of an image file.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it cannot be read.
    """
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        raise DataNotFoundError(f"image {path} does not exist") from error
    except Exception as error:
        raise make_read_error("image", path, error) from error


def read_indexed_image(path: Path) -> bytes:
    """Return the bytes of an image file that ``index.csv`` lists; otherwise as `read_image_bytes`."""
    try:
        return read_image_bytes(path)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"image {path}, named in index.csv, does not exist") from error


def make_read_error(what: str, path: Path, error: Exception) -> Exception:
    """Return the error for a file that cannot be read; reading a file at a URL may fail with any exception."""
    if isinstance(error, OSError) or not isinstance(path, LocalPath):
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        return DataFileError(f"{what} {path} cannot be read: {reason}")
    return error


def load_image(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """Read an image file as RGB, shape (H, W, 3).

    Args:
        path: the file.
        upright: apply the EXIF orientation; only for images without a label map. Pillow always applies that of TIFF files.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it cannot be decoded.
    """
    return decode_image(read_image_bytes(path), path, upright=upright)


def load_image_in_frame(path: LocalPath, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Read an image file with the orientation of its label map; see `decode_image_in_frame`.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it cannot be decoded.
    """
    return decode_image_in_frame(read_image_bytes(path), path, frame)


def decode_image_in_frame(data: bytes, where: object, frame: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode an image with the orientation of its label map: with its EXIF orientation applied, or as it is stored.

    The orientation whose height and width fit the label map is chosen. If both fit (a square, or a rotation by 180°) or
    neither, the EXIF orientation is applied, as annotation tools do.

    Args:
        data: the file's bytes.
        where: its name, for messages.
        frame: height and width of the label map.

    Raises:
        DataFileError: if it cannot be decoded.
    """
    with open_image(data, where) as image:
        stored = image.height, image.width
        orientation = image.getexif().get(_ORIENTATION, 1)
    swaps = orientation in _SIDE_SWAPPING_ORIENTATIONS and stored[0] != stored[1]
    return decode_image(data, where, upright=orientation != 1 and not (swaps and is_same_shape(stored, frame)))


def is_same_shape(image: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Return whether two sizes have the same aspect ratio, up to rounding.

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
        expected: the height and width it must have, if any; checked before it is decoded.
        upright: apply the orientation of its EXIF data.

    Raises:
        DataFileError: if it has another size or cannot be decoded.
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
    """Return a context manager that opens an image; its pixels are decoded when the block reads them.

    Args:
        data: the file, or its bytes.
        where: its name, for messages.
        what: what it is, for messages.
        formats: formats that are tried, by their names in Pillow.
        expected: the height and width it must have, if any.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it has another format or size, or cannot be decoded inside the block.
    """
    try:
        with open_regular(data) if isinstance(data, LocalPath) else io.BytesIO(data) as file:
            head = file.read(32)
            if not head:
                raise DataFileError(f"{what} {where} is empty: copy or download it again")
            file.seek(0)
            size = parse_header_size(head)
            if size is not None:
                _check_size(where, size, expected, what)
            with Image.open(file, formats=_list_supported(tuple(formats))) as image:
                _check_size(where, (image.height, image.width), expected, what)
                yield image
                if head.startswith(_PNG_SIGNATURE) and _is_decoded(image):
                    _check_png_checksums(file)
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
            f"{what} {where} does not decode: expected {_join_names(_list_supported(tuple(formats)))}, got another format"
        ) from error
    except Exception as error:  # decoders raise anything for damaged files
        if isinstance(error, OSError) and error.strerror:
            raise DataFileError(f"{what} {where} cannot be read: {error.strerror}") from error
        raise DataFileError(f"{what} {where} does not decode: {str(error) or type(error).__name__}") from error


def _is_decoded(image: Image.Image) -> bool:
    """Return whether the pixels of an open image were decoded, not only its header."""
    return getattr(image, "_im", None) is not None


def _check_png_checksums(file: IO[bytes]) -> None:
    """Raise if the data of a PNG were changed; Pillow does not compare the checksums of its image data."""
    file.seek(0)
    data, at = file.read(), len(_PNG_SIGNATURE)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data) or zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise ValueError("a checksum is wrong, so its data were changed")
        if data[at + 4 : at + 8] == b"IEND":
            return
        at = end + 4


def convert_to_rgb(image: Image.Image, where: object) -> NDArray[np.uint8]:
    """Return the pixels of an open image as RGB, uint8, shape (H, W, 3); of 16-bit pixels, the upper 8 bits are kept.

    Raises:
        DataFileError: if its pixels are 32-bit integers or floating-point numbers, which have no known range.
    """
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in _SIXTEEN_BITS):
        wide = np.asarray(image)
        gray = (wide >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(gray[..., np.newaxis], 3, axis=2)
    if image.mode in _UNSUPPORTED_MODES:
        raise DataFileError(
            f"image {where}: its pixels are {_UNSUPPORTED_MODES[image.mode]} (mode {image.mode}), whose value for "
            f"white is unknown: save it with 8 or 16 bits per channel"
        )
    return np.asarray(image.convert("RGB"))


def read_image_size(path: LocalPath, what: str = "image") -> tuple[int, int]:
    """Return height and width of an image file, before its EXIF orientation; the pixels are not decoded.

    Raises:
        DataNotFoundError: if it does not exist.
        DataFileError: if it is not an image.
    """
    with open_image(path, path, what=what) as image:
        return image.height, image.width


def parse_header_size(head: bytes) -> tuple[int, int] | None:
    """Return the height and width in the first 32 bytes of a PNG or WebP; None for anything else.

    >>> parse_header_size(b"no image") is None
    True
    """
    if head[:8] == _PNG_SIGNATURE and head[12:16] == b"IHDR" and len(head) >= 24:
        return int.from_bytes(head[20:24], "big"), int.from_bytes(head[16:20], "big")
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[27:30], "little"), 1 + int.from_bytes(head[24:27], "little")
    return None


def resize_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale an image to a height and width, without cropping: bilinear with antialiasing, as Broden's images were scaled."""
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _join_names(formats: Sequence[str]) -> str:
    return formats[0] if len(formats) == 1 else f"{', '.join(formats[:-1])} or {formats[-1]}"


@functools.cache
def _list_supported(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Return the formats that the installed Pillow supports."""
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
