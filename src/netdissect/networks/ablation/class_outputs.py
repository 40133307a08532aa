"""The class outputs of a network: which of the values that it returns they are, and whether they are probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from netdissect.networks.users_attributes import get_attribute

#: Sums of probabilities differ from 1 by at most this, also in half precision.
_SUM_ERROR = 4e-3
#: The smallest probability whose logarithm is taken.
_SMALLEST = torch.finfo(torch.float32).tiny


def pick_class_outputs(value: Any) -> torch.Tensor | None:
    """Return the class outputs, shape (B, Y) with at least two classes, among what a network returned; None if there are none.

    They are the output itself, its ``logits``, or the first of several. Rows and columns of length 1 are left out.

    >>> pick_class_outputs({"logits": torch.zeros(2, 5, 1, 1)}).shape
    torch.Size([2, 5])
    >>> pick_class_outputs(torch.zeros(2, 5, 7, 7)) is None
    True
    """
    if isinstance(value, torch.Tensor):
        is_vector = value.dim() == 2 or (value.dim() == 4 and value.shape[2:] == (1, 1))
        if not (is_vector and value.is_floating_point() and value.shape[1] > 1):
            return None
        return value if value.dim() == 2 else value.flatten(1)
    logits = value.get("logits") if isinstance(value, Mapping) else get_attribute(value, "logits")
    if logits is not None:
        return pick_class_outputs(logits)
    if isinstance(value, (tuple, list)) and value:
        return pick_class_outputs(value[0])
    return None


def describe_outputs(value: Any) -> str:
    """Return what a network returned, for an error message.

    >>> describe_outputs({"out": torch.zeros(1, 21, 8, 8)})
    'out of shape 1 x 21 x 8 x 8'
    """
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {' x '.join(map(str, value.shape)) or '()'}"
    if isinstance(value, Mapping):
        parts = [f"{key} {describe_outputs(part).removeprefix('a tensor ')}" for key, part in list(value.items())[:4]]
        return ", ".join(parts) or "nothing"
    if isinstance(value, (tuple, list)) and value:
        return f"{len(value)} values, the first {describe_outputs(value[0])}"
    return f"a value of type {type(value).__name__}"


def are_probabilities(outputs: torch.Tensor) -> bool:
    """Return whether class outputs (B, Y) are probabilities: nowhere negative, with a sum of 1 for every image."""
    return bool((outputs >= 0).all()) and bool(((outputs.float().sum(1) - 1).abs() < _SUM_ERROR).all())


def take_logarithm(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the logarithm of probabilities; those too small for float32 count as the smallest that it holds."""
    return probabilities.clamp(min=_SMALLEST).log()
