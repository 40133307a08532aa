"""The style of all figures: small sans-serif type, thin axes, one color per category; prints in a column of a paper."""

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
#: Lines of different networks; told apart with every kind of color blindness, and by their labels.
LINE_COLORS = ("#2a60cc", "#c2571a", "#24633d", "#684c88", "#82771f", "#6a1447", "#55585e", "#1d8a99")
_STYLE: Any = {
    "font.size": 8.0, "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "xtick.major.size": 2.5,
    "ytick.major.size": 2.5, "axes.titlesize": 8.5, "axes.titlelocation": "left", "legend.frameon": False,
    "legend.handlelength": 1.2, "svg.fonttype": "path", "svg.hashsalt": "netdissect", "path.simplify": False,
    "text.parse_math": False,  # a $ in a name is a $
}  # fmt: skip
#: Fonts that lend glyphs which the first lacks, where they are installed.
_FONTS = (
    "DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "PingFang SC", "Hiragino Sans",
    "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Arial Unicode MS", "Noto Sans Arabic", "Noto Sans Devanagari",
    "Noto Sans Thai", "Noto Sans Symbols2",
)  # fmt: skip
#: Letters of a name that are shown.
_MAX_LETTERS = 40
_PIXELS_PER_INCH = 200


@contextlib.contextmanager
def open_figure(width: float, height: float, panels: Sequence[float] = (1.0,)) -> Iterator[tuple[Any, Any]]:
    """Give a figure of a size in inches and its panels, side by side, of these relative widths; no screen is needed.

    One panel is given as it is, several as an array.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # a matplotlibrc, which may lie in the folder one stands in, changes no figure
        mpl.rcParams.update({**_STYLE, "font.family": _find_fonts()})
        drawn = Figure(figsize=(width, height))
        FigureCanvasAgg(drawn)
        axes = drawn.subplots(1, len(panels), width_ratios=list(panels), squeeze=False)[0]
        yield drawn, axes[0] if len(panels) == 1 else axes


def save_figure(drawn: Any, path: Path) -> None:
    """Write a figure as SVG and PNG; `path` may name either."""
    for suffix in (".svg", ".png"):
        out = io.BytesIO()
        metadata = {"Date": None} if suffix == ".svg" else {"Software": None}
        with warnings.catch_warnings():
            # A letter that no installed font has is drawn as a box; the CSV beside the figure has the whole name.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            drawn.savefig(out, format=suffix[1:], bbox_inches="tight", metadata=metadata, dpi=_PIXELS_PER_INCH)
        atomic.write_bytes(path.with_suffix(suffix), out.getvalue())


def shorten_name(name: str) -> str:
    """Return a name on one line, cut where it would leave no room for the figure.

    >>> shorten_name("a  name"), len(shorten_name("long " * 20))
    ('a name', 40)
    """
    line = " ".join(name.split())
    return line if len(line) <= _MAX_LETTERS else f"{line[: _MAX_LETTERS - 1]}…"


@cache
def _find_fonts() -> list[str]:
    from matplotlib import font_manager

    there = set(font_manager.get_font_names())
    return [name for name in _FONTS if name in there] or ["sans-serif"]


def write_numbers(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write the numbers of a figure beside it, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    atomic.write_text(path.with_suffix(".csv"), out.getvalue())


def get_fill_colors(categories: Sequence[str]) -> Mapping[str, str]:
    """Return every category's color for areas."""
    return {category: FILL_COLORS[slot] for category, slot in assign_color_slots(categories).items()}


def get_text_colors(categories: Sequence[str]) -> Mapping[str, str]:
    """Return every category's color for words."""
    return {category: TEXT_COLORS[slot] for category, slot in assign_color_slots(categories).items()}
