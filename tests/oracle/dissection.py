"""A naive dissection in plain numpy: two full passes, dense upsampling, Python loops. The engine must equal it.

Written from docs/method.md alone; shares no code with the engine. Everything is spelled out, nothing is fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np


@dataclass
class OracleResult:
    thresholds: np.ndarray  # (U,) float32
    I: np.ndarray
    A: np.ndarray  # (U, C)
    G: np.ndarray  # (C,)
    iou: np.ndarray  # (U, C)
    exemplars: list[list[int]]  # per unit, image positions
    highest: np.ndarray  # (U,) float32


def threshold(values: np.ndarray, quantile: str) -> np.float32:
    """The smallest observed value T with #{cells : a > T} ≤ q·M."""
    allowed = Fraction(quantile) * values.size
    for candidate in np.unique(values):
        if np.count_nonzero(values > candidate) <= allowed:
            return candidate
    raise AssertionError


def reduce(image: int, labels: int) -> float:
    """A whole number, unless the image's last pixel would then lie more than one label pixel off."""
    whole = max(1, round(image / labels))
    return whole if abs(image / whole - labels) <= 1 else image / labels


def interpolate(grid: np.ndarray, field, input_size, label_size, kind=np.float32) -> np.ndarray:
    """Bilinear, anchored at receptive-field centers, clamped outside; float64, rounded to float32 at the end."""
    (oy, ox), (sy, sx), (ty, tx) = field
    h, w = grid.shape
    out = np.zeros(label_size, dtype=kind)

    def place(pixel, offset, size, step, cells, reduction):
        center = offset + size // 2
        whole = reduction == round(reduction)
        first = math.floor(center // reduction) if whole else (center + 0.5) / reduction - 0.5
        gap = step / reduction
        if pixel < first:
            return 0, 0, 0.0
        if pixel >= first + (cells - 1) * gap:
            return cells - 1, cells - 1, 0.0
        cell = max(i for i in range(cells) if first + i * gap <= pixel)
        low = first + cell * gap
        return cell, cell + 1, (pixel - low) / (first + (cell + 1) * gap - low)

    ry, rx = (reduce(image, labels) for image, labels in zip(input_size, label_size, strict=True))
    cells = grid.astype(np.float64)
    for y in range(label_size[0]):
        y0, y1, fy = place(y, oy, sy, ty, h, ry)
        row = cells[y0] + fy * (cells[y1] - cells[y0])
        for x in range(label_size[1]):
            x0, x1, fx = place(x, ox, sx, tx, w, rx)
            out[y, x] = row[x0] + fx * (row[x1] - row[x0])
    return out


def count(masks, labels, primary, categories):
    """Return I (U, C), the mask pixels of images that have a category (U, K), and G (C,).

    masks: per image, the mask of every unit. labels: per image (planes (P, sh, sw) of codes, whole-image codes).
    """
    units, concepts = len(masks[0]), len(primary)
    I = np.zeros((units, concepts), dtype=np.int64)
    per_category = np.zeros((units, categories), dtype=np.int64)
    G = np.zeros(concepts, dtype=np.int64)
    for own, (planes, whole) in zip(masks, labels, strict=True):
        size = planes.shape[1:]
        stack = [plane == c + 1 for c in range(concepts) for plane in planes]  # concept-major
        of_concept = [stack[c * len(planes) : (c + 1) * len(planes)] for c in range(concepts)]
        everywhere = [c + 1 in set(whole) for c in range(concepts)]
        has = {primary[c] for c in range(concepts) if everywhere[c] or any(p.any() for p in of_concept[c])}
        for c in range(concepts):
            G[c] += sum(int(p.sum()) for p in of_concept[c]) + everywhere[c] * size[0] * size[1]
        for u, mask in enumerate(own):
            for category in has:
                per_category[u, category] += int(mask.sum())
            for c in range(concepts):
                I[u, c] += sum(int((mask & p).sum()) for p in of_concept[c]) + everywhere[c] * int(mask.sum())
    return I, per_category, G


def dissect(activations, labels, primary, categories, field, input_size, quantile="0.005", k=20) -> OracleResult:
    """Dissect one layer.

    activations: (N, U, h, w) float32. labels: per image (planes (P, sh, sw) of codes, whole-image codes).
    primary: category position per concept, (C,). categories: K.
    """
    n_images, units = activations.shape[:2]
    concepts = len(primary)
    T = np.array([threshold(activations[:, u].ravel(), quantile) for u in range(units)], dtype=np.float32)
    masks = [
        [interpolate(activations[n, u], field, input_size, labels[n][0].shape[1:]) > T[u] for u in range(units)]
        for n in range(n_images)
    ]
    I, per_category, G = count(masks, labels, primary, categories)
    A = per_category[:, primary] if concepts else np.zeros((units, 0), dtype=np.int64)
    union = A + G - I
    iou = np.where(union > 0, I / np.maximum(union, 1), 0.0)
    peaks = activations.reshape(n_images, units, -1).max(axis=2)
    exemplars = [sorted(range(n_images), key=lambda n: (-peaks[n, u], n))[:k] for u in range(units)]
    return OracleResult(T, I, A, G, iou, exemplars, peaks.max(axis=0))
