"""Preprocessing: how images become a network's input. Part of each network, never global (docs/models.md)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from netdissect.bounds import describe_type, format_value, require_choice
from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The mean the released code subtracts, in BGR order and units of 0 to 255.
CAFFE_MEAN = (109.5388, 118.6897, 124.6901)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, eq=False)
class Preprocess:
    """How images become a network's input: x = (value · rescale_factor − mean) / std, averaged over channels if `grayscale`.

    Attributes:
        channels: order of the input's channels.
        rescale_factor: factor for pixel values, which are from 0 to 255: 1 for Caffe, 1/255 for torch.
        mean: subtracted from the values; shape (3,), or (3, H, W) for a mean image of the input's own size.
        std: divides the values, shape (3,).
        grayscale: whether the network gets one channel, the average of the three, as the released code's ``--colordepth 1`` does.
        note: where these settings come from, for the report.
        input_size: height and width that images are scaled to, without cropping; None leaves that to the network.
    """

    channels: Literal["rgb", "bgr"] = "rgb"
    rescale_factor: float = 1 / 255
    mean: NDArray[np.float32] = field(default_factory=lambda: np.array(IMAGENET_MEAN, np.float32))
    std: NDArray[np.float32] = field(default_factory=lambda: np.array(IMAGENET_STD, np.float32))
    grayscale: bool = False
    note: str = ""
    input_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        """Check all numbers, and turn means and standard deviations into arrays of float32.

        Raises:
            SettingsError: if one is not as described above.
        """
        require_choice("channels", self.channels, ("rgb", "bgr"))
        for name in ("mean", "std"):
            object.__setattr__(self, name, _read_channels(name, getattr(self, name)))
        if not self.std.all():
            raise SettingsError(f"std={_format_numbers(self.std)} divides the values: expected numbers other than 0")
        object.__setattr__(self, "input_size", _read_size(self.input_size))

    @property
    def depth(self) -> int:
        """Number of input channels."""
        return 1 if self.grayscale else 3

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return the network's input.

        Args:
            images: RGB, uint8, shape (B, H, W, 3), on any device.

        Returns:
            float32, shape (B, depth, H, W), channels last, on the same device.
        """
        count, height, width, _ = images.shape
        mean = torch.from_numpy(self.mean).to(images.device, non_blocking=True)
        if mean.ndim == 3 and mean.shape[1:] != (height, width):
            raise SettingsError(
                f"the mean image is {mean.shape[2]} x {mean.shape[1]} pixels and the network's input "
                f"{width} x {height}: give --mean three numbers instead"
            )
        if self.channels == "bgr":
            images = images.flip(3)
        # Rows of width * 3 values: a CPU vectorizes over these, but not over the three channels of a pixel.
        x = images.to(torch.float32, memory_format=torch.contiguous_format, copy=True).view(count, height, width * 3)
        if self.rescale_factor != 1:
            x.mul_(self.rescale_factor)
        x.sub_(mean.permute(1, 2, 0).reshape(height, width * 3) if mean.ndim == 3 else mean.repeat(width))
        if (self.std != 1).any():
            x.div_(torch.from_numpy(self.std).to(x.device, non_blocking=True).repeat(width))
        x = x.view(count, height, width, 3).permute(0, 3, 1, 2)
        return x.mean(dim=1, keepdim=True) if self.grayscale else x

    def describe(self) -> str:
        """Return a description of the preprocessing."""
        numbers = _format_numbers(self.mean.reshape(3, -1).mean(axis=1))
        parts = [self.channels.upper(), f"mean {numbers}" + (" (per pixel)" if self.mean.ndim == 3 else "")]
        if (self.std != 1).any():
            parts.append(f"std {_format_numbers(self.std)}")
        if self.rescale_factor != 1:
            parts.insert(1, "0 to 1" if abs(self.rescale_factor * 255 - 1) < 1e-9 else f"times {self.rescale_factor:g}")
        if self.grayscale:
            parts.append("grayscale")
        return ", ".join(parts) + (f" ({self.note})" if self.note else "")


def _read_channels(name: str, value: object) -> NDArray[np.float32]:
    """Return the numbers of the channels, shape (3,), or a mean image, shape (3, H, W)."""
    try:
        found = np.asarray(value, np.float32)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{name}= takes three numbers, one for each channel, not {describe_type(value)}") from error
    if found.shape != (3,) and not (name == "mean" and found.ndim == 3 and found.shape[0] == 3):
        got = f"an array of {' x '.join(map(str, found.shape))}" if found.ndim else format_value(value)
        raise SettingsError(f"{name}= takes three numbers, one for each channel, not {got}")
    if not np.isfinite(found).all():
        raise SettingsError(f"{name}= holds a number that is not finite: give three numbers, one for each channel")
    return found


def _read_size(value: object) -> tuple[int, int] | None:
    """Return the height and width of an input."""
    if value is None:
        return None
    sides = value if isinstance(value, (tuple, list)) else ()
    if len(sides) != 2 or not all(isinstance(side, (int, np.integer)) and side > 0 for side in sides):
        raise SettingsError(
            f"input_size= takes height and width in pixels, such as (224, 224), not {format_value(value)}"
        )
    return int(sides[0]), int(sides[1])


def _format_numbers(values: NDArray[np.float32]) -> str:
    """Return numbers as they were typed.

    >>> _format_numbers(np.array([109.5388, 58, 0.229], np.float32))
    '109.5388 58 0.229'
    """
    return " ".join(str(value).removesuffix(".0") for value in values)


def make_caffe_preprocess(
    *,
    mean: NDArray[np.float32] | None = None,
    scale: float = 1.0,
    channels: Literal["rgb", "bgr"] = "bgr",
    grayscale: bool = False,
    input_size: tuple[int, int] | None = None,
) -> Preprocess:
    """Return the released code's preprocessing: BGR minus the mean, no scale.

    Args:
        mean: three numbers in the input's channel order, or a mean image (3, H, W); an image of another size than
            the input's is averaged per channel, as Caffe's own Python examples do.
        scale: factor applied after the mean is subtracted.
        channels: order of the input's channels.
        grayscale: whether the channels are averaged at the end.
        input_size: height and width of the input.
    """
    average = np.array(CAFFE_MEAN if channels == "bgr" else CAFFE_MEAN[::-1], np.float32)
    values = average if mean is None else np.asarray(mean, np.float32)
    if values.ndim == 3 and values.shape[1:] != input_size:
        values = values.mean(axis=(1, 2))
    if values.size == 1:
        values = np.repeat(values.ravel(), 3)
    if values.shape[0] != 3:
        raise SettingsError(f"--mean takes one number, three, or a mean image of three channels, not {values.shape[0]}")
    if scale == 0:
        raise SettingsError("--scale must not be 0")
    std = np.full(3, 1 / scale, np.float32)
    return Preprocess(channels, 1.0, values.astype(np.float32), std, grayscale)
