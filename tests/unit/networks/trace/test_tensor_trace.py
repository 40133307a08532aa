"""The parts of dimensions that are joined, stacked and written to."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netdissect.layers import FieldMap
from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.trace.tensor_trace import AxisPart, merge_parts


def traced(function, size=16):
    image = torch.zeros(2, 3, size, size)
    conv = nn.Conv2d(3, 4, 3, stride=2, padding=1)
    with torch.no_grad(), FieldTracer(image) as tracer:
        output = function(image, conv)
    return tracer.get_trace(output)


FIELD = FieldMap((-1, -1), (3, 3), (2, 2))


def test_neighboring_parts_of_an_axis_become_one_and_what_stands_before_them_stays():
    channels, outer, inner = AxisPart("c", 3), AxisPart("y", 2, 4), AxisPart("y", 4, 1)
    assert merge_parts([channels, outer, inner]) == (channels, AxisPart("y", 8, 1))
    assert merge_parts([outer, inner, channels]) == (AxisPart("y", 8, 1), channels)
    assert merge_parts([AxisPart("y", 2, 8), outer, inner]) == (AxisPart("y", 16, 1),)
    assert merge_parts([inner, outer]) == (inner, outer)  # not in this order
    assert merge_parts([outer, AxisPart("x", 4, 1)]) == (outer, AxisPart("x", 4, 1))
    assert merge_parts([]) == ()


def test_a_buffer_of_which_some_channels_were_written_has_their_field():
    def written(image, conv, part=slice(None)):
        buffer = torch.zeros(2, 4, 8, 8)
        buffer[:, :2, part] = conv(image)[:, :2, part]
        return buffer

    assert traced(written).field == FIELD
    assert traced(lambda image, conv: written(image, conv) + conv(image)).field == FIELD
    assert traced(lambda image, conv: torch.zeros(2, 4, 8, 8) + conv(image)).field == FIELD
    assert traced(lambda image, conv: written(image, conv, slice(0, 8, 2))).field is None  # every second row is zero


def test_a_buffer_that_is_written_over_with_other_cells_has_no_field_any_more():
    def written(image, conv):
        x = conv(image)
        buffer = torch.zeros(2, 4, 8, 8)
        buffer[:, :, :6] = x[:, :, :6]
        buffer[:, :, 2:] = x[:, :, :6]
        return buffer

    assert traced(written).field is None
    added = traced(lambda image, conv: written(image, conv) + conv(image))
    assert added.is_global  # the other path says where a cell lies
    assert added.field == FIELD


@pytest.mark.parametrize("count", [1, 2, 3])
def test_tensors_laid_side_by_side_keep_their_places(count):
    def stack(image, conv):
        x = conv(image)
        return torch.stack([x, x.relu(), x.sigmoid()][:count], dim=2)

    track = traced(stack)
    assert track.field == FIELD
    assert track.shape == (2, 4, count, 8, 8)
    assert track.dims[2] == (AxisPart("c", count),)
    flat = traced(lambda image, conv: stack(image, conv).flatten(1, 2))
    assert (flat.field, flat.shape, flat.spatial) == (FIELD, (2, 4 * count, 8, 8), (2, 3))


@pytest.mark.parametrize("other", ["constant", "turned"])
def test_tensors_that_do_not_lie_alike_have_no_place_side_by_side(other):
    def stack(image, conv):
        x = conv(image)
        return torch.stack([x, torch.zeros(2, 4, 8, 8) if other == "constant" else x.transpose(2, 3)], dim=1)

    assert traced(stack).field is None
