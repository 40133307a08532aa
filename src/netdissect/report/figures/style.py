"""The style of all figures: true to size in a column, a text or a slide, with one bundled font and real text."""

from __future__ import annotations

import contextlib
import csv
import io
import warnings
from typing import TYPE_CHECKING, Any, Literal, get_args

from netdissect.bounds import require_choice
from netdissect.io import atomic
from netdissect.report.category_colors import FILL_COLORS, TEXT_COLORS, assign_color_slots
from netdissect.report.figures.figure_fonts import embed_font, find_fonts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Where a figure is set: in a column of a paper, over a text's width, or on a slide.
FigureWidth = Literal["column", "text", "slide"]
#: Width in inches and size of all letters in points, at that width.
_SIZES: Mapping[FigureWidth, tuple[float, float]] = {"column": (3.25, 7.0), "text": (5.5, 8.0), "slide": (10.0, 14.0)}
#: Endings of the files of a figure.
ENDINGS = (".svg", ".pdf", ".png")

INK = "#1b1c1e"
SOFT = "#6b6e74"
RULE = "#dedbd3"
IDLE = "#d3d1cb"
#: Points of a line and of a marker in letters of 8 points; both grow with the letters.
_LINE, _MARKER, _LETTERS = 1.1, 3.0, 8.0
_STYLE: Any = {
    "axes.edgecolor": INK, "axes.labelcolor": INK, "text.color": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlelocation": "left", "axes.titleweight": "bold",
    "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "netdissect", "pdf.fonttype": 42, "path.simplify": False,
    "text.parse_math": False,  # so that $ in a name does not start a formula
}  # fmt: skip
#: Letters of a name that are shown, at most, and the share of a figure's width that they may take.
_MAX_LETTERS, _NAME_SHARE = 40, 0.36
_PIXELS_PER_INCH = 200


@contextlib.contextmanager
def use_style(width: FigureWidth = "text") -> Iterator[None]:
    """Draw in the project's style within a ``with`` statement, whatever the caller's own is.

    Raises:
        SettingsError: if there is no such width.
    """
    import matplotlib as mpl

    require_choice("width", width, get_args(FigureWidth))
    letters = _SIZES[width][1]
    scale = letters / _LETTERS
    sizes: Any = {
        "font.size": letters, "axes.titlesize": letters, "axes.labelsize": letters, "xtick.labelsize": letters,
        "ytick.labelsize": letters, "legend.fontsize": letters, "lines.linewidth": _LINE * scale,
        "lines.markersize": _MARKER * scale, "axes.linewidth": 0.6 * scale, "xtick.major.width": 0.6 * scale,
        "ytick.major.width": 0.6 * scale, "xtick.major.size": 2.5 * scale, "ytick.major.size": 2.5 * scale,
        "xtick.major.pad": 2.0 * scale, "ytick.major.pad": 2.0 * scale, "axes.labelpad": 2.5 * scale,
        "axes.titlepad": 4.0 * scale,
    }  # fmt: skip
    with mpl.rc_context():
        mpl.rcdefaults()  # ignore any matplotlibrc
        mpl.rcParams.update({**_STYLE, **sizes, "font.family": find_fonts()})
        with warnings.catch_warnings():
            # Letters that no installed font has are drawn as boxes; the CSV has the full name.
            warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
            # Long names may leave no room in a narrow figure, which is drawn all the same.
            warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
            yield


@contextlib.contextmanager
def open_figure(
    width: FigureWidth, lines: float, panels: Sequence[float] = (1.0,), rows: int = 1
) -> Iterator[tuple[Any, Any]]:
    """Open a figure in the project's style, as wide as it is printed; works without a display.

    Args:
        width: where it is set.
        lines: its height in lines of text, of 1.2 times the size of a letter.
        panels: relative widths of the panels, side by side.
        rows: number of rows of panels.

    Yields:
        the figure, and the axes of each panel, row by row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with use_style(width):
        drawn = Figure(figsize=measure_figure(width, lines), layout="constrained")
        FigureCanvasAgg(drawn)
        tighten_layout(drawn)
        axes = drawn.subplots(rows, len(panels), width_ratios=list(panels), squeeze=False)
        yield drawn, axes.ravel()


def measure_figure(width: FigureWidth, lines: float) -> tuple[float, float]:
    """Return the width and the height of a figure in inches.

    >>> measure_figure("column", 18)
    (3.25, 2.1)
    """
    inches, letters = _SIZES[width]
    return inches, round(lines * 1.2 * letters / 72, 4)


def count_letters(width: FigureWidth) -> float:
    """Return the width of a figure in sizes of a letter: lengths in it are the same on paper and on slides."""
    inches, letters = _SIZES[width]
    return inches * 72 / letters


def tighten_layout(drawn: Any) -> None:
    """Set the margins of a figure with a constrained layout."""
    drawn.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.03, hspace=0.03)


def save_figure(drawn: Any, path: Path) -> None:
    """Write a figure as SVG, PDF and PNG; `path` may have any of these endings.

    All three have the same size. The text of SVG and PDF is text: SVG has the font in it, PDF the letters that are used.
    """
    metadata: Mapping[str, Any] = {
        ".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".png": {"Software": None}
    }  # fmt: skip
    _fix_layout(drawn)
    for suffix in ENDINGS:
        out = io.BytesIO()
        drawn.savefig(out, format=suffix[1:], metadata=metadata[suffix], dpi=_PIXELS_PER_INCH)
        data = out.getvalue()
        atomic.write_bytes(path.with_suffix(suffix), embed_font(data) if suffix == ".svg" else data)


def _fix_layout(drawn: Any) -> None:
    """Arrange a figure once: otherwise matplotlib draws and arranges it anew before it writes any of its files."""
    import matplotlib as mpl

    drawn.draw_without_rendering()
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        drawn.set_layout_engine(None)


def scale_steps(axes: Any, steps: Iterable[float]) -> None:
    """Set the horizontal axis to a logarithmic one that includes 0 for training steps over more than two orders of magnitude."""
    positive = sorted(step for step in steps if step > 0)
    if positive and positive[-1] / positive[0] > 100:
        axes.set_xscale("symlog", linthresh=positive[0])


def scale_points(points: float) -> float:
    """Return a length in points, given for letters of 8 points, for the letters of the present style."""
    import matplotlib as mpl

    return float(points * mpl.rcParams["font.size"] / _LETTERS)


def make_error_style(color: str = INK) -> dict[str, Any]:
    """Return how error bars of one standard deviation are drawn."""
    return {
        "elinewidth": scale_points(0.7), "capsize": scale_points(1.5), "capthick": scale_points(0.7), "ecolor": color
    }  # fmt: skip


def shorten_name(name: str, most: int = _MAX_LETTERS) -> str:
    """Return a name on one line, shortened to 40 letters.

    >>> shorten_name("a  name"), len(shorten_name("long " * 20))
    ('a name', 40)
    """
    line = " ".join(name.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def fit_name(axes: Any, name: str, share: float = _NAME_SHARE) -> str:
    """Return a name on one line, shortened to the letters that fit into a share of the figure's width."""
    import matplotlib as mpl

    inches = axes.figure.get_size_inches()[0]
    letters = inches * 72 / mpl.rcParams["font.size"] / 0.52  # a letter's mean width
    return shorten_name(name, max(8, min(_MAX_LETTERS, int(letters * share))))


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
