"""Words as concepts: an open-vocabulary network, asked for them, as a function from a picture to labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from netdissect.errors import SettingsError
from netdissect.models.hooks import evaluating
from netdissect.models.segmenters import Labelling, fingerprint, placed, pretrained, scaled, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The open-vocabulary network that is taken if none is named.
CLIPSEG = "hf:CIDAS/clipseg-rd64-refined"

_WORDS_AT_ONCE = 16


def words(concepts: Sequence[str], *, model: str = CLIPSEG, threshold: float = 0.5, device: str = "auto") -> Labelling:
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
    asked_for(concepts)
    name = model.removeprefix("hf:")
    share(threshold)
    placed(device)
    network = pretrained("CLIPSegForImageSegmentation", name)
    return WordSegmenter(
        network, pretrained("AutoProcessor", name), concepts, name=name, threshold=threshold, device=device
    )


def asked_for(concepts: Sequence[str]) -> list[str]:
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


class WordSegmenter:
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
        self.classes = asked_for(concepts)
        self._device = placed(device)
        self._model = model.to(self._device)
        self._processor = processor
        self._threshold = share(threshold)
        self.about = (
            f"the open-vocabulary network {name}, asked for {len(self.classes)} words; a pixel carries a word from a "
            f"probability of {self._threshold:g} on"
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        return fingerprint(self._model, self.classes, self._threshold)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of a picture, (p, h, w), the likeliest word of every pixel first."""
        parts = []
        with evaluating(self._model), torch.no_grad():
            for start in range(0, len(self.classes), _WORDS_AT_ONCE):
                some = self.classes[start : start + _WORDS_AT_ONCE]
                inputs = self._processor(text=some, images=[picture] * len(some), padding=True, return_tensors="pt")
                logits = self._model(**inputs.to(self._device)).logits
                parts.append(logits.reshape(len(some), *logits.shape[-2:]))
        chances = scaled(torch.cat(parts)[None].float(), picture.shape)[0].sigmoid()
        return ranked(chances.cpu().numpy(), self._threshold)


def ranked(chances: NDArray[np.floating[Any]], threshold: float) -> NDArray[np.uint16]:
    """Return planes of labels, (p, h, w): in plane i every pixel's i-th likeliest class, if it is likely enough.

    Args:
        chances: probability of every class at every pixel, shape (C, h, w).
        threshold: the least probability.

    Example:
        >>> ranked(np.array([[[0.9, 0.1]], [[0.7, 0.2]]]), 0.5).tolist()
        [[[1, 0]], [[2, 0]]]
    """
    order = np.argsort(-chances, axis=0, kind="stable")
    sorted_chances = np.take_along_axis(chances, order, axis=0)
    planes = np.where(sorted_chances >= threshold, order + 1, 0).astype(np.uint16)
    needed = max(1, int((planes > 0).any(axis=(1, 2)).sum()))
    return planes[:needed]


def concepts_of(given: str) -> list[str]:
    """Return the words of ``--concepts``: between commas, or one a line.

    >>> concepts_of("wheel, watermark, zebra stripes")
    ['wheel', 'watermark', 'zebra stripes']
    """
    return [word.strip() for line in given.splitlines() for word in line.split(",") if word.strip()]
