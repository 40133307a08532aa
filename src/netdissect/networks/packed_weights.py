"""Weights in the layout of oneDNN, torch's library for CPUs: reordered once, not in every call.

Packed convolutions give the same bits: torch runs the same kernel after it has reordered the weights. Packed linear layers
do not (`packed_linear`). The operators are private to torch: where one is missing or gives other values, layers run as
torch runs them (decision 99).
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import nn

if TYPE_CHECKING:
    from netdissect.networks.execution import Execution

#: Processors for which packed convolutions were found to have the bits of torch's.
_PROCESSORS = ("x86_64", "AMD64")


def pack_convolutions(module: nn.Module, execution: Execution) -> None:
    """Let a copy of a network pack the weights of its plain convolutions when they run first; bits stay the same."""
    if find_obstacle(execution, torch.device("cpu")):
        return
    for part in module.modules():
        if (
            type(part) is nn.Conv2d
            and type(part.weight) is nn.Parameter
            and part.padding_mode == "zeros"
            and isinstance(part.padding, tuple)
        ):
            part.__class__ = PackedConv2d


def find_obstacle(execution: Execution, device: torch.device) -> str:
    """Return why weights cannot be packed, or an empty string."""
    if execution.compile or execution.precision != "fp32":
        return f"the network runs with {execution.option}"
    if device.type != "cpu":
        return f"the network runs on {device.type}"
    if platform.machine() not in _PROCESSORS:
        return f"the processor is {platform.machine()}, not x86_64"
    if not (torch.backends.mkldnn.is_available() and torch._C._get_mkldnn_enabled()):  # type: ignore[no-untyped-call]  # noqa: SLF001 - it has no public name
        return "torch's oneDNN is missing or switched off"
    return "" if _try_operators() else f"torch {torch.__version__} has no operators for it"


class PackedConv2d(nn.Conv2d):
    """A convolution that packs its weights when it runs first. Made from a Conv2d by a change of its class."""

    _convolve: PackedConvolution | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's name
        """Convolve a batch."""
        if self._convolve is None:
            self._convolve = PackedConvolution()
        window: Any = (self.stride, self.padding, self.dilation, self.groups)
        return self._convolve(input, self.weight, self.bias, *window)


class PackedConvolution:
    """Convolves as ``torch.nn.functional.conv2d`` does, with a packed weight where torch would run the same kernel of oneDNN."""

    def __init__(self) -> None:
        self._stamp: tuple[int, int] | None = None
        self._packed: torch.Tensor | None = None

    def __call__(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        dilation: tuple[int, int],
        groups: int,
    ) -> torch.Tensor:
        """Convolve a batch; the weight is packed when it is used first, and again if it has changed."""
        if not (type(weight) is nn.Parameter and _runs_in_onednn(x, weight, bias, stride, padding, dilation, groups)):
            return F.conv2d(x, weight, bias, stride, padding, dilation, groups)
        if self._packed is None or self._stamp != stamp_weight(weight):
            self._stamp = stamp_weight(weight)
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(  # noqa: SLF001 - it has no public name
                weight, padding, stride, dilation, groups, list(x.shape)
            )
        convolved: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(  # noqa: SLF001 - it has no public name
            x, self._packed, bias, padding, stride, dilation, groups, "none", [], ""
        )
        return convolved


def _runs_in_onednn(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *window: Any) -> bool:
    """Return whether torch runs a convolution in oneDNN; for some shapes, and for others on one thread, it has another kernel."""
    if not (
        is_plain_float(x)
        and is_plain_float(weight)
        and x.ndim == 4
        and x.is_contiguous(memory_format=torch.channels_last)
        and not torch.is_grad_enabled()
    ):
        return False
    stride, padding, dilation, groups = window
    backend = torch._C._select_conv_backend(  # noqa: SLF001 - it has no public name
        x, weight, bias, stride, padding, dilation, False, (0, 0), groups
    )
    return bool(backend == torch._C._ConvBackend.Mkldnn)  # type: ignore[attr-defined]  # noqa: SLF001


def stamp_weight(weight: torch.Tensor) -> tuple[int, int]:
    """Return numbers that change when a weight's values change."""
    return (0 if weight.is_inference() else weight._version), weight.data_ptr()  # noqa: SLF001 - it has no public name


def is_plain_float(tensor: Any) -> bool:
    """Return whether a tensor is torch's own, in fp32 on the CPU."""
    return (
        type(tensor) in (torch.Tensor, nn.Parameter)
        and tensor.dtype == torch.float32
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
    )


def pack_linear(weight: torch.Tensor) -> torch.Tensor:
    """Return the weight of a linear layer, packed."""
    packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach())  # noqa: SLF001 - it has no public name
    return packed


def multiply_packed(x: torch.Tensor, packed: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """Return the product of a packed weight, ``x @ weight.T + bias``."""
    product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "none", [], "")  # noqa: SLF001
    return product


def _try_operators() -> bool:
    """Return whether torch's private operators are there, and give what its public ones give."""
    options: Any = {"dtype": torch.float32, "device": "cpu"}
    try:
        with torch.no_grad():
            x = torch.linspace(-1, 1, 2 * 16 * 8 * 8, **options).sin().view(2, 16, 8, 8)
            x = x.contiguous(memory_format=torch.channels_last)
            # Random values would advance the caller's random numbers.
            plain = nn.utils.skip_init(  # type: ignore[no-untyped-call]
                nn.Conv2d, 16, 16, 3, padding=1, bias=False, **options
            )
            plain.to(memory_format=torch.channels_last)
            plain.weight.copy_(torch.linspace(0, 40, plain.weight.numel(), **options).sin().view_as(plain.weight))
            expected = plain(x)
            plain.__class__ = PackedConv2d
            rows, weight = x.reshape(-1, 16), plain.weight.reshape(-1, 16)
            product = multiply_packed(rows, pack_linear(weight), None)
            return (
                torch.equal(plain(x), expected)
                and plain._convolve._packed is not None  # noqa: SLF001 - it ran packed
                and torch.allclose(product, F.linear(rows, weight), rtol=1e-4, atol=1e-4)
            )
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
