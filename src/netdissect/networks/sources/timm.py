"""``timm:NAME``: architectures of timm, with timm's weights, your own or random ones."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import ModelError, ModelNotFoundError, root_message, suggest_nearest
from netdissect.networks import budgets, checkpoints, weight_files
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.torchvision import call_with_seed
from netdissect.networks.torch_network import TorchNetwork
from netdissect.networks.users_attributes import get_attribute, to_size
from netdissect.optional_libraries import import_optional

if TYPE_CHECKING:
    from torch import nn

    from netdissect.networks.load_options import LoadOptions


def load_timm(name: str, options: LoadOptions) -> TorchNetwork:
    """Return an architecture of timm as a network; `build_timm` documents its weights."""
    module, preprocess, size = build_timm(name, options.weights, options.seed, grayscale=options.grayscale)
    source = f"timm:{name}" + (f" --weights {options.weights}" if options.weights else "")
    return TorchNetwork(
        module, preprocess=override_preprocess(preprocess, options), name=name.replace("/", "-").replace(":", "-"), source=source,
        input_size=size, fit=set_timm_input_size, classes=read_timm_classes(module) if options.weights is None else None,
    )  # fmt: skip


def build_timm(
    name: str, weights: str | None, seed: int, *, grayscale: bool = False
) -> tuple[nn.Module, Preprocess, tuple[int, int] | None]:
    """Build an architecture of timm.

    Args:
        name: such as ``vit_small_patch16_224`` or ``vit_small_patch16_224.dino``.
        weights: None for timm's own weights, a checkpoint file, or ``random``.
        seed: of random weights.
        grayscale: whether it takes grayscale images.

    Returns:
        the module, its preprocessing, and the height and width of its training images.

    Raises:
        MissingExtraError: if timm is not installed.
        ModelNotFoundError: if it has no such architecture, or its weights cannot be downloaded.
        ModelFileError: if the checkpoint does not fit.
    """
    library = import_optional("timm", extra="timm", purpose="for timm: models")
    options: dict[str, Any] = {"in_chans": 1} if grayscale else {}
    if not name.startswith(("hf-hub:", "local-dir:")) and not library.is_model(name.partition(".")[0]):
        known = library.list_models(pretrained=False) if "." not in name else library.list_models(pretrained=True)
        raise ModelNotFoundError(f"timm has no model {name!r}: {suggest_nearest(name, known)}")
    if name.startswith("local-dir:"):
        folder = Path(name.removeprefix("local-dir:"))
        weight_files.check_model_folder(folder)
        budgets.check_network_size(folder, lambda: library.create_model(name, pretrained=False, **options))
    if weights is None:
        try:
            with weight_files.replace_torch_load():
                module = library.create_model(name, pretrained=True, **options)
        except ModelError:
            raise
        except Exception as error:
            raise ModelNotFoundError(
                f"the weights of timm's {name} could not be downloaded ({root_message(error)}): give a checkpoint with "
                f"--weights FILE, or --weights random"
            ) from error
        return module, read_timm_preprocess(module) or Preprocess(), read_timm_input_size(module)
    try:
        module = call_with_seed(seed, lambda: library.create_model(name, pretrained=False, **options))
    except Exception as error:
        raise ModelNotFoundError(f"timm cannot build {name} ({root_message(error)})") from error
    if weights != "random":
        module = _load_weights(library, module, name, Path(weights), options)
    return module, read_timm_preprocess(module) or Preprocess(), read_timm_input_size(module)


def _load_weights(library: Any, module: nn.Module, name: str, path: Path, options: dict[str, Any]) -> nn.Module:
    checkpoint = checkpoints.read_checkpoint(path)
    classes = checkpoints.count_classes(checkpoint, module)
    if classes is not None:
        module = library.create_model(name, pretrained=False, num_classes=classes, **options)
    translate = getattr(sys.modules[type(module).__module__], "checkpoint_filter_fn", None)
    checkpoints.load_checkpoint(module, checkpoint, architecture=f"timm's {name}", translate=translate)
    return module


def build_timm_again(module: nn.Module, seed: int) -> nn.Module | None:
    """Return a timm module's architecture with random weights; None for any other module, or one that was changed."""
    library, config = sys.modules.get("timm"), get_attribute(module, "pretrained_cfg")
    name = config.get("architecture") if isinstance(config, dict) else None
    if library is None or not isinstance(name, str) or not library.is_model(name):
        return None
    classes = get_attribute(module, "num_classes")
    options = {"num_classes": classes} if type(classes) is int else {}
    try:
        built: nn.Module = call_with_seed(seed, lambda: library.create_model(name, pretrained=False, **options))
    except Exception:  # noqa: BLE001 - an architecture that needs more is not built
        return None
    return built if type(built) is type(module) and _list_shapes(built) == _list_shapes(module) else None


def _list_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def read_timm_preprocess(module: Any) -> Preprocess | None:
    """Return the preprocessing in a timm module's configuration; None for any other module."""
    config = get_attribute(module, "pretrained_cfg")
    if not isinstance(config, dict) or not config.keys() >= {"mean", "std"}:
        return None
    try:
        mean, std = (np.resize(np.array(config[key], np.float32), 3) for key in ("mean", "std"))
    except (TypeError, ValueError):
        return None
    tag = ".".join(str(config[key]) for key in ("architecture", "tag") if config.get(key))
    channels = config.get("input_size") or (3,)
    grayscale = bool(get_attribute(module, "num_features")) and isinstance(channels, (tuple, list)) and channels[0] == 1
    return Preprocess(mean=mean, std=std, grayscale=grayscale, note=f"timm {tag}".strip())


def read_timm_classes(module: Any) -> tuple[str, ...] | None:
    """Return the names of the class outputs of a timm module with timm's own weights, if timm has a list of them.

    The names of ImageNet's classes follow their synset ids, as in ``n01440764 tench, Tinca tinca``.
    """
    config, count = get_attribute(module, "pretrained_cfg"), get_attribute(module, "num_classes")
    stated = config.get("label_names") if isinstance(config, dict) else None
    if isinstance(stated, (list, tuple)) and len(stated) == count:
        return tuple(map(str, stated))
    lists = import_optional("timm.data", extra="timm", purpose="for timm: models")
    subset = lists.infer_imagenet_subset(module)
    if subset is None:
        return None
    info = lists.ImageNetInfo(subset)
    names = tuple(" ".join(pair) for pair in zip(info.label_names(), info.label_descriptions(), strict=True))
    return names if len(names) == count else None


def read_timm_input_size(module: Any) -> tuple[int, int] | None:
    """Return the height and width that a timm module's patch embedding expects, else those of its training images."""
    config = get_attribute(module, "pretrained_cfg")
    if not isinstance(config, dict):
        return None
    trained = config.get("input_size")
    size = to_size(get_attribute(get_attribute(module, "patch_embed"), "img_size"))
    return size or (to_size(trained[-2:]) if isinstance(trained, (tuple, list)) else None)


def set_timm_input_size(module: Any, input_size: tuple[int, int]) -> None:
    """Make a timm module accept another input size: resample its position embeddings, adapt its windows.

    A method of this name that takes something else is left alone.
    """
    resize = get_attribute(module, "set_input_size")
    try:
        inspect.signature(resize).bind(img_size=input_size)
    except (TypeError, ValueError):
        return
    resize(img_size=input_size)
