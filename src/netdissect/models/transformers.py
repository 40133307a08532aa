"""``hf:NAME``: a vision model of transformers, from the hub's cache or a local folder, with its processor's numbers."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import MissingExtraError, ModelFileError, ModelNotFoundError
from netdissect.models import checkpoints
from netdissect.models.network import TorchNetwork
from netdissect.models.options import overridden
from netdissect.models.preprocess import Preprocess
from netdissect.models.torchvision import seeded
from netdissect.optional import require

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netdissect.models.options import LoadOptions

#: Files in which a processor's numbers lie.
_PROCESSORS = ("preprocessor_config.json", "processor_config.json")


def network(name: str, options: LoadOptions) -> TorchNetwork:
    """Return a vision model of transformers as a Network (see `build`)."""
    module, preprocess, size = build(name, options.weights, options.seed)
    source = f"hf:{name}" + (f" --weights {options.weights}" if options.weights else "")
    return TorchNetwork(
        module, overridden(preprocess, options), name=Path(name).name or name, source=source, input_size=size,
        call=call_of(module),
    )  # fmt: skip


@dataclass(frozen=True)
class Call:
    """How a model of transformers is called on pixels.

    Attributes:
        options: further keywords, such as the one that resamples position tables for other sizes.
    """

    options: tuple[tuple[str, Any], ...] = ()

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Run the model."""
        return module(x, **dict(self.options))


def call_of(module: Any) -> Call | None:
    """Return how a transformers module is called; None for any other module."""
    if not hasattr(module, "main_input_name") or not hasattr(module, "config"):
        return None
    takes = inspect.signature(module.forward).parameters
    return Call((("interpolate_pos_encoding", True),) if "interpolate_pos_encoding" in takes else ())


def size_of(module: Any) -> tuple[int, int] | None:
    """Return height and width that a transformers module was made for."""
    return _pair(getattr(getattr(module, "config", None), "image_size", None))


def build(name: str, weights: str | None, seed: int) -> tuple[nn.Module, Preprocess, tuple[int, int] | None]:
    """Return a vision model of transformers.

    Args:
        name: of the hub, such as ``facebook/dinov2-base``; a folder with ``config.json``; or, with random weights, a
            type of model such as ``vit``.
        weights: None for those that belong to it, ``"random"``, or a checkpoint file.
        seed: of random weights.

    Returns:
        the model, its preprocessing, and the height and width it was made for.

    Raises:
        MissingExtraError: if transformers is not installed.
        ModelNotFoundError: if there is no such model, or it cannot be fetched.
        ModelFileError: if its weights are damaged or do not fit.
    """
    library = require("transformers", extra="hf", purpose="for hf: models")
    config = _config(library, name, weights)
    maker, config = _maker(library, config, name)
    preprocess = _preprocess(library, name) or Preprocess(note="assumed: ImageNet statistics; the model states none")
    size = _pair(getattr(config, "image_size", None))
    if weights is None:
        return _pretrained(maker, config, name), preprocess, size
    try:
        module: nn.Module = seeded(seed, lambda: maker.from_config(config))
    except (ValueError, ImportError, RuntimeError, TypeError) as error:
        raise ModelNotFoundError(f"transformers cannot build {name} ({_first_line(error)})") from error
    if weights != "random":
        path = Path(weights)
        state = checkpoints.read_state_dict(path)
        classes = checkpoints.classes_in(state, module)
        if classes is not None and hasattr(config, "num_labels"):
            config.num_labels = classes
            module = maker.from_config(config)
        checkpoints.fit(module, state, path=path, architecture=f"transformers' {name}")
    return module, preprocess, size


def _config(library: Any, name: str, weights: str | None) -> Any:
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelNotFoundError(f"{name}: expected a folder with config.json, as save_pretrained writes it")
    try:
        if weights == "random" and not Path(name).exists() and name in library.CONFIG_MAPPING:
            found = library.AutoConfig.for_model(name)
        else:
            found = library.AutoConfig.from_pretrained(name)
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise ModelNotFoundError(
                f"{name} needs Python code of its own from the hub, which is not run: load it yourself and dissect the "
                f"module in Python, or by python:module:function"
            ) from error
        raise ModelNotFoundError(f"transformers cannot find or read {name} ({_first_line(error)})") from error
    return found


def _maker(library: Any, config: Any, name: str) -> tuple[Any, Any]:
    """Return the Auto class that reads a model, and the configuration of its vision part."""
    told = " ".join(getattr(config, "architectures", None) or [])
    try:
        if "Backbone" in told:
            return library.AutoBackbone, config
        if "ImageClassification" in told and type(config) in library.AutoModelForImageClassification._model_mapping:  # noqa: SLF001
            return library.AutoModelForImageClassification, config
        vision = getattr(config, "vision_config", None)
        known = vision is not None and type(vision) in library.AutoModel._model_mapping  # noqa: SLF001
    except (ImportError, AttributeError) as error:  # transformers imports a model's library when it is asked for
        raise MissingExtraError(f"transformers cannot load what {name} needs ({_first_line(error)})") from error
    return library.AutoModel, vision if known else config


def _pretrained(maker: Any, config: Any, name: str) -> nn.Module:
    try:
        module: nn.Module = maker.from_pretrained(name, config=config)
    except ImportError as error:
        raise MissingExtraError(f"transformers cannot load what {name} needs ({_first_line(error)})") from error
    except Exception as error:
        if Path(name).is_dir():
            raise ModelFileError(f"{name}: its weights cannot be read ({_first_line(error)})") from error
        raise ModelNotFoundError(
            f"the weights of {name} could not be fetched ({_first_line(error)}): give a checkpoint with --weights FILE, "
            f"or --weights random"
        ) from error
    return module


def _preprocess(library: Any, name: str) -> Preprocess | None:
    """Read a processor's numbers from its file; resizing and cropping are left out, since labels must stay aligned."""
    for file in _PROCESSORS:
        told = _json(library, name, file)
        told = told.get("image_processor", told)
        if told:
            break
    else:
        return None
    rescale = float(told.get("rescale_factor", 1 / 255)) if told.get("do_rescale", True) else 1.0
    plain = not told.get("do_normalize", "image_mean" in told)
    mean, std = (
        np.resize(np.array(told.get(key, default) if not plain else default, np.float32), 3)
        for key, default in (("image_mean", 0.0), ("image_std", 1.0))
    )
    kind = told.get("image_processor_type", "its processor")
    flipped = bool(told.get("do_flip_channel_order", False))
    return Preprocess("bgr" if flipped else "rgb", rescale, mean, std, note=f"transformers {kind}")


def _json(library: Any, name: str, file: str) -> dict[str, Any]:
    path = Path(name) / file if Path(name).is_dir() else None
    if path is None:
        try:
            found = library.utils.cached_file(name, file)
        except Exception:  # noqa: BLE001 - a model without a processor, or a hub that cannot be reached
            return {}
        path = Path(found) if found else None
    if path is None or not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text())
    except ValueError as error:
        raise ModelFileError(f"{path}: expected JSON, got {error}") from error
    return told if isinstance(told, dict) else {}


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    return (int(size[0]), int(size[1])) if isinstance(size, (tuple, list)) and len(size) == 2 else None


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0].rstrip(".:") if text else type(error).__name__
