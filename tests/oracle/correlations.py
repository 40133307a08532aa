"""Pearson's correlation and the cosine of units and concepts, from every pixel at once; shares no code with the engine."""

from __future__ import annotations

import numpy as np
from tests.oracle.dissection import interpolate


def correlate(activations, labels, primary, field, input_size, lender=None) -> dict[str, np.ndarray]:
    """Correlate every unit with every concept, over the images that have the concept's category.

    activations: (N, U, h, w). labels: per image (planes of codes, whole-image codes). primary: category of every concept.
    lender: position of the image whose labels an image takes, -1 for images that take no part; None: their own.
    """
    units, concepts = activations.shape[1], len(primary)
    result = {"pearson": np.zeros((units, concepts)), "cosine": np.zeros((units, concepts))}
    pairs = [(n, n if lender is None else lender[n]) for n in range(len(activations))]
    drawn = [(n, draw(*labels[other], concepts)) for n, other in pairs if other >= 0]
    for c in range(concepts):
        chosen = [
            (n, maps) for n, maps in drawn if any(maps[d].any() for d in range(concepts) if primary[d] == primary[c])
        ]
        if not chosen:
            continue
        truth = np.concatenate([maps[c].ravel() for _, maps in chosen]).astype(np.float64)
        for u in range(units):
            up = np.concatenate([
                interpolate(activations[n, u], field, input_size, maps.shape[1:], np.float64).ravel() for n, maps in chosen
            ])  # fmt: skip
            if up.any() and truth.any():
                result["cosine"][u, c] = max(up @ truth / np.sqrt((up @ up) * (truth @ truth)), 0)
            if up.std() > 1e-6 * abs(up).max() and truth.std() > 0:
                result["pearson"][u, c] = max(np.corrcoef(up, truth)[0, 1], 0)
    return result


def draw(planes, whole, concepts) -> np.ndarray:
    """Return a map of every concept, true where any plane names it, (C, sh, sw)."""
    maps = np.zeros((concepts, *planes.shape[1:]), bool)
    for c in range(concepts):
        maps[c] = (planes == c + 1).any(axis=0) if planes.size else False
        if c + 1 in set(whole):
            maps[c] = True
    return maps
