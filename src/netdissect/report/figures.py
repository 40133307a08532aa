"""Figures that papers print: the bar graph of concepts, the layer graph."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from netdissect import atomic
from netdissect.concepts import display_name, in_figure_order

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.results.detectors import Detectors

#: One colour per category, told apart with every kind of colour blindness; the name always stands beside it.
CATEGORY_COLORS = {
    "object": "#4b86f7", "scene": "#24633d", "part": "#c27f69", "material": "#684c88", "texture": "#82771f",
    "color": "#6a1447",
}  # fmt: skip
OTHER_COLOR = "#6b6e74"
_INK = "#1b1c1e"
_STYLE: Any = {
    "font.family": "sans-serif", "font.size": 8.0, "axes.edgecolor": _INK, "axes.labelcolor": _INK, "text.color": _INK,
    "xtick.color": _INK, "ytick.color": _INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "svg.fonttype": "path", "svg.hashsalt": "netdissect", "path.simplify": False,
}  # fmt: skip


def bar_graph(found: Detectors, path: Path) -> None:
    """Draw the number of units per concept, grouped by category (the released code's bar graph)."""
    groups = in_figure_order(list(dict.fromkeys(category for category, _ in found.concepts)))
    bars = [
        (category, label, units)
        for category in groups
        for (kind, label), units in sorted(found.concepts.items(), key=lambda item: (-item[1], item[0][1]))
        if kind == category
    ]
    with _figure(max(3.2, 0.16 * len(bars) + 1.0), 2.4) as (figure, axes):
        left = 0.0
        places = []
        for index, (category, _, units) in enumerate(bars):
            left += 0.9 if index and bars[index - 1][0] != category else 0.0
            places.append(left)
            axes.bar(left, units, width=0.8, color=category_color(category))
            left += 1
        for category in groups:
            members = [place for place, bar in zip(places, bars, strict=True) if bar[0] == category]
            count = sum(bar[2] for bar in bars if bar[0] == category)
            axes.text(
                (members[0] + members[-1]) / 2, 1.02, f"{category} {count}", transform=axes.get_xaxis_transform(),
                ha="center", va="bottom", color=category_color(category), fontweight="bold",
            )  # fmt: skip
        axes.set_xticks(places, [display_name(label) for _, label, _ in bars], rotation=90)
        axes.tick_params(axis="x", length=0)
        axes.set_ylabel("units")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.01)
        if not bars:
            axes.text(0.5, 0.5, f"no unit reaches IoU {found.threshold:g}", transform=axes.transAxes, ha="center")
            axes.set_yticks([])
        _save(figure, path)


def layer_graph(layers: Mapping[str, Detectors], path: Path) -> None:
    """Draw the share of every layer's units that detect a concept, per category, layer by layer."""
    categories = in_figure_order(list({category for found in layers.values() for category in found.units_by_category}))
    with _figure(max(3.2, 0.8 * len(layers) + 1.6), 2.4) as (figure, axes):
        places = range(len(layers))
        for category in categories:
            shares = [found.units_by_category.get(category, 0) / found.total for found in layers.values()]
            axes.plot(places, shares, "o-", color=category_color(category), label=category, lw=1.2, ms=3.5)
        axes.set_xticks(list(places), list(layers), rotation=20 if len(layers) > 3 else 0)
        axes.set_xlim(-0.4, max(len(layers) - 0.6, 0.4))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter("{x:.0%}")
        axes.set_ylabel("share of the layer's units")
        if categories:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
        _save(figure, path)


def category_color(category: str) -> str:
    """Return a category's colour."""
    return CATEGORY_COLORS.get(category, OTHER_COLOR)


class _figure:  # noqa: N801 - reads as a function
    """A figure in the house style, drawn without a screen and closed afterwards."""

    def __init__(self, width: float, height: float) -> None:
        self._size = (width, height)

    def __enter__(self) -> tuple[Any, Any]:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._style = mpl.rc_context(_STYLE)
        self._style.__enter__()
        figure = Figure(figsize=self._size)
        FigureCanvasAgg(figure)
        return figure, figure.add_subplot()

    def __exit__(self, *exception: object) -> None:
        self._style.__exit__(None, None, None)


def _save(figure: Any, path: Path) -> None:
    out = io.BytesIO()
    figure.savefig(
        out,
        format=path.suffix[1:],
        bbox_inches="tight",
        metadata={"Date": None} if path.suffix == ".svg" else None,
        dpi=200,
    )
    atomic.write_bytes(path, out.getvalue())
