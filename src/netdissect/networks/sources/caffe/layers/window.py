"""The window of a convolution or pooling layer: kernel, stride, padding and dilation, each as (y, x)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netdissect.errors import UnsupportedLayerError
from netdissect.networks.sources.caffe.layers.caffe_layer import setting_error

if TYPE_CHECKING:
    from collections.abc import Sequence

Pair = tuple[int, int]

#: Largest side of a window; more means a damaged file.
_MAX_SIDE = 4096


class Window(NamedTuple):
    """A window; everything is (y, x)."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair


def read_window(layer: Any, settings: Any) -> Window:
    """Read the window from a layer's settings, in any of Caffe's notations.

    Raises:
        ModelFileError: if there is no kernel, or a number is out of range.
        UnsupportedLayerError: for other than two spatial axes.
    """
    window = Window(
        _read_pair(layer, settings, "kernel_size", "kernel", None),
        _read_pair(layer, settings, "stride", "stride", 1),
        _read_pair(layer, settings, "pad", "pad", 0),
        _read_numbers(layer, "dilation", getattr(settings, "dilation", ()), 1),
    )
    for name, pair in zip(window._fields, window, strict=True):
        if name != "padding" and min(pair) < 1:
            raise setting_error(layer, f"its {name} must be at least 1, not {pair[0]} x {pair[1]}")
        if max(pair) > _MAX_SIDE:
            raise setting_error(layer, f"its {name} must be some pixels, not {pair[0]} x {pair[1]}")
    return window


def _read_pair(layer: Any, settings: Any, name: str, stem: str, default: int | None) -> Pair:
    """Read a setting given once, per axis, or as ``_h`` and ``_w``."""
    if settings.HasField(f"{stem}_h") or settings.HasField(f"{stem}_w"):
        return int(getattr(settings, f"{stem}_h")), int(getattr(settings, f"{stem}_w"))
    return _read_numbers(layer, name, getattr(settings, name), default)


def _read_numbers(layer: Any, name: str, numbers: Sequence[int], default: int | None) -> Pair:
    if len(numbers) > 2:
        raise UnsupportedLayerError(
            f'layer "{layer.name}" ({layer.type}) has {len(numbers)} spatial axes ({name}); only two are supported'
        )
    if numbers:
        return int(numbers[0]), int(numbers[-1])
    if default is None:
        raise setting_error(layer, f"it has no {name}")
    return default, default
