"""Segmentation networks as functions from a picture to labels: what ``from-segmenter`` and ``from-words`` are given.

A label is a class's position plus 1; 0 is nothing. Probabilities are scaled to the picture before they are compared.
"""

from __future__ import annotations

import hashlib
import importlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import nn

from netdissect.errors import ModelError, ModelNotFoundError, SettingsError
from netdissect.models.hooks import evaluating
from netdissect.optional import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

#: The open-vocabulary network that is taken if none is named.
CLIPSEG = "hf:CIDAS/clipseg-rd64-refined"

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WORDS_AT_ONCE = 16


class Labelling(Protocol):
    """A network that labels pixels."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of label 1, 2, …."""
        ...

    @property
    def about(self) -> str:
        """A sentence that says which network it is."""
        ...

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        ...

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of a picture (h, w, 3), shape (h, w) or (p, h, w)."""
        ...


def segmenter(
    model: str, *, classes: Sequence[str] | None = None, threshold: float = 0.0, device: str = "cpu"
) -> Labelling:
    """Return a segmentation network by what is typed for it.

    Args:
        model: ``hf:NAME`` or ``hf:FOLDER`` for a semantic segmentation model of transformers; ``torchvision:NAME``;
            ``python:module:function`` for a function that returns a torch module.
        classes: its classes; needed where the model carries none.
        threshold: probability below which a pixel carries no label.
        device: where it runs.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if the library it needs is not installed.
        SettingsError: if classes are needed and missing, or the threshold is none.
    """
    kind, _, name = model.partition(":")
    if kind == "hf" and name:
        library = require("transformers", extra="hf", purpose="for hf: segmentation models")
        network = _pretrained(library.AutoModelForSemanticSegmentation, name)
        return TransformersSegmenter(
            network, _pretrained(library.AutoImageProcessor, name), name=name, classes=classes, threshold=threshold,
            device=device,
        )  # fmt: skip
    if kind == "torchvision" and name:
        found, carried = _torchvision(name)
        return TorchSegmenter(found, classes or carried, name=model, threshold=threshold, device=device)
    if kind == "python" and name:
        if classes is None:
            raise SettingsError(f"{model} carries no class list: give one with --classes")
        return TorchSegmenter(_python(name), classes, name=model, threshold=threshold, device=device)
    raise ModelNotFoundError(
        f"there is no segmentation model {model!r}: known are hf:NAME, torchvision:NAME and python:module:function"
    )


def words(concepts: Sequence[str], *, model: str = CLIPSEG, threshold: float = 0.5, device: str = "cpu") -> Labelling:
    """Return an open-vocabulary network, asked for some words.

    Args:
        concepts: the words.
        model: a CLIPSeg model, ``hf:NAME`` or ``hf:FOLDER``.
        threshold: probability from which a pixel carries a word.
        device: where it runs.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if transformers is not installed.
        SettingsError: if there is no word, or one stands twice.
    """
    library = require("transformers", extra="hf", purpose="for words as concepts")
    name = model.removeprefix("hf:")
    network = _pretrained(library.CLIPSegForImageSegmentation, name)
    return WordSegmenter(
        network, _pretrained(library.AutoProcessor, name), concepts, name=name, threshold=threshold, device=device
    )


class TorchSegmenter:
    """Any torch module that gives scores of shape (B, C, h, w), bare or as ``out`` or ``logits``."""

    def __init__(
        self,
        module: nn.Module,
        classes: Sequence[str],
        *,
        name: str,
        threshold: float = 0.0,
        device: str = "cpu",
        mean: Sequence[float] = _MEAN,
        std: Sequence[float] = _STD,
    ) -> None:
        self._module = module.to(device)
        self._device = torch.device(device)
        self._threshold = _share(threshold)
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        self.classes = list(classes)
        self.about = f"the network {name}{_told(self._threshold)}"

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        return _fingerprint(self._module, self.classes, self._threshold, self._mean.tolist(), self._std.tolist())

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of a picture."""
        values = (picture.astype(np.float32) / 255 - self._mean) / self._std
        batch = torch.from_numpy(values).permute(2, 0, 1)[None].to(self._device)
        with evaluating(self._module), torch.no_grad():
            scores = _scores(self._module(batch))
        return _best(scores, picture.shape[:2], len(self.classes), self._threshold)


class TransformersSegmenter:
    """A semantic segmentation model of transformers and its image processor."""

    def __init__(
        self,
        model: Any,
        processor: Any,
        *,
        name: str,
        classes: Sequence[str] | None = None,
        threshold: float = 0.0,
        device: str = "cpu",
    ) -> None:
        self._model = model.to(device)
        self._processor = processor
        self._device = device
        self._threshold = _share(threshold)
        carried = model.config.id2label
        self.classes = list(classes) if classes is not None else [str(carried[number]) for number in sorted(carried)]
        self.about = f"the network {name}{_told(self._threshold)}"

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        settings = getattr(self._processor, "to_json_string", str)()
        return _fingerprint(self._model, self.classes, self._threshold, settings)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of a picture."""
        inputs = self._processor(images=picture, return_tensors="pt").to(self._device)
        with evaluating(self._model), torch.no_grad():
            output = self._model(**inputs)
        return _best(_scores(output), picture.shape[:2], len(self.classes), self._threshold)


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
        device: str = "cpu",
    ) -> None:
        self.classes = [" ".join(concept.split()) for concept in concepts]
        if not all(self.classes) or not self.classes or len(set(self.classes)) < len(self.classes):
            raise SettingsError(
                "--concepts wants words with commas between them, each once: 'wheel, watermark, zebra stripes'"
            )
        self._model = model.to(device)
        self._processor = processor
        self._device = device
        self._threshold = _share(threshold)
        self.about = (
            f"the open-vocabulary network {name}, asked for {len(self.classes)} words; a pixel carries a word from a "
            f"probability of {self._threshold:g} on"
        )

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        return _fingerprint(self._model, self.classes, self._threshold)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of a picture, (p, h, w), the likeliest word of every pixel first."""
        parts = []
        with evaluating(self._model), torch.no_grad():
            for start in range(0, len(self.classes), _WORDS_AT_ONCE):
                some = self.classes[start : start + _WORDS_AT_ONCE]
                inputs = self._processor(text=some, images=[picture] * len(some), padding=True, return_tensors="pt")
                logits = self._model(**inputs.to(self._device)).logits
                parts.append(logits.reshape(len(some), *logits.shape[-2:]))
        chances = _scaled(torch.cat(parts)[None].float(), picture.shape[:2])[0].sigmoid()
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


def _best(scores: torch.Tensor, size: tuple[int, ...], classes: int, threshold: float) -> NDArray[np.uint16]:
    if scores.shape[1] != classes:
        raise SettingsError(f"the network scores {scores.shape[1]} classes, and the class list has {classes}")
    chances = _scaled(scores.float(), size).softmax(dim=1)
    best, labels = chances[0].max(dim=0)
    found: NDArray[np.uint16] = torch.where(best >= threshold, labels + 1, 0).cpu().numpy().astype(np.uint16)
    return found


def _scaled(scores: torch.Tensor, size: tuple[int, ...]) -> torch.Tensor:
    return nn.functional.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)


def _scores(output: Any) -> torch.Tensor:
    """Return the scores (B, C, h, w) in whatever a network gives."""
    if isinstance(output, torch.Tensor):
        found: Any = output
    elif hasattr(output, "get"):
        found = next((output[key] for key in ("out", "logits") if output.get(key) is not None), None)
    else:
        found = getattr(output, "logits", None)
    if not isinstance(found, torch.Tensor) or found.ndim != 4:
        raise ModelError("the network gives no scores of shape (pictures, classes, h, w): it is no semantic segmenter")
    return found


def _share(threshold: float) -> float:
    if not 0 <= threshold <= 1:
        raise SettingsError(f"--threshold is a probability between 0 and 1, not {threshold}")
    return threshold


def _told(threshold: float) -> str:
    return f"; pixels below a probability of {threshold:g} carry no label" if threshold else ""


def _fingerprint(module: nn.Module, *settings: object) -> str:
    hashed = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    for name, tensor in sorted(module.state_dict().items()):
        hashed.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        data = tensor.detach().cpu().contiguous().reshape(-1)
        hashed.update(data.view(torch.uint8).numpy().tobytes() if data.numel() else b"")
    return hashed.hexdigest()


def _pretrained(kind: Any, name: str) -> Any:
    try:
        return kind.from_pretrained(name)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelNotFoundError(
            f"transformers cannot load {name!r}: expected a folder or a name on the hub ({reason})"
        ) from error


def _torchvision(name: str) -> tuple[nn.Module, Sequence[str]]:
    library = require("torchvision", extra="torchvision", purpose="for torchvision: segmentation models").models
    if name not in library.list_models(module=library.segmentation):
        raise ModelNotFoundError(
            f"torchvision has no segmentation model {name!r}: choose from "
            f"{', '.join(library.list_models(module=library.segmentation))}"
        )
    weights = library.get_model_weights(name).DEFAULT
    try:
        return library.get_model(name, weights=weights), weights.meta["categories"]
    except (OSError, RuntimeError) as error:
        raise ModelNotFoundError(f"the weights of torchvision's {name} could not be fetched ({error})") from error


def _python(spec: str) -> nn.Module:
    module, _, function = spec.partition(":")
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ModelNotFoundError(f"python:{spec}: expected python:module:function ({error})") from error
    if not isinstance(made, nn.Module):
        raise ModelError(f"python:{spec} returned {type(made).__name__}: expected a torch.nn.Module")
    return made


def concepts_of(given: str) -> list[str]:
    """Return the words of ``--concepts``: between commas, or one a line.

    >>> concepts_of("wheel, watermark, zebra stripes")
    ['wheel', 'watermark', 'zebra stripes']
    """
    return [word.strip() for line in given.splitlines() for word in line.split(",") if word.strip()]
