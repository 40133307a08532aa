"""Receptive fields of any torch network, traced by running it once (docs/method.md, § 2).

Every operation of one real forward pass is watched, below Python and below every module: convolutions, poolings, adds,
concatenations, whatever the code is. Each tensor carries what its dimensions mean and its field map; an operation
composes them, passes them on, or loses them. A layer whose field map was lost gets an even grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from netdissect.geometry import fieldmap
from netdissect.networks.trace.tensor_trace import TensorTrace, make_image_trace, make_unknown_trace
from netdissect.networks.trace.torch_ops import TorchCall, apply_torch_rule

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class FieldTracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Watches every operation inside its block and keeps a Track for every tensor computed from the image.

    Example:
        >>> import torch
        >>> image = torch.zeros(1, 3, 32, 32)
        >>> with torch.no_grad(), FieldTracer(image) as tracer:
        ...     y = torch.nn.functional.conv2d(image, torch.zeros(4, 3, 3, 3), stride=2, padding=1)
        >>> tracer.get_trace(y).field
        FieldMap(offset=(-1, -1), size=(3, 3), step=(2, 2))
    """

    def __init__(self, picture: torch.Tensor, meanings: str = "ncyx") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Tensors are not held: intermediate results of a large network would fill the memory.
        self._tracks: MutableMapping[torch.Tensor, TensorTrace] = WeakTensorKeyDictionary()
        self._uses: MutableMapping[torch.Tensor, int] = WeakTensorKeyDictionary()
        is_picture = picture.ndim == len(meanings)  # a generator is given something else
        track = (
            make_image_trace(picture.shape, fieldmap.IDENTITY, meanings)
            if is_picture
            else make_unknown_trace(picture.shape)
        )
        self._set(picture, track)

    def get_trace(self, tensor: torch.Tensor) -> TensorTrace | None:
        """Return what is known of a tensor; None if it does not depend on the image."""
        return self._tracks.get(tensor)

    def count_uses(self, tensor: torch.Tensor) -> int:
        """Return how many operations read a tensor."""
        return self._uses.get(tensor, 0)

    def _set(self, tensor: torch.Tensor, track: TensorTrace) -> None:
        self._tracks[tensor] = track

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Say that torch need not hide this class from its compiler: to do so it would load all of the compiler."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operation and derive the tracks of its outputs."""
        kwargs = kwargs or {}
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        tracked = [(tensor, track) for tensor in inputs if (track := self.get_trace(tensor)) is not None]
        result = func(*args, **kwargs)
        for tensor, _ in tracked:
            self._uses[tensor] = self.count_uses(tensor) + 1
        if tracked:
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]
            for index, output in enumerate(outputs):
                self._set(
                    output, apply_torch_rule(func, TorchCall(args, kwargs, tracked, output, index, self.get_trace))
                )
                self._lose_base(output)
        return result

    def _lose_base(self, output: torch.Tensor) -> None:
        """What is written into a part of a tensor makes the whole depend on the image, in ways not followed."""
        base = output._base  # noqa: SLF001 - whose part it is
        if base is not None and base is not output and self.get_trace(base) is None:
            self._set(base, make_unknown_trace(base.shape))
