"""What a shape alone tells: a guess for outputs that nobody could watch being computed.

Token counts are taken apart as T = prefix + h·w: from the patch size where the network says it, else from the input's
proportions, with as few prefix tokens as possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.networks.trace.tensor_trace import AxisPart, TensorTrace, make_channels

if TYPE_CHECKING:
    from collections.abc import Iterator

#: More tokens than these in front of the patches are not believed: class, distillation, and up to eight registers.
_MAX_PREFIX = 10


@dataclass(frozen=True, slots=True)
class TokenHints:
    """What a network says of its tokens.

    Attributes:
        patch: height and width of a patch, in pixels.
        prefix: tokens in front of the patches.
    """

    patch: tuple[int, int] | None = None
    prefix: int | None = None


def read_token_hints(module: Any) -> TokenHints:
    """Return what a torch module says of its tokens, by the attributes that timm, torchvision and transformers use."""
    config = getattr(module, "config", None)
    patch = next(
        (
            value
            for owner in (getattr(module, "patch_embed", None), module, config)
            if (value := _to_pair(getattr(owner, "patch_size", None))) is not None
        ),
        None,
    )
    prefix = getattr(module, "num_prefix_tokens", None)
    if not isinstance(prefix, int):
        registers = getattr(config, "num_register_tokens", None)
        prefix = 1 + registers if isinstance(registers, int) else None
    return TokenHints(patch, prefix)


def _to_pair(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(part, int) for part in value):
        return value[0], value[1]
    return None


def split_tokens(
    count: int, input_size: tuple[int, int], hints: TokenHints | None = None
) -> tuple[int, int, int] | None:
    """Take a number of tokens apart.

    Args:
        count: T.
        input_size: height and width of the input.
        hints: what the network says.

    Returns:
        prefix tokens, rows and columns; None where nothing fits.

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
    shape: tuple[int, ...], pictures: int, input_size: tuple[int, int], hints: TokenHints | None = None
) -> tuple[TensorTrace, str] | None:
    """Guess what the dimensions of an output mean.

    Args:
        shape: of the output for so many images.
        pictures: B.
        input_size: height and width of the input.
        hints: what the network says of its tokens.

    Returns:
        what its dimensions mean, and a note where that was a guess; None where nothing fits.
    """
    if len(shape) == 2 and shape[0] == pictures:
        return TensorTrace(((AxisPart("n", shape[0]),), make_channels(shape[1])), None), ""
    if len(shape) == 4 and shape[0] == pictures:
        order = (
            "ncyx"
            if _has_proportions(shape[2:4], input_size)
            else "nyxc"
            if _has_proportions(shape[1:3], input_size)
            else ""
        )
        if not order:
            return None
        return TensorTrace(tuple((AxisPart(m, size),) for m, size in zip(order, shape, strict=True)), None), ""
    if len(shape) == 3 and pictures in shape[:2]:
        first = shape[0] == pictures
        count = shape[1] if first else shape[0]
        found = split_tokens(count, input_size, hints)
        if found is None:
            return None
        prefix, rows, columns = found
        grid = (AxisPart("y", rows), AxisPart("x", columns))
        tokens = (AxisPart("t", count, 1, prefix, grid),) if prefix else grid
        dims = ((AxisPart("n", pictures),), tokens, make_channels(shape[2]))
        note = (
            f"its {count} tokens are taken for {f'{prefix} and ' if prefix else ''}{rows} x {columns} patches: a guess"
        )
        return TensorTrace(dims if first else (dims[1], dims[0], dims[2]), None), note
    return None


def _has_proportions(cells: tuple[int, ...], input_size: tuple[int, int]) -> bool:
    """Tell whether a grid has the input's proportions, give or take a cell."""
    (h, w), (height, width) = cells, input_size
    return h <= height and w <= width and abs(h * width - w * height) <= max(height, width)
