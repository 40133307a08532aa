"""Load the checkpoints of one architecture one after the other, and build the architecture again only where needed."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdissect.networks.network import Network


class CheckpointLoader:
    """Loads checkpoints; called with a path, it returns the network.

    Building an architecture draws random weights for every parameter. So if a file has a value for every tensor of the
    network before, a copy of that one is filled instead. Everything else is loaded as it would be alone.
    """

    def __init__(self, load: Callable[[str], Network]) -> None:
        """Load nothing yet.

        Args:
            load: loads a checkpoint, given its path, as ``--weights`` does.
        """
        self._load = load
        self._path = ""
        self._network: Network | None = None

    def __call__(self, path: str) -> Network:
        """Return the network of a checkpoint; the last one is kept."""
        if self._network is None or path != self._path:
            self._network = self._refill(path) or self._load(path)
            self._path = path
        return self._network

    def _refill(self, path: str) -> Network | None:
        """Return a copy of the network before with the weights of a file; None if it might differ from a new one."""
        from netdissect.errors import ModelError
        from netdissect.networks import checkpoints
        from netdissect.networks.torch_network import TorchNetwork

        before, ending = self._network, f" --weights {self._path}"
        if type(before) is not TorchNetwork or before.remarks() or not before.source.endswith(ending):
            return None
        module = copy.deepcopy(before.module)
        try:
            found = checkpoints.read_checkpoint(Path(path))
            filled = checkpoints.load_checkpoint(module, found, architecture=before.name)
        except ModelError:  # loading it alone says what is wrong, or adapts the architecture
            return None
        if filled != set(module.state_dict()):
            return None
        return replace(before, module=module, source=f"{before.source.removesuffix(ending)} --weights {path}")
