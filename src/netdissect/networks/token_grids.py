"""Guess the meaning of an output's dimensions from its shape, for outputs that were not traced.

A number of tokens is split as T = prefix + h·w: by the patch size if the network states it, else by the input's
proportions, with as few prefix tokens as possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.networks.trace.tensor_trace import AxisPart, TensorTrace, make_channels
from netdissect.networks.users_attributes import get_attribute, to_size

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Maximum number of tokens before the patches: class, distillation, and up to eight registers.
_MAX_PREFIX = 10


@dataclass(frozen=True, slots=True)
class TokenHints:
    """What a network states about its tokens.

    Attributes:
        patch: height and width of a patch, in pixels.
        prefix: tokens before the patches.
    """

    patch: tuple[int, int] | None = None
    prefix: int | None = None


def read_token_hints(module: Any) -> TokenHints:
    """Read patch size and prefix tokens from the attributes that timm, torchvision and transformers set."""
    config = get_attribute(module, "config")
    patch = next(
        (
            value
            for owner in (get_attribute(module, "patch_embed"), module, config)
            if (value := to_size(get_attribute(owner, "patch_size"))) is not None
        ),
        None,
    )
    prefix = get_attribute(module, "num_prefix_tokens")
    if type(prefix) is not int:
        registers = get_attribute(config, "num_register_tokens")
        prefix = 1 + registers if type(registers) is int else None
    return TokenHints(patch, prefix)


def split_tokens(
    count: int, input_size: tuple[int, int], hints: TokenHints | None = None
) -> tuple[int, int, int] | None:
    """Split a number of tokens into prefix and grid.

    Args:
        count: T.
        input_size: height and width of the input.
        hints: what the network states about its tokens.

    Returns:
        prefix tokens, rows and columns; None if nothing fits.

    >>> split_tokens(197, (224, 224)), split_tokens(14 * 20 + 5, (224, 320)), split_tokens(50, (224, 224), TokenHints(patch=(32, 32)))
    ((1, 14, 14), (5, 14, 20), (1, 7, 7))
    """
    hints = hints or TokenHints()
    found: list[tuple[int, int, int]] = []
    for rows, columns in _iterate_grids(input_size, hints.patch):
        prefix = count - rows * columns
        if prefix == hints.prefix:
            return prefix, rows, columns
        if 0 <= prefix <= _MAX_PREFIX:
            found.append((prefix, rows, columns))
    return min(found) if found else None


def _iterate_grids(input_size: tuple[int, int], patch: tuple[int, int] | None) -> Iterator[tuple[int, int]]:
    height, width = input_size
    if patch is not None:
        yield height // patch[0], width // patch[1]
        yield -(-height // patch[0]), -(-width // patch[1])
        return
    for size in range(1, min(height, width) // 2 + 1):
        yield height // size, width // size
        yield -(-height // size), -(-width // size)


def guess_trace(
    shape: tuple[int, ...], images: int, input_size: tuple[int, int], hints: TokenHints | None = None
) -> tuple[TensorTrace, str] | None:
    """Guess the trace of an output from its shape.

    Args:
        shape: of the output.
        images: B, the number of images.
        input_size: height and width of the input.
        hints: what the network states about its tokens.

    Returns:
        the trace, and a note if it is a guess; None if nothing fits.
    """
    if len(shape) == 2 and shape[0] == images:
        return TensorTrace(((AxisPart("n", shape[0]),), make_channels(shape[1])), None), ""
    if len(shape) == 4 and shape[0] == images:
        if _has_proportions(shape[2:4], input_size):
            order = "ncyx"
        elif _has_proportions(shape[1:3], input_size):
            order = "nyxc"
        else:
            return None
        return TensorTrace(tuple((AxisPart(m, size),) for m, size in zip(order, shape, strict=True)), None), ""
    if len(shape) == 3 and images in shape[:2]:
        first = shape[0] == images
        count = shape[1] if first else shape[0]
        found = split_tokens(count, input_size, hints)
        if found is None:
            return None
        prefix, rows, columns = found
        grid = (AxisPart("y", rows), AxisPart("x", columns))
        tokens = (AxisPart("t", count, 1, prefix, grid),) if prefix else grid
        dims = ((AxisPart("n", images),), tokens, make_channels(shape[2]))
        note = f"its {count} tokens are assumed to be {f'{prefix} others and ' if prefix else ''}{rows} x {columns} patches"
        return TensorTrace(dims if first else (dims[1], dims[0], dims[2]), None), note
    return None


def _has_proportions(cells: tuple[int, ...], input_size: tuple[int, int]) -> bool:
    """Return whether a grid has the input's proportions, within one cell."""
    (h, w), (height, width) = cells, input_size
    return h <= height and w <= width and abs(h * width - w * height) <= max(height, width)
