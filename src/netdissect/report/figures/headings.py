"""Colored words above a panel that say what its colors mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Sequence

_SIGN = "■ "


def add_headings(axes: Any, words: Sequence[tuple[str, str, str]]) -> None:
    """Write words above a panel from its left edge, each after a square of its color, in as many lines as they need.

    Args:
        axes: the panel.
        words: each word, its color, and the color of its square; empty for none.
    """
    from matplotlib.offsetbox import AnchoredOffsetbox, HPacker, TextArea, VPacker

    if not words:
        return
    size = style.scale_points(1)
    lines: list[list[Any]] = [[]]
    room = most = axes.figure.get_size_inches()[0] * 72 * 0.92 / (8 * size)
    for word, color, square in words:
        needed = 0.56 * (len(word) + 2 * bool(square)) + 0.9
        if needed > room and lines[-1]:
            lines.append([])
            room = most
        room -= needed
        parts: list[Any] = [TextArea(_SIGN, textprops={"color": square})] if square else []
        parts.append(TextArea(word, textprops={"color": color}))
        lines[-1].append(HPacker(children=parts, pad=0, sep=0))
    rows: list[Any] = [HPacker(children=line, pad=0, sep=7 * size) for line in lines]
    box = AnchoredOffsetbox(
        "lower left", child=VPacker(children=rows, pad=0, sep=2 * size), pad=0, borderpad=0, frameon=False,
        bbox_to_anchor=(0, 1.02), bbox_transform=axes.transAxes,
    )  # fmt: skip
    axes.add_artist(box)
