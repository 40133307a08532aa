"""Lines that stand for layers and networks: a hue per network, light to dark over its layers, named at their ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netdissect.report.figures import style

if TYPE_CHECKING:
    from collections.abc import Sequence

#: One hue per network, none of them a category's; names at the lines' ends tell more networks apart.
HUES = ("#14707c", "#b3401f", "#33373d", "#a3316f", "#8a5a00")
#: Share of white in the color of a network's first layer.
_LIGHTEST = 0.62
#: Where names stand, in widths of the axes.
_BESIDE = 1.03


@dataclass(frozen=True)
class SeriesStyle:
    """How the line of one layer of one network is drawn.

    Attributes:
        color: of the line and its name.
        dashes: matplotlib's line style: dashed for controls, and for networks beyond the number of hues.
    """

    color: str
    dashes: Any = "-"


def style_series(series: Sequence[tuple[str, bool]]) -> list[SeriesStyle]:
    """Return the style of every line.

    Args:
        series: the network of each line, in the order of its layers, and whether it is a control, which is gray and dashed.
    """
    networks = list(dict.fromkeys(network for network, is_control in series if not is_control))
    found, seen = [], dict.fromkeys(networks, 0)
    for network, is_control in series:
        if is_control:
            found.append(SeriesStyle(style.SOFT, (0, (3, 2))))
            continue
        total = sum(other == (network, False) for other in series)
        number = networks.index(network)
        later = 1.0 if total == 1 else seen[network] / (total - 1)
        seen[network] += 1
        dashes = "-" if number < len(HUES) else (0, (5, 1.5))
        found.append(SeriesStyle(mix_with_white(HUES[number % len(HUES)], _LIGHTEST * (1 - later)), dashes))
    return found


def mix_with_white(color: str, white: float) -> str:
    """Return a color with a share of white.

    >>> mix_with_white("#000000", 0.5)
    '#808080'
    """
    parts = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * white):02x}" for part in parts)


@dataclass(frozen=True)
class LineEnd:
    """The end of a line, where its name is written.

    Attributes:
        x: in the axes' data.
        y: in the axes' data.
        name: of the line.
        color: of the name.
    """

    x: float
    y: float
    name: str
    color: str


def label_ends(axes: Any, ends: Sequence[LineEnd]) -> None:
    """Write the name of each line to the right of the axes, at the height of its end, moved apart where names would overlap.

    Args:
        axes: the axes, with their final limits and everything else drawn.
        ends: the ends of the lines.
    """
    if not ends:
        return
    labels = [
        axes.annotate(
            style.fit_name(axes, end.name), (end.x, end.y), (_BESIDE, 0.5), xycoords="data",
            textcoords="axes fraction", color=_darken(end.color), va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": end.color, "lw": style.scale_points(0.5), "shrinkA": 0.5, "shrinkB": 1.5},
        )
        for end in ends
    ]  # fmt: skip
    axes.figure.draw_without_rendering()  # places the axes: names take their width before their height is known
    box = axes.get_window_extent()
    at = [(axes.transData.transform((end.x, end.y))[1] - box.y0) / box.height for end in ends]
    line = 1.15 * axes.figure.dpi * labels[0].get_fontsize() / 72 / box.height
    order = sorted(
        range(len(ends)), key=lambda end: (at[end], -ends[end].x)
    )  # leaders of lines that end at one height do not cross
    heights = _move_apart([at[end] for end in order], line)
    for label, height in zip([labels[end] for end in order], heights, strict=True):
        label.set_position((_BESIDE, height))


def _move_apart(heights: Sequence[float], gap: float) -> list[float]:
    """Return heights of names, as near to the wanted ones as a gap between them allows, between 0 and 1 if they fit there.

    Args:
        heights: wanted, rising.
        gap: smallest distance of two.

    >>> [round(height, 2) for height in _move_apart([0.0, 0.5, 0.5], 0.1)]
    [0.02, 0.45, 0.55]
    """
    groups: list[tuple[float, int]] = []  # the middle and the number of names that touch each other
    for height in heights:
        middle, members = max(height, gap / 5), 1
        while groups and middle - groups[-1][0] < gap * (members + groups[-1][1]) / 2:
            other, more = groups.pop()
            middle, members = (middle * members + other * more) / (members + more), members + more
            half = gap * (members - 1) / 2
            middle = max(min(middle, 1 - half), half + gap / 5)
        groups.append((middle, members))
    return [middle + gap * (place - (members - 1) / 2) for middle, members in groups for place in range(members)]


def _darken(color: str) -> str:
    """Return a color that is dark enough to be read on white: the lightest layers' names are darker than their lines."""
    parts = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    light = max(1.0, (0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]) / 115)
    return "#" + "".join(f"{round(part / light):02x}" for part in parts)
