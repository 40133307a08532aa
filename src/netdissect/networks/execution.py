"""How a network is run: in 32-bit or bfloat16 arithmetic, as it is or compiled. Both change the last bits, or more."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from netdissect.errors import SettingsError, root_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netdissect.config import Precision
    from netdissect.networks.network import Network

    Run = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class Execution:
    """How a network is run.

    Attributes:
        precision: of products and convolutions; bf16 leaves to fp32 what torch's autocast leaves to it.
        compile: whether torch compiles it first.
    """

    precision: Precision = "fp32"
    compile: bool = False

    def __call__(self, run: Run, device: torch.device) -> Run:
        """Return a function of a batch, run at this pace.

        Raises:
            SettingsError: by what is returned, if it cannot be compiled here.
        """
        if self.compile:
            run = _compile(run)
        if self.precision == "fp32":
            return run

        def at_half(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                return run(x)

        return at_half


def paced(network: Network, precision: Precision, *, compile: bool) -> Network:  # noqa: A002 - what torch calls it
    """Return a network that will be run so; the one that was given stays as it is.

    Raises:
        SettingsError: if a network of its kind runs in one way alone.
    """
    if precision == "fp32" and not compile:
        return network
    twin: Any = copy.copy(network)
    inner: Network | None = getattr(network, "network", None)  # of a ProjectedNetwork
    if inner is not None:
        twin.network = paced(inner, precision, compile=compile)
    elif isinstance(getattr(network, "pace", None), Execution):
        twin.pace = Execution(precision, compile)
    else:
        option = "--compile" if compile else f"--precision {precision}"
        raise SettingsError(
            f"{option}: {network.name} is run as its file says ({type(network).__name__}): leave the option out, or "
            f"load the network as a torch.nn.Module"
        )
    return twin  # type: ignore[no-any-return]


def _compile(run: Run) -> Run:
    quick: Any = torch.compile(run, dynamic=False)

    def compiled(x: torch.Tensor) -> Mapping[str, torch.Tensor]:
        try:
            return quick(x)  # type: ignore[no-any-return]
        except torch._dynamo.exc.TorchDynamoException as error:  # noqa: SLF001 - its only name
            raise SettingsError(
                f"--compile: torch cannot compile this network here ({root_message(error)}): it takes a C++ compiler such as "
                f"g++, on a GPU triton, and a network that runs to its end at this size; or leave --compile out"
            ) from error

    return compiled


def fill_batch(x: torch.Tensor, batch: int) -> torch.Tensor:
    """Repeat the last image until the batch is full."""
    return x if len(x) == batch else torch.cat([x, x[-1:].expand(batch - len(x), *x.shape[1:])])
