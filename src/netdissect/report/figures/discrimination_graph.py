"""Accuracy of a linear classifier against unique detectors, one point per layer (paper, Fig. 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netdissect.results.discrimination import Discrimination


def draw_discrimination(answers: Sequence[Discrimination], path: Path) -> None:
    """Draw every layer of some networks as a point with its name; layers of a network are joined in their order.

    Error bars are one standard deviation: of the accuracy over images, of the unique detectors over resamples.

    Args:
        answers: of each network, over the same images.
        path: the figure, written as SVG and PNG.
    """
    with style.open_figure(4.6, 3.2) as (figure, (axes,)):
        for index, answer in enumerate(answers):
            color = style.LINE_COLORS[index % len(style.LINE_COLORS)]
            x = [layer.unique_detectors for layer in answer.layers]
            y = [100 * layer.accuracy for layer in answer.layers]
            axes.plot(x, y, color=color, lw=0.8, alpha=0.5)
            axes.errorbar(
                x, y, fmt="o", ms=3.5, color=color,
                xerr=[layer.unique_sd or 0 for layer in answer.layers],
                yerr=[100 * layer.accuracy_sd for layer in answer.layers], **style.ERROR_BARS,
            )  # fmt: skip
            for layer, across, up in zip(answer.layers, x, y, strict=True):
                name = layer.layer if len(answers) == 1 else f"{answer.network} {layer.layer}"
                axes.annotate(
                    style.shorten_name(name), (across, up), (5, -9), textcoords="offset points", color=color,
                    annotation_clip=False,
                )  # fmt: skip
        chance = 100 * answers[0].chance
        axes.axhline(chance, color=style.SOFT, lw=0.8, ls=(0, (3, 3)))
        axes.text(1, chance, "chance ", transform=axes.get_yaxis_transform(), color=style.SOFT, va="bottom", ha="right")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0, top=102)
        axes.set_xlabel("unique detectors, by label")
        axes.set_ylabel(f"accuracy on {answers[0].classes:,} classes, %")
        style.save_figure(figure, path)
