"""Segmentation networks as functions from an image to labels: what ``from-segmenter`` and ``from-words`` are given.

A label is a class's position plus 1; 0 is nothing. Probabilities are scaled to the image before they are compared.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from netdissect.errors import MissingExtraError, ModelError, ModelNotFoundError, SettingsError, root_message
from netdissect.networks import weight_files
from netdissect.networks.fingerprint import hash_tensors
from netdissect.networks.prepare import FORWARD_ERRORS
from netdissect.networks.sources import python
from netdissect.networks.trace.hooks import evaluation_mode
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import Segmenter

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Longest side of a label map, and of an image before a plain torch module sees it.
MAX_LABEL_SIDE = 1024


def load_segmenter(
    model: str, *, classes: Sequence[str] | None = None, threshold: float = 0.0, device: str = "auto"
) -> Segmenter:
    """Return a segmentation network by what is typed for it.

    Args:
        model: ``hf:NAME`` or ``hf:FOLDER`` for a semantic segmentation model of transformers; ``torchvision:NAME``;
            ``python:module:function`` for a function that returns a torch module.
        classes: its classes; needed where the model carries none.
        threshold: probability below which a pixel carries no label.
        device: where it runs: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if the library it needs is not installed.
        SettingsError: if classes are needed and missing, or the threshold or the device is none.
    """
    check_probability(threshold)
    parse_device(device)
    kind, _, name = model.partition(":")
    if kind == "hf" and name:
        network = load_pretrained_part("AutoModelForSemanticSegmentation", name)
        return TransformersSegmenter(
            network, load_pretrained_part("AutoImageProcessor", name), name=name, classes=classes, threshold=threshold,
            device=device,
        )  # fmt: skip
    if kind == "torchvision" and name:
        found, carried = _load_torchvision_segmenter(name)
        return TorchSegmenter(found, classes or carried, name=model, threshold=threshold, device=device)
    if kind == "python" and name:
        if classes is None:
            raise SettingsError(f"{model} carries no class list: give one with --classes")
        return TorchSegmenter(python.call_factory(name), classes, name=model, threshold=threshold, device=device)
    raise ModelNotFoundError(
        f"there is no segmentation model {model!r}: known are hf:NAME, torchvision:NAME and python:module:function"
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
        device: str = "auto",
        mean: Sequence[float] = _MEAN,
        std: Sequence[float] = _STD,
    ) -> None:
        self._device = parse_device(device)
        self._module = module.to(self._device)
        self._threshold = check_probability(threshold)
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        self.classes = list(classes)
        self.about = f"the network {name}{_describe_threshold(self._threshold)}"

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        return segmenter_fingerprint(
            self._module, self.classes, self._threshold, self._mean.tolist(), self._std.tolist()
        )

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of an image."""
        values = (picture.astype(np.float32) / 255 - self._mean) / self._std
        batch = torch.from_numpy(values).permute(2, 0, 1)[None]
        if max(picture.shape[:2]) > MAX_LABEL_SIDE:
            batch = nn.functional.interpolate(
                batch, size=label_map_size(picture.shape), mode="bilinear", align_corners=False, antialias=True
            )
        batch = batch.to(self._device)
        with evaluation_mode(self._module), torch.no_grad():
            scores = _find_scores(_run_module(self._module, batch))
        return _label_pixels(scores, picture.shape, len(self.classes), self._threshold)


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
        device: str = "auto",
    ) -> None:
        self._device = parse_device(device)
        self._model = model.to(self._device)
        self._processor = processor
        self._threshold = check_probability(threshold)
        carried = model.config.id2label
        self.classes = list(classes) if classes is not None else [str(carried[number]) for number in sorted(carried)]
        self.about = f"the network {name}{_describe_threshold(self._threshold)}"

    def fingerprint(self) -> str:
        """Return a hash of everything that decides its labels."""
        settings = getattr(self._processor, "to_json_string", str)()
        return segmenter_fingerprint(self._model, self.classes, self._threshold, settings)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint16]:
        """Return the labels of an image."""
        inputs = self._processor(images=picture, return_tensors="pt").to(self._device)
        with evaluation_mode(self._model), torch.no_grad():
            output = self._model(**inputs)
        return _label_pixels(_find_scores(output), picture.shape, len(self.classes), self._threshold)


def _run_module(module: nn.Module, batch: torch.Tensor) -> Any:
    try:
        return python.call_user_code(module, batch)
    except FORWARD_ERRORS as error:
        raise ModelError(f"the segmenter {type(module).__name__} fails on an image ({root_message(error)})") from error


def _label_pixels(scores: torch.Tensor, size: tuple[int, ...], classes: int, threshold: float) -> NDArray[np.uint16]:
    if scores.shape[1] != classes:
        raise SettingsError(f"the network scores {scores.shape[1]} classes, and the class list has {classes}")
    chances = resize_scores(scores.float(), size).softmax(dim=1)
    best, labels = chances[0].max(dim=0)
    found: NDArray[np.uint16] = torch.where(best >= threshold, labels + 1, 0).cpu().numpy().astype(np.uint16)
    return found


def resize_scores(scores: torch.Tensor, picture: tuple[int, ...]) -> torch.Tensor:
    """Return scores (B, C, h, w) at the size of an image (h, w, …), or as large as label maps may be."""
    return nn.functional.interpolate(scores, size=label_map_size(picture), mode="bilinear", align_corners=False)


def label_map_size(picture: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the label maps of an image (h, w, …): its own, up to `MAX_LABEL_SIDE`.

    >>> label_map_size((480, 640, 3)), label_map_size((3000, 4000, 3))
    ((480, 640), (768, 1024))
    """
    height, width = picture[:2]
    shrink = min(1.0, MAX_LABEL_SIDE / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _find_scores(output: Any) -> torch.Tensor:
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


def parse_device(device: str) -> torch.device:
    """Return a device by its name; ``auto`` takes the first GPU if there is one.

    Raises:
        SettingsError: if it is none, or not here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(f"--device must be auto, cpu, cuda or cuda:N, not {device!r}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f"--device {device} was asked for, and torch sees no CUDA device here: use --device cpu")
    return found


def check_probability(threshold: float) -> float:
    """Return a threshold that is a probability, or refuse it."""
    if not 0 <= threshold <= 1:
        raise SettingsError(f"--threshold is a probability between 0 and 1, not {threshold}")
    return threshold


def _describe_threshold(threshold: float) -> str:
    return f"; pixels below a probability of {threshold:g} carry no label" if threshold else ""


def segmenter_fingerprint(module: nn.Module, *settings: object) -> str:
    """Return a hash of a module's weights and of settings."""
    hashed = hashlib.blake2b(repr(settings).encode(), digest_size=16)
    hash_tensors(hashed, module.state_dict())
    return hashed.hexdigest()


def load_pretrained_part(kind: str, name: str) -> Any:
    """Load a part of a transformers model: one sentence if it cannot be, and no bars where nobody is watching.

    Args:
        kind: its class, such as ``AutoImageProcessor``.
        name: a name on the hub, or a folder.

    Raises:
        MissingExtraError: if the class cannot be imported; transformers imports its parts when they are asked for.
        ModelNotFoundError: if there is no such model.
    """
    library = import_optional("transformers", extra="hf", purpose="for models of transformers")
    if not sys.stderr.isatty():
        library.logging.disable_progress_bar()
    if Path(name).is_dir():
        weight_files.check_model_folder(Path(name))
    try:
        with weight_files.safe_torch_load():
            return getattr(library, kind).from_pretrained(name)
    except ModelError:
        raise
    except ImportError as error:
        raise MissingExtraError(
            f"transformers is installed, but its {kind} cannot be imported ({root_message(error)}): check that the versions of torch "
            f"and torchvision fit each other"
        ) from error
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFoundError(
            f"transformers cannot load {name!r}: expected a folder or a name on the hub ({root_message(error)})"
        ) from error


def _load_torchvision_segmenter(name: str) -> tuple[nn.Module, Sequence[str]]:
    library = import_optional("torchvision", extra="torchvision", purpose="for torchvision: segmentation models").models
    if name not in library.list_models(module=library.segmentation):
        raise ModelNotFoundError(
            f"torchvision has no segmentation model {name!r}: choose from "
            f"{', '.join(library.list_models(module=library.segmentation))}"
        )
    weights = library.get_model_weights(name).DEFAULT
    try:
        with weight_files.safe_torch_load():
            return library.get_model(name, weights=weights), weights.meta["categories"]
    except ModelError:
        raise
    except (OSError, RuntimeError) as error:
        raise ModelNotFoundError(f"the weights of torchvision's {name} could not be fetched ({error})") from error
