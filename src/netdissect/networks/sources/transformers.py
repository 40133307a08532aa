"""``hf:NAME``: vision models of transformers, from the hub's cache, the hub or a folder, with their processor's settings.

The hub is asked only for what is not in the cache; code from the hub is never run.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import MissingExtraError, ModelError, ModelFileError, ModelNotFoundError, root_message
from netdissect.io.json_files import read_json
from netdissect.networks import budgets, checkpoints, weight_files
from netdissect.networks.load_options import override_preprocess
from netdissect.networks.preprocess import Preprocess
from netdissect.networks.sources.torchvision import call_with_seed
from netdissect.networks.torch_network import TorchNetwork, call_module
from netdissect.networks.users_attributes import get_attribute, to_size
from netdissect.optional_libraries import explain_import_error, import_optional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import nn

    from netdissect.networks.load_options import LoadOptions

#: Files with a processor's settings.
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


def load_transformers(name: str, options: LoadOptions) -> TorchNetwork:
    """Return a vision model of transformers as a network; `build_transformers` documents its weights."""
    module, preprocess, size = build_transformers(name, options.weights, options.seed)
    source = f"hf:{name}" + (f" --weights {options.weights}" if options.weights else "")
    return TorchNetwork(
        module, preprocess=override_preprocess(preprocess, options), name=Path(name).name or name, source=source, input_size=size,
        call=find_transformers_call(module) or call_module, classes=None if options.weights else read_transformers_classes(module),
    )  # fmt: skip


@dataclass(frozen=True)
class TransformersCall:
    """How to call a model of transformers on images.

    Attributes:
        keyword: name of the image argument; empty if it is the first.
        resampling: whether the model can interpolate its position embeddings for other sizes.
    """

    keyword: str = ""
    resampling: bool = False

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Call the model, interpolating its position embeddings if it can."""
        return self.call_unresized(module, x, **({"interpolate_pos_encoding": True} if self.resampling else {}))

    def call_unresized(self, module: nn.Module, x: torch.Tensor, **options: Any) -> Any:
        """Call the model without interpolating its position embeddings."""
        return module(**{self.keyword: x}, **options) if self.keyword else module(x, **options)


def find_transformers_call(module: Any) -> TransformersCall | None:
    """Return how to call a module of transformers; None for any other module."""
    if not isinstance(get_attribute(module, "main_input_name"), str) or get_attribute(module, "config") is None:
        return None
    try:
        parameters = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):  # code without a signature
        return None
    return TransformersCall(
        "pixel_values" if "pixel_values" in parameters else "", "interpolate_pos_encoding" in parameters
    )


def read_transformers_classes(module: Any) -> tuple[str, ...] | None:
    """Return the names of a transformers classifier's outputs; None if its configuration has only the names ``LABEL_0``, …."""
    config = get_attribute(module, "config")
    names = get_attribute(config, "id2label")
    if "ImageClassification" not in type(module).__name__ or not isinstance(names, dict) or len(names) < 2:
        return None
    listed = [names.get(number) for number in range(len(names))]
    if not all(isinstance(name, str) for name in listed) or listed[0] == "LABEL_0":
        return None
    return tuple(map(str, listed))


def read_transformers_input_size(module: Any) -> tuple[int, int] | None:
    """Return the height and width of a transformers module's training images, if its configuration has them."""
    config = get_attribute(module, "config")
    parts = [config, *(get_attribute(config, name) for name in ("vision_config", "backbone_config"))]
    return next((size for part in parts if (size := to_size(get_attribute(part, "image_size")))), None)


def read_transformers_preprocess(module: Any) -> Preprocess | None:
    """Return a transformers module's preprocessing from its folder or the cache; None if there is none."""
    name = get_attribute(get_attribute(module, "config"), "name_or_path")
    if find_transformers_call(module) is None or not isinstance(name, str) or not name:
        return None
    library = sys.modules.get("transformers")
    return None if library is None else _read_processor(library, module.config, name, local_files_only=True)


def build_transformers(
    name: str, weights: str | None, seed: int
) -> tuple[nn.Module, Preprocess, tuple[int, int] | None]:
    """Build a vision model of transformers.

    Args:
        name: on the hub, such as ``facebook/dinov2-base``; a folder with ``config.json``; or, with `weights`, a model
            type such as ``vit``.
        weights: None for the model's own weights, a checkpoint file, or ``random``.
        seed: of random weights.

    Returns:
        the module, its preprocessing, and the height and width of its training images.

    Raises:
        MissingExtraError: if transformers, or a library that this model needs, is not installed.
        ModelNotFoundError: if there is no such model, or it cannot be downloaded.
        ModelFileError: if its weights are damaged or do not fit.
    """
    library = import_optional("transformers", extra="hf", purpose="for hf: models")
    if Path(name).is_dir():
        weight_files.check_model_folder(Path(name))
    with _silence(library):
        config, is_type = _read_config(library, name, weights)
        auto_class, config = _choose_auto_class(library, config, name)
        if Path(name).is_dir():
            budgets.check_network_size(Path(name), lambda: auto_class.from_config(config))
        own = None if is_type else _read_processor(library, config, name)
        preprocess = own or Preprocess(note="assumed: ImageNet statistics; the model states none")
        size = to_size(getattr(config, "image_size", None))
        if weights is None:
            return _load_pretrained(auto_class, config, name).float(), preprocess, size
        module = _build_random(auto_class, config, name, seed)
        if weights != "random":
            checkpoint = checkpoints.read_checkpoint(Path(weights))
            classes = checkpoints.count_classes(checkpoint, module)
            if classes is not None and hasattr(config, "num_labels"):
                config.num_labels = classes
                module = _build_random(auto_class, config, name, seed)
            checkpoints.load_checkpoint(module, checkpoint, architecture=f"transformers' {name}")
        return module, preprocess, size


@contextlib.contextmanager
def _silence(library: Any) -> Iterator[None]:
    """Suppress log messages and progress bars of transformers and the hub's client."""
    loggers = [(logger, logger.level) for logger in map(logging.getLogger, ("transformers", "huggingface_hub"))]
    bars = getattr(library.utils.logging, "is_progress_bar_enabled", lambda: False)()
    for logger, _ in loggers:
        logger.setLevel(logging.CRITICAL)
    if bars:
        library.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        for logger, level in loggers:
            logger.setLevel(level)
        if bars:
            library.utils.logging.enable_progress_bar()


def _read_cache_or_hub(read: Callable[..., Any], name: str, **options: Any) -> Any:
    """Call a function of transformers that reads a model; it asks the hub only if the cache lacks a file.

    A download shows its progress on a terminal; reading weights from the disk does not.
    """
    if Path(name).is_dir():
        return read(name, **options)
    with contextlib.suppress(Exception):
        return read(name, **options | {"local_files_only": True})
    if not sys.stderr.isatty():
        return read(name, **options)
    from transformers.utils import logging as bars_of_transformers

    bars: Any = bars_of_transformers  # it has no types
    bars.enable_progress_bar()
    try:
        return read(name, **options)
    finally:
        bars.disable_progress_bar()


def _read_config(library: Any, name: str, weights: str | None) -> tuple[Any, bool]:
    """Return a model's configuration, and whether it is the default configuration of a model type."""
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelNotFoundError(f"{name}: expected a folder with config.json, as save_pretrained writes it")
    try:
        if weights is not None and not Path(name).exists() and name in library.CONFIG_MAPPING:
            return library.AutoConfig.for_model(name), True
        return _read_cache_or_hub(library.AutoConfig.from_pretrained, name, trust_remote_code=False), False
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise ModelNotFoundError(
                f"{name} needs Python code of its own from the hub, which is not run: load it yourself and dissect the "
                f"module in Python, or as python:module:function"
            ) from error
        raise ModelNotFoundError(f"transformers cannot find or read {name} ({root_message(error)})") from error


def _choose_auto_class(library: Any, config: Any, name: str) -> tuple[Any, Any]:
    """Return the Auto class that loads a model, and the configuration of its vision part."""
    architectures = " ".join(getattr(config, "architectures", None) or [])
    try:
        if "Backbone" in architectures:
            return library.AutoBackbone, config
        classifier = library.AutoModelForImageClassification
        if "ImageClassification" in architectures and type(config) in classifier._model_mapping:  # noqa: SLF001
            return classifier, config
        vision = getattr(config, "vision_config", None)
        known = vision is not None and type(vision) in library.AutoModel._model_mapping  # noqa: SLF001
    except (ImportError, AttributeError) as error:  # transformers imports lazily
        raise _make_missing_extra_error(name, error) from error
    return library.AutoModel, vision if known else config


def _build_random(auto_class: Any, config: Any, name: str, seed: int) -> nn.Module:
    try:
        module: nn.Module = call_with_seed(seed, lambda: auto_class.from_config(config))
    except ImportError as error:
        raise _make_missing_extra_error(name, error) from error
    except (ValueError, RuntimeError, TypeError) as error:
        raise ModelNotFoundError(f"transformers cannot build {name} ({root_message(error)})") from error
    return module.eval()


def build_transformers_again(module: Any, seed: int) -> nn.Module | None:
    """Return a transformers module's architecture with random weights; None for any other module."""
    if find_transformers_call(module) is None or not callable(get_attribute(type(module), "_from_config")):
        return None
    built: nn.Module = call_with_seed(seed, lambda: type(module)._from_config(module.config))  # noqa: SLF001
    return built


def _load_pretrained(auto_class: Any, config: Any, name: str) -> nn.Module:
    try:
        # Not AutoBackbone itself, which would look up even a folder on the hub.
        own = auto_class._model_mapping.get(type(config), auto_class)  # noqa: SLF001
        reader = auto_class if isinstance(own, (tuple, list)) else own
        with weight_files.replace_torch_load():
            module: nn.Module = _read_cache_or_hub(reader.from_pretrained, name, config=config)
    except ModelError:
        raise
    except ImportError as error:
        raise _make_missing_extra_error(name, error) from error
    except Exception as error:
        if (cause := _find_model_error(error)) is not None:
            raise cause from error
        if Path(name).is_dir():
            raise ModelFileError(f"{name}: its weights cannot be read ({root_message(error)})") from error
        raise ModelNotFoundError(
            f"the weights of {name} could not be downloaded ({root_message(error)}): give a checkpoint with --weights FILE, or "
            f"--weights random"
        ) from error
    return module


def _find_model_error(error: BaseException) -> ModelError | None:
    """Return the error of this project that a library caught and replaced by its own; None if there is none."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ModelError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _make_missing_extra_error(name: str, error: BaseException) -> MissingExtraError:
    return MissingExtraError(f"transformers cannot import what {name} needs {explain_import_error(error)}")


def _read_processor(library: Any, config: Any, name: str, **options: Any) -> Preprocess | None:
    """Return a processor's mean, standard deviation and channel order; its crop is left out, so that labels stay aligned."""
    for file in _PROCESSOR_FILES:
        settings = _read_processor_file(library, name, file, options)
        settings = settings.get("image_processor", settings)
        if settings:
            break
    else:
        timm = getattr(config, "pretrained_cfg", None)  # timm models wrapped by transformers
        settings = (
            {"image_mean": timm["mean"], "image_std": timm["std"]} if isinstance(timm, dict) and "mean" in timm else {}
        )
    if not settings:
        return None
    rescale = float(settings.get("rescale_factor", 1 / 255)) if settings.get("do_rescale", True) else 1.0
    plain = not settings.get("do_normalize", "image_mean" in settings)
    mean, std = (
        np.resize(np.array(default if plain else settings.get(key, default), np.float32), 3)
        for key, default in (("image_mean", 0.0), ("image_std", 1.0))
    )
    kind = settings.get("image_processor_type", "its processor")
    flipped = bool(settings.get("do_flip_channel_order", False))
    return Preprocess("bgr" if flipped else "rgb", rescale, mean, std, note=f"transformers {kind}")


def _read_processor_file(library: Any, name: str, file: str, options: dict[str, Any]) -> dict[str, Any]:
    path = Path(name) / file if Path(name).is_dir() else None
    if path is None:
        try:
            found = _read_cache_or_hub(
                lambda model, **more: library.utils.cached_file(model, file, **more), name, **options
            )
        except Exception:  # noqa: BLE001 - a model without a processor, or a hub that cannot be reached
            return {}
        path = Path(found) if found else None
    if path is None or not path.is_file():
        return {}
    settings = read_json(path, "a processor's settings", missing=ModelFileError, wrong=ModelFileError)
    return settings if isinstance(settings, dict) else {}
