"""TopImages: grids are copied in pieces, the floor, merging."""

from __future__ import annotations

from functools import partial

import numpy as np

from netdissect.stats import top_images


def test_grids_copied_in_pieces_are_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    activations = rng.normal(size=(12, 30, 5, 6)).astype(np.float32)
    asked = []

    def copy_from(start, images, units, into, places):
        asked.append(images.size)
        into[places] = activations[images + start, units]

    def seen():
        state = top_images.TopImages.empty(30, 4, (5, 6))
        for start in range(0, 12, 6):
            batch = activations[start : start + 6]
            state.update(np.arange(start, start + 6), batch.max(axis=(2, 3)), partial(copy_from, start))
        return state.compute()

    whole = seen()
    assert max(asked) == 120  # all places of all units, of the first batch
    asked.clear()
    monkeypatch.setattr(top_images, "_PIECE", 7 * 30)
    pieces = seen()
    assert max(asked) == 7
    np.testing.assert_array_equal(whole.images, pieces.images)
    np.testing.assert_array_equal(whole.grids, pieces.grids)
    np.testing.assert_array_equal(pieces.grids, activations[pieces.images, np.arange(30)[:, None]])


def test_images_below_the_floor_do_not_enter_and_those_at_it_do():
    peaks = np.array([[3, 1], [2, 5], [2, 4]], np.float32)
    state = top_images.TopImages.empty(2, 2, (1, 1))
    state.update(np.array([7, 9, 8]), peaks, lambda *_: None, np.array([2, 6], np.float32))
    found = state.compute()
    assert found.images.tolist() == [[7, 8], [top_images.NO_IMAGE, top_images.NO_IMAGE]]


def test_merging_keeps_the_grids_with_their_images():
    rng = np.random.default_rng(1)
    activations = np.round(rng.normal(size=(20, 3, 2, 2)), 1).astype(np.float32)

    def seen(numbers):
        state = top_images.TopImages.empty(3, 4, (2, 2))

        def copy_grids(images, units, into, places):
            into[places] = activations[numbers][images, units]

        state.update(numbers, activations[numbers].max(axis=(2, 3)), copy_grids)
        return state

    merged = seen(np.arange(3)).merge(seen(np.arange(3, 20))).compute()
    whole = seen(np.arange(20)).compute()
    np.testing.assert_array_equal(merged.images, whole.images)
    np.testing.assert_array_equal(merged.grids, whole.grids)
    few = top_images.TopImages.empty(3, 4, (2, 2))
    few.absorb_state(seen(np.arange(3)).state_dict())  # with empty places, whose grids are not in the state
    np.testing.assert_array_equal(few.compute().grids, seen(np.arange(3)).compute().grids)


def test_images_after_one_that_does_not_enter_do_enter():
    peaks = np.array([[1], [5], [9], [7]], np.float32)
    state = top_images.TopImages.empty(1, 3, (1, 1))
    state.update(np.array([3, top_images.NO_IMAGE, 4, 5]), peaks, lambda *_: None, np.array([2], np.float32))
    assert state.compute().images.tolist() == [[4, 5, top_images.NO_IMAGE]]
