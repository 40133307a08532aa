"""Random rotations of a layer's units, and their fractional powers (paper, § 4.2).

A rotation Q replaces the units by random directions in the same space: Q·a carries the same information as a, along other
axes. Q^α rotates by α times the angles of Q, so α = 0 leaves the units unchanged and α = 1 gives Q.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg
import scipy.optimize

if TYPE_CHECKING:
    from numpy.typing import NDArray


def draw_rotation(units: int, seed: int) -> NDArray[np.float64]:
    """Return a random rotation, uniform on SO(U), shape (U, U): orthogonal, determinant 1.

    Args:
        units: U.
        seed: seed of the random numbers.

    Example:
        >>> q = draw_rotation(5, seed=0)
        >>> bool(np.allclose(q @ q.T, np.eye(5))), round(float(np.linalg.det(q)))
        (True, 1)
    """
    normal = np.random.default_rng(seed).standard_normal((units, units))
    q, r = np.linalg.qr(normal)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # without this, Q is not uniform
    if np.linalg.slogdet(q)[0] < 0:
        q[0] = -q[0]
    return np.ascontiguousarray(q)


def align_to_axes(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a rotation with its rows reordered so that the sum of its diagonal is largest.

    These are the same units in another order; from α = 0 to 1 they then move as little as possible. The result is a
    rotation: if the reordered matrix has determinant -1, the row that is aligned worst changes its sign.

    Args:
        rotation: shape (U, U).
    """
    axes, rows = scipy.optimize.linear_sum_assignment(-rotation.T)
    ordered: NDArray[np.float64] = rotation[rows[np.argsort(axes)]]
    if np.linalg.slogdet(ordered)[0] < 0:
        worst = np.argmin(np.diag(ordered))
        ordered[worst] = -ordered[worst]
    return ordered


@dataclass(frozen=True, eq=False)
class RotationPowers:
    """A rotation decomposed into rotations of planes, from which any power is computed by two products.

    Attributes:
        basis: an orthonormal basis, shape (U, U); the columns 2i and 2i + 1 span a plane that the rotation maps onto
            itself; if U is odd, the last column is not rotated.
        angles: angle of rotation of each plane in radians, shape (U // 2,).
    """

    basis: NDArray[np.float64]
    angles: NDArray[np.float64]

    @classmethod
    def decompose(cls, rotation: NDArray[np.float64]) -> RotationPowers:
        """Decompose a rotation by its real Schur form.

        Args:
            rotation: shape (U, U), orthogonal, determinant 1.

        Raises:
            ValueError: if it is not a rotation.
        """
        units = len(rotation)
        identity = np.eye(units)
        if rotation.shape != (units, units) or not np.allclose(rotation @ rotation.T, identity, atol=1e-8):
            raise ValueError("expected an orthogonal matrix")
        form, basis = scipy.linalg.schur(rotation, output="real")
        rotated: list[int] = []
        fixed: list[int] = []
        flipped: list[int] = []
        angles: list[float] = []
        at = 0
        while at < units:
            if at + 1 < units and abs(form[at + 1, at]) > 1e-8:
                rotated += [at, at + 1]
                angles.append(float(np.arctan2(form[at + 1, at], form[at, at])))
                at += 2
            else:
                (fixed if form[at, at] > 0 else flipped).append(at)
                at += 1
        if len(flipped) % 2:
            raise ValueError("expected a rotation, got a reflection: its determinant is -1")
        # Two directions that change their signs span a plane that rotates by π.
        angles += [np.pi] * (len(flipped) // 2) + [0.0] * (len(fixed) // 2)
        return cls(basis[:, [*rotated, *flipped, *fixed]], np.array(angles, np.float64))

    def __call__(self, alpha: float) -> NDArray[np.float64]:
        """Return the power Q^α, shape (U, U): every plane rotated by α times its angle."""
        cosine, sine = np.cos(alpha * self.angles), np.sin(alpha * self.angles)
        size = 2 * len(self.angles)
        even, odd = self.basis[:, 0:size:2], self.basis[:, 1:size:2]
        first, second = even * cosine + odd * sine, odd * cosine - even * sine
        power: NDArray[np.float64] = first @ even.T + second @ odd.T
        rest = self.basis[:, size:]
        return power + rest @ rest.T
