"""The label maps of the images a report shows, kept beside them, one small file an image.

They let the page outline where a concept is labeled, tell what lies under the pointer, and choose examples of a
concept. Colors make a label map noisy, so planes are stored as positions in a palette of the image's own codes, each
row as its difference from the one above: about 4 kB an image of 113 x 113 labels.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from netdissect.concepts import Labels
from netdissect.io import atomic
from netdissect.report import cache_owner
from netdissect.report.html import script_data

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from netdissect.protocols import ImageSource
    from netdissect.results.run_result import RunResult

#: Example images of a concept, at most.
EXAMPLES_PER_CONCEPT = 8
#: Images looked at for each, and the cosine of two images' label counts from which they count as alike.
_CANDIDATES = 48
_SIMILAR = 0.93
_THREADS = 4


@dataclass(frozen=True, slots=True, eq=False)
class LabelCache:
    """What the kept label maps tell about concepts.

    Attributes:
        rows: the rows whose labels are kept, int64, shape (n,), rising.
        examples: for every concept the rows that show it best, int64, shape (C, EXAMPLES); -1 where there are fewer.
        labeled: in how many of the kept images every concept is labeled, int64, shape (C,).
    """

    rows: NDArray[np.int64]
    examples: NDArray[np.int64]
    labeled: NDArray[np.int64]


def cache_labels(result: RunResult, folder: Path, source: ImageSource) -> LabelCache:
    """Keep the label maps of every exemplar image in a folder, and choose examples of every concept from them.

    A row whose labels are neither there nor given is left out: the page then shows that image without labels.
    """
    cache_owner.claim(result, folder)
    there = cache_owner.by_row(folder)
    concepts = len(result.probe_set.vocabulary)
    rows = sorted(result.image_names)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="labels") as threads:
        counted = list(threads.map(lambda row: _cache_row(row, folder, there, source, concepts), rows))
    kept = [row for row, count in zip(rows, counted, strict=True) if count is not None]
    table = np.array([count for count in counted if count is not None], np.int64).reshape(len(kept), concepts)
    return LabelCache(
        np.array(kept, np.int64), _choose_examples(np.array(kept, np.int64), table), (table > 0).sum(axis=0)
    )


def _cache_row(
    row: int, folder: Path, there: Mapping[int, Path], source: ImageSource, concepts: int
) -> NDArray[np.int64] | None:
    """Return how many pixels of an image every concept covers, shape (C,); its labels are in the folder then."""
    try:
        labels = read_label_script(there[row], concepts)
    except (KeyError, OSError, ValueError):
        given = source.labels(row)
        if given is None:
            return None
        atomic.write_text(folder / f"{row:06d}.js", encode_label_script(row, given))
        labels = given
    counts = np.bincount(labels.planes.ravel(), minlength=concepts + 1)[: concepts + 1].astype(np.int64)
    counts[labels.whole] += labels.shape[0] * labels.shape[1]
    return counts[1:]


def _choose_examples(rows: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that show every concept with most pixels; of equals the lower row.

    Of images labeled almost alike, such as frames of one film, only the first is taken while there are others.
    """
    concepts = counts.shape[1]
    examples = np.full((concepts, EXAMPLES_PER_CONCEPT), -1, np.int64)
    length = np.sqrt((counts.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    direction = counts / np.maximum(length, 1)
    order = np.argsort(-counts, axis=0, kind="stable")[:_CANDIDATES]
    for concept in range(concepts):
        candidates = order[counts[order[:, concept], concept] > 0, concept]
        alike = direction[candidates] @ direction[candidates].T > _SIMILAR
        chosen: list[int] = []
        for place in range(candidates.size):
            if len(chosen) < EXAMPLES_PER_CONCEPT and not alike[place, chosen].any():
                chosen.append(place)
        rest = [place for place in range(candidates.size) if place not in chosen]
        found = rows[candidates[[*chosen, *rest[: EXAMPLES_PER_CONCEPT - len(chosen)]]]]
        examples[concept, : found.size] = found
    return examples


def encode_label_script(row: int, labels: Labels) -> str:
    """Return an image's labels as the data file the page reads."""
    codes, places = np.unique(labels.planes, return_inverse=True)
    kind = np.uint8 if codes.size <= 256 else np.uint16
    planes = places.reshape(labels.planes.shape).astype(kind)
    planes[:, 1:] = np.bitwise_xor(planes[:, 1:], planes[:, :-1])
    arrays = {"planes": planes, "codes": codes.astype(np.uint16), "whole": labels.whole.astype(np.uint16)}
    return script_data.format_script(script_data.pack_arrays(f"labels/{row:06d}", {"size": list(labels.shape)}, arrays))


def read_label_script(path: Path, concepts: int) -> Labels:
    """Read a file that a report keeps.

    Args:
        path: the file.
        concepts: number of concepts C of the probe set.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it holds no labels of so many concepts.
    """
    labels = decode_label_script(cache_owner.read(path).decode("ascii"))
    codes = np.concatenate([labels.planes.ravel(), labels.whole])
    if codes.size and not 0 <= codes.min() <= codes.max() <= concepts:
        raise ValueError(f"expected labels from 0 to {concepts}")
    return labels


def decode_label_script(text: str) -> Labels:
    """Read what `encode_label_script` wrote.

    Raises:
        ValueError: if the file is no such thing.
    """
    _, facts, arrays = script_data.unpack_script(text)
    try:
        places = np.bitwise_xor.accumulate(arrays["planes"], axis=1)
        planes = arrays["codes"][places].astype(np.uint16).reshape(places.shape[0], *facts["size"])
        if planes.ndim != 3 or arrays["whole"].ndim != 1:
            raise ValueError("expected the labels of an image")
        return Labels(planes, arrays["whole"].astype(np.int64))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"expected the labels of a picture ({error})") from error
