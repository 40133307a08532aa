"""Centers of interpolated and pooled cells, against those that torch's own operators show."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from netdissect.networks.trace.field_tracer import FieldTracer
from netdissect.networks.trace.resampling import Resampling, place_pools


def measure_centers(operation, before):
    """Return the mean source position of every output cell, by the response to each input cell."""
    rows = torch.eye(before, dtype=torch.float64).reshape(before, 1, before, 1).expand(before, 1, before, 2)
    weights = operation(rows)[:, 0, :, 0]  # (input cell, output cell)
    return (weights * torch.arange(before, dtype=torch.float64)[:, None]).sum(0) / weights.sum(0)


def trace_row(operation, before):
    image = torch.zeros(1, 1, before, 2)
    with torch.no_grad(), FieldTracer(image) as tracer:
        output = operation(image)
    return tracer.get_trace(output), output.shape[2]


INTERPOLATIONS = {
    "bilinear": lambda size: lambda x: F.interpolate(x, (size, x.shape[3]), mode="bilinear"),
    "bilinear, corners aligned": lambda size: (
        lambda x: F.interpolate(x, (size, x.shape[3]), mode="bilinear", align_corners=True)
    ),
    "bicubic": lambda size: lambda x: F.interpolate(x, (size, x.shape[3]), mode="bicubic"),
    "nearest": lambda size: lambda x: F.interpolate(x, (size, x.shape[3]), mode="nearest"),
    "nearest, exact": lambda size: lambda x: F.interpolate(x, (size, x.shape[3]), mode="nearest-exact"),
    "antialiased": lambda size: lambda x: F.interpolate(x, (size, x.shape[3]), mode="bilinear", antialias=True),
}


@pytest.mark.parametrize(("before", "after"), [(7, 14), (7, 28), (14, 7), (13, 7), (7, 20), (5, 5)])
@pytest.mark.parametrize("kind", INTERPOLATIONS)
def test_an_interpolated_cell_lies_where_its_sources_lie(kind, before, after):
    operation = INTERPOLATIONS[kind](after)
    trace, cells = trace_row(operation, before)
    assert cells == after
    truth = measure_centers(operation, before)
    field = trace.field
    centers = [field.offset[0] + (field.size[0] - 1) / 2 + cell * field.step[0] for cell in range(after)]
    # At the border an interpolation repeats the last cell.
    inner = [cell for cell in range(after) if 2 <= centers[cell] <= before - 3]
    assert inner
    # The nearest cell may be half a cell away, and smoothed and bicubic ones are not exactly linear.
    rounding = 0.51 if "nearest" in kind else 0.1 if kind in ("antialiased", "bicubic") else 1e-4
    assert all(abs(centers[cell] - float(truth[cell])) <= rounding for cell in inner)
    errors = [centers[cell] - float(truth[cell]) for cell in inner]
    assert abs(sum(errors) / len(errors)) < 0.13  # without a tendency


def test_a_given_scale_factor_decides_even_where_the_sizes_say_otherwise():
    operation = lambda x: F.interpolate(x, scale_factor=(0.5, 1), mode="bilinear", recompute_scale_factor=False)
    trace, cells = trace_row(operation, 15)
    assert cells == 7
    assert trace.field.step[0] == 2
    assert measure_centers(operation, 15).tolist() == [0.5 + 2 * cell for cell in range(7)]
    assert trace.field.offset[0] + (trace.field.size[0] - 1) / 2 == 0.5


def test_one_cell_scaled_up_with_aligned_corners_has_no_step_of_zero():
    assert Resampling(2, "align_corners").place_cells(1, 8).step == 0
    trace, _ = trace_row(lambda x: F.interpolate(x[:, :, :1], (8, 2), mode="bilinear", align_corners=True), 4)
    assert not trace.path.fits((8, 2))  # the same at all places


@pytest.mark.parametrize(("before", "after"), [(14, 7), (7, 3), (10, 6), (13, 1), (9, 9)])
def test_an_adaptive_pool_has_the_centers_of_its_windows(before, after):
    spacing = place_pools(before, after)
    truth = measure_centers(lambda x: F.adaptive_avg_pool2d(x, (after, x.shape[3])), before)
    assert spacing is not None
    centers = [spacing.center + cell * spacing.step for cell in range(after)]
    assert max(abs(center - float(other)) for center, other in zip(centers, truth, strict=True)) <= 0.25 * spacing.step


@pytest.mark.parametrize("before", [3, 7, 10, 14, 28])
def test_uneven_pools_keep_their_centers_within_a_quarter_of_a_step_or_have_none(before):
    for after in range(1, before + 1):
        spacing = place_pools(before, after)
        if spacing is None:
            continue
        truth = measure_centers(lambda x, after=after: F.adaptive_avg_pool2d(x, (after, x.shape[3])), before)
        centers = [spacing.center + cell * spacing.step for cell in range(after)]
        off = max(abs(center - float(other)) for center, other in zip(centers, truth, strict=True))
        assert off <= 0.25 * spacing.step + 1e-9


def test_pools_at_very_different_distances_have_no_field_map():
    assert place_pools(8, 6) is None  # centers 0.5, 1.5, 3, 4, 5.5, 6.5
