"""Receptive fields of any torch network, traced during one forward pass (docs/method.md, § 2).

Every torch operation of the forward pass is intercepted, whatever module or code calls it. Each tensor that depends on
the image has a trace: the meaning of its dimensions, and its field map. A layer whose field map was lost gets an even
grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from netdissect.networks.memory_use import MemoryUse
from netdissect.networks.trace.calls import TorchCall
from netdissect.networks.trace.grid_centers import remember_centers
from netdissect.networks.trace.tensor_trace import TensorTrace, make_image_trace, make_unknown_trace
from netdissect.networks.trace.torch_ops import CONSTANTS, apply_torch_rule
from netdissect.networks.trace.written_regions import WrittenRegion, find_written_region, write_region

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class FieldTracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Traces every operation inside its block: a TensorTrace for every tensor that depends on the image.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 3, 32, 32)
        >>> with torch.no_grad(), FieldTracer(image) as tracer:
        ...     y = torch.nn.functional.conv2d(image, torch.zeros(4, 3, 3, 3), stride=2, padding=1)
        >>> tracer.get_trace(y).field
        FieldMap(offset=(-1, -1), size=(3, 3), step=(2, 2))
    """

    def __init__(self, x: torch.Tensor, meanings: str = "ncyx") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Weak keys, so that intermediate results can be freed.
        self._traces: MutableMapping[torch.Tensor, TensorTrace] = WeakTensorKeyDictionary()
        self._written: MutableMapping[torch.Tensor, WrittenRegion] = WeakTensorKeyDictionary()
        self._uses: MutableMapping[torch.Tensor, int] = WeakTensorKeyDictionary()
        is_image = x.ndim == len(meanings)  # a generator's input is a latent
        trace = make_image_trace(x.shape, meanings) if is_image else make_unknown_trace(x.shape)
        self._images = max(1, len(x))
        self._largest = self._live = 0
        self._set(x, trace)

    @property
    def memory(self) -> MemoryUse:
        """The memory that tensors which depend on the image have taken for each image until now."""
        return MemoryUse(self._largest // self._images, self._live // self._images)

    def get_trace(self, tensor: torch.Tensor) -> TensorTrace | None:
        """Return a tensor's trace; None if it does not depend on the image."""
        return self._traces.get(tensor)

    def count_uses(self, tensor: torch.Tensor) -> int:
        """Return the number of operations that have read a tensor."""
        return self._uses.get(tensor, 0)

    def _set(self, tensor: torch.Tensor, trace: TensorTrace) -> None:
        self._traces[tensor] = trace

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Return False, so that torch does not load its compiler."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and derive the traces of its outputs."""
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        traced = [(tensor, trace) for tensor in inputs if (trace := self.get_trace(tensor)) is not None]
        result = func(*args, **kwargs)
        for tensor, _ in traced:
            self._uses[tensor] = self.count_uses(tensor) + 1
        name = func.overloadpacket.__name__
        if traced and name not in CONSTANTS:
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor) and not leaf.is_nested]
            for index, output in enumerate(outputs):
                trace = apply_torch_rule(func, TorchCall(name, args, kwargs, traced, output, index, self.get_trace))
                trace = remember_centers(trace, [source for _, source in traced])
                self._set(output, trace)
                self._follow_write(name, output, trace)
            self._measure_memory()
        return result

    def _measure_memory(self) -> None:
        """Count the bytes of the traced tensors that exist now; tensors that share memory count once."""
        blocks: dict[int, int] = {}
        for tensor in self._traces:
            if tensor.layout == torch.strided:
                storage = tensor.untyped_storage()
                blocks[storage._cdata] = storage.nbytes()  # noqa: SLF001 - on the meta device, addresses are all 0
        self._largest = max(self._largest, *blocks.values(), 0)
        self._live = max(self._live, sum(blocks.values()))

    def _follow_write(self, name: str, output: torch.Tensor, trace: TensorTrace) -> None:
        """If an output is a view that was written to, derive the trace of the tensor that it is a view of."""
        base = output._base  # noqa: SLF001 - the tensor that it is a view of
        if base is None or base is output:
            return
        before = self.get_trace(base)
        if before is not None and (name != "copy_" or base not in self._written):
            return
        region = find_written_region(output, base)
        core = self._written.get(base)
        if region is None:
            self._set(base, make_unknown_trace(base.shape))
            return
        self._set(base, write_region(before, core, region, trace, base.shape))
        self._written.setdefault(base, region)
