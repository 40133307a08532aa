"""Field maps: the receptive fields of a layer's cells, composed layer by layer (docs/method.md, § 2; paper, § 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.layers import FieldMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The field map of a layer that works on each cell alone, such as an activation function.
IDENTITY = FieldMap((0, 0), (1, 1), (1, 1))


def make_window_field(
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> FieldMap:
    """Return the field map of one convolution or pooling layer; dilation widens the kernel.

    >>> make_window_field((3, 3), stride=(2, 2), padding=(1, 1))
    FieldMap(offset=(-1, -1), size=(3, 3), step=(2, 2))
    """
    size = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    return FieldMap((-padding[0], -padding[1]), size, stride)


def make_transposed_window_field(
    kernel: tuple[int, int],
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> FieldMap:
    """Return the field map of a transposed convolution: each output cell sees about kernel / stride input cells.

    Output cell i sees the input cells j with ``0 ≤ i + padding - stride·j ≤ dilation·(kernel - 1)``. With a stride above
    1 this window moves by fractions of a cell; the field map is its mean.
    """
    size, offset, step = [], [], []
    for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True):
        reach = d * (k - 1)
        size.append(reach / s + 1)
        offset.append((p - reach) / s)
        step.append(1 / s)
    return FieldMap((offset[0], offset[1]), (size[0], size[1]), (step[0], step[1]))


def compose_fields(lower: FieldMap, upper: FieldMap) -> FieldMap:
    """Return the field map of layer `upper` after layer `lower`.

    ``o = o₂·t₁ + o₁``, ``s = (s₂ - 1)·t₁ + s₁``, ``t = t₂·t₁``.

    >>> compose_fields(make_window_field((11, 11), stride=(4, 4)), make_window_field((3, 3), stride=(2, 2)))
    FieldMap(offset=(0, 0), size=(19, 19), step=(8, 8))
    """
    (o1, s1, t1), (o2, s2, t2) = lower, upper
    return FieldMap(
        (o2[0] * t1[0] + o1[0], o2[1] * t1[1] + o1[1]),
        ((s2[0] - 1) * t1[0] + s1[0], (s2[1] - 1) * t1[1] + s1[1]),
        (t2[0] * t1[0], t2[1] * t1[1]),
    )


def choose_widest_field(fields: Iterable[FieldMap]) -> FieldMap:
    """Return the field map where paths join (concat, add): the one with the largest size, the first of equals."""
    return max(fields, key=lambda field: field.size[0])


def unite_fields(fields: Sequence[FieldMap]) -> FieldMap:
    """Return the field map where paths join: the widest one, enlarged to cover all others of the same step.

    Centered paths contain each other, so this is `choose_widest_field`. Paths that see different corners, as in space to
    depth, do not.

    >>> unite_fields([make_window_field((3, 3), padding=(1, 1)), make_window_field((1, 1))])
    FieldMap(offset=(-1, -1), size=(3, 3), step=(1, 1))
    >>> unite_fields([make_window_field((1, 1), stride=(2, 2)), make_window_field((1, 1), stride=(2, 2), padding=(-1, 0))])
    FieldMap(offset=(0, 0), size=(2, 1), step=(2, 2))
    """
    first = choose_widest_field(fields)
    same = [field for field in fields if field.step == first.step]
    start = [min(field.offset[axis] for field in same) for axis in (0, 1)]
    stop = [max(field.offset[axis] + field.size[axis] for field in same) for axis in (0, 1)]
    return FieldMap((start[0], start[1]), (stop[0] - start[0], stop[1] - start[1]), first.step)


def divide_evenly(input_size: tuple[int, int], cells: tuple[int, int]) -> FieldMap:
    """Return the field map that divides the input evenly among the cells, by steps that may be fractions.

    >>> divide_evenly((227, 227), (57, 57)).step[0] * 57
    227.0
    """
    step = (input_size[0] / cells[0], input_size[1] / cells[1])
    return FieldMap((0, 0), step, step)


def keep_centers(field: FieldMap) -> FieldMap:
    """Return the field map whose cells have the centers of another one and are as large as its steps.

    >>> keep_centers(FieldMap((-217, -217), (435, 435), (32, 32)))
    FieldMap(offset=(-16, -16), size=(32, 32), step=(32, 32))
    """
    (y, x), (height, width), step = field
    return FieldMap((y + height // 2 - step[0] // 2, x + width // 2 - step[1] // 2), step, step)


def divide_into_whole_steps(input_size: tuple[int, int], cells: tuple[int, int]) -> FieldMap:
    """Return the field map that divides the input by whole steps, as the released code does for torch networks.

    >>> divide_into_whole_steps((224, 224), (7, 7))
    FieldMap(offset=(0, 0), size=(32, 32), step=(32, 32))
    """
    step = (max(1, input_size[0] // cells[0]), max(1, input_size[1] // cells[1]))
    return FieldMap((0, 0), step, step)
