"""Open-vocabulary segmentation networks, which label images with any list of concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.errors import SettingsError
from netdissect.networks.labelers.segmenters import (
    LoadedSegmenter,
    check_probability,
    load_pretrained_part,
    parse_device,
    resize_scores,
)
from netdissect.networks.trace.hooks import evaluation_mode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import Segmenter

#: The default model.
CLIPSEG = "hf:CIDAS/clipseg-rd64-refined"

_CONCEPTS_PER_BATCH = 16


def load_open_vocabulary(
    concepts: Sequence[str], *, model: str = CLIPSEG, threshold: float = 0.5, device: str = "auto"
) -> Segmenter:
    """Load an open-vocabulary network that labels some concepts.

    Args:
        concepts: words, such as ``["wheel", "zebra stripes"]``.
        model: a CLIPSeg model, ``hf:NAME`` or ``hf:FOLDER``.
        threshold: smallest probability at which a pixel gets a concept.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if transformers is not installed.
        SettingsError: if there is no concept, if one is given twice, or if the threshold or the device is invalid.
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
    """Return concepts with single spaces between their words.

    Raises:
        SettingsError: if there is none, or if one is given twice.
    """
    words = [" ".join(concept.split()) for concept in concepts]
    if not words or not all(words) or len(set(words)) < len(words):
        raise SettingsError("--concepts takes words separated by commas, each once: 'wheel, watermark, zebra stripes'")
    return words


class OpenVocabularySegmenter(LoadedSegmenter):
    """CLIPSeg with a list of concepts. A pixel may have several, so an image may have several label maps."""

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
        super().__init__(model, check_concepts(concepts), threshold=threshold, device=device)
        self._processor = processor
        self.about = (
            f"the open-vocabulary network {name}, with {len(self.classes)} concepts; a pixel gets a concept if "
            f"its probability is at least {threshold:g}"
        )

    def __call__(self, image: NDArray[np.uint8], /) -> NDArray[np.uint16]:
        """Return the label maps of an image, shape (p, h, w), the most probable concept of every pixel first."""
        parts = []
        with evaluation_mode(self._module), torch.no_grad():
            for start in range(0, len(self.classes), _CONCEPTS_PER_BATCH):
                some = self.classes[start : start + _CONCEPTS_PER_BATCH]
                inputs = self._processor(text=some, images=[image] * len(some), padding=True, return_tensors="pt")
                logits = self._module(**inputs.to(self._device)).logits
                parts.append(logits.reshape(len(some), *logits.shape[-2:]))
        probabilities = resize_scores(torch.cat(parts)[None].float(), image.shape)[0].sigmoid()
        return rank_labels(probabilities.cpu().numpy(), self._threshold)


def rank_labels(probabilities: NDArray[np.floating[Any]], threshold: float) -> NDArray[np.uint16]:
    """Return label maps, shape (p, h, w); map i has every pixel's i-th most probable class, or 0 below the threshold.

    Args:
        probabilities: of every class at every pixel, shape (C, h, w).
        threshold: smallest probability of a label.

    Example:
        >>> rank_labels(np.array([[[0.9, 0.1]], [[0.7, 0.2]]]), 0.5).tolist()
        [[[1, 0]], [[2, 0]]]
    """
    order = np.argsort(-probabilities, axis=0, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=0)
    maps = np.where(ranked >= threshold, order + 1, 0).astype(np.uint16)
    used = max(1, int((maps > 0).any(axis=(1, 2)).sum()))
    return maps[:used]


def parse_concepts(text: str) -> list[str]:
    """Return the concepts of ``--concepts``, separated by commas or lines.

    >>> parse_concepts("wheel, watermark, zebra stripes")
    ['wheel', 'watermark', 'zebra stripes']
    """
    return [word.strip() for line in text.splitlines() for word in line.split(",") if word.strip()]
