"""Linear layers whose weights are in the layout of oneDNN, torch's library for CPUs.

They run in another kernel than torch's, on some processors twice as fast. It changes the last bits of activations, so it is
part of what decides a run, and it is chosen where a measurement says that it is quicker (decision 99).
"""

from __future__ import annotations

import time
from collections import Counter
from types import FunctionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

from netdissect.errors import SettingsError
from netdissect.networks.packed_weights import (
    find_obstacle,
    is_plain_float,
    multiply_packed,
    pack_linear,
    stamp_weight,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from netdissect.networks.execution import Execution

#: Fewest rows of a linear layer's input for which it is packed; a classifier's head has one row per image.
MIN_ROWS = 32
#: How much quicker packed linear layers must be to be chosen; repeated measurements differ by less than half of the rest.
MIN_SPEEDUP = 1.05
#: Multiplications below which nothing is measured, because nothing can be gained.
MIN_WORK = 2**24
#: Most rows that are measured.
_MAX_ROWS = 512
#: How many shapes are measured, those with the most work, and how often.
_SHAPES, _REPEATS = 2, 4


class LinearCall(NamedTuple):
    """The shape of a product that a linear layer computes: (rows, inputs) x (inputs, outputs)."""

    rows: int
    inputs: int
    outputs: int

    @property
    def work(self) -> int:
        """Multiplications."""
        return self.rows * self.inputs * self.outputs


def choose_linear(
    execution: Execution, device: torch.device, list_calls: Callable[[], Mapping[LinearCall, int]]
) -> Literal["torch", "packed"]:
    """Return how the linear layers of a network run.

    Args:
        execution: how the network runs; its ``linear`` may be ``"auto"``.
        device: where it runs.
        list_calls: returns the products of its linear layers up to the last probed layer, and how often each is computed.

    Raises:
        SettingsError: if packed linear layers are asked for and cannot be had.
    """
    if execution.linear == "torch":
        return "torch"
    obstacle = find_obstacle(execution, device)
    calls = {} if obstacle else list_calls()
    if not (obstacle or calls):
        obstacle = f"up to the last probed layer, none runs in fp32 on {MIN_ROWS} rows or more"
    if execution.linear == "packed":
        if obstacle:
            raise SettingsError(
                f"--linear packed: linear layers cannot be packed here ({obstacle}): leave --linear out"
            )
        return "packed"
    return "torch" if obstacle or measure_speedup(calls) < MIN_SPEEDUP else "packed"


def measure_speedup(calls: Mapping[LinearCall, int], clock: Callable[[], float] = time.thread_time) -> float:
    """Return how many times as fast packed linear layers are as torch's.

    Both run in turn, on one thread, whose processor time other processes hardly change; the least of each counts.

    Args:
        calls: products, and how often each is computed; those with the most work are measured, and none if all
            together are little work.
        clock: returns seconds.
    """
    if sum(call.work * times for call, times in calls.items()) < MIN_WORK:
        return 1.0
    threads = torch.get_num_threads()
    spent = [0.0, 0.0]
    try:
        torch.set_num_threads(1)
        with torch.inference_mode():
            for call in sorted(calls, key=lambda call: (call.work * calls[call], call))[-_SHAPES:]:
                for kernel, seconds in enumerate(_time_kernels(call, clock)):
                    spent[kernel] += seconds * calls[call]
    finally:
        torch.set_num_threads(threads)
    return spent[0] / max(spent[1], 1e-9)


class _LinearMode(TorchFunctionMode):
    """Calls `multiply` for every linear layer inside its block, also those of torch's attention."""

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Return ``x @ weight.T + bias``."""
        raise NotImplementedError

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one function of torch."""
        kwargs = kwargs or {}
        if func is F.linear:
            return self._call_linear(*args, **kwargs)
        if func is F.multi_head_attention_forward:  # inside it torch calls no mode
            func = _rebind(func, linear=self._call_linear)
        return func(*args, **kwargs)

    def _call_linear(self, input: Any, weight: Any, bias: Any = None) -> Any:  # noqa: A002 - torch's name
        fits = (
            is_plain_float(input)
            and type(weight) is nn.Parameter  # other weights may be new in every call
            and is_plain_float(weight)
            and weight.ndim == 2
            and (bias is None or (is_plain_float(bias) and bias.shape == weight.shape[:1]))
            and input.shape[-1:] == weight.shape[1:]
            and count_rows(input) >= MIN_ROWS
            and not torch.is_grad_enabled()
        )
        return self.multiply(input, weight, bias) if fits else F.linear(input, weight, bias)


class LinearRecorder(_LinearMode):
    """Counts the products of linear layers that can be packed, by shape."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[LinearCall] = Counter()

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Return torch's product."""
        self.calls[LinearCall(count_rows(x), weight.shape[1], weight.shape[0])] += 1
        return F.linear(x, weight, bias)


class PackedLinear(_LinearMode):
    """Runs linear layers packed; a weight is packed when it is used first, and again if it has changed."""

    def __init__(self) -> None:
        super().__init__()
        # Weak keys, since some code makes new parameters in every call.
        self._packed: MutableMapping[torch.Tensor, tuple[Any, torch.Tensor]] = WeakTensorKeyDictionary()

    def multiply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        """Return the product of the packed weight."""
        stamp = stamp_weight(weight)
        packed_at, packed = self._packed.get(weight, (None, weight))
        if packed_at != stamp:
            packed = pack_linear(weight)
            self._packed[weight] = stamp, packed
        return multiply_packed(x, packed, bias)


def count_rows(x: torch.Tensor) -> int:
    """Return the rows of a linear layer's input.

    >>> count_rows(torch.zeros(8, 197, 384))
    1576
    """
    return x.numel() // max(x.shape[-1], 1) if x.ndim else 0


def _time_kernels(call: LinearCall, clock: Callable[[], float]) -> list[float]:
    """Return the seconds of torch's product and of the packed one."""
    x = torch.full((min(call.rows, _MAX_ROWS), call.inputs), 0.5, dtype=torch.float32, device="cpu")
    weight = torch.full((call.outputs, call.inputs), 0.5, dtype=torch.float32, device="cpu")
    bias = weight.new_zeros(call.outputs)
    packed = pack_linear(weight)
    kernels: list[Callable[[], torch.Tensor]] = [
        lambda: F.linear(x, weight, bias),
        lambda: multiply_packed(x, packed, bias),
    ]
    for kernel in kernels:
        kernel()
    least = [float("inf")] * len(kernels)
    for _ in range(_REPEATS):
        for index, kernel in enumerate(kernels):
            start = clock()
            kernel()
            least[index] = min(least[index], clock() - start)
    return least


def _rebind(function: Any, **names: Any) -> Any:
    """Return a copy of a Python function of torch that finds other functions by some names; others stay as they are."""
    if not isinstance(function, FunctionType):
        return function
    known = function.__globals__ | names
    projection = known.get("_in_projection_packed")
    if isinstance(projection, FunctionType):
        known["_in_projection_packed"] = FunctionType(
            projection.__code__, known, projection.__name__, projection.__defaults__
        )
    return FunctionType(function.__code__, known, function.__name__, function.__defaults__, function.__closure__)
