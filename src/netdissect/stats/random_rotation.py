"""Random rotations of a layer's units and their fractional powers (paper, § 4.2: is an axis-aligned basis special?).

A rotation Q replaces the units by random directions of the same space: Q·a has the same discriminative power as a, and
other axes. Q^α turns every plane of Q by the share α of its angle, so α = 0 leaves the units and α = 1 gives Q.
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
    """Return a rotation drawn evenly from SO(U), shape (U, U): orthogonal, determinant 1.

    Args:
        units: U.
        seed: of the drawing.

    Example:
        >>> q = draw_rotation(5, seed=0)
        >>> bool(np.allclose(q @ q.T, np.eye(5))), round(float(np.linalg.det(q)))
        (True, 1)
    """
    drawn = np.random.default_rng(seed).standard_normal((units, units))
    q, r = np.linalg.qr(drawn)
    q *= np.where(np.diag(r) < 0, -1.0, 1.0)  # without it, some rotations would be likelier than others
    if np.linalg.slogdet(q)[0] < 0:
        q[0] = -q[0]
    return np.ascontiguousarray(q)


def align_to_axes(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rotation with its rows reordered so that each lies as near to its own axis as all can.

    It shows the same units in another order; on the way from α = 0 to 1 every unit then turns as little as possible.
    The result is a rotation: if the reordering has determinant -1, the row that is worst aligned changes its sign.

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
    """A rotation taken apart into planes, so that any power of it is two products away.

    Attributes:
        basis: an orthonormal basis, shape (U, U); its columns 2i and 2i + 1 span a plane that the rotation maps onto
            itself, a last column that is left over stays where it is.
        angles: by which it turns each plane, shape (U // 2,).
    """

    basis: NDArray[np.float64]
    angles: NDArray[np.float64]

    @classmethod
    def of(cls, rotation: NDArray[np.float64]) -> RotationPowers:
        """Take a rotation apart by its real Schur form.

        Args:
            rotation: shape (U, U), orthogonal, determinant 1.

        Raises:
            ValueError: if it is no rotation.
        """
        units = len(rotation)
        identity = np.eye(units)
        if rotation.shape != (units, units) or not np.allclose(rotation @ rotation.T, identity, atol=1e-8):
            raise ValueError("expected an orthogonal matrix")
        form, basis = scipy.linalg.schur(rotation, output="real")
        turned: list[int] = []
        still: list[int] = []
        flipped: list[int] = []
        angles: list[float] = []
        at = 0
        while at < units:
            if at + 1 < units and abs(form[at + 1, at]) > 1e-8:
                turned += [at, at + 1]
                angles.append(float(np.arctan2(form[at + 1, at], form[at, at])))
                at += 2
            else:
                (still if form[at, at] > 0 else flipped).append(at)
                at += 1
        if len(flipped) % 2:
            raise ValueError("expected a rotation, got a reflection: its determinant is -1")
        # Two directions that change their signs span a plane that turns by half a circle.
        angles += [np.pi] * (len(flipped) // 2) + [0.0] * (len(still) // 2)
        return cls(basis[:, [*turned, *flipped, *still]], np.array(angles, np.float64))

    def __call__(self, alpha: float) -> NDArray[np.float64]:
        """Return the power Q^α, shape (U, U): every plane turned by α times its angle."""
        cosine, sine = np.cos(alpha * self.angles), np.sin(alpha * self.angles)
        size = 2 * len(self.angles)
        even, odd = self.basis[:, 0:size:2], self.basis[:, 1:size:2]
        first, second = even * cosine + odd * sine, odd * cosine - even * sine
        power: NDArray[np.float64] = first @ even.T + second @ odd.T
        rest = self.basis[:, size:]
        return power + rest @ rest.T
