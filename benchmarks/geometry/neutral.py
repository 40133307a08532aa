"""A copy of a network whose cells look exactly where its geometry puts them, so that gradients show the centers.

Kernels are symmetric and of one sign, with most weight in the middle, norms are neutral, maxima are means, and attention is
weak beside the paths around it.
"""

from __future__ import annotations

import contextlib
import copy
import math
import re
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch import nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Factor of what attention gives.
_ATTENTION = 0.05
#: Value of scales of residual branches that start near zero.
_BRANCH = 0.1
#: Size of a convolution's output in relation to its input's.
_GAIN = 0.8
#: Weight of a kernel's border in relation to its middle.
_BORDER = 0.3
_SCALES = re.compile(
    r"^(gamma|ls|layer_?scale|lambda|scale|alpha|res_scale|skip_scale|skipinit_gain)[\w]*$", re.IGNORECASE
)


def make_neutral_copy(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy whose cells see their surroundings symmetrically."""
    generator = torch.Generator().manual_seed(1)
    copied = copy.deepcopy(module).to(dtype).eval()
    copied.requires_grad_(False)
    with torch.no_grad():
        for part in copied.modules():
            _neutralize(part, generator)
    return copied


def _neutralize(part: nn.Module, generator: torch.Generator) -> None:
    kind = type(part).__name__
    own = {**dict(part.named_parameters(recurse=False)), **dict(part.named_buffers(recurse=False))}
    if "running_mean" in own or "Norm" in kind:
        for name, value in {"running_mean": 0, "running_var": 1, "weight": 1, "bias": 0}.items():
            if name in own and own[name].ndim <= 1 and own[name].is_floating_point():
                own[name].fill_(value)
        return
    for name, value in own.items():
        if not value.is_floating_point() or not value.numel():
            continue
        is_convolution = isinstance(part, nn.modules.conv._ConvNd)  # noqa: SLF001
        if is_convolution and name == "weight" and value.ndim == 4:
            value.copy_(make_kernel(value.shape, part, generator))
        elif name == "bias" and value.ndim == 1:
            value.zero_()
        elif _is_branch_scale(kind, name, value):
            value.fill_(_BRANCH)
        elif value.ndim == 2 and "bias" not in name and "pos" not in name and not value.any():
            value.copy_(torch.randn(value.shape, generator=generator, dtype=value.dtype) * 0.02)


def _is_branch_scale(kind: str, name: str, value: torch.Tensor) -> bool:
    if not (_SCALES.match(name) or (name == "weight" and "Scale" in kind)):
        return False
    return bool((value == value.flatten()[0]).all()) and abs(float(value.flatten()[0])) <= 0.5


def make_kernel(shape: Any, part: Any, generator: torch.Generator) -> torch.Tensor:
    """Return kernels (out, in, h, w) of one sign each, symmetric along both axes."""
    rows, columns = shape[2:]
    profile = _make_profile(rows)[:, None] * _make_profile(columns)[None, :]
    noise = torch.rand(*shape, generator=generator, dtype=torch.float64)
    kernel = profile * (0.5 + 0.5 * (noise + noise.flip(2) + noise.flip(3) + noise.flip(2, 3)) / 4)
    # One sign per pair of channels: means over many channels would make all of them the same.
    kernel = kernel * torch.randn(*shape[:2], 1, 1, generator=generator, dtype=torch.float64)
    if getattr(part, "transposed", False):
        inputs = shape[0] / part.groups * part.stride[0] * part.stride[1]
        return kernel * _GAIN * math.sqrt(2 / inputs) * part.stride[0] * part.stride[1] / profile.sum()
    return kernel * _GAIN * math.sqrt(2 / shape[1]) / profile.sum()


def _make_profile(length: int) -> torch.Tensor:
    """Return a kernel's weights along an axis: of an odd length mostly the middle, of an even one a triangle."""
    place = torch.arange(length, dtype=torch.float64) - (length - 1) / 2
    triangle = (length + 1) / 2 - place.abs()
    if length % 2 == 0 or length == 1:
        return triangle
    border = triangle * (place != 0)
    return border * (_BORDER / border.sum()) + (place == 0)


@contextlib.contextmanager
def smooth_operators(*, upsampling: float = 1.0, slope: float = 1.0) -> Iterator[list[str]]:
    """Inside the block, maxima over windows are means, activation functions are of two straight pieces, and softmax over the last dimension is weak.

    Args:
        upsampling: factor of everything that is scaled up; a small one shows what the other paths see.
        slope: of activation functions below zero.

    Yields:
        the names of the operators that scaled something up.
    """
    scaled: list[str] = []
    standardize = functional.batch_norm
    softmax, attention, method = functional.softmax, functional.scaled_dot_product_attention, torch.Tensor.softmax

    def weaken(result: torch.Tensor, dim: Any) -> torch.Tensor:
        is_attention = result.ndim >= 3 and dim in (-1, result.ndim - 1) and min(result.shape[-2:]) > 1
        return result * _ATTENTION if is_attention else result

    def weak_softmax(x: torch.Tensor, dim: Any = None, *args: Any, **options: Any) -> torch.Tensor:
        return weaken(softmax(x, dim, *args, **options), dim)

    def weak_method(x: torch.Tensor, dim: Any = None, *args: Any, **options: Any) -> torch.Tensor:
        return weaken(method(x, dim, *args, **options), dim)

    def weak_attention(*args: Any, **options: Any) -> torch.Tensor:
        return attention(*args, **options) * _ATTENTION

    def pool_means(x: torch.Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                   ceil_mode: bool = False, return_indices: bool = False) -> Any:  # fmt: skip
        if dilation not in (1, (1, 1), [1, 1]) or return_indices:
            return functional._max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode)  # noqa: SLF001
        return functional.avg_pool2d(x, kernel_size, stride, padding, ceil_mode, False)

    def weaken_larger(name: str, call: Any) -> Any:
        def compute(x: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
            result: torch.Tensor = call(x, *args, **options)
            if result.ndim == 4 and result.shape[2:].numel() > x.shape[2:].numel():
                scaled.append(name)
                return result * upsampling
            return result

        return compute

    def rectify(x: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return torch.where(x > 0, x, slope * x)

    def keep_weights(x: torch.Tensor, mean: Any, variance: Any, *args: Any, **options: Any) -> torch.Tensor:
        if mean is None and x.shape[0] == 1:  # it standardizes the kernels of a convolution
            return x
        return standardize(x, mean, variance, *args, **options)

    def pool_adaptive_means(x: torch.Tensor, output_size: Any, *_: Any, **__: Any) -> torch.Tensor:
        return functional.adaptive_avg_pool2d(x, output_size)

    with contextlib.ExitStack() as stack:
        for owner, name, value in (
            (functional, "softmax", weak_softmax), (torch, "softmax", weak_softmax), (torch.Tensor, "softmax", weak_method),
            (functional, "scaled_dot_product_attention", weak_attention), (functional, "max_pool2d", pool_means), (torch, "max_pool2d", pool_means),
            (functional, "adaptive_max_pool2d", pool_adaptive_means),
            *((owner, name, rectify) for owner in (functional, torch, torch.Tensor) for name in ("relu", "relu_")),
            *((functional, name, rectify) for name in ("relu6", "gelu", "silu", "hardswish", "mish", "elu", "leaky_relu")),
            (functional, "batch_norm", keep_weights),
            *((functional, name, weaken_larger(name, getattr(functional, name))) for name in ("interpolate", "pixel_shuffle", "conv_transpose2d")),
        ):  # fmt: skip
            stack.enter_context(mock.patch.object(owner, name, value))
        yield scaled
