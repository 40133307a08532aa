"""Read what a transform does to images by calling it: torchvision's, timm's, processors of transformers, or any function."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch

from netdissect.bounds import describe_type
from netdissect.errors import SettingsError, root_message
from netdissect.networks.preprocess import Preprocess

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

#: What ``preprocess=`` takes.
PreprocessLike: TypeAlias = Preprocess | Callable[..., Any]

_LOG = logging.getLogger("netdissect")
#: Height and width of the images that a transform is tried on: of both formats, and square.
_SIZES = ((320, 480), (480, 320), (400, 400))
#: How often an image with a ramp is transformed, to see whether the result is always the same.
_TRIES = 6
#: Largest difference, in the input's units, between what a transform gives and what was read of it.
_TOLERANCE = 2e-4
#: Share of an image's side that a scaled ramp may miss at either end.
_MARGIN = 0.02


def read_preprocess(given: object) -> Preprocess | None:
    """Return how images become a network's input, as a transform does it.

    Args:
        given: a `Preprocess`; None; or a transform of PIL images, or else of tensors with values from 0 to 1 or of 8-bit
            tensors: it is called on images of one color and on ramps.

    Returns:
        mean, standard deviation and order of the channels, and the size that images are scaled to; a crop is left out, with a
        warning. None for None.

    Raises:
        SettingsError: if it is no transform, or does more than scale, crop in the middle, and change each channel's values by
            a factor and a constant.
    """
    if given is None or isinstance(given, Preprocess):
        return given
    transform = getattr(given, "image_processor", given)  # a processor of transformers for images and texts
    if isinstance(transform, type) or not callable(transform):
        raise SettingsError(
            f"preprocess= takes netdissect.Preprocess(mean=…, std=…), or a transform such as weights.transforms(), not {describe_type(given)}"
        )
    caller = _find_caller(transform)
    factors, constants = _read_colors(caller)
    found = _make_preprocess(caller, factors, constants)
    size = _read_geometry(caller, found)
    return Preprocess(found.channels, found.rescale_factor, found.mean, found.std, note=caller.name, input_size=size)


@dataclass(frozen=True)
class _Caller:
    """A transform, and the kind of image it takes.

    Attributes:
        transform: the transform.
        convert: makes what it takes of an image, RGB, uint8, shape (H, W, 3).
        name: what to call it.
    """

    transform: Callable[..., Any]
    convert: Callable[[NDArray[np.uint8]], Any]
    name: str

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the network's input for an image, shape (C, h, w)."""
        found = self.transform(self.convert(image))
        if isinstance(found, Mapping):
            found = next((found[key] for key in ("pixel_values", "image") if key in found), found)
        while isinstance(found, (list, tuple)) and len(found) == 1:
            found = found[0]
        if hasattr(found, "getbands"):
            raise SettingsError(
                f"preprocess=: {self.name} returns a PIL image, and a network takes tensors: add ToTensor() or ToDtype(torch.float32, scale=True)"
            )
        values = np.asarray(found.detach().cpu() if hasattr(found, "detach") else found)
        while values.ndim > 3 and values.shape[0] == 1:
            values = values[0]
        if values.ndim != 3 or values.shape[0] != 3 or values.dtype.kind not in "fui":
            raise SettingsError(
                f"preprocess=: {self.name} gives {describe_type(found)} of shape {tuple(values.shape)} for one image, and a tensor of shape "
                f"(3, h, w) was expected"
            )
        return values.astype(np.float64)


def _find_caller(transform: Callable[..., Any]) -> _Caller:
    """Return a transform with the first kind of image that it takes: PIL, floats from 0 to 1, 8-bit tensors."""
    name = getattr(transform, "__qualname__", type(transform).__name__)
    problem: Exception | None = None
    for convert in (_to_pil, _to_floats, _to_bytes):
        caller = _Caller(transform, convert, f"the transform {name}")
        try:
            caller(np.zeros((*_SIZES[0], 3), np.uint8))
        except SettingsError:
            raise
        except Exception as error:  # noqa: BLE001 - users' code may raise anything
            problem = problem or error
        else:
            return caller
    assert problem is not None
    raise SettingsError(
        f"preprocess=: the transform {name} runs neither on a PIL image nor on a tensor ({type(problem).__name__}: {root_message(problem)})"
    ) from problem


def _to_pil(image: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(image)


def _to_floats(image: NDArray[np.uint8]) -> torch.Tensor:
    return _to_bytes(image).to(torch.float32) / 255


def _to_bytes(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1).contiguous()


def _read_colors(caller: _Caller) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the matrix and constants that map a pixel's channels from 0 to 255 to the input's channels."""
    constants = _call_on_color(caller, (0, 0, 0))
    factors = np.stack(
        [(_call_on_color(caller, color) - constants) / 255 for color in np.eye(3, dtype=int) * 255], axis=1
    )
    for color in ((255, 255, 255), (64, 128, 200), (1, 250, 97)):
        expected = factors @ np.array(color) + constants
        if np.abs(_call_on_color(caller, color) - expected).max() > _TOLERANCE * max(
            1.0, float(np.abs(expected).max())
        ):
            raise SettingsError(
                f"preprocess=: {caller.name} does more to a channel's values than a factor and a constant: put that into the network's "
                f"forward(), and pass the rest"
            )
    return factors, constants


def _call_on_color(caller: _Caller, color: Any) -> NDArray[np.float64]:
    """Return the input's channels for an image of one color."""
    image = np.broadcast_to(np.array(color, np.uint8), (*_SIZES[0], 3)).copy()
    found = caller(image)
    if np.ptp(found.reshape(3, -1), axis=1).max() > _TOLERANCE * max(1.0, float(np.abs(found).max())):
        raise SettingsError(
            f"preprocess=: {caller.name} gives an image of one color several values, as padding does: label maps would not fit; leave it out"
        )
    values: NDArray[np.float64] = found.reshape(3, -1).mean(axis=1)
    return values


def _make_preprocess(caller: _Caller, factors: NDArray[np.float64], constants: NDArray[np.float64]) -> Preprocess:
    """Return factors and constants as a mean and a standard deviation."""
    is_flipped = np.abs(np.diag(factors)).sum() < np.abs(np.diag(factors[:, ::-1])).sum()
    own = factors[:, ::-1] if is_flipped else factors
    slopes = np.diag(own)
    if np.abs(own - np.diag(slopes)).max() > 1e-6 * np.abs(slopes).max() or slopes.min() <= 0:
        raise SettingsError(
            f"preprocess=: {caller.name} mixes or inverts colors: pass RGB or BGR, and do the rest in the network's forward()"
        )
    if 255 * slopes.max() < 0.1:
        raise SettingsError(
            f"preprocess=: {caller.name} maps black and white to nearly the same, as dividing by 255 twice does: it is called with "
            f"values from 0 to 1; pass netdissect.Preprocess(mean=…, std=…) if it takes others"
        )
    unit = 1.0 if 255 * slopes.min() > 64 else 1 / 255
    std = unit / slopes
    mean = -constants * std
    return Preprocess("bgr" if is_flipped else "rgb", unit, _snap(mean, unit), _snap(std, unit))


def _snap(values: NDArray[np.float64], unit: float) -> NDArray[np.float32]:
    """Return numbers as they were typed, with at most 8 digits, if that is within the rounding error of what was read."""
    digits, error = (5, 3e-7) if unit != 1 else (3, 2e-4)
    for places in range(1, digits + 4):
        rounded = np.round(values, places)
        if np.abs(rounded - values).max() <= error:
            return (rounded + 0.0).astype(np.float32)
    return values.astype(np.float32)


def _read_geometry(caller: _Caller, colors: Preprocess) -> tuple[int, int] | None:
    """Return the height and width that images are scaled to; None if their size stays; warn of a crop.

    Raises:
        SettingsError: if a part of the image is moved otherwise, or not always in the same way.
    """
    sizes, crops = [], []
    for height, width in _SIZES:
        ramps = [_make_ramp(height, width, axis) for axis in (0, 1)]
        first = [caller(ramp) for ramp in ramps]
        if any(
            not np.array_equal(caller(ramp), seen)
            for ramp, seen in zip(ramps, first, strict=True)
            for _ in range(_TRIES)
        ):
            raise SettingsError(
                f"preprocess=: {caller.name} is random, as augmentations for training are: pass the transform of the evaluation"
            )
        sizes.append((first[0].shape[1], first[0].shape[2]))
        crops.append([_find_view(caller, colors, seen, axis) for axis, seen in enumerate(first)])
    if tuple(sizes) == _SIZES:
        _require_pointwise(caller, colors)
        return None
    seen = np.array(crops)
    if seen.min() < 1 - 2 * _MARGIN:
        _LOG.warning(
            "%s keeps the middle of an image (at least %d %% of a side): the crop is left out, and whole images are scaled to %s x "
            "%s, so that label maps still fit", caller.name, round(100 * float(seen.min())), sizes[2][1], sizes[2][0],
        )  # fmt: skip
    elif len(set(sizes)) > 1:
        _LOG.warning(
            "%s scales the short side of an image: all images are scaled to %s x %s, so that they make batches", caller.name, sizes[2][1],
            sizes[2][0],
        )  # fmt: skip
    return sizes[2]


def _make_ramp(height: int, width: int, axis: int) -> NDArray[np.uint8]:
    """Return a gray image that becomes lighter along an axis."""
    length = (height, width)[axis]
    line = np.round(np.linspace(0, 255, length)).astype(np.uint8)
    plane = line[:, np.newaxis] if axis == 0 else line[np.newaxis]
    return np.broadcast_to(plane[..., np.newaxis], (height, width, 3)).copy()


def _find_view(caller: _Caller, colors: Preprocess, found: NDArray[np.float64], axis: int) -> float:
    """Return the share of an image's side that is in the input, which is in the middle of the image."""
    mean, std = (values.astype(np.float64)[:, np.newaxis, np.newaxis] for values in (colors.mean, colors.std))
    gray = ((found * std + mean) / colors.rescale_factor).mean(axis=0) / 255
    across, along = (gray.std(axis=1 - axis).max(), gray.mean(axis=1 - axis))
    first, last = float(along[0]), float(along[-1])
    if across > _MARGIN or first >= last or abs((1 - last) - first) > 2 * _MARGIN:
        raise SettingsError(
            f"preprocess=: {caller.name} turns, mirrors or moves images, so that label maps would not fit: pass scaling, a crop in the "
            f"middle, and normalization"
        )
    return last - first


def _require_pointwise(caller: _Caller, colors: Preprocess) -> None:
    """Refuse a transform that keeps an image's size and changes more than each pixel by itself."""
    noise = np.random.default_rng(0).integers(0, 256, (*_SIZES[0], 3)).astype(np.uint8)
    expected = colors(torch.from_numpy(noise[np.newaxis])).numpy()[0]
    if np.abs(caller(noise) - expected).max() > 10 * _TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise SettingsError(
            f"preprocess=: {caller.name} does more than change each pixel's values by a factor and a constant: put that into the "
            f"network's forward(), and pass the rest"
        )
