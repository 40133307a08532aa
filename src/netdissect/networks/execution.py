"""How a network is run: its precision, whether torch compiles it, and its linear layers. All change the last bits of activations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import SettingsError, root_message
from netdissect.networks.packed_linear import PackedLinear

if TYPE_CHECKING:
    from netdissect.config import Linear, Precision

#: Network input (B, C, H, W) → raw outputs of the probed layers, in whatever shape the network gives them.
Forward = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class Execution:
    """How a network is run.

    Attributes:
        precision: of matrix products and convolutions; with bf16, what torch's autocast keeps in fp32 stays in fp32.
        compile: whether torch compiles the network first.
        linear: how linear layers run on a CPU; ``"auto"`` lets a probe measure and choose.
    """

    precision: Precision = "fp32"
    compile: bool = False
    linear: Linear = "torch"

    @property
    def option(self) -> str:
        """The command-line option that asks for it."""
        if self.compile:
            return "--compile"
        return f"--linear {self.linear}" if self.precision == "fp32" else f"--precision {self.precision}"

    def wrap(self, forward: Forward, device: torch.device) -> Forward:
        """Return a forward pass that runs this way on a device.

        Raises:
            SettingsError: when it is called, if torch cannot compile it.
        """
        if self.compile:
            forward = _compile(forward)
        if self.linear == "packed":
            forward = _pack(forward)
        if self.precision == "fp32":
            return forward

        def run_in_bf16(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                return forward(x)

        return run_in_bf16


#: fp32 without compilation, torch's default.
DEFAULT_EXECUTION = Execution()


def _compile(forward: Forward) -> Forward:
    compiled: Any = torch.compile(forward, dynamic=False)

    def run_compiled(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
        try:
            return compiled(x)  # type: ignore[no-any-return]
        except torch._dynamo.exc.TorchDynamoException as error:  # noqa: SLF001 - it has no public name
            raise SettingsError(
                f"--compile: torch cannot compile this network here ({root_message(error)}): it needs a C++ compiler such as "
                f"g++, on a GPU triton, and a network that runs to its end at this size; or leave --compile out"
            ) from error

    return run_compiled


def _pack(forward: Forward) -> Forward:
    packed = PackedLinear()

    def run_packed(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
        with packed:
            return forward(x)

    return run_packed


def fill_batch(x: torch.Tensor, batch: int) -> torch.Tensor:
    """Pad a batch to `batch` images by repeating its last image."""
    return x if len(x) == batch else torch.cat([x, x[-1:].expand(batch - len(x), *x.shape[1:])])
