"""A linear classifier on a layer's activations, tested on images that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from netdissect.errors import SettingsError
from netdissect.optional_libraries import import_optional
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

#: Strengths of regularization that are tried, as multiples of the number of images.
_STRENGTHS = np.logspace(-5, 1, 13)


class HeldOutAccuracy(NamedTuple):
    """The accuracy on held-out images.

    Attributes:
        mean: mean over classes of the share of their images that are classified rightly.
        sd: its standard deviation over images.
        overall: share of all images that are classified rightly.
    """

    mean: float
    sd: float
    overall: float


def require_scikit_learn() -> None:
    """Raise MissingExtraError if scikit-learn is not installed."""
    import_optional("sklearn", extra="sklearn", purpose="to train linear classifiers")


def predict_held_out(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: int,
    seed: int,
    groups: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Return the class that a linear classifier gives to every image when the image's fold is held out.

    The classifier is ridge regression on classes (scikit-learn's `RidgeClassifierCV`), whose strength is chosen by leaving
    out single images of the other folds; classes weigh the same, and features are standardized by the other folds.

    Args:
        features: of N images, shape (N, D).
        labels: their classes, int64, shape (N,); every class has at least `folds` images.
        folds: number of folds; every fold has images of all classes in the same shares.
        seed: seed of the division into folds.
        groups: images with the same number are in one fold, int64, shape (N,); None if they are independent.

    Raises:
        MissingExtraError: if scikit-learn is not installed.
    """
    linear_model = import_optional("sklearn.linear_model", extra="sklearn", purpose="to train linear classifiers")
    predicted = np.empty_like(labels)
    for train, test in _divide(labels, folds, seed, groups):
        mean, spread = features[train].mean(axis=0, dtype=np.float64), features[train].std(axis=0, dtype=np.float64)
        scale = np.where(spread > 0, spread, 1)
        classifier = linear_model.RidgeClassifierCV(alphas=train.size * _STRENGTHS, class_weight="balanced")
        classifier.fit((features[train] - mean) / scale, labels[train])
        predicted[test] = classifier.predict((features[test] - mean) / scale)
    return predicted


def measure_accuracy(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> HeldOutAccuracy:
    """Return the accuracy of predictions, averaged over classes as in the paper.

    Each image is right or wrong independently, so the share of a class varies over images like a binomial one.
    """
    right = predicted == labels
    images = np.bincount(labels)
    shares = np.bincount(labels, right)[images > 0] / images[images > 0]
    variance = shares * (1 - shares) / images[images > 0]
    return HeldOutAccuracy(float(shares.mean()), float(np.sqrt(variance.sum()) / shares.size), float(right.mean()))


def choose_classes(
    labels: NDArray[np.int64], classes: tuple[str, ...], folds: int
) -> tuple[NDArray[np.int64], list[str]]:
    """Return the images of classes that have an image for every fold, int64, and a note on the other classes.

    Raises:
        SettingsError: if fewer than two classes have so many images.
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(classes))
    enough = counts >= folds
    if enough.sum() < 2:
        raise SettingsError(
            f"a linear classifier needs two classes of at least {folds} images, one for each fold, and "
            f"{int(enough.sum())} of {len(classes)} classes have so many: give more images, or fewer --folds"
        )
    few = [name for name, count in zip(classes, counts, strict=True) if 0 < count < folds]
    shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
    one, many = f"class has fewer than {folds} images and is", f"classes have fewer than {folds} images and are"
    notes = [f"{count_noun(len(few), one, many)} left out: {shown}"] if few else []
    return np.flatnonzero((labels >= 0) & enough[labels]), notes


def _divide(
    labels: NDArray[np.int64], folds: int, seed: int, groups: NDArray[np.int64] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    selection: Any = import_optional("sklearn.model_selection", extra="sklearn", purpose="to train linear classifiers")
    if groups is None:
        splitter = selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    else:
        splitter = selection.StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    yield from splitter.split(np.zeros(labels.size), labels, groups)
