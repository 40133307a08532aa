"""Images that a caller names: files, folders and arrays, in any mix."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from netdissect.bounds import describe_type
from netdissect.errors import DataNotFoundError, SettingsError
from netdissect.probe_sets.importers.image_folders import find_images
from netdissect.probe_sets.unlabeled_images import UnlabeledImages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    #: A file or folder, pixels as RGB of shape (H, W, 3) or gray of shape (H, W), or an image that Pillow has opened.
    GivenImage = str | os.PathLike[str] | NDArray[np.uint8] | Image.Image

_LOG = logging.getLogger("netdissect")


def collect_images(given: GivenImage | Sequence[GivenImage]) -> UnlabeledImages:
    """Return images of one's own as a probe set without concepts.

    Args:
        given: one image or several: a file; a folder, of which every image below it is taken; an array, uint8, RGB of shape
            (H, W, 3) or gray of shape (H, W); or an image that Pillow has opened.

    Raises:
        DataNotFoundError: if a file or folder does not exist, or a folder holds no image.
        SettingsError: if something is none of these.
    """
    several: Iterable[Any] = [given] if _is_one_image(given) else given  # type: ignore[assignment]  # a sequence
    if not isinstance(several, Iterable):
        raise SettingsError(f"expected the files, folders or arrays of images, got {describe_type(given)}")
    found = [entry for number, image in enumerate(several, 1) for entry in _expand(image, number)]
    if not found:
        raise SettingsError("no image was given: name at least one file or folder")
    names, images = zip(*found, strict=True)
    return UnlabeledImages("images", images, names)


def _is_one_image(given: object) -> bool:
    return isinstance(given, (str, os.PathLike, np.ndarray)) or hasattr(given, "getexif")


def _expand(given: object, number: int) -> Iterator[tuple[str, Path | NDArray[np.uint8]]]:
    """Yield the name of every image that a file, folder or array stands for, and the image."""
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        if path.is_dir():
            for found in find_images(path, _LOG.warning):
                yield found.relative_to(path).as_posix(), found
        elif path.exists():
            yield path.name, path
        else:
            raise DataNotFoundError(f"image {path} does not exist")
        return
    pixels = _read_upright(given)
    if not _is_image_array(pixels):
        shape = f" of {pixels.dtype} and shape {pixels.shape}" if isinstance(pixels, np.ndarray) else ""
        raise SettingsError(
            f"image {number}: expected a file, a folder or an array of uint8 and shape (H, W, 3), got {describe_type(given)}{shape}"
        )
    yield f"image {number}", np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _is_image_array(given: object) -> TypeGuard[NDArray[np.uint8]]:
    """Return whether something is an array of pixels: RGB, or gray, of at least one pixel."""
    if not isinstance(given, np.ndarray) or given.dtype != np.uint8 or not given.size:
        return False
    return given.ndim == 2 or (given.ndim == 3 and given.shape[2] == 3)


def _read_upright(given: object) -> object:
    """Return the pixels of an image that Pillow has opened, upright, RGB; anything else as it is."""
    from PIL import Image, ImageOps

    from netdissect.io.images import convert_to_rgb

    if not isinstance(given, Image.Image):
        return given
    return convert_to_rgb(ImageOps.exif_transpose(given), getattr(given, "filename", "") or "given")
