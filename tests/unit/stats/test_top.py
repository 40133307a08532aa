"""Exemplars: their grids are copied in pieces, so that a first batch, of which all enter, is not held twice."""

from __future__ import annotations

import numpy as np

from netdissect.stats import top


def test_grids_come_in_small_pieces_and_are_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    activations = rng.normal(size=(12, 30, 5, 6)).astype(np.float32)
    asked = []

    def planes(images, units):
        asked.append(images.size)
        return activations[images, units]

    def seen():
        state = top.TopImages.empty(30, 4, (5, 6))
        for start in range(0, 12, 6):
            batch = activations[start : start + 6]
            state.update(
                np.arange(start, start + 6), batch.max(axis=(2, 3)), lambda n, u, start=start: planes(n + start, u)
            )
        return state.compute()

    whole = seen()
    assert max(asked) == 120  # all places of all units, of the first batch
    asked.clear()
    monkeypatch.setattr(top, "_PIECE", 7 * 30)
    pieces = seen()
    assert max(asked) == 7
    np.testing.assert_array_equal(whole.images, pieces.images)
    np.testing.assert_array_equal(whole.grids, pieces.grids)
    np.testing.assert_array_equal(pieces.grids, activations[pieces.images, np.arange(30)[:, None]])
