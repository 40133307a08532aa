"""Undo what was done to the pixels of an image, if that gives back exactly the 8-bit image it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from netdissect.errors import DataFileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

#: How far from a whole number a value may be, by the type of the floats: several times the rounding errors of
#: dividing by 255, subtracting a mean and dividing by a standard deviation, at most 0.00003 and 0.06.
_TOLERANCE = {2: 0.1, 4: 0.0005, 8: 0.0005}


@dataclass(frozen=True)
class Normalization:
    """What was done to the pixels of an image: x = (value · rescale_factor − mean) / std, in the order of the channels.

    Attributes:
        name: what it is, in words.
        rescale_factor: factor for values from 0 to 255.
        mean: subtracted, one number for every channel.
        std: divides, one number for every channel.
        channels: order of the channels.
    """

    name: str
    rescale_factor: float = 1 / 255
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channels: Literal["rgb", "bgr"] = "rgb"

    def undo(self, values: NDArray[np.floating[Any]]) -> NDArray[np.uint8] | None:
        """Return the 8-bit image, RGB, shape (H, W, 3); None if a value would not be a whole number from 0 to 255.

        Args:
            values: floats, channels last, shape (H, W, 3).
        """
        if not values.size:
            return None
        pixels = (values.astype(np.float64) * np.array(self.std) + np.array(self.mean)) / self.rescale_factor
        whole = np.rint(pixels)
        if not (np.isfinite(pixels).all() and whole.min() >= 0 and whole.max() <= 255):
            return None
        if float(np.abs(pixels - whole).max()) > _TOLERANCE.get(values.dtype.itemsize, 0.0005):
            return None
        return np.ascontiguousarray(whole.astype(np.uint8)[..., :: -1 if self.channels == "bgr" else 1])


#: What is tried after the network's own, in this order.
USUAL = (
    Normalization("values from 0 to 1"),
    Normalization("ImageNet's mean and standard deviation", 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Normalization("mean 0.5 and standard deviation 0.5", 1 / 255, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    Normalization("values from 0 to 255", 1.0),
)


class Denormalizer:
    """Gives back 8-bit images from floats, by one normalization that fits all of them."""

    def __init__(self, find_own: Callable[[], Normalization | None] = lambda: None) -> None:
        """Begin.

        Args:
            find_own: returns the normalization that is tried first, or None for the usual ones alone; called for the first image.
        """
        self._find_own = find_own
        self._candidates: Sequence[Normalization] = ()
        self._first_where = ""

    @property
    def used(self) -> str:
        """What fits all images so far, in words; empty before the first."""
        return self._candidates[0].name if self._first_where else ""

    def restore(self, values: NDArray[np.floating[Any]], where: str) -> NDArray[np.uint8]:
        """Return the 8-bit image that floats were, RGB, shape (H, W, 3).

        Args:
            values: floats, channels last, shape (H, W, 3).
            where: which item of the data it is, for errors.

        Raises:
            DataFileError: if no normalization that fits the images before gives whole numbers from 0 to 255.
        """
        if not self._candidates:
            own = self._find_own()
            self._candidates = USUAL if own is None else (own, *USUAL)
        fitting = [(one, pixels) for one in self._candidates if (pixels := one.undo(values)) is not None]
        if not fitting:
            raise self._make_error(values, where)
        # Normalizations that gave other pixels than the one that is used cannot take its place later.
        self._candidates = [one for one, pixels in fitting if np.array_equal(pixels, fitting[0][1])]
        self._first_where = self._first_where or where
        return fitting[0][1]

    def _make_error(self, values: NDArray[Any], where: str) -> DataFileError:
        tried = ", ".join(one.name for one in self._candidates)
        spread = f"{float(np.nanmin(values)):.4g} to {float(np.nanmax(values)):.4g}" if values.size else "none"
        before = f" that fit {self._first_where}" if self._first_where else ""
        return DataFileError(
            f"{where}: the image's values ({spread}) are no 8-bit image under any normalization{before} (tried: {tried}): pass "
            f"8-bit images, or preprocess= with what they were normalized with, and scale or blend images before they become "
            f"floats"
        )
