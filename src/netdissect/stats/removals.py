"""What outputs lose when units are removed: margins, balanced accuracy, and comparison with other sets of units.

Outputs are logits of Y classes; `label` is the class of every image. docs/ablation.md says what each number answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netdissect.stats.spread import find_student_quantile

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: Draws of random sets, as a multiple of the different sets that are wanted; small layers have few different ones.
_DRAWS_PER_SET = 10


def compute_margins(outputs: NDArray[np.floating], label: ArrayLike) -> NDArray[np.float64]:
    """Return by how much the output of every image's class exceeds the largest output of another class, shape (…, B).

    Args:
        outputs: class outputs, shape (…, B, Y), with at least two classes.
        label: class of every image, shape (B,).

    Example:
        >>> import numpy as np
        >>> compute_margins(np.array([[3.0, 1.0, 2.5], [0.0, 1.0, 4.0]]), [0, 1]).tolist()
        [0.5, -3.0]
    """
    label = np.asarray(label, np.int64)
    own = np.arange(outputs.shape[-1]) == label[:, np.newaxis]
    of_class = np.take_along_axis(outputs, np.broadcast_to(label[:, np.newaxis], (*outputs.shape[:-1], 1)), axis=-1)
    others = np.where(own, -np.inf, outputs).max(axis=-1)
    margins: NDArray[np.float64] = of_class[..., 0].astype(np.float64) - others
    return margins


def split_halves(label: NDArray[np.integer], seed: int) -> NDArray[np.bool_]:
    """Return which images are in the first of two halves, bool, shape (N,); every class is divided at random.

    The first half has the smaller part of an odd number of images. Images without a class (-1) are in neither.

    Args:
        label: class of every image, shape (N,).
        seed: seed of the random numbers.

    Example:
        >>> import numpy as np
        >>> label = np.array([0, 0, 1, 1, 1, 1, -1])
        >>> half = split_halves(label, seed=0)
        >>> half[:2].sum(), half[2:6].sum(), half[6]
        (np.int64(1), np.int64(2), np.False_)
    """
    random = np.random.default_rng(seed)
    first = np.zeros(len(label), np.bool_)
    for which in np.unique(label[label >= 0]):
        images = random.permutation(np.flatnonzero(label == which))
        first[images[: len(images) // 2]] = True
    return first


def compute_balanced_accuracy(
    hits: NDArray[np.integer], predicted: NDArray[np.integer], images: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the balanced accuracy of "is it this class", the mean of sensitivity and specificity, shape (…, Y).

    Args:
        hits: images of a class that are recognized as it, shape (…, Y).
        predicted: images of any class that are recognized as it, shape (…, Y).
        images: images of every class, shape (Y,).

    Returns:
        the accuracies; NaN for a class that no image has or that all have.

    Example:
        >>> import numpy as np
        >>> compute_balanced_accuracy(np.array([3, 6]), np.array([4, 6]), np.array([4, 6])).round(3).tolist()
        [0.792, 1.0]
    """
    others = images.sum() - images
    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy: NDArray[np.float64] = (hits / images + 1 - (predicted - hits) / others) / 2
    return np.where((images > 0) & (others > 0), accuracy, np.nan)


def rank_units(accuracy: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return the units whose removal costs most, most important first, int64, shape (Y, k); of equal ones the first.

    Args:
        accuracy: balanced accuracy of every class without every unit, shape (U, Y).
        most: number of units k; all units if there are fewer.
    """
    order = np.argsort(accuracy, axis=0, kind="stable")[:most]
    return np.ascontiguousarray(order.T)


def draw_random_sets(units: int, size: int, sets: int, seed: int) -> NDArray[np.bool_]:
    """Return which units are in each of K random sets of one size, bool, shape (K, U)."""
    random = np.random.default_rng([seed, size])
    removed = np.zeros((sets, units), np.bool_)
    for row in removed:
        row[random.choice(units, min(size, units), replace=False)] = True
    return removed


def measure_loss(change: float, matched: ArrayLike) -> float:
    """Return the probability of so large a loss when matched units are removed: (1 + #{matched ≤ change}) / (1 + K).

    The one is the set itself, so p is never 0 (Phipson and Smyth, 2010).

    Args:
        change: mean change of the margin without the units; negative changes are losses.
        matched: the same without each of K sets of matched units, shape (K,).

    Example:
        >>> measure_loss(-1.0, [-0.5, -1.0, 0.1])
        0.5
    """
    compared = np.asarray(matched, np.float64)
    return (1 + int((compared <= change).sum())) / (1 + compared.size)


def make_change_interval(change: NDArray[np.floating], fold: NDArray[np.integer]) -> tuple[float, float]:
    """Return the ends of the 95 % interval of the mean of a change, from folds of images.

    The standard error is that of a ratio of sums over folds, which the bootstrap of folds approaches (docs/trust.md); the quantile is
    Student's.

    Args:
        change: change of every image, shape (n,).
        fold: fold of every image, from 0, shape (n,); at least two folds have images.

    Example:
        >>> import numpy as np
        >>> change = np.random.default_rng(0).normal(-1, 1, 400)
        >>> low, high = make_change_interval(change, np.arange(400) % 20)
        >>> round(low, 1), round(high, 1)
        (-1.1, -0.9)
    """
    mean = float(change.mean(dtype=np.float64))
    images = np.bincount(fold)
    folds = int((images > 0).sum())
    excess = np.bincount(fold, change.astype(np.float64) - mean)[images > 0]
    error = float(np.sqrt((excess**2).sum() * folds / (folds - 1))) / len(change)
    reach = find_student_quantile(folds) * error
    return mean - reach, mean + reach


def draw_matched_sets(
    mean: NDArray[np.floating], removed: NDArray[np.integer], sets: int, seed: int, nearest: int = 100
) -> NDArray[np.bool_]:
    """Return other sets of as many units with about the same mean activations, each set once, bool, shape (K, U).

    Every unit is swapped for one of the nearest units in mean activation that are not in the set; a single unit is compared with
    each of the K nearest. Fewer neighbors, or a set that is drawn and counted several times, make p too small: the most
    important of 20 neighbors would have the smallest p there is.

    Args:
        mean: mean activation of every unit, shape (U,).
        removed: channels of the units in the set, from 0, shape (n,).
        sets: the most sets K; fewer are returned where there are fewer different ones, none if more than half of the units are
            in the set.
        seed: seed of the random numbers.
        nearest: number of units that a unit may be swapped for.

    Example:
        >>> import numpy as np
        >>> draw_matched_sets(np.array([0.1, 0.9, 0.3, 1.0]), np.array([1]), sets=2, seed=0).astype(int).tolist()
        [[0, 0, 0, 1], [0, 0, 1, 0]]
    """
    units, others = len(mean), np.setdiff1d(np.arange(len(mean)), removed)
    order = [others[np.argsort(np.abs(mean[others] - mean[channel]), kind="stable")] for channel in removed]
    if len(removed) == 1:
        single: NDArray[np.bool_] = np.arange(units) == order[0][:sets, np.newaxis]
        return single
    random = np.random.default_rng(seed)
    found: dict[bytes, NDArray[np.bool_]] = {}
    for _ in range(_DRAWS_PER_SET * sets if len(others) >= len(removed) > 0 else 0):
        drawn = np.zeros(units, np.bool_)
        for place in random.permutation(len(removed)):
            free = order[place][~drawn[order[place]]][:nearest]
            drawn[free[random.integers(len(free))]] = True
        found.setdefault(drawn.tobytes(), drawn)
        if len(found) == sets:
            break
    return np.stack(list(found.values())) if found else np.zeros((0, units), np.bool_)
