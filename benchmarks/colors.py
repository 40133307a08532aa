"""``python -m benchmarks colors``: how far the categories' colors are apart, and, with ``--search``, colors that are farther.

The search gives each category one of six lightnesses in equal steps, so that a gray print tells them apart, and a hue near
its own; among all orders of the lightnesses, it takes the colors whose smallest OKLab distance over all kinds of vision is
largest.
"""

from __future__ import annotations

import argparse
import itertools
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.color_vision import (
    VISIONS,
    compute_lightness,
    compute_luminance,
    convert_from_oklab,
    convert_to_oklab,
    measure_contrast,
    measure_distances,
    read_color,
    write_color,
)
from netdissect.report.category_colors import DARK_FILL_COLORS, FILL_COLORS, PAPER_COLORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Hue of each category in OKLab, in degrees.
_HUES = {"object": 262, "scene": 152, "part": 42, "material": 303, "texture": 100, "color": 358}
_HUE_STEPS = (-16, -8, 0, 8, 16)
_CHROMAS = np.arange(0.06, 0.165, 0.02)
#: L* of the six colors, on a light and on a dark page.
_LIGHTNESSES = {"light": np.linspace(20, 60, 6), "dark": np.linspace(49, 89, 6)}
_SWEEPS = 6


def main(arguments: Sequence[str]) -> None:
    """Print the distances of the report's colors, and of those that a search finds."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks colors --")
    parser.add_argument("--search", action="store_true", help="also search for colors that are farther apart")
    asked = parser.parse_args(arguments)
    for page, colors in (("light", FILL_COLORS), ("dark", DARK_FILL_COLORS)):
        _print_colors(page, [colors[name] for name in _HUES])
        if asked.search:
            _print_colors(page, search_colors(_LIGHTNESSES[page]))


def search_colors(lightnesses: NDArray[np.float64]) -> list[str]:
    """Return the colors of the categories that are farthest apart, one of each lightness."""
    candidates = [[_list_candidates(hue, lightness) for lightness in lightnesses] for hue in _HUES.values()]
    best: tuple[float, list[NDArray[np.float64]]] = (0.0, [])
    for order in itertools.permutations(range(len(_HUES))):
        chosen = _choose([candidates[slot][place] for slot, place in enumerate(order)])
        if chosen[0] > best[0]:
            best = chosen
    return [write_color(color) for color in best[1]]


def _list_candidates(hue: float, lightness: float) -> NDArray[np.float64]:
    """Return linear RGB colors of a lightness and about a hue, shape (n, 3)."""
    found = []
    for angle in np.deg2rad([hue + step for step in _HUE_STEPS]):
        for chroma in _CHROMAS:
            low, high = 0.0, 1.0
            for _ in range(40):
                middle = (low + high) / 2
                color = convert_from_oklab(np.array([middle, chroma * np.cos(angle), chroma * np.sin(angle)]))
                is_dark = compute_lightness(compute_luminance(color)) < lightness
                low, high = (middle, high) if is_dark else (low, middle)
            if color.min() >= -1e-4 and color.max() <= 1 + 1e-4:
                found.append(np.clip(color, 0, 1))
    return np.array(found)


def _choose(candidates: Sequence[NDArray[np.float64]]) -> tuple[float, list[NDArray[np.float64]]]:
    """Return the smallest distance of the best colors found, one of each candidate list, and the colors."""
    if any(not len(colors) for colors in candidates):
        return 0.0, []
    seen = [np.stack([convert_to_oklab(colors @ matrix.T) for matrix in VISIONS.values()], 1) for colors in candidates]
    chosen = [len(colors) - 1 for colors in candidates]
    for _ in range(_SWEEPS):
        for slot, own in enumerate(seen):
            others = np.stack([seen[other][chosen[other]] for other in range(len(seen)) if other != slot])
            apart = np.linalg.norm(own[:, None] - others[None], axis=-1).min(axis=(1, 2))
            chosen[slot] = int(apart.argmax())
    final = np.stack([seen[slot][place] for slot, place in enumerate(chosen)])
    apart = np.linalg.norm(final[:, None] - final[None], axis=-1).min(axis=2)
    np.fill_diagonal(apart, np.inf)
    return float(apart.min()), [candidates[slot][place] for slot, place in enumerate(chosen)]


def _print_colors(page: str, codes: Sequence[str]) -> None:
    found = measure_distances(codes)
    least = min(measure_contrast(code, PAPER_COLORS[page]) for code in codes)
    lightness = [round(float(compute_lightness(compute_luminance(read_color(code))))) for code in codes]
    print(f"{page}: {' '.join(codes)}")
    print(f"  L* {lightness}; smallest difference {found.pop('gray'):.1f}; contrast with the page at least {least:.2f}")
    print("  OKLab distance at least " + ", ".join(f"{value:.3f} {name}" for name, value in found.items()))
