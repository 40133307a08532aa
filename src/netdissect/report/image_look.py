"""Which labeled units fire in one image, and where: masks, sums of masks by concept, and segmentations by units.

Zhou, Bau, Oliva, Torralba, "Interpreting Deep Visual Representations via Network Dissection", PAMI 2018, § 3.10, segments an
image by the upsampled activation maps of single units. docs/look.md says how the units of a layer are combined here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.concepts import display_name
from netdissect.geometry.upsample import make_image_axes, upsample
from netdissect.report.look_maps import combine_masks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.report.look_maps import LookMaps, MaskAreas
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.units import UnitRow


@dataclass(frozen=True, slots=True)
class FiringUnit:
    """A labeled unit that fires in an image.

    Attributes:
        layer: its layer.
        unit: its number, counted from 1.
        category: category of its label.
        label: the concept that it detects.
        score: score of the label over the run's probe set.
        q: false discovery rate of the label (docs/trust.md); None if the run did not measure chance.
        strength: (a − T) / (m − T), where a is its largest activation in the image, T its threshold and m its largest
            activation in the probe set: 0 at the threshold, 1 at the strongest of the probe set.
        activation: a.
        threshold: T.
        share: share of the image's pixels in its mask.
        x: position of its strongest pixel, from 0 at the left edge to 1 at the right.
        y: the same from the top to the bottom.
    """

    layer: str
    unit: int
    category: str
    label: str
    score: float
    q: float | None
    strength: float
    activation: float
    threshold: float
    share: float
    x: float
    y: float

    @property
    def channel(self) -> int:
        """The unit's position in the layer, counted from 0: its channel in torch."""
        return self.unit - 1

    def as_dict(self) -> dict[str, Any]:
        """Return the unit's figures by name, with its channel beside its number."""
        figures = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"layer": self.layer, "unit": self.unit, "channel": self.channel} | figures


@dataclass(frozen=True, slots=True)
class FiringConcept:
    """A concept whose units fire in an image.

    Attributes:
        layer: the units' layer.
        category: category of the concept.
        label: the concept.
        number: its number in the probe set's ``label.csv``.
        units: numbers of its units that fire, the strongest first.
        strength: strength of the strongest.
        share: share of the image's pixels in the mask of at least one of them.
        most: number of them at the pixel that most of them have in their masks.
    """

    layer: str
    category: str
    label: str
    number: int
    units: tuple[int, ...]
    strength: float
    share: float
    most: int


@dataclass(frozen=True, eq=False, repr=False)
class LayerLook:
    """The labeled units of one layer that fire in one image, the strongest first.

    Attributes:
        result: the layer's dissection, with labels and thresholds.
        size: height and width of the network's input in pixels.
        channels: the units, counted from 0, int64, shape (n,).
        grids: their activation maps, float32, shape (n, h, w).
        thresholds: their thresholds in the same measure, float32, shape (n,).
        labeled: number of labeled units of the layer.
        known: number of them whose activations in this image are known.
    """

    result: LayerResult
    size: tuple[int, int]
    channels: NDArray[np.int64]
    grids: NDArray[np.float32]
    thresholds: NDArray[np.float32]
    labeled: int
    known: int

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.result.name

    @cached_property
    def spans(self) -> NDArray[np.float64]:
        """How far every unit's largest activation in the probe set is above its threshold, m − T, float64, shape (n,)."""
        return measure_spans(self.result)[self.channels]

    @cached_property
    def strengths(self) -> NDArray[np.float64]:
        """Strength of every unit, float64, shape (n,)."""
        return _compute_excess(self.grids, self.thresholds) / self.spans

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """Column of every concept that the units detect, the one with the strongest unit first, int64, shape (c,)."""
        return np.array(list(dict.fromkeys(self.result.labels[self.channels].tolist())), np.int64)

    @property
    def members(self) -> NDArray[np.int64]:
        """Position in `columns` of every unit's concept, int64, shape (n,)."""
        place = {int(column): position for position, column in enumerate(self.columns)}
        return np.array([place[int(column)] for column in self.result.labels[self.channels]], np.int64)

    def make_maps(self, size: tuple[int, int] | None = None) -> LookMaps:
        """Return the maps over the image.

        Args:
            size: their height and width in pixels; None takes those of the network's input.
        """
        height, width = size or self.size
        axes = make_image_axes(self.result.layer.field, self.result.layer.grid, self.size, (height, width))
        return combine_masks(self.grids, self.thresholds, self.spans, self.members, axes)

    @cached_property
    def _areas(self) -> MaskAreas:
        return self.make_maps().measure()

    @cached_property
    def units(self) -> tuple[FiringUnit, ...]:
        """The units, the strongest first."""
        areas, (height, width) = self._areas, self.size
        rows = _find_rows(self.result, self.channels)
        excess = _compute_excess(self.grids, self.thresholds)
        return tuple(
            FiringUnit(
                self.name, row.unit, row.category, row.label, row.score, None if row.trust is None else row.trust.q,
                float(self.strengths[at]), float(row.threshold + excess[at]), float(row.threshold), float(areas.units[at]),
                (int(areas.peaks[at, 1]) + 0.5) / width, (int(areas.peaks[at, 0]) + 0.5) / height,
            )
            for at, row in enumerate(rows)
        )  # fmt: skip

    @cached_property
    def concepts(self) -> tuple[FiringConcept, ...]:
        """The concepts that the units detect, the one with the strongest unit first."""
        areas, members, concepts = self._areas, self.members, self.result.vocabulary.concepts
        found = []
        for position, column in enumerate(self.columns):
            units, concept = np.flatnonzero(members == position), concepts[int(column)]
            found.append(
                FiringConcept(
                    self.name, concept.category, concept.name, concept.number,
                    tuple((self.channels[units] + 1).tolist()), float(self.strengths[units].max()), float(areas.concepts[position]),
                    int(areas.most[position]),
                )
            )  # fmt: skip
        return tuple(found)

    def __repr__(self) -> str:
        number = f"{len(self.channels)} of {self.labeled} labeled units fire"
        if self.known < self.labeled:
            number = f"{len(self.channels)} of the {self.known} labeled units that are known here fire ({self.labeled} are labeled)"
        shown = [f"{display_name(concept.label)} ({len(concept.units)})" for concept in self.concepts[:6]]
        more = f" and {len(self.concepts) - 6} more" if len(self.concepts) > 6 else ""
        return f"{self.name}: {number}{': ' if shown else ''}{', '.join(shown)}{more}"


@dataclass(frozen=True, eq=False, repr=False)
class ImageLook:
    """One image, and the labeled units of every layer that fire in it.

    Attributes:
        name: the image's name.
        pixels: the image as it is shown, upright, RGB, uint8, shape (H, W, 3).
        layers: the layers by name.
        row: its row in the probe set's ``index.csv``; None for an image of one's own.
    """

    name: str
    pixels: NDArray[np.uint8]
    layers: Mapping[str, LayerLook]
    row: int | None = None

    def __getitem__(self, layer: str) -> LayerLook:
        """Return a layer by name."""
        return self.layers[layer]

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __repr__(self) -> str:
        return "\n".join([self.name, *(f"  {layer!r}" for layer in self.layers.values())])


def select_firing(
    result: LayerResult,
    size: tuple[int, int],
    labeled: NDArray[np.int64],
    channels: NDArray[np.int64],
    grids: NDArray[np.float32],
    thresholds: NDArray[np.float32] | None = None,
) -> LayerLook:
    """Return which labeled units fire in an image: those with a pixel of the network's input in their mask.

    Args:
        result: the layer's dissection.
        size: height and width of the network's input in pixels.
        labeled: the labeled units of the layer, counted from 0.
        channels: those of them whose activation maps are known, counted from 0, shape (k,).
        grids: their activation maps, float32, shape (k, h, w).
        thresholds: their thresholds in the same measure, shape (k,); None takes the layer's.
    """
    if thresholds is None:
        thresholds = result.thresholds[channels]
    axes = make_image_axes(result.layer.field, result.layer.grid, size, size)
    above = np.flatnonzero((grids > thresholds[:, None, None]).any(axis=(1, 2)))
    fires = [at for at in above if (upsample(grids[at], *axes) > thresholds[at]).any()]
    order = np.array(fires, np.int64)
    strength = _compute_excess(grids[order], thresholds[order]) / measure_spans(result)[channels[order]]
    order = order[np.lexsort((channels[order], -strength))]
    return LayerLook(result, size, channels[order], grids[order], thresholds[order], labeled.size, channels.size)


def measure_spans(result: LayerResult) -> NDArray[np.float64]:
    """Return m − T of every unit of a layer, float64, shape (U,); 1 for one that is nowhere above T in the probe set."""
    span = result.activity.maximum.astype(np.float64) - result.thresholds
    positive: NDArray[np.float64] = np.where(span > 0, span, 1.0)
    return positive


def find_labeled(result: LayerResult, threshold: float) -> NDArray[np.int64]:
    """Return the labeled units of a layer, those whose label has a score of at least `threshold`, counted from 0."""
    channels: NDArray[np.int64] = np.flatnonzero((result.labels >= 0) & (result.label_scores >= threshold))
    return channels


def _compute_excess(grids: NDArray[np.float32], thresholds: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how far the largest activation of every map is above the threshold, float64, shape (n,)."""
    highest: NDArray[np.float64] = grids.max(axis=(1, 2), initial=-np.inf).astype(np.float64)
    return highest - thresholds


def _find_rows(result: LayerResult, channels: NDArray[np.int64]) -> Sequence[UnitRow]:
    rows = {row.channel: row for row in result.units}
    return [rows[int(channel)] for channel in channels]
