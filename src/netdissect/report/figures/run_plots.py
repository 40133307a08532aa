"""``result.plot`` and ``layer.plot``: every figure of a run on axes of matplotlib, your own or new ones."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError
from netdissect.report.figures import (
    ablation_graph,
    bargraph,
    detector_graph,
    distributions,
    emergence_graph,
    layer_graph,
    style,
)
from netdissect.report.figures.series import style_series
from netdissect.results.count_deviations import find_category_deviations, find_concept_deviations
from netdissect.stats.spread import find_resampled_labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.axes import Axes

    from netdissect.report.figures.style import FigureWidth
    from netdissect.results.ablation import LayerAblation
    from netdissect.results.controls import ControlRun
    from netdissect.results.layer_result import LayerResult
    from netdissect.results.run_result import Result


class RunPlots:
    """Figures of a run. Each takes `ax`, axes to draw on, and returns them.

    Without `ax`, a new figure of pyplot is opened, as wide as `width` says: ``"column"`` (3.25 inches, letters of 7 points),
    ``"text"`` (5.5 inches, 8 points) or ``"slide"`` (10 inches, 14 points).

    Args:
        run: the run.
        threshold: score from which a unit counts as a detector.
    """

    def __init__(self, run: Result, threshold: float) -> None:
        self._run = run
        self._threshold = threshold

    def layer_graph(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the share of each layer's units that detect concepts of each category."""
        with _open_axes(ax, width, 18) as axes:
            deviations = find_category_deviations(self._run, self._threshold)
            layer_graph.plot_layer_graph(axes, self._run.detectors(self._threshold), deviations)
            return axes

    def detectors(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the unique detectors of every layer, stacked by category, with their errors and those of the run's controls."""
        with _open_axes(ax, width, 19) as axes:
            detector_graph.plot_detector_graph(axes, self._run, self._threshold)
            return axes

    def scores(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the share of each layer's units whose best concept reaches each score."""
        with _open_axes(ax, width, 18) as axes:
            plot_layer_scores(axes, list(self._run.layers.values()), self._threshold, self._run.controls)
            return axes

    def concepts(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the number of detectors of every concept over its rank, a line per layer."""
        with _open_axes(ax, width, 18) as axes:
            layers = self._run.detectors(self._threshold)
            counts = {name: list(found.concepts.values()) for name, found in layers.items()}
            series = style_series([("", False)] * len(counts))
            distributions.plot_concept_ranks(axes, counts, definition="label", series=series)
            return axes

    def emergence(
        self, ax: Axes | None = None, *, width: FigureWidth = "text", most: int = emergence_graph.MOST_EMERGING
    ) -> Axes:
        """Draw the concepts with most units, those of early layers first: area is a number of units, darkness their best score."""
        found = emergence_graph.find_emergence(self._run, self._threshold)
        with _open_axes(ax, width, 4 + 1.15 * max(min(len(found), most), 3)) as axes:
            emergence_graph.plot_emergence(axes, found, list(self._run.layers), most)
            return axes


class LayerPlots:
    """Figures of a layer. Each takes `ax`, axes to draw on, and returns them; `RunPlots` says what happens without.

    Args:
        layer: the layer.
        threshold: score from which a unit counts as a detector.
    """

    def __init__(self, layer: LayerResult, threshold: float) -> None:
        self._layer = layer
        self._threshold = threshold

    def bar_graph(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the number of units per concept, with its error: of as many concepts with most units as the width has room for."""
        found = self._layer.detectors(self._threshold)
        bars = bargraph.list_bars(found, find_concept_deviations(self._layer, self._threshold))
        with _open_axes(ax, width, 16) as axes:
            room = bargraph.count_places(axes)
            shown = bargraph.keep_most(bars, room)
            bargraph.plot_bars(axes, shown)
            bargraph.add_bar_headings(axes, found, len(shown))
            return axes

    def scores(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw the share of the units whose best concept reaches each score."""
        with _open_axes(ax, width, 18) as axes:
            plot_layer_scores(axes, [self._layer], self._threshold)
            return axes

    def ablation(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw how the margin of classes changes without the units of each concept, beside matched units.

        Raises:
            SettingsError: if ablations were not measured.
        """
        rows = self._require_ablation().concepts
        shown = rows[: ablation_graph.MOST_CONCEPTS[width]]
        with _open_axes(ax, width, 4 + 1.15 * max(len(shown), 3)) as axes:
            ablation_graph.plot_concept_ablations(axes, shown, len(rows))
            return axes

    def class_curves(self, ax: Axes | None = None, *, width: FigureWidth = "text") -> Axes:
        """Draw how well one class is recognized without its most important units, and by these alone.

        Raises:
            SettingsError: if ablations were not measured, or of no class.
        """
        curves = self._require_ablation().curves
        if not curves:
            raise SettingsError(
                f"{self._layer.name} has no curves of classes: netdissect ablate measures them with enough images"
            )
        with _open_axes(ax, width, 16) as axes:
            ablation_graph.plot_class_curves(axes, curves)
            return axes

    def _require_ablation(self) -> LayerAblation:
        if self._layer.ablation is None:
            raise SettingsError(
                f"{self._layer.name} was not ablated: netdissect ablate measures what class outputs lose"
            )
        return self._layer.ablation


def plot_layer_scores(
    axes: Axes, layers: Sequence[LayerResult], threshold: float, controls: Sequence[ControlRun] = ()
) -> None:
    """Draw the share of units that reach each score, a line per layer, with its error where the run has resamples.

    Args:
        axes: where to draw.
        layers: the layers, first to last.
        threshold: score from which a unit counts as a detector.
        controls: controls of the run, whose last layer is drawn too.
    """
    resampled = {
        layer.name: find_resampled_labels(layer.trust.spread.score, layer.trust.spread.column)[0]
        for layer in layers
        if layer.trust is not None and layer.trust.spread is not None
    }
    scores = {layer.name: layer.label_scores.tolist() for layer in layers}
    of_controls = {
        f"{control.name} {name}": list(found.scores)
        for control in controls
        for name, found in list(control.layers.items())[-1:]
        if found.scores is not None
    }
    distributions.plot_score_distribution(
        axes, scores | of_controls, threshold=threshold, title=layers[0].score_title if layers else "IoU",
        series=style_series([("", False)] * len(scores) + [("", True)] * len(of_controls)), resampled=resampled,
    )  # fmt: skip


@contextlib.contextmanager
def _open_axes(ax: Axes | None, width: FigureWidth, lines: float) -> Iterator[Axes]:
    """Draw on axes in the project's style; without any, on those of a new figure of pyplot."""
    with style.use_style(width):
        if ax is None:
            import matplotlib.pyplot as plt

            figure = plt.figure(figsize=style.measure_figure(width, lines), layout="constrained")
            style.tighten_layout(figure)
            ax = figure.add_subplot()
        yield ax
