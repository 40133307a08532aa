"""Strips: a tile keeps its pixels where the upsampled grid is positive and has a fifth of their brightness elsewhere."""

import numpy as np
import pytest

from netdissect.geometry.upsample import make_image_axes
from netdissect.layers import FieldMap
from netdissect.report import figures, strips


@pytest.mark.parametrize(("grid", "size"), [((1, 1), (8, 5)), ((7, 7), (24, 24)), ((5, 9), (20, 31))])
def test_a_tile_is_darkened_where_a_loop_over_pixels_darkens_it(grid, size):
    random = np.random.default_rng(0)
    rows, columns = make_image_axes(FieldMap((-3, 2), (11, 7), (16, 12)), grid, (80, 90), size)
    axes = (rows.lower, rows.upper, rows.fraction, columns.lower, columns.upper, columns.fraction)
    tile = random.integers(0, 256, (*size, 3), np.uint8)
    cells = random.normal(0, 1, grid).astype(np.float16).astype(np.float32)
    expected = tile.copy()
    for y, x in np.ndindex(*size):
        edges = []
        for cell in (columns.lower[x], columns.upper[x]):
            above, below = cells[rows.lower[y], cell], cells[rows.upper[y], cell]
            edges.append(np.float64(above) + rows.fraction[y] * np.float64(below - above))
        if not edges[0] + columns.fraction[x] * (edges[1] - edges[0]) > 0:
            expected[y, x] = (tile[y, x] * 0.2).astype(np.uint8)
    out = np.full((size[0], size[1] + 4, 3), 255, np.uint8)
    strips._draw_darkened(out[:, 2:-2], tile, cells, *axes, strips._DARKENED)
    assert np.array_equal(out[:, 2:-2], expected)
    assert (out[:, :2] == 255).all()
    assert (out[:, -2:] == 255).all()


def test_a_figure_that_cannot_be_drawn_fails_the_report(tmp_path, monkeypatch):
    from tests import made_up_runs

    from netdissect import report
    from netdissect.protocols import NullProgress

    def fail(*_):
        raise OSError("no room")

    monkeypatch.setattr(figures, "draw_layer_graph", fail)
    result, probe_set = made_up_runs.make_run((4,))
    with pytest.raises(OSError, match="no room"):
        report.write_report(result, tmp_path, probe_set, NullProgress())
    assert not (tmp_path / "html" / "index.html").exists()
