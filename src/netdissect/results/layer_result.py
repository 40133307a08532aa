"""The dissection of one layer: counts, scores, labels, thresholds and exemplars."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.bounds import format_value
from netdissect.errors import RunError, SettingsError
from netdissect.results.activation_ranges import apply_range, find_range
from netdissect.results.counts import BestConcept, Counts, compute_iou, find_best_concepts
from netdissect.results.detectors import Detectors, count_detectors
from netdissect.results.exemplar_groups import GROUP_SIZES
from netdissect.results.findings import describe_findings
from netdissect.results.panel import ScorePanel
from netdissect.results.trust_summary import TrustSummary, summarize_tables
from netdissect.results.unit_result import UnitResult
from netdissect.results.unit_rows import make_rows
from netdissect.results.unit_trust import compute_unit_trust
from netdissect.results.units import IOU_TITLE, UnitTable
from netdissect.short_reprs import ShortRepr
from netdissect.stats import spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.concepts import Vocabulary
    from netdissect.config import Definition
    from netdissect.layers import Layer
    from netdissect.report.figures.run_plots import LayerPlots
    from netdissect.results.ablation import LayerAblation
    from netdissect.results.activation_ranges import ActivationRange
    from netdissect.results.exemplar_groups import ExemplarGroups
    from netdissect.results.formulas import FormulaTable
    from netdissect.results.presenter import Displayed, Presenter
    from netdissect.results.scores import ScoreTable
    from netdissect.results.trust import Trust, UnitTrust
    from netdissect.stats.spread import CountSpread


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exemplars(ShortRepr):
    """The images that activate every unit most, and the unit's activation map on each.

    Attributes:
        images: rows in ``index.csv``, from 0, int64, shape (U, k), sorted by falling maximum, then by row; -1 if there are fewer
            than k images.
        maxima: the unit's maximum activation on each, float32, shape (U, k).
        grids: (activation − threshold) / scale, float16, shape (U, k, h, w); the unit's mask is where the upsampled grid is
            positive.
        scale: what the grids were divided by, float32, shape (U,).
    """

    images: NDArray[np.int64]
    maxima: NDArray[np.float32]
    grids: NDArray[np.float16]
    scale: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Activity(ShortRepr):
    """The distribution of every unit's activations, from a random sample of the cells.

    Attributes:
        histogram: number of sampled cells per bin, int64, shape (U, bins).
        low: lower edge of the first bin, float32, shape (U,).
        high: upper edge of the last bin, float32, shape (U,).
        mean: mean of the sample, float64, shape (U,).
        minimum: minimum of the sample, float32, shape (U,).
        maximum: maximum of all cells of all images, float32, shape (U,).
    """

    histogram: NDArray[np.int64]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    mean: NDArray[np.float64]
    minimum: NDArray[np.float32]
    maximum: NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class LayerResult:
    """The dissection of one layer.

    Attributes:
        layer: name, units, grid and geometry.
        vocabulary: the C concepts, in the order of the columns of every array.
        counts: the pixel counts I, A and G.
        thresholds: T, the threshold of every unit, float32, shape (U,).
        cells: M, the number of cells over which the thresholds are quantiles.
        exemplars: the images that activate every unit most.
        activity: the distribution of the activations.
        image_maxima: maximum activation of every image and unit, float32, shape (N, U); None without ``image_maxima``.
        score_table: the scores that label the units, if they are not IoU; `scores` has them in every case.
        trust: the trust tables; None for a run without any, as earlier versions made.
        category_pixels: label pixels of the images that have each category, int64, shape (K,); None if they were not counted.
        presenter: draws the layer; None for a layer that belongs to no run.
        ranges: the same units' masks at further quantiles, and between them (`Settings.counted_ranges`).
        formulas: the best formulas of the units; None until `Result.explain` or ``netdissect explain`` has found them.
        ablation: what class outputs lose without units; None until `Result.ablate` or ``netdissect ablate`` has measured it.
        groups: exemplars besides the strongest ones; None for a run without them, as earlier versions made.
        detection_threshold: score from which a unit counts as a detector; a `Result` sets it to its ``settings.threshold``.
    """

    layer: Layer
    vocabulary: Vocabulary
    counts: Counts
    thresholds: NDArray[np.float32]
    cells: int
    exemplars: Exemplars
    activity: Activity
    image_maxima: NDArray[np.float32] | None = None
    score_table: ScoreTable | None = None
    trust: Trust | None = None
    category_pixels: NDArray[np.int64] | None = None
    presenter: Presenter | None = None
    ranges: tuple[ActivationRange, ...] = ()
    formulas: FormulaTable | None = None
    ablation: LayerAblation | None = None
    groups: ExemplarGroups | None = None
    detection_threshold: float = 0.04

    def __repr__(self) -> str:
        h, w = self.layer.grid
        return (
            f"{self.name}, {h} x {w} cells: {describe_findings(self, self.detection_threshold)}\n"
            "  .units (a table), .unit(1), .detectors(), .iou (units x concepts), .vocabulary, .exemplars, .plot, .show()"
        )

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name != "presenter"]

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def exemplar_rows(self) -> NDArray[np.int64]:
        """The rows in ``index.csv`` of all exemplar images, of all groups, rising, int64, shape (n,)."""
        groups = self.groups
        others = () if groups is None else [getattr(groups, name).images.ravel() for name in GROUP_SIZES]
        rows = np.unique(np.concatenate([self.exemplars.images.ravel(), *others]))
        return rows[rows >= 0]

    @cached_property
    def iou(self) -> NDArray[np.float64]:
        """IoU of every unit with every concept, shape (U, C); column c is ``vocabulary.concepts[c]``."""
        return compute_iou(self.counts)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score of every unit with every concept, shape (U, C): IoU, or the run's own score."""
        return self.iou if self.score_table is None else self.score_table.values

    @property
    def panel(self) -> ScorePanel:
        """Precision, recall and other scores of every unit with every concept, from the pixel counts (docs/trust.md)."""
        pixels = self.category_pixels
        return ScorePanel(self.counts, None if pixels is None else pixels[self.vocabulary.primary])

    @property
    def score_title(self) -> str:
        """What the score is called: ``"IoU"``, or the title of the run's own score."""
        return IOU_TITLE if self.score_table is None else self.score_table.title

    @cached_property
    def best(self) -> BestConcept:
        """The best concept per category, and the label, of every unit."""
        return find_best_concepts(self.scores, self.vocabulary)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Column of every unit's label, int64, shape (U,); -1 for a unit without a label."""
        return _pick_label(self.best.column, self.best.category, -1)

    @property
    def label_scores(self) -> NDArray[np.float64]:
        """Score of every unit's label, float64, shape (U,); 0 for a unit without a label."""
        return _pick_label(self.best.score, self.best.category, 0)

    @cached_property
    def unit_trust(self) -> tuple[UnitTrust, ...]:
        """How far the label of every unit can be trusted, by channel; empty if the run has no trust tables."""
        if self.trust is None:
            return ()
        return compute_unit_trust(self.trust, self.labels, self.label_scores, self.vocabulary.names)

    def count_spread(self, threshold: float | None = None, definition: Definition = "label") -> CountSpread | None:
        """Return how far the counts of `detectors` would vary on other images; None if the run has no resamples."""
        if self.trust is None or self.trust.spread is None:
            return None
        limit = self.detection_threshold if threshold is None else threshold
        return spread.count_spread(self.trust.spread.score, self.trust.spread.column, limit, definition)

    def summarize_trust(self, threshold: float | None = None) -> TrustSummary | None:
        """Summarize how far the layer's counts can be trusted (docs/trust.md); None if the run has no trust tables."""
        return summarize_tables(self, self.detection_threshold if threshold is None else threshold)

    @cached_property
    def units(self) -> UnitTable:
        """One row per unit, best score first: label, score, ``is_detector`` and all else that is known of it (docs/api.md)."""
        return UnitTable(list(make_rows(self)), self.score_title)

    def detectors(self, threshold: float | None = None, definition: Definition = "label") -> Detectors:
        """Count this layer's detectors and unique detectors (docs/method.md, § 5).

        Args:
            threshold: score from which a unit counts as a detector; None takes the run's.
            definition: ``"label"`` counts a unit once, under its label; ``"category"`` in each category that it detects.

        Raises:
            SettingsError: if there is no such definition.
        """
        limit = self.detection_threshold if threshold is None else threshold
        return count_detectors(self.units, threshold=limit, definition=definition)

    def at_quantile(self, quantile: float) -> LayerResult:
        """Return the layer as if its thresholds were at another quantile; the run needs it in ``quantiles``.

        Its scores are IoU if the run's score takes no threshold; it has no trust tables.

        Raises:
            SettingsError: if the run did not count masks at this quantile.
        """
        return self.in_range(0, quantile)

    def in_range(self, first: float, last: float) -> LayerResult:
        """Return the layer as if the mask of a unit were the cells in a range of its activations; the run needs ``ranges``.

        Args:
            first: fraction of all cells that lie above the range.
            last: fraction that lies in it or above it.

        Raises:
            SettingsError: if the run did not count this range.
        """
        return apply_range(self, find_range(self, first, last))

    @property
    def plot(self) -> LayerPlots:
        """Figures of the layer on axes of matplotlib (docs/figures.md), such as ``layer.plot.bar_graph(ax=axes)``.

        Raises:
            RunError: if the layer belongs to no run that can be drawn.
        """
        if self.presenter is None:
            raise RunError(
                f"{self.name} belongs to no run, so nothing draws it: take it from the run, as result[{self.name!r}]"
            )
        return self.presenter.plot_layer(self)

    def show(self, height: int = 760) -> Displayed:
        """Return the report, open at this layer, in a frame, which a notebook shows; it needs no file and no server.

        Args:
            height: height of the frame in pixels.

        Raises:
            DataNotFoundError: if the images of the run are not available.
            RunError: if the layer belongs to no run.
        """
        if self.presenter is None:
            raise RunError(
                f"{self.name} belongs to no run, so nothing draws it: take it from the run, as result[{self.name!r}]"
            )
        return self.presenter.embed_report(self.name, height)

    def unit(self, number: int) -> UnitResult:
        """Return a unit by its number, counted from 1 as in the result CSV, the report and every table of this project.

        The unit of channel 0 of the network has the number 1: ``layer.unit(channel + 1)``.

        Raises:
            SettingsError: if the layer has no such unit.
        """
        unchecked: object = number
        if not hasattr(unchecked, "__index__") or not 1 <= number <= self.layer.units:
            raise SettingsError(
                f"{self.name} has the units 1 to {self.layer.units} (channels 0 to {self.layer.units - 1}), not "
                f"{format_value(number)}"
            )
        return UnitResult(self, number)

    def _repr_html_(self) -> str | None:
        return self.presenter.render_layer(self) if self.presenter is not None else None


def _pick_label(of_categories: NDArray[Any], category: NDArray[np.int64], otherwise: int) -> NDArray[Any]:
    """Return the value of every unit's best category, shape (U,), of the values of all, shape (U, K)."""
    if not of_categories.shape[1]:
        return np.full(len(category), otherwise, of_categories.dtype)
    picked = of_categories[np.arange(len(category)), category]
    return np.where(category >= 0, picked, otherwise).astype(of_categories.dtype)
