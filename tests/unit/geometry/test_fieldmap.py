"""Field maps along y and x equal the pixels that gradients reach in torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netdissect.geometry.fieldmap import (
    IDENTITY,
    choose_widest_field,
    compose_fields,
    divide_evenly,
    divide_into_whole_steps,
    make_transposed_window_field,
    make_window_field,
    unite_fields,
)
from netdissect.layers import FieldMap


def extent(module, cell, size):
    """Return the first and last pixel along (y, x) that a cell depends on."""
    for parameter in module.parameters():
        nn.init.constant_(parameter, 1)
    picture = torch.ones(1, 1, *size, requires_grad=True)
    module(picture)[0, 0, cell[0], cell[1]].backward()
    seen = picture.grad[0, 0].nonzero()
    return seen.amin(0).tolist(), seen.amax(0).tolist()


SHAPES = [
    {"kernel": (3, 7), "stride": (2, 3), "padding": (1, 2), "dilation": (1, 1)},
    {"kernel": (5, 1), "stride": (1, 4), "padding": (3, 0), "dilation": (2, 1)},
    {"kernel": (2, 4), "stride": (3, 1), "padding": (0, 1), "dilation": (1, 3)},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_window_is_what_a_convolution_looks_at_along_each_axis(shape):
    field = make_window_field(**shape)
    module = nn.Conv2d(1, 1, shape["kernel"], shape["stride"], shape["padding"], shape["dilation"])
    for cell in ((4, 5), (6, 8)):
        first, last = extent(module, cell, (50, 60))
        for axis in (0, 1):
            start = field.offset[axis] + cell[axis] * field.step[axis]
            assert (first[axis], last[axis]) == (start, start + field.size[axis] - 1)


@pytest.mark.parametrize("shape", SHAPES[::2])
def test_composed_windows_are_what_stacked_convolutions_look_at(shape):
    lower = {"kernel": (4, 3), "stride": (2, 1), "padding": (2, 1)}
    field = compose_fields(make_window_field(**lower), make_window_field(**shape))
    module = nn.Sequential(
        nn.Conv2d(1, 1, lower["kernel"], lower["stride"], lower["padding"]),
        nn.Conv2d(1, 1, shape["kernel"], shape["stride"], shape["padding"], shape["dilation"]),
    )
    first, last = extent(module, (5, 6), (80, 60))
    for axis, cell in ((0, 5), (1, 6)):
        start = field.offset[axis] + cell * field.step[axis]
        assert (first[axis], last[axis]) == (start, start + field.size[axis] - 1)


def test_a_transposed_window_has_offset_size_and_step_of_a_deconvolution():
    assert make_transposed_window_field((4, 4), stride=(2, 2), padding=(1, 1)) == FieldMap(
        (-1, -1), (2.5, 2.5), (0.5, 0.5)
    )
    assert make_transposed_window_field((3, 5)) == FieldMap((-2, -4), (3, 5), (1, 1))
    found = make_transposed_window_field((4, 9), stride=(2, 3), padding=(1, 2), dilation=(1, 2))
    assert found == FieldMap((-1, -14 / 3), (2.5, 19 / 3), (1 / 2, 1 / 3))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [((4, 9), (2, 3), (1, 2)), ((3, 2), (1, 2), (0, 0)), ((5, 6), (3, 2), (2, 1))])  # fmt: skip
def test_a_transposed_window_covers_what_a_deconvolution_looks_at(kernel, stride, padding):
    field = make_transposed_window_field(kernel, stride=stride, padding=padding)
    module = nn.ConvTranspose2d(1, 1, kernel, stride, padding)
    for cell in ((12, 18), (13, 19), (14, 20)):
        first, last = extent(module, cell, (20, 20))
        for axis in (0, 1):
            start = field.offset[axis] + cell[axis] * field.step[axis]
            stop = start + field.size[axis] - 1
            assert start <= first[axis] < start + 1  # within a cell: the window moves by fractions of one
            assert stop - 1 < last[axis] <= stop


def test_the_widest_path_is_the_one_that_sees_most_rows_and_the_first_of_equals():
    tall, broad, other = (
        FieldMap((0, 0), (5, 1), (1, 1)),
        FieldMap((0, 0), (3, 7), (1, 1)),
        FieldMap((9, 9), (5, 3), (1, 1)),
    )
    assert choose_widest_field([broad, tall]) == choose_widest_field([tall, broad]) == tall
    assert choose_widest_field([tall, other]) == tall
    assert choose_widest_field([other, tall]) == other


def test_joined_paths_see_all_that_each_of_them_sees():
    tall, broad = make_window_field((5, 1), padding=(2, 0)), make_window_field((3, 7), padding=(1, 3))
    assert unite_fields([tall, broad]) == unite_fields([broad, tall]) == FieldMap((-2, -3), (5, 7), (1, 1))
    coarser = FieldMap((-50, -50), (1, 1), (2, 2))  # another step: it is not of the widest's grid
    assert unite_fields([tall, coarser]) == tall


def test_cells_that_divide_the_input_evenly_do_so_along_each_axis():
    assert divide_into_whole_steps((224, 227), (7, 14)) == FieldMap((0, 0), (32, 16), (32, 16))
    assert divide_into_whole_steps((5, 227), (7, 57)) == FieldMap((0, 0), (1, 3), (1, 3))
    assert divide_evenly((224, 227), (7, 57)) == FieldMap((0, 0), (32, 227 / 57), (32, 227 / 57))
    assert (
        compose_fields(IDENTITY, make_window_field((3, 5)))
        == compose_fields(make_window_field((3, 5)), IDENTITY)
        == make_window_field((3, 5))
    )


def test_more_cells_than_pixels_step_by_one_pixel():
    assert divide_into_whole_steps((3, 2), (5, 4)).step == (1, 1)
