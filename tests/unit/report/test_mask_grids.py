import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from netdissect.geometry.upsample import make_label_axes, upsample
from netdissect.layers import FieldMap
from netdissect.report.html import mask_grids

GRIDS = arrays.arrays(np.float16, (2, 3, 4, 5), elements=some.floats(-1, 1, width=16))


@given(GRIDS)
def test_a_decoded_cell_is_on_its_side_of_the_threshold(grids):
    codes, scale = mask_grids.encode_grids(grids)
    np.testing.assert_array_equal(codes >= 128, grids > 0)
    read = mask_grids.decode_grids(codes, scale)
    # Above half of the unit's largest value, decoding changes a value by about one percent at most.
    strong = grids > 0.5 * scale[:, 0, None, None, None]
    np.testing.assert_allclose(read[strong], grids[strong].astype(np.float32), rtol=0.012)


def test_masks_from_eight_bits_nearly_equal_the_exact_ones():
    random = np.random.default_rng(1)
    y, x = np.mgrid[:13, :13] / 12
    blobs = np.stack([
        np.stack([np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.04) - 0.4 for a, b in random.random((10, 2))]) for _ in range(20)
    ])  # fmt: skip
    grids = (blobs + random.normal(0, 0.05, blobs.shape)).astype(np.float16)
    codes, scale = mask_grids.encode_grids(grids)
    axes = make_label_axes(FieldMap((-60, -60), (155, 155), (16, 16)), (13, 13), (227, 227), (113, 113))
    exact = upsample(grids.astype(np.float32), *axes) > 0
    drawn = upsample(mask_grids.decode_grids(codes, scale), *axes) > 0
    iou = (exact & drawn).sum((2, 3)) / np.maximum((exact | drawn).sum((2, 3)), 1)
    assert iou.mean() > 0.995
    assert (exact ^ drawn).mean() < 0.002


def test_a_unit_that_never_passes_its_threshold_has_no_mask():
    codes, scale = mask_grids.encode_grids(np.full((1, 2, 3, 3), -0.5, np.float16))
    assert codes.max() < 128
    assert (mask_grids.decode_grids(codes, scale) < 0).all()
    codes, scale = mask_grids.encode_grids(np.zeros((1, 0, 3, 3), np.float16))
    assert codes.shape == (1, 0, 3, 3)
    np.testing.assert_array_equal(scale, 0)


def test_cells_far_from_any_mask_are_coarse_and_less_so_where_weak_activation_is_shown():
    grids = np.full((1, 2, 9, 9), -0.3, np.float16)
    grids[:, :, 0, 0], grids[:, :, 8, 8] = -1, 0.5
    codes, _ = mask_grids.encode_grids(grids, slice(1, 2))
    exact = round(127.5 - 127.5 * 0.3**0.5)
    assert codes[0, 0, 4, 4] == exact // 64 * 64
    assert codes[0, 1, 4, 4] == exact // 56 * 56
    assert codes[0, 0, 7, 7] == codes[0, 1, 7, 7] == exact  # beside the mask
