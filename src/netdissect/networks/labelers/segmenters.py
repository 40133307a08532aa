"""Segmentation networks that label images for the importers ``from-segmenter`` and ``from-words``.

Class n of the list has label n + 1; 0 means no label. Probabilities are resized to the image before the most probable class
is chosen.
"""

from __future__ import annotations

import hashlib
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from netdissect.errors import MissingExtraError, ModelError, ModelNotFoundError, SettingsError, root_message
from netdissect.networks import weight_files
from netdissect.networks.fingerprint import hash_tensors
from netdissect.networks.module_copies import FORWARD_ERRORS
from netdissect.networks.sources import python
from netdissect.networks.trace.hooks import evaluation_mode
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.protocols import Segmenter

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: Longest side in pixels of a label map, and of the input of a torch module.
MAX_LABEL_SIDE = 1024


def load_segmenter(
    model: str, *, classes: Sequence[str] | None = None, threshold: float = 0.0, device: str = "auto"
) -> Segmenter:
    """Load a segmentation network by name.

    Args:
        model: ``hf:NAME`` or ``hf:FOLDER`` for a semantic segmentation model of transformers, ``torchvision:NAME``, or
            ``python:module:function`` for a function that returns a ``torch.nn.Module``.
        classes: names of its classes; needed if the model has no list of its own.
        threshold: pixels below this probability get no label.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        ModelNotFoundError: if there is no such model.
        MissingExtraError: if the library that it needs is not installed.
        SettingsError: if classes are needed and missing, or if the threshold or the device is invalid.
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
        module, categories = _load_torchvision_segmenter(name)
        return TorchSegmenter(module, classes or categories, name=model, threshold=threshold, device=device)
    if kind == "python" and name:
        if classes is None:
            raise SettingsError(f"{model} has no class list: give one with --classes")
        return TorchSegmenter(python.call_factory(name), classes, name=model, threshold=threshold, device=device)
    raise ModelNotFoundError(
        f"there is no segmentation model {model!r}: expected hf:NAME, torchvision:NAME or python:module:function"
    )


class LoadedSegmenter(ABC):
    """Base class of segmenters that run a module; its weights and settings determine the labels.

    Attributes:
        classes: names of label 1, 2, ….
        about: description of the network, for README.txt.
    """

    about: str

    def __init__(
        self, module: Any, classes: Sequence[str], *, threshold: float, device: str, settings: Sequence[object] = ()
    ) -> None:
        self._device = parse_device(device)
        self._module = module.to(self._device)
        self._threshold = check_probability(threshold)
        self._settings = settings
        self.classes = list(classes)

    def fingerprint(self) -> str:
        """Return a hash of everything that the labels depend on."""
        settings = (self.classes, self._threshold, *self._settings)
        hashed = hashlib.blake2b(repr(settings).encode(), digest_size=16)
        hash_tensors(hashed, self._module.state_dict())
        return hashed.hexdigest()

    @abstractmethod
    def __call__(self, image: NDArray[np.uint8], /) -> NDArray[np.uint16]:
        """Return the label map of an image, RGB, shape (H, W, 3)."""


class TorchSegmenter(LoadedSegmenter):
    """Any torch module that returns scores of shape (B, C, h, w), alone or as ``out`` or ``logits``."""

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
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)
        settings = (self._mean.tolist(), self._std.tolist())
        super().__init__(module, classes, threshold=threshold, device=device, settings=settings)
        self.about = f"the network {name}{_describe_threshold(threshold)}"

    def __call__(self, image: NDArray[np.uint8], /) -> NDArray[np.uint16]:
        """Return the label map of an image, RGB, shape (H, W, 3)."""
        values = (image.astype(np.float32) / 255 - self._mean) / self._std
        batch = torch.from_numpy(values).permute(2, 0, 1)[None]
        if max(image.shape[:2]) > MAX_LABEL_SIDE:
            batch = nn.functional.interpolate(
                batch, size=compute_label_map_size(image.shape), mode="bilinear", align_corners=False, antialias=True
            )
        batch = batch.to(self._device)
        with evaluation_mode(self._module), torch.no_grad():
            scores = _find_scores(_run_module(self._module, batch))
        return _label_pixels(scores, image.shape, len(self.classes), self._threshold)


class TransformersSegmenter(LoadedSegmenter):
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
        names = model.config.id2label
        own = [str(names[number]) for number in sorted(names)]
        settings = (getattr(processor, "to_json_string", str)(),)
        super().__init__(
            model, own if classes is None else classes, threshold=threshold, device=device, settings=settings
        )
        self._processor = processor
        self.about = f"the network {name}{_describe_threshold(threshold)}"

    def __call__(self, image: NDArray[np.uint8], /) -> NDArray[np.uint16]:
        """Return the label map of an image, RGB, shape (H, W, 3)."""
        inputs = self._processor(images=image, return_tensors="pt").to(self._device)
        with evaluation_mode(self._module), torch.no_grad():
            output = self._module(**inputs)
        return _label_pixels(_find_scores(output), image.shape, len(self.classes), self._threshold)


def _run_module(module: nn.Module, batch: torch.Tensor) -> Any:
    try:
        return python.call_user_code(module, batch)
    except FORWARD_ERRORS as error:
        raise ModelError(f"the segmenter {type(module).__name__} fails on an image ({root_message(error)})") from error


def _label_pixels(scores: torch.Tensor, size: tuple[int, ...], classes: int, threshold: float) -> NDArray[np.uint16]:
    if scores.shape[1] != classes:
        raise SettingsError(f"the network scores {scores.shape[1]} classes, and the class list has {classes}")
    probabilities = resize_scores(scores.float(), size).softmax(dim=1)
    best, classes_of_pixels = probabilities[0].max(dim=0)
    labels: NDArray[np.uint16] = (
        torch.where(best >= threshold, classes_of_pixels + 1, 0).cpu().numpy().astype(np.uint16)
    )
    return labels


def resize_scores(scores: torch.Tensor, image: tuple[int, ...]) -> torch.Tensor:
    """Resize scores (B, C, h, w) to the label map of an image of shape (H, W, …)."""
    return nn.functional.interpolate(scores, size=compute_label_map_size(image), mode="bilinear", align_corners=False)


def compute_label_map_size(image: tuple[int, ...]) -> tuple[int, int]:
    """Return height and width of the label map of an image of shape (H, W, …): its own, up to `MAX_LABEL_SIDE`.

    >>> compute_label_map_size((480, 640, 3)), compute_label_map_size((3000, 4000, 3))
    ((480, 640), (768, 1024))
    """
    height, width = image[:2]
    shrink = min(1.0, MAX_LABEL_SIDE / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _find_scores(output: Any) -> torch.Tensor:
    """Return the scores (B, C, h, w) in a network's output."""
    if isinstance(output, torch.Tensor):
        found: Any = output
    elif hasattr(output, "get"):
        found = next((output[key] for key in ("out", "logits") if output.get(key) is not None), None)
    else:
        found = getattr(output, "logits", None)
    if not isinstance(found, torch.Tensor) or found.ndim != 4:
        raise ModelError(
            "the network returns no scores of shape (images, classes, h, w): it is not a network for semantic segmentation"
        )
    return found


def parse_device(device: str) -> torch.device:
    """Return a device by its name; ``auto`` is the first GPU if there is one.

    Raises:
        SettingsError: if there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SettingsError(f"--device must be auto, cpu, cuda or cuda:N, not {device!r}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f"--device {device} was requested, but torch sees no CUDA device here: use --device cpu")
    return found


def check_probability(threshold: float) -> float:
    """Return a threshold; raise SettingsError if it is not a probability."""
    if not 0 <= threshold <= 1:
        raise SettingsError(f"--threshold is a probability between 0 and 1, not {threshold}")
    return threshold


def _describe_threshold(threshold: float) -> str:
    return f"; pixels below a probability of {threshold:g} get no label" if threshold else ""


def load_pretrained_part(kind: str, name: str) -> Any:
    """Load a model or processor of transformers; progress bars are shown on a terminal only.

    Args:
        kind: its class, such as ``AutoImageProcessor``.
        name: a name on the hub, or a folder.

    Raises:
        MissingExtraError: if the class cannot be imported.
        ModelNotFoundError: if there is no such model.
    """
    library = import_optional("transformers", extra="hf", purpose="for models of transformers")
    if not sys.stderr.isatty():
        library.logging.disable_progress_bar()
    if Path(name).is_dir():
        weight_files.check_model_folder(Path(name))
    try:
        with weight_files.replace_torch_load():
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
        with weight_files.replace_torch_load():
            return library.get_model(name, weights=weights), weights.meta["categories"]
    except ModelError:
        raise
    except (OSError, RuntimeError) as error:
        raise ModelNotFoundError(f"the weights of torchvision's {name} could not be downloaded ({error})") from error
