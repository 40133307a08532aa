"""Distributions: of detectors over concepts, and of scores over units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.report.figures import style
from netdissect.report.figures.series import LineEnd, SeriesStyle, label_ends, style_series
from netdissect.report.figures.width_curve import mark_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike

    from netdissect.report.figures.style import FigureWidth


def draw_concept_ranks(
    counts: Mapping[str, Sequence[int]],
    path: Path,
    *,
    definition: str,
    series: Sequence[SeriesStyle] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw the number of detectors of every concept over its rank, a line per network.

    Args:
        counts: by network name, the number of detectors of every concept that has any.
        path: the figure.
        definition: the definition by which detectors were counted, for the axis label.
        series: how each line is drawn; None takes each for a network of its own.
        width: where the figure is set.
    """
    with style.open_figure(width, 18) as (figure, (axes,)):
        plot_concept_ranks(axes, counts, definition=definition, series=series)
        style.save_figure(figure, path)


def plot_concept_ranks(
    axes: Any, counts: Mapping[str, Sequence[int]], *, definition: str, series: Sequence[SeriesStyle] | None = None
) -> None:
    """Draw the number of detectors of every concept over its rank on axes; `draw_concept_ranks` documents the arguments."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ends = []
    styles = series or style_series([(name, False) for name in counts])
    most = max((max(values, default=1) for values in counts.values()), default=1)
    for (name, values), shown in zip(counts.items(), styles, strict=True):
        falling = sorted(values, reverse=True)
        if not falling:
            continue
        ranks = range(1, len(falling) + 1)
        axes.plot(ranks, falling, color=shown.color, ls=shown.dashes, drawstyle="steps-mid")
        ends.append(LineEnd(ranks[-1], falling[-1], name, shown.color))
    if most > 20:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.set_ylim(0.9, most * 1.2)
    else:
        axes.set_ylim(0, most * 1.05)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(left=0)
    axes.set_xlabel("concepts, most detectors first")
    axes.set_ylabel(f"detectors, by {definition}")
    label_ends(axes, ends)


def draw_score_distribution(
    scores: Mapping[str, Sequence[float]],
    path: Path,
    *,
    threshold: float,
    title: str = "IoU",
    series: Sequence[SeriesStyle] | None = None,
    resampled: Mapping[str, ArrayLike] | None = None,
    width: FigureWidth = "text",
) -> None:
    """Draw the share of units that reach each score, with the threshold marked.

    A steep curve at the threshold means that the counts depend on its exact value.

    Args:
        scores: by name, the best score of every unit.
        path: the figure.
        threshold: score from which a unit counts as a detector.
        title: what the score is called.
        series: how each line is drawn; None takes each for a network of its own.
        resampled: by name, the best score of every unit on every resample, shape (B, U), for a band of one standard deviation.
        width: where the figure is set.
    """
    with style.open_figure(width, 18) as (figure, (axes,)):
        plot_score_distribution(axes, scores, threshold=threshold, title=title, series=series, resampled=resampled)
        style.save_figure(figure, path)


def plot_score_distribution(
    axes: Any,
    scores: Mapping[str, Sequence[float]],
    *,
    threshold: float,
    title: str = "IoU",
    series: Sequence[SeriesStyle] | None = None,
    resampled: Mapping[str, ArrayLike] | None = None,
) -> None:
    """Draw the share of units that reach each score on axes; `draw_score_distribution` documents the arguments."""
    styles = series or style_series([(name, False) for name in scores])
    most = max((max(values, default=0.0) for values in scores.values()), default=0.0)
    at = np.linspace(0, max(most, threshold * 1.5, 1e-6) * 1.02, 400)
    curves = []
    for (name, values), shown in zip(scores.items(), styles, strict=True):
        share = _find_shares(np.asarray(values, float), at)
        axes.plot(at, share, color=shown.color, ls=shown.dashes)
        tables = None if resampled is None or name not in resampled else np.asarray(resampled[name], float)
        if tables is not None and len(tables) > 1:
            error = np.std([_find_shares(row, at) for row in tables], axis=0, ddof=1)
            axes.fill_between(at, share - error, share + error, color=shown.color, alpha=0.16, lw=0)
        curves.append((share, name, shown.color))
    mark_value(axes, threshold, f"threshold {threshold:g}")
    axes.set_xlim(0, at[-1])
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.set_xlabel(f"{title} of a unit’s best concept")
    axes.set_ylabel("units that reach it")
    label_ends(axes, [
        _find_label_place(at, curve, place, len(curves)) for place, curve in enumerate(sorted(curves, key=lambda curve: -curve[0].sum()))
    ])  # fmt: skip


def _find_shares(scores: Any, at: Any) -> Any:
    """Return the share of scores that reach each value."""
    rising = np.sort(scores)
    return 1 - np.searchsorted(rising, at, side="left") / max(rising.size, 1)


def _find_label_place(at: Any, curve: tuple[Any, str, str], place: int, curves: int) -> LineEnd:
    """Return the point of a falling curve that its name points to: the higher, the further right the curve is.

    All curves end at 0, and there names would not tell them apart.
    """
    share, name, color = curve
    height = 0.6 - 0.5 * place / max(curves - 1, 5)
    found = min(int(np.searchsorted(-share, -height)), at.size - 1)
    return LineEnd(float(at[found]), float(share[found]), name, color)
