"""Choose which units are removed for a concept, and on images of which class the loss is measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.analyses.class_names import ClassIndex, normalize_class_name
from netdissect.concepts import display_name
from netdissect.results.unit_trust import LEVEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from netdissect.analyses.labeled_images import LabeledImages
    from netdissect.results.layer_result import LayerResult

#: Share of the images of a class that have the concept, at least; and number of its images, at least.
LEAST_SHARE, FEWEST_IMAGES = 0.5, 10
#: Note of a run that did not measure chance.
NO_CHANCE_NOTE = "this run did not measure chance, so units are removed whose label may be chance"


@dataclass(frozen=True, slots=True)
class AblationTarget:
    """What is removed for one concept.

    Attributes:
        column: the concept's column in the vocabulary.
        channels: channels of its units, from 0, rising.
        of_class: position of the class in whose images the loss is measured.
        share: share of these images that have the concept; None where the class has the concept's name.
    """

    column: int
    channels: tuple[int, ...]
    of_class: int
    share: float | None


def group_units(layer: LayerResult, threshold: float) -> tuple[dict[int, tuple[int, ...]], tuple[str, ...]]:
    """Return the channels of the units of every concept by its column, and notes.

    A concept's units are the detectors that it labels and that are beyond chance (q < 0.05), or all its detectors in a run that did
    not measure chance.

    Args:
        layer: the layer.
        threshold: score from which a unit counts as a detector.
    """
    detects = (layer.label_scores >= threshold) & (layer.labels >= 0)
    measured = layer.trust is not None and layer.trust.chance is not None
    if measured:
        detects &= np.array([unit.q is not None and unit.q < LEVEL for unit in layer.unit_trust], np.bool_)
    units: dict[int, list[int]] = {}
    for channel in np.flatnonzero(detects):
        units.setdefault(int(layer.labels[channel]), []).append(int(channel))
    found = {column: tuple(channels) for column, channels in sorted(units.items())}
    return found, () if measured else (NO_CHANCE_NOTE,)


def choose_targets(
    layer: LayerResult,
    units: Mapping[int, tuple[int, ...]],
    images: LabeledImages,
    shares: NDArray[np.float64] | None,
    folds: NDArray[np.int64],
) -> tuple[list[AblationTarget], dict[str, str]]:
    """Choose the class of every concept.

    It is the class most of whose images have the concept, at least half of them; or else the class with the concept's name.

    Args:
        layer: the layer.
        units: channels by the column of the concept (`group_units`).
        images: the labeled images.
        shares: share of the images of every class that have each concept, shape (Y, C); None if their concepts are unknown.
        folds: fold of every image, shape (N,).

    Returns:
        the targets, and why concepts are left out, by their names.
    """
    index = ClassIndex(images.classes, tuple(range(len(images.classes))))
    targets, left_out = [], {}
    for column, channels in units.items():
        name = layer.vocabulary.names[column]
        of_class, share = _find_class(name, index, None if shares is None else shares[:, column], images)
        if of_class < 0:
            left_out[name] = _describe_missing(images, None if shares is None else shares[:, column])
        elif images.counts[of_class] < FEWEST_IMAGES:
            left_out[name] = (
                f"class {images.classes[of_class]} has {images.counts[of_class]} images, at least {FEWEST_IMAGES} are needed"
            )
        elif len(np.unique(folds[images.labels == of_class])) < 2:
            left_out[name] = (
                f"all images of class {images.classes[of_class]} belong together, so their mean has no interval"
            )
        elif len(channels) > layer.layer.units - len(channels):
            left_out[name] = (
                f"it has {len(channels)} of {layer.layer.units} units, so there are no others to compare with"
            )
        else:
            targets.append(AblationTarget(column, channels, of_class, share))
    return targets, left_out


def _find_class(
    name: str, index: ClassIndex, shares: NDArray[np.float64] | None, images: LabeledImages
) -> tuple[int, float | None]:
    """Return the position of a concept's class, -1 for none, and the share of its images that have the concept."""
    if shares is not None:
        usable = np.where(images.counts >= FEWEST_IMAGES, shares, 0)
        best = int(usable.argmax())
        if usable[best] >= LEAST_SHARE:
            return best, float(usable[best])
    plain = normalize_class_name(display_name(name))
    spellings = (name, plain, f"{plain}s", f"{plain}es", plain.removesuffix("s"), plain.removesuffix("es"))
    return next((found for found in map(index.find, spellings) if found >= 0), -1), None


def _describe_missing(images: LabeledImages, shares: NDArray[np.float64] | None) -> str:
    if shares is None or not shares.any():
        return "no class has its name, and the images have no labels of it"
    usable = np.where(images.counts >= FEWEST_IMAGES, shares, 0)
    best = int(usable.argmax())
    return (
        f"no class of at least {FEWEST_IMAGES} images has it in half of them (most: {usable[best]:.0%} of class "
        f"{images.classes[best]}), and none has its name"
    )
