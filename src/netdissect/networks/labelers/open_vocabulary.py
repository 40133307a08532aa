"""Words as concepts: an open-vocabulary network, asked for them, as a function from an image to labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.errors import SettingsError
from netdissect.networks.labelers.segmenters import (
    check_probability,
    load_pretrained_part,
    parse_device,
    resize_scores,
    segmenter_fingerprint,
)
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import Segmenter

#: The open-vocabulary network that is taken if none is named.
CLIPSEG = "hf:CIDAS/clipseg-rd64-refined"

_CONCEPTS_PER_BATCH = 16


def load_open_vocabulary(
    concepts: Sequence[str], *, model: str = CLIPSEG, threshold: float = 0.5, device: str = "auto"
) -> Segmenter:
    """Return an open-vocabulary network, asked for some words.

    Args:
        concepts: the words.
        model: a CLIPSeg model, ``hf:NAME`` or ``hf:FOLDER``.
        threshold: probability from which a pixel carries a word.
        device: where it runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if transformers is not installed.
        SettingsError: if there is no word, or one stands twice; or the threshold or the device is none.
    """
    check_concepts(concepts)
    name = model.removeprefix("hf:")
    check_probability(threshold)
    parse_device(device)
    network = load_pretrained_part("CLIPSegForImageSegmentation", name)
    return OpenVocabularySegmenter(
        network, load_pretrained_part("AutoProcessor", name), concepts, name=name, threshold=threshold, device=device
    )


def check_concepts(concepts: Sequence[str]) -> list[str]:
    """Return words with single spaces.

    Raises:
        SettingsError: if there is none, or one stands twice.
    """
    words = [" ".join(concept.split()) for concept in concepts]
    if not words or not all(words) or len(set(words)) < len(words):
        raise SettingsError(
            "--concepts wants words with commas between them, each once: 'wheel, watermark, zebra stripes'"
        )
    return words


class OpenVocabularySegmenter:
    """CLIPSeg, asked for words. A pixel may carry several: each further one goes to a further plane."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        concepts: Sequence[str],
        *,
        name: str,
        threshold: float = 0.5,
        device: str = "auto",
    ) -> None:
        self.classes = check_concepts(concepts)
        self._device = parse_device(device)
        self._model = model.to(self._device)
        self._processor = processor
        self._threshold = check_probability(threshold)
        self.about = (
            f"the open-vocabulary network {name}, asked for {len(self.classes)} words; a pixel carries a word from a "
            f"probability of {self._threshold:g} on"
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        return segmenter_fingerprint(self._model, self.classes, self._threshold)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of an image, (p, h, w), the likeliest word of every pixel first."""
        parts = []
        with evaluation_mode(self._model), torch.no_grad():
            for start in range(0, len(self.classes), _CONCEPTS_PER_BATCH):
                some = self.classes[start : start + _CONCEPTS_PER_BATCH]
                inputs = self._processor(text=some, images=[picture] * len(some), padding=True, return_tensors="pt")
                logits = self._model(**inputs.to(self._device)).logits
                parts.append(logits.reshape(len(some), *logits.shape[-2:]))
        chances = resize_scores(torch.cat(parts)[None].float(), picture.shape)[0].sigmoid()
        return rank_labels(chances.cpu().numpy(), self._threshold)


def rank_labels(chances: NDArray[np.floating[Any]], threshold: float) -> NDArray[np.uint16]:
    """Return planes of labels, (p, h, w): in plane i every pixel's i-th likeliest class, if it is likely enough.

    Args:
        chances: probability of every class at every pixel, shape (C, h, w).
        threshold: the least probability.

    Example:
        >>> rank_labels(np.array([[[0.9, 0.1]], [[0.7, 0.2]]]), 0.5).tolist()
        [[[1, 0]], [[2, 0]]]
    """
    order = np.argsort(-chances, axis=0, kind="stable")
    sorted_chances = np.take_along_axis(chances, order, axis=0)
    planes = np.where(sorted_chances >= threshold, order + 1, 0).astype(np.uint16)
    needed = max(1, int((planes > 0).any(axis=(1, 2)).sum()))
    return planes[:needed]


def parse_concepts(given: str) -> list[str]:
    """Return the words of ``--concepts``: between commas, or one a line.

    >>> parse_concepts("wheel, watermark, zebra stripes")
    ['wheel', 'watermark', 'zebra stripes']
    """
    return [word.strip() for line in given.splitlines() for word in line.split(",") if word.strip()]
