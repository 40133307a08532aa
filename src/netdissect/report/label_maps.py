"""Encode label maps as data files of the page, and choose example images of each concept from them.

The page outlines where a concept is labeled and names the labels under the pointer. A plane is stored as indices into a palette of
the codes in the image. A label map of 113 x 113 pixels takes about 3.5 kB. Earlier versions stored every row as its XOR with the row
above, which takes a sixth more; their files are still read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.concepts import Labels
from netdissect.report.html import script_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

#: Example images of a concept, at most.
EXAMPLES_PER_CONCEPT = 8
#: Concepts that are named as labeled beside a concept, at most.
COMPANIONS = 8
#: Images considered for each concept, and the cosine of two images' pixel counts above which they count as similar.
_CANDIDATES = 48
_SIMILAR = 0.93


@dataclass(frozen=True, slots=True, eq=False)
class LabelCache:
    """The cached label maps, and the concepts in them.

    Attributes:
        files: the label maps by row, in rising order.
        examples: rows of the example images of each concept, int64, shape (C, EXAMPLES_PER_CONCEPT); -1 where there are fewer.
        labeled: number of cached label maps that have each concept, int64, shape (C,).
        companions: the concepts that are most often labeled beside each, by `find_companions`.
        together: number of cached label maps that have both.
    """

    files: Mapping[int, Path]
    examples: NDArray[np.int64]
    labeled: NDArray[np.int64]
    companions: NDArray[np.int64]
    together: NDArray[np.int64]


def count_pixels(labels: Labels, concepts: int) -> NDArray[np.int64]:
    """Return the number of pixels of each of C concepts in a label map, int64, shape (C,)."""
    counts = np.bincount(labels.planes.ravel(), minlength=concepts + 1)[: concepts + 1].astype(np.int64)
    counts[labels.whole] += labels.shape[0] * labels.shape[1]
    return counts[1:]


def choose_examples(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows in which each concept has the most pixels; among equals, the lower row comes first.

    Of images with similar labels, such as frames of one film, only the first is chosen, unless too few others have the concept.

    Args:
        rows: rows of the label maps, int64, shape (n,).
        counts: pixels of each concept in each, int64, shape (n, C).

    Returns:
        int64, shape (C, EXAMPLES_PER_CONCEPT); -1 where there are fewer.
    """
    concepts = counts.shape[1]
    examples = np.full((concepts, EXAMPLES_PER_CONCEPT), -1, np.int64)
    length = np.sqrt((counts.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    direction = counts / np.maximum(length, 1)
    order = np.argsort(-counts, axis=0, kind="stable")[:_CANDIDATES]
    for concept in range(concepts):
        candidates = order[counts[order[:, concept], concept] > 0, concept]
        similar = direction[candidates] @ direction[candidates].T > _SIMILAR
        chosen: list[int] = []
        for position in range(candidates.size):
            if len(chosen) < EXAMPLES_PER_CONCEPT and not similar[position, chosen].any():
                chosen.append(position)
        others = [position for position in range(candidates.size) if position not in chosen]
        found = rows[candidates[[*chosen, *others[: EXAMPLES_PER_CONCEPT - len(chosen)]]]]
        examples[concept, : found.size] = found
    return examples


def find_companions(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each concept those whose images are most nearly the same, and the number of images with both.

    Nearness is the Jaccard index: the images that have both, divided by those that have either.

    Args:
        counts: pixels of each concept in each label map, int64, shape (n, C).

    Returns:
        two int64 arrays of shape (C, COMPANIONS), nearest first: columns of the concepts, -1 where there are fewer, and numbers of
        label maps.
    """
    concepts = counts.shape[1]
    companions = np.full((concepts, COMPANIONS), -1, np.int64)
    together = np.zeros((concepts, COMPANIONS), np.int64)
    present = (counts > 0).astype(np.float32)  # exact up to 2**24 images
    images = present.sum(axis=0)
    for concept in np.flatnonzero(images):
        both = present[:, concept] @ present
        likeness = both / (images[concept] + images - both)
        likeness[concept] = 0
        order = np.argsort(-likeness, kind="stable")[:COMPANIONS]
        order = order[likeness[order] > 0]
        companions[concept, : order.size], together[concept, : order.size] = order, both[order]
    return companions, together


def encode_label_script(row: int, labels: Labels) -> str:
    """Return a label map as the text of a data file of the page."""
    codes, positions = np.unique(labels.planes, return_inverse=True)
    dtype = np.uint8 if codes.size <= 256 else np.uint16
    planes = positions.reshape(labels.planes.shape).astype(dtype)
    arrays = {"planes": planes, "codes": codes.astype(np.uint16), "whole": labels.whole.astype(np.uint16)}
    return script_data.format_script(
        script_data.pack_arrays(f"labels/{row:06d}", {"size": list(labels.shape), "plain": True}, arrays)
    )


def decode_label_script(text: str, concepts: int) -> Labels:
    """Return the label map that `encode_label_script` wrote.

    Args:
        text: the data file.
        concepts: number of concepts C of the probe set.

    Raises:
        ValueError: if the text is not such a file, or has labels larger than C.
    """
    _, facts, arrays = script_data.unpack_script(text)
    try:
        plain = facts.get("plain", False)
        positions = arrays["planes"] if plain else np.bitwise_xor.accumulate(arrays["planes"], axis=1)
        planes = arrays["codes"][positions].astype(np.uint16).reshape(positions.shape[0], *facts["size"])
        whole = arrays["whole"].astype(np.int64)
        if planes.ndim != 3 or whole.ndim != 1:
            raise ValueError("expected the labels of an image")
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"expected the labels of an image ({error})") from error
    codes = np.concatenate([planes.ravel(), whole])
    if codes.size and not 0 <= codes.min() <= codes.max() <= concepts:
        raise ValueError(f"expected labels from 0 to {concepts}")
    return Labels(planes, whole)
