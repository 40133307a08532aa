"""``hf:NAME``: a vision model of transformers, from the hub's cache, the hub or a local folder, with its processor's numbers.

What lies in the cache is taken from there and the hub is not asked; code from the hub is never run.
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
from netdissect.optional_libraries import explain_import_error, import_optional

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import nn

    from netdissect.networks.load_options import LoadOptions

#: Files in which a processor's numbers lie.
_PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")


def load_transformers(name: str, options: LoadOptions) -> TorchNetwork:
    """Return a vision model of transformers as a Network (see `build_transformers`)."""
    module, preprocess, size = build_transformers(name, options.weights, options.seed)
    source = f"hf:{name}" + (f" --weights {options.weights}" if options.weights else "")
    return TorchNetwork(
        module, preprocess=override_preprocess(preprocess, options), name=Path(name).name or name, source=source, input_size=size,
        call=find_processor_call(module) or call_module,
    )  # fmt: skip


@dataclass(frozen=True)
class ProcessorCall:
    """How a model of transformers is called on pixels.

    Attributes:
        keyword: name of the pixels, where they may not come first; empty where they do.
        resampling: whether it can be asked to resample its position tables for other sizes.
    """

    keyword: str = ""
    resampling: bool = False

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Run the model on images of any size, as far as it can."""
        return self.call_unresized(module, x, **({"interpolate_pos_encoding": True} if self.resampling else {}))

    def call_unresized(self, module: nn.Module, x: torch.Tensor, **options: Any) -> Any:
        """Run the model on images of a size that it accepts."""
        return module(**{self.keyword: x}, **options) if self.keyword else module(x, **options)


def find_processor_call(module: Any) -> ProcessorCall | None:
    """Return how a transformers module is called; None for any other module."""
    if not hasattr(module, "main_input_name") or not hasattr(module, "config"):
        return None
    takes = inspect.signature(module.forward).parameters
    return ProcessorCall("pixel_values" if "pixel_values" in takes else "", "interpolate_pos_encoding" in takes)


def transformers_input_size(module: Any) -> tuple[int, int] | None:
    """Return height and width that a transformers module was made for."""
    return _as_size(getattr(getattr(module, "config", None), "image_size", None))


def transformers_preprocess(module: Any) -> Preprocess | None:
    """Return the preprocessing that belongs to a transformers module, from its folder or the cache; None without any."""
    name = getattr(getattr(module, "config", None), "name_or_path", None)
    if find_processor_call(module) is None or not isinstance(name, str) or not name:
        return None
    library = sys.modules.get("transformers")
    return None if library is None else _read_processor(library, module.config, name, local_files_only=True)


def build_transformers(
    name: str, weights: str | None, seed: int
) -> tuple[nn.Module, Preprocess, tuple[int, int] | None]:
    """Return a vision model of transformers.

    Args:
        name: of the hub, such as ``facebook/dinov2-base``; a folder with ``config.json``; or, with weights of your own,
            a type of model such as ``vit``.
        weights: None for those that belong to it, ``"random"``, or a checkpoint file.
        seed: of random weights.

    Returns:
        the model, its preprocessing, and the height and width it was made for.

    Raises:
        MissingExtraError: if transformers is not installed, or a library that this model needs.
        ModelNotFoundError: if there is no such model, or it cannot be fetched.
        ModelFileError: if its weights are damaged or do not fit.
    """
    library = import_optional("transformers", extra="hf", purpose="for hf: models")
    if Path(name).is_dir():
        weight_files.check_model_folder(Path(name))
    with _silence(library):
        config, is_type = _read_config(library, name, weights)
        maker, config = _choose_auto_class(library, config, name)
        if Path(name).is_dir():
            budgets.check_network_size(Path(name), lambda: maker.from_config(config))
        own = None if is_type else _read_processor(library, config, name)
        preprocess = own or Preprocess(note="assumed: ImageNet statistics; the model states none")
        size = _as_size(getattr(config, "image_size", None))
        if weights is None:
            return _load_pretrained(maker, config, name).float(), preprocess, size
        module = _build_random(maker, config, name, seed)
        if weights != "random":
            checkpoint = weight_files.read_checkpoint(Path(weights))
            classes = checkpoints.count_classes(checkpoint, module)
            if classes is not None and hasattr(config, "num_labels"):
                config.num_labels = classes
                module = _build_random(maker, config, name, seed)
            checkpoints.load_checkpoint(module, checkpoint, architecture=f"transformers' {name}")
        return module, preprocess, size


@contextlib.contextmanager
def _silence(library: Any) -> Iterator[None]:
    """Keep transformers and the hub's client from saying what the one sentence of an error says better."""
    loggers = [(logger, logger.level) for logger in map(logging.getLogger, ("transformers", "huggingface_hub"))]
    bars = getattr(library.utils.logging, "is_progress_bar_enabled", lambda: False)() and not sys.stderr.isatty()
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
    """Return what a reader of transformers returns, without asking the hub where all of it lies in the cache."""
    if not Path(name).is_dir():
        with contextlib.suppress(Exception):
            return read(name, **options | {"local_files_only": True})
    return read(name, **options)


def _read_config(library: Any, name: str, weights: str | None) -> tuple[Any, bool]:
    """Return a model's configuration, and whether it is that of a type with nothing of its own."""
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
                f"module in Python, or by python:module:function"
            ) from error
        raise ModelNotFoundError(f"transformers cannot find or read {name} ({root_message(error)})") from error


def _choose_auto_class(library: Any, config: Any, name: str) -> tuple[Any, Any]:
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
        raise _missing_extra(name, error) from error
    return library.AutoModel, vision if known else config


def _build_random(maker: Any, config: Any, name: str, seed: int) -> nn.Module:
    try:
        module: nn.Module = call_with_seed(seed, lambda: maker.from_config(config))
    except ImportError as error:
        raise _missing_extra(name, error) from error
    except (ValueError, RuntimeError, TypeError) as error:
        raise ModelNotFoundError(f"transformers cannot build {name} ({root_message(error)})") from error
    return module.eval()


def _load_pretrained(maker: Any, config: Any, name: str) -> nn.Module:
    try:
        # The class itself is asked: AutoBackbone would look up even a folder on the hub.
        own = maker._model_mapping.get(type(config), maker)  # noqa: SLF001
        reader = maker if isinstance(own, (tuple, list)) else own
        with weight_files.safe_torch_load():
            module: nn.Module = _read_cache_or_hub(reader.from_pretrained, name, config=config)
    except ModelError:
        raise
    except ImportError as error:
        raise _missing_extra(name, error) from error
    except Exception as error:
        if (ours := _find_model_error(error)) is not None:
            raise ours from error
        if Path(name).is_dir():
            raise ModelFileError(f"{name}: its weights cannot be read ({root_message(error)})") from error
        raise ModelNotFoundError(
            f"the weights of {name} could not be fetched ({root_message(error)}): give a checkpoint with --weights FILE, or "
            f"--weights random"
        ) from error
    return module


def _find_model_error(error: BaseException) -> ModelError | None:
    """Return the error of this project's that a library put its own in the place of."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, ModelError):
        behind = behind.__cause__ or behind.__context__
    return behind


def _missing_extra(name: str, error: BaseException) -> MissingExtraError:
    return MissingExtraError(f"transformers cannot import what {name} needs {explain_import_error(error)}")


def _read_processor(library: Any, config: Any, name: str, **options: Any) -> Preprocess | None:
    """Read a processor's numbers from its file; resizing and cropping are left out, since labels must stay aligned."""
    for file in _PROCESSOR_FILES:
        told = _read_processor_file(library, name, file, options)
        told = told.get("image_processor", told)
        if told:
            break
    else:
        timm = getattr(config, "pretrained_cfg", None)  # models of timm in transformers' clothes
        told = (
            {"image_mean": timm["mean"], "image_std": timm["std"]} if isinstance(timm, dict) and "mean" in timm else {}
        )
    if not told:
        return None
    rescale = float(told.get("rescale_factor", 1 / 255)) if told.get("do_rescale", True) else 1.0
    plain = not told.get("do_normalize", "image_mean" in told)
    mean, std = (
        np.resize(np.array(default if plain else told.get(key, default), np.float32), 3)
        for key, default in (("image_mean", 0.0), ("image_std", 1.0))
    )
    kind = told.get("image_processor_type", "its processor")
    flipped = bool(told.get("do_flip_channel_order", False))
    return Preprocess("bgr" if flipped else "rgb", rescale, mean, std, note=f"transformers {kind}")


def _read_processor_file(library: Any, name: str, file: str, options: dict[str, Any]) -> dict[str, Any]:
    path = Path(name) / file if Path(name).is_dir() else None
    if path is None:
        try:
            found = _read_cache_or_hub(lambda of, **how: library.utils.cached_file(of, file, **how), name, **options)
        except Exception:  # noqa: BLE001 - a model without a processor, or a hub that cannot be reached
            return {}
        path = Path(found) if found else None
    if path is None or not path.is_file():
        return {}
    told = read_json(path, "a processor's settings", missing=ModelFileError, wrong=ModelFileError)
    return told if isinstance(told, dict) else {}


def _as_size(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    return (int(size[0]), int(size[1])) if isinstance(size, (tuple, list)) and len(size) == 2 else None
