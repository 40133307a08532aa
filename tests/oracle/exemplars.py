"""Naive choice of exemplars: every mask of every image is there, everything is spelled out."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from tests.oracle import dissection

_BITS = 2**64 - 1


@dataclass
class OracleGroup:
    images: list[list[int]]  # per unit, image numbers
    pixels: list[list[int]]
    labeled: list[list[int]]


def mix(bits: int) -> int:
    """SplitMix64."""
    bits = (bits + 0x9E3779B97F4A7C15) & _BITS
    bits = ((bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    bits = ((bits ^ (bits >> 27)) * 0x94D049BB133111EB) & _BITS
    return bits ^ (bits >> 31)


def draw(seed: int, unit: int, image: int, weight: int) -> float:
    bits = mix(mix(mix(seed) ^ unit) ^ image)
    return math.log(((bits >> 11) + 0.5) / 2**53) / weight


def count_label(mask: np.ndarray, planes: np.ndarray, whole, column: int) -> int:
    """Pixels of a mask that have a concept; a pixel counts once for every plane that names it."""
    return sum(int((mask & (plane == column + 1)).sum()) for plane in planes) + int(mask.sum()) * (column + 1 in whole)


def choose(activations, labels, numbers, thresholds, columns, primary, field, input_size, strongest, sample, seed):
    """Return the groups by name, and the pixels of all masks of every unit.

    activations: (n, U, h, w). labels: per image (planes, whole). numbers: image number of every image. columns: label of every
    unit, -1 for none. strongest: per unit, places of its strongest images. sample: places of the calibration sample, in its order.
    """
    units, images = activations.shape[1], range(len(labels))
    found = {name: OracleGroup([], [], []) for name in ("strongest", "typical", "on_concept", "missed", "levels")}
    totals = []
    for u in range(units):
        column = columns[u]
        masks = [
            dissection.interpolate(activations[n, u], field, input_size, labels[n][0].shape[1:]) > thresholds[u]
            for n in images
        ]
        area = [int(mask.sum()) for mask in masks]
        both = [count_label(masks[n], *labels[n], column) if column >= 0 else 0 for n in images]
        truth = [count_label(masks[n] | True, *labels[n], column) if column >= 0 else 0 for n in images]
        has = [column >= 0 and has_category(*labels[n], primary, primary[column]) for n in images]
        peak = activations[:, u].reshape(len(labels), -1).max(axis=1)
        chosen = {
            "strongest": strongest[u],
            "typical": sorted((n for n in images if area[n]), key=lambda n: -draw(seed, u, numbers[n], area[n]))[:10],
            "on_concept": sorted((n for n in images if both[n]), key=lambda n: (-both[n], numbers[n]))[:5],
            "missed": sorted((n for n in images if truth[n] and not both[n]), key=lambda n: (-truth[n], numbers[n]))[
                :5
            ],
            "levels": choose_levels(peak.astype(np.float64), sample, 9),
        }
        for name, places in chosen.items():
            found[name].images.append([numbers[n] for n in places])
            found[name].pixels.append([area[n] for n in places])
            found[name].labeled.append([both[n] if has[n] else -1 for n in places])
        totals.append(sum(area))
    return found, totals


def has_category(planes, whole, primary, category) -> bool:
    codes = {int(code) for code in np.unique(planes)} | {int(code) for code in whole}
    return any(code and primary[code - 1] == category for code in codes)


def choose_levels(peak: np.ndarray, sample: list[int], k: int) -> list[int]:
    """Images nearest to k levels from the highest to the lowest maximum, each once, by falling maximum."""
    high, low = max(peak[n] for n in sample), min(peak[n] for n in sample)
    chosen: list[int] = []
    for level in range(min(k, len(sample))):
        target = high - (high - low) * level / (k - 1)
        free = [n for n in sample if n not in chosen]
        chosen.append(min(free, key=lambda n: abs(peak[n] - target)))  # of equally near ones the first of the sample
    return sorted(chosen, key=lambda n: (-peak[n], sample.index(n)))
