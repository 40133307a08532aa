"""The style of all figures: small sans-serif type, thin axes, one color per category, sized for a column of a paper."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any

from netdissect.io import atomic
from netdissect.report.category_colors import FILL_COLORS, TEXT_COLORS, assign_color_slots

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

INK = "#1b1c1e"
SOFT = "#6b6e74"
RULE = "#dedbd3"
IDLE = "#d3d1cb"
#: Colors of lines, distinct under every kind of color blindness; each line is also labeled.
LINE_COLORS = ("#2a60cc", "#c2571a", "#24633d", "#684c88", "#82771f", "#6a1447", "#55585e", "#1d8a99")
_STYLE: Any = {
    "font.size": 8.0, "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "axes.titlesize": 8.5, "axes.titlelocation": "left", "legend.frameon": False,
    "legend.handlelength": 1.2, "svg.fonttype": "path", "svg.hashsalt": "netdissect", "path.simplify": False,
    "text.parse_math": False,  # so that $ in a name does not start a formula
}  # fmt: skip
#: Fonts for glyphs that the first one lacks, if installed.
_FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Sans Symbols2",
)  # fmt: skip
#: Error bars of one standard deviation.
ERROR_BARS: Any = {"elinewidth": 0.7, "capsize": 1.5, "capthick": 0.7, "ecolor": INK}
#: Letters of a name that are shown, at most.
_MAX_LETTERS = 40
_PIXELS_PER_INCH = 200


@contextlib.contextmanager
def open_figure(width: float, height: float, panels: Sequence[float] = (1.0,)) -> Iterator[tuple[Any, Any]]:
    """Open a figure in the project's style; works without a display.

    Args:
        width: in inches.
        height: in inches.
        panels: relative widths of the panels, side by side.

    Yields:
        the figure, and the axes of each panel.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # ignore any matplotlibrc
        mpl.rcParams.update({**_STYLE, "font.family": _find_fonts()})
        drawn = Figure(figsize=(width, height))
        FigureCanvasAgg(drawn)
        axes = drawn.subplots(1, len(panels), width_ratios=list(panels), squeeze=False)[0]
        yield drawn, axes


def save_figure(drawn: Any, path: Path) -> None:
    """Write a figure as SVG and PNG; `path` may have either ending."""
    for suffix in (".svg", ".png"):
        out = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        with warnings.catch_warnings():
            # Letters that no installed font has are drawn as boxes; the CSV has the full name.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            drawn.savefig(out, format=suffix[1:], bbox_inches="tight", metadata=metadata, dpi=_PIXELS_PER_INCH)
        atomic.write_bytes(path.with_suffix(suffix), out.getvalue())


def scale_steps(axes: Any, steps: Iterable[float]) -> None:
    """Set the horizontal axis to a logarithmic one that includes 0 for training steps over more than two orders of magnitude."""
    positive = sorted(step for step in steps if step > 0)
    if positive and positive[-1] / positive[0] > 100:
        axes.set_xscale("symlog", linthresh=positive[0])


def shorten_name(name: str) -> str:
    """Return a name on one line, shortened to 40 letters.

    >>> shorten_name("a  name"), len(shorten_name("long " * 20))
    ('a name', 40)
    """
    line = " ".join(name.split())
    return line if len(line) <= _MAX_LETTERS else f"{line[: _MAX_LETTERS - 1]}…"


@cache
def _find_fonts() -> list[str]:
    from matplotlib import font_manager

    installed = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in installed] or ["sans-serif"]


def write_numbers(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the numbers of a figure as CSV, next to the figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    atomic.write_text(path.with_suffix(".csv"), out.getvalue())


def get_fill_colors(categories: Sequence[str]) -> Mapping[str, str]:
    """Return the color of each category for areas."""
    return {category: FILL_COLORS[slot] for category, slot in assign_color_slots(categories).items()}


def get_text_colors(categories: Sequence[str]) -> Mapping[str, str]:
    """Return the color of each category for text."""
    return {category: TEXT_COLORS[slot] for category, slot in assign_color_slots(categories).items()}
