"""Where a cell lies after paths joined, and the law that every field map has to keep."""

from __future__ import annotations

import pytest

from netdissect.geometry.fieldmap import IDENTITY, make_window_field
from netdissect.layers import FieldMap
from netdissect.networks.trace.field_path import FieldPath, join_field_paths

INPUT = FieldPath(IDENTITY, (64, 64))


def conv(path, kernel, stride=1, padding=None):
    """Return the path after a convolution with equal settings along both axes."""
    padding = kernel // 2 if padding is None else padding
    window = make_window_field((kernel, kernel), stride=(stride, stride), padding=(padding, padding))
    return path.follow(window)


def scale_up(path, times):
    """Return the path after interpolation to more cells."""
    return path.follow(FieldMap((0.5 / times - 1,) * 2, (2, 2), (1 / times,) * 2))


def test_of_paths_that_place_cells_alike_the_widest_decides():
    stem = conv(INPUT, 3, 2)
    wide, narrow = conv(stem, 7), conv(stem, 1)
    assert join_field_paths([narrow, wide], (32, 32)) == join_field_paths([wide, narrow], (32, 32)) == wide


def test_tall_and_broad_paths_are_united():
    tall = INPUT.follow(make_window_field((5, 1), padding=(2, 0)))
    broad = INPUT.follow(make_window_field((3, 7), padding=(1, 3)))
    assert join_field_paths([tall, broad], (64, 64)).field == FieldMap((-2, -3), (5, 7), (1, 1))


def test_a_branch_that_was_scaled_up_does_not_decide_however_wide():
    direct = conv(INPUT, 3, 2)
    coarse = scale_up(conv(direct, 3, 4), 4)
    assert coarse.field.step == direct.field.step
    assert coarse.center != direct.center
    joined = join_field_paths([coarse, direct], (32, 32))
    assert joined == direct
    assert join_field_paths([scale_up(conv(joined, 3, 2), 2), joined], (32, 32)) == direct  # half cells do not add up


def test_of_branches_that_were_all_scaled_up_the_least_coarse_decides():
    stem = conv(INPUT, 3, 4)
    near, far = scale_up(stem, 2), scale_up(conv(stem, 3, 2), 4)
    assert join_field_paths([far, near], (32, 32)).center == near.center


def test_a_path_that_does_not_fit_the_input_does_not_decide():
    right = conv(INPUT, 3, 2)
    wrong = INPUT.follow(make_window_field((1, 1), stride=(9, 9)))
    assert not wrong.fits((32, 32))
    assert join_field_paths([wrong, right], (32, 32)) == right


def test_a_residual_path_decides_against_one_that_passed_attention():
    residual = conv(INPUT, 3, 2)
    queries = FieldPath(conv(INPUT, 4, 2, 1).field, (64, 64), is_mixed=True)
    assert join_field_paths([queries, residual], (32, 32)) == residual
    assert join_field_paths([queries], (32, 32)).is_mixed


def test_of_paths_that_start_elsewhere_the_most_direct_decides_and_covers_the_other():
    pooled, wide = conv(INPUT, 2, 2, 0), conv(INPUT, 5, 2)
    assert pooled.center == (0.5, 0.5)
    assert wide.center == (0, 0)
    joined = join_field_paths([wide, pooled], (32, 32))
    assert joined.center == pooled.center
    (start, _), (size, _), _ = joined.field
    assert start <= -2
    assert start + size >= 3


def test_pieces_of_a_cell_are_united():
    corners = [INPUT.follow(make_window_field((1, 1), stride=(2, 2), padding=(-y, -x))) for y in (0, 1) for x in (0, 1)]
    assert join_field_paths(corners, (32, 32)).field == FieldMap((0, 0), (2, 2), (2, 2))


@pytest.mark.parametrize(
    ("path", "cells", "fits"),
    [
        (INPUT, 64, True),
        (conv(INPUT, 3, 2), 32, True),
        (conv(INPUT, 3, 2), 34, False),  # too many cells
        (conv(INPUT, 3, 2), 30, False),  # too few
        (INPUT.follow(make_window_field((7, 7)), (-6, -6)), 58, True),  # a border was lost
        (INPUT.follow(make_window_field((1, 1), padding=(9, 9)), (18, 18)), 82, True),  # a border was added
        (INPUT.follow(make_window_field((1, 1), padding=(9, 9)), (0, 0)), 64, False),  # moved out of the image
        (scale_up(conv(INPUT, 3, 16), 16), 64, False),  # the first centers lie outside
        (INPUT.follow(FieldMap((0, 0), (1, 1), (0, 0))), 1, False),
    ],
)
def test_a_field_map_fits_if_its_cells_cover_the_input(path, cells, fits):
    assert path.fits((cells, cells)) is fits
