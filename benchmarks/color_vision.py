"""How far colors are apart: in OKLab as seen with normal, protan, deutan and tritan vision, and in lightness in a gray print.

Color blindness is simulated by the matrices of Machado, Oliveira, Fernandes (2009) at full severity; OKLab is that of
Ottosson (2020); lightness is CIE L*, which a gray copy keeps.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: Linear RGB as seen, by kind of vision.
VISIONS = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def read_color(code: str) -> NDArray[np.float64]:
    """Return the linear RGB of a color such as ``#2a60cc``, shape (3,)."""
    values = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def write_color(linear: NDArray[np.float64]) -> str:
    """Return the code of a linear RGB color within the gamut."""
    values = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(255 * float(value)):02x}" for value in np.clip(values, 0, 1))


def convert_to_oklab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the OKLab of linear RGB colors, shape (…, 3)."""
    lab: NDArray[np.float64] = np.cbrt(np.clip(linear, 0, 1) @ _TO_LMS.T) @ _TO_LAB.T
    return lab


def convert_from_oklab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the linear RGB of OKLab colors, which may lie outside the gamut, shape (…, 3)."""
    linear: NDArray[np.float64] = (lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_LMS).T
    return linear


def compute_luminance(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the relative luminance of linear RGB colors."""
    luminance: NDArray[np.float64] = linear @ _LUMINANCE
    return luminance


def compute_lightness(luminance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return CIE L*, from 0 to 100."""
    return np.where(luminance > 216 / 24389, 116 * np.cbrt(luminance) - 16, luminance * 24389 / 27)


def measure_contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colors (WCAG 2.2), from 1 to 21."""
    low, high = sorted(float(compute_luminance(read_color(code))) for code in (one, other))
    return (high + 0.05) / (low + 0.05)


def measure_distances(codes: Sequence[str]) -> dict[str, float]:
    """Return the smallest distance of two of the colors: in OKLab by kind of vision, and of their L* as ``gray``."""
    colors = np.stack([read_color(code) for code in codes])
    pairs = np.array(list(itertools.combinations(range(len(codes)), 2)))
    found = {}
    for name, matrix in VISIONS.items():
        seen = convert_to_oklab(colors @ matrix.T)
        found[name] = float(np.linalg.norm(seen[pairs[:, 0]] - seen[pairs[:, 1]], axis=1).min())
    lightness = compute_lightness(compute_luminance(colors))
    found["gray"] = float(np.abs(lightness[pairs[:, 0]] - lightness[pairs[:, 1]]).min())
    return found
