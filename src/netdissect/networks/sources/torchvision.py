"""``torchvision:NAME``: architectures of torchvision, with torchvision's weights, your own or random ones."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import ModelError, ModelFileError, ModelNotFoundError, root_message, suggest_nearest
from netdissect.networks import checkpoints, weight_files
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.torch_network import TorchNetwork
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from netdissect.networks.load_options import LoadOptions


def load_torchvision(name: str, options: LoadOptions) -> TorchNetwork:
    """Return an architecture of torchvision as a network; `build_torchvision` documents its weights."""
    module, preprocess, size = build_torchvision(name, options.weights, options.seed)
    source = f"torchvision:{name}" + (f" --weights {options.weights}" if options.weights else "")
    preprocess = override_preprocess(preprocess, options)
    classes = read_torchvision_classes(name, options.weights)
    return TorchNetwork(module, preprocess=preprocess, name=name, source=source, input_size=size, classes=classes)


def read_torchvision_classes(name: str, weights: str | None) -> tuple[str, ...] | None:
    """Return the names of the class outputs of torchvision's own weights; None for other weights, and for other tasks.

    Args:
        name: of the architecture.
        weights: as for `build_torchvision`.
    """
    library = import_optional("torchvision", extra="torchvision", purpose="for torchvision: models").models
    named = library.get_model_weights(name)
    chosen = getattr(named, "DEFAULT", None) if weights is None else named.__members__.get(weights)
    names = () if chosen is None else chosen.meta.get("categories", ())
    tasks = ("detection", "segmentation", "video", "optical_flow")
    is_classifier = not any(f".{task}." in f"{library.get_model_builder(name).__module__}." for task in tasks)
    return tuple(names) if names and is_classifier else None


def build_torchvision(name: str, weights: str | None, seed: int) -> tuple[nn.Module, Preprocess, tuple[int, int]]:
    """Build an architecture of torchvision.

    Args:
        name: such as ``resnet18``.
        weights: None for torchvision's default weights, a name (``IMAGENET1K_V1``), a state dict file, or ``random``.
        seed: of random weights.

    Returns:
        the module, its preprocessing, and the height and width of its training images.

    Raises:
        MissingExtraError: if torchvision is not installed.
        ModelNotFoundError: if it has no such architecture, or its weights cannot be downloaded.
        ModelFileError: if the state dict does not fit.
    """
    library = import_optional("torchvision", extra="torchvision", purpose="for torchvision: models").models
    if name not in library.list_models():
        raise ModelNotFoundError(f"torchvision has no model {name!r}: {suggest_nearest(name, library.list_models())}")
    named = library.get_model_weights(name)
    default = getattr(named, "DEFAULT", None)
    if weights is None or weights in named.__members__:
        chosen = default if weights is None else named[weights]
        if chosen is None:
            raise ModelNotFoundError(
                f"torchvision has no weights for {name}: give a state dict with --weights FILE, or --weights random"
            )
        try:
            with weight_files.replace_torch_load():
                return library.get_model(name, weights=chosen), *_read_transforms(chosen)
        except ModelError:
            raise
        except (OSError, RuntimeError) as error:
            raise ModelNotFoundError(
                f"the weights of torchvision's {name} could not be downloaded ({root_message(error)}): give a state dict with "
                f"--weights FILE, or --weights random"
            ) from error
    if weights == "random":
        return _build_random(library, name, seed), *_read_transforms(default)
    try:
        return _build_from_file(library, name, Path(weights)), *_read_transforms(default)
    except ModelNotFoundError as error:
        others = f"; its own weights are {', '.join(named.__members__)}" if named.__members__ else ""
        raise ModelNotFoundError(f"{error}{others}") from error


def call_with_seed(seed: int, make: Callable[[], Any]) -> Any:
    """Call a function with torch's random numbers seeded, and restore their state afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _build_random(library: Any, name: str, seed: int, **options: Any) -> nn.Module:
    """Build an architecture with random weights, also in its backbone, for which some would download weights."""
    if "weights_backbone" in inspect.signature(library.get_model_builder(name)).parameters:
        options["weights_backbone"] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # old architectures warn that their random weights may change
        module: nn.Module = call_with_seed(seed, lambda: library.get_model(name, weights=None, **options))
    return module


def _build_from_file(library: Any, name: str, path: Path) -> nn.Module:
    """Build the architecture with the file's number of classes, and without auxiliary heads if the file has none."""
    checkpoint = checkpoints.read_checkpoint(path)
    module = _build_random(library, name, 0)
    classes = checkpoints.count_classes(checkpoint, module)
    options: dict[str, Any] = {} if classes is None else {"num_classes": classes}
    module = module if classes is None else _build_random(library, name, 0, **options)
    try:
        checkpoints.load_checkpoint(module, checkpoint, architecture=f"torchvision's {name}")
    except ModelFileError:
        if not getattr(module, "aux_logits", False):
            raise
        module = _build_random(library, name, 0, aux_logits=False, **options)
        checkpoints.load_checkpoint(module, checkpoint, architecture=f"torchvision's {name}")
    return module


def _read_transforms(weights: Any) -> tuple[Preprocess, tuple[int, int]]:
    """Return mean, standard deviation and size of a weights entry; its crop is left out, so that labels stay aligned."""
    if weights is None:
        return Preprocess(note="assumed: ImageNet statistics; the model states none"), (224, 224)
    transform = weights.transforms()
    # Object detectors have no mean in their transforms: they normalize the input themselves.
    mean = np.array(getattr(transform, "mean", (0.0, 0.0, 0.0)), np.float32)
    std = np.array(getattr(transform, "std", (1.0, 1.0, 1.0)), np.float32)
    size = getattr(transform, "crop_size", None) or getattr(transform, "resize_size", None) or [224]
    return Preprocess(mean=mean, std=std, note=f"torchvision {weights}"), (size[0], size[-1])
