"""Random rotations are rotations, and their powers rotate every plane by a part of its angle."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netdissect.stats.random_rotation import RotationPowers, align_to_axes, draw_rotation

SIZES = st.integers(1, 24)
SEEDS = st.integers(0, 50)


@given(SIZES, SEEDS)
def test_a_random_rotation_keeps_lengths_and_orientation(units, seed):
    q = draw_rotation(units, seed)
    np.testing.assert_allclose(q @ q.T, np.eye(units), atol=1e-12)
    assert np.linalg.det(q) == pytest.approx(1)
    np.testing.assert_array_equal(q, draw_rotation(units, seed))


def test_rotations_are_uniform():
    # Every entry of a uniform random rotation has mean 0 and mean square 1 / U.
    drawn = np.stack([draw_rotation(4, seed) for seed in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.04)
    np.testing.assert_allclose((drawn**2).mean(axis=0), 0.25, atol=0.02)


@given(SIZES, SEEDS, st.floats(0, 1), st.floats(0, 1))
def test_powers_add_up(units, seed, one, other):
    power = RotationPowers.decompose(draw_rotation(units, seed))
    np.testing.assert_allclose(power(one) @ power(other), power(one + other), atol=1e-9)
    np.testing.assert_allclose(power(one) @ power(one).T, np.eye(units), atol=1e-9)


@given(SIZES, SEEDS)
def test_power_0_leaves_the_units_and_power_1_is_the_rotation(units, seed):
    q = draw_rotation(units, seed)
    power = RotationPowers.decompose(q)
    np.testing.assert_allclose(power(0), np.eye(units), atol=1e-9)
    np.testing.assert_allclose(power(1), q, atol=1e-9)


def test_half_a_plane_turn_is_a_turn_by_half_the_angle():
    turn = lambda angle: np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for angle in (0.3, 2.5, -1.2):
        np.testing.assert_allclose(RotationPowers.decompose(turn(angle))(0.5), turn(angle / 2), atol=1e-12)


def test_two_mirrored_axes_turn_by_half_a_circle():
    power = RotationPowers.decompose(np.diag([-1.0, 1.0, -1.0]))
    half = power(0.5)
    np.testing.assert_allclose(half @ half, np.diag([-1.0, 1.0, -1.0]), atol=1e-12)
    np.testing.assert_allclose(half @ half.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(half) == pytest.approx(1)


@pytest.mark.parametrize("matrix", [np.diag([1.0, -1.0]), np.ones((2, 2)), np.eye(3)[:2]])
def test_a_matrix_that_is_no_rotation_is_an_error(matrix):
    with pytest.raises(ValueError, match="expected an orthogonal matrix|expected a rotation"):
        RotationPowers.decompose(matrix)


@given(SIZES, SEEDS)
def test_aligned_to_the_axes_a_rotation_has_the_same_rows_in_another_order(units, seed):
    q = draw_rotation(units, seed)
    ordered = align_to_axes(q)
    assert np.linalg.det(ordered) == pytest.approx(1)
    np.testing.assert_allclose(ordered @ ordered.T, np.eye(units), atol=1e-12)
    key = lambda rows: sorted(tuple(np.round(np.abs(row), 9)) for row in rows)
    assert key(ordered) == key(q)


@given(SIZES, SEEDS)
def test_aligned_to_the_axes_a_permutation_is_the_identity(units, seed):
    shuffled = np.eye(units)[np.random.default_rng(seed).permutation(units)]
    np.testing.assert_array_equal(align_to_axes(shuffled), np.eye(units))


def test_aligned_to_the_axes_only_the_worst_row_changes_its_sign():
    turned = 0
    for seed in range(12):
        q = draw_rotation(5, seed)
        ordered = align_to_axes(q)
        nearest = lambda row, q=q: np.abs(q @ row).argmax()  # which of its rows, whatever its sign
        before = np.array([q[nearest(row)] for row in ordered])
        changed = np.flatnonzero((before * ordered).sum(axis=1) < 0)
        assert changed.size <= 1
        if changed.size:
            turned += 1
            assert changed.tolist() == [np.diag(before).argmin()]
            assert np.linalg.det(before) == pytest.approx(-1)
    assert turned > 2


@pytest.mark.parametrize("angle", [1e-4, -1e-6, 1e-7])
def test_a_small_angle_is_not_lost(angle):
    turn = lambda angle: np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(RotationPowers.decompose(turn(angle))(1), turn(angle), rtol=0, atol=1e-12)
    np.testing.assert_allclose(RotationPowers.decompose(turn(angle))(0.5), turn(angle / 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize("turned", [2, 4])
def test_directions_that_are_not_rotated_stay_unchanged(turned):
    q = np.eye(6)
    q[:turned, :turned] = draw_rotation(turned, 3)
    half = RotationPowers.decompose(q)(0.5)
    np.testing.assert_allclose(half[turned:, turned:], np.eye(6 - turned), atol=1e-12)
    np.testing.assert_allclose(half @ half, q, atol=1e-10)
    np.testing.assert_allclose(RotationPowers.decompose(np.eye(4))(0.7), np.eye(4), atol=1e-12)
