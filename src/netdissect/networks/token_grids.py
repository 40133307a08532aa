"""Guess the meaning of an output's dimensions from its shape, for generators, whose latents have no pixels to trace."""

from __future__ import annotations

from netdissect.networks.trace.tensor_trace import AxisPart, TensorTrace, make_channels


def guess_trace(shape: tuple[int, ...], images: int, input_size: tuple[int, int]) -> tuple[TensorTrace, str] | None:
    """Guess the trace of an output from its shape.

    Args:
        shape: of the output.
        images: B, the number of images.
        input_size: height and width of the image.

    Returns:
        the trace, and a note if tokens are assumed to be patches; None if nothing fits.

    >>> guess_trace((2, 196, 64), 2, (224, 224))[1]
    'its 196 tokens are assumed to be 14 x 14 patches'
    """
    if not shape or shape[0] != images:
        return None
    first = (AxisPart("n", images),)
    if len(shape) == 2:
        return TensorTrace((first, make_channels(shape[1])), None), ""
    if len(shape) == 4:
        if _has_proportions(shape[2:4], input_size):
            order = "ncyx"
        elif _has_proportions(shape[1:3], input_size):
            order = "nyxc"
        else:
            return None
        return TensorTrace(tuple((AxisPart(m, size),) for m, size in zip(order, shape, strict=True)), None), ""
    grid = _split_patches(shape[1], input_size) if len(shape) == 3 else None
    if grid is None:
        return None
    rows, columns = grid
    tokens = (AxisPart("y", rows), AxisPart("x", columns))
    note = f"its {shape[1]} tokens are assumed to be {rows} x {columns} patches"
    return TensorTrace((first, tokens, make_channels(shape[2])), None), note


def _split_patches(count: int, input_size: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns of a number of patches in the image's proportions; None if there are none."""
    height, width = input_size
    grids = ((height // size, width // size) for size in range(1, min(height, width) // 2 + 1))
    return next(((rows, columns) for rows, columns in grids if rows * columns == count), None)


def _has_proportions(cells: tuple[int, ...], input_size: tuple[int, int]) -> bool:
    """Return whether a grid has the image's proportions, within one cell."""
    (h, w), (height, width) = cells, input_size
    return h <= height and w <= width and abs(h * width - w * height) <= max(height, width)
