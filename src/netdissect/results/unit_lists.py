"""Find the units of a layer that deserve a second look, by rules of their counts and exemplars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.results.layer_result import LayerResult

#: An exemplar shows a concept if more than this share of its mask is labeled with it.
SHOWN_SHARE = 0.1
#: Strongest exemplars that are asked whether they show the label.
ASKED_EXEMPLARS = 10
#: Score of a second concept, as a share of the label's, from which a unit responds to two things.
SECOND_SHARE = 0.8
#: Cosine of two profiles of scores above which units are near-duplicates.
PROFILE_COSINE = 0.95
#: Share of their strongest images that near-duplicates have in common.
DUPLICATE_IMAGES = 0.6
#: Share of their strongest images that units of one family have in common.
FAMILY_IMAGES = 0.3
#: Units whose profiles are compared at once.
_BLOCK = 512


def count_shown_labels(layer: LayerResult) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return how many of each unit's ten strongest exemplars show its label, and how many could, each of shape (U,).

    An exemplar shows the label if more than 10 % of the mask's pixels are labeled with it; it could if it has a mask and labels of
    the label's category. None for a run without groups of exemplars.
    """
    if layer.groups is None:
        return None
    pixels, labeled = (table[:, :ASKED_EXEMPLARS] for table in (layer.groups.pixels, layer.groups.labeled))
    could = (labeled >= 0) & (pixels > 0)
    return (could & (labeled > SHOWN_SHARE * pixels)).sum(axis=1), could.sum(axis=1)


def find_largest_image_share(layer: LayerResult) -> NDArray[np.float64] | None:
    """Return the share of each unit's I that one image gives, float64, shape (U,); 0 without a label.

    The image is one of the exemplars, among which are those with most pixels of the mask on the label. None for a run without groups
    of exemplars.
    """
    if layer.groups is None:
        return None
    intersection = _pick_label_column(layer, layer.counts.I)
    groups = (layer.groups, layer.groups.typical, layer.groups.on_concept)
    most = np.max([group.labeled.max(axis=1, initial=0) for group in groups], axis=0)
    return np.asarray(most / np.maximum(intersection, 1))


def find_second_things(layer: LayerResult) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each unit's second thing: the best concept of another category than its label's, with its score, each of shape (U,).

    Its score is at least 0.8 of the label's, and the unit's masks have room for both: the pixels labeled with either are at most
    as many as the masks', so they need not be the same. -1 and 0 for a unit without one.
    """
    units = np.arange(layer.layer.units)
    score, column = layer.best.score.copy(), layer.best.column
    if score.shape[1] < 2:
        return np.full(units.size, -1), np.zeros(units.size)
    label = layer.best.category
    score[units, label] = -1
    other = score.argmax(axis=1)
    found, value = column[units, other], score[units, other]
    both = _pick_label_column(layer, layer.counts.I) + layer.counts.I[units, found]
    pixels = layer.counts.A.max(axis=1, initial=0) if layer.groups is None else layer.groups.mask_pixels
    is_second = (
        (label >= 0) & (found >= 0) & (value > 0) & (value >= SECOND_SHARE * layer.label_scores) & (both <= pixels)
    )
    return np.where(is_second, found, -1), np.where(is_second, value, 0.0)


def find_duplicates(layer: LayerResult) -> NDArray[np.int64]:
    """Return the unit that each one is a near-duplicate of, int64, shape (U,); -1 without one.

    Near-duplicates have profiles of scores with a cosine above 0.95, and share at least 60 % of their strongest images. If there are
    several, it is the one whose profile is most alike.
    """
    profiles = layer.scores.astype(np.float32)
    profiles /= np.maximum(np.linalg.norm(profiles, axis=1, keepdims=True), 1e-12)
    shared, full = _count_shared_images(layer)
    found = np.full(layer.layer.units, -1, np.int64)
    for start in range(0, layer.layer.units, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, layer.layer.units))
        alike = profiles[rows] @ profiles.T
        alike[np.arange(rows.size), rows] = 0
        alike[shared[rows].toarray() < np.maximum(1, DUPLICATE_IMAGES * full[rows, None])] = 0
        best = alike.argmax(axis=1)
        found[rows] = np.where(alike[np.arange(rows.size), best] > PROFILE_COSINE, best, -1)
    return found


def find_image_families(layer: LayerResult) -> NDArray[np.int64]:
    """Return the number of each unit's family, int64, shape (U,): units linked by at least 30 % of shared strongest images."""
    shared, full = _count_shared_images(layer)
    links = shared.tocoo()
    kept = links.data >= np.maximum(1, FAMILY_IMAGES * full[links.row])
    graph = sparse.coo_matrix((np.ones(kept.sum()), (links.row[kept], links.col[kept])), shape=shared.shape)
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _count_shared_images(layer: LayerResult) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Return how many strongest images two units share, sparse, shape (U, U), and how many each has, shape (U,)."""
    images = layer.exemplars.images
    there = images >= 0
    units = np.broadcast_to(np.arange(len(images))[:, None], images.shape)
    columns = np.unique(images[there], return_inverse=True)[1]
    has = sparse.csr_matrix((np.ones(there.sum(), np.float32), (units[there], columns)), shape=(len(images), max(1, columns.max(initial=0) + 1)))  # fmt: skip
    return sparse.csr_matrix(has @ has.T), there.sum(axis=1)


def _pick_label_column(layer: LayerResult, table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the value of every unit's label, shape (U,), of a table of shape (U, C); 0 without a label."""
    label = layer.labels
    if not table.shape[1]:
        return np.zeros(len(label), np.int64)
    return np.where(label >= 0, table[np.arange(len(label)), label], 0)
