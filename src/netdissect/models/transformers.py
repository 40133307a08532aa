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

from netdissect.errors import MissingExtraError, ModelError, ModelFileError, ModelNotFoundError, reason
from netdissect.io.json_files import read_json
from netdissect.models import budgets, checkpoints, weightfiles
from netdissect.models.network import TorchNetwork
from netdissect.models.options import overridden
from netdissect.models.preprocess import Preprocess
from netdissect.models.torchvision import seeded
from netdissect.optional import require, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        keyword: name of the pixels, where they may not come first; empty where they do.
        resampling: whether it can be asked to resample its position tables for other sizes.
    """

    keyword: str = ""
    resampling: bool = False

    def __call__(self, module: nn.Module, x: torch.Tensor) -> Any:
        """Run the model on pictures of any size, as far as it can."""
        return self.as_it_is(module, x, **({"interpolate_pos_encoding": True} if self.resampling else {}))

    def as_it_is(self, module: nn.Module, x: torch.Tensor, **options: Any) -> Any:
        """Run the model on pictures of a size that it takes."""
        return module(**{self.keyword: x}, **options) if self.keyword else module(x, **options)


def call_of(module: Any) -> Call | None:
    """Return how a transformers module is called; None for any other module."""
    if not hasattr(module, "main_input_name") or not hasattr(module, "config"):
        return None
    takes = inspect.signature(module.forward).parameters
    return Call("pixel_values" if "pixel_values" in takes else "", "interpolate_pos_encoding" in takes)


def size_of(module: Any) -> tuple[int, int] | None:
    """Return height and width that a transformers module was made for."""
    return _pair(getattr(getattr(module, "config", None), "image_size", None))


def carried(module: Any) -> Preprocess | None:
    """Return the preprocessing that belongs to a transformers module, from its folder or the cache; None without any."""
    name = getattr(getattr(module, "config", None), "name_or_path", None)
    if call_of(module) is None or not isinstance(name, str) or not name:
        return None
    library = sys.modules.get("transformers")
    return None if library is None else _preprocess(library, module.config, name, local_files_only=True)


def build(name: str, weights: str | None, seed: int) -> tuple[nn.Module, Preprocess, tuple[int, int] | None]:
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
    library = require("transformers", extra="hf", purpose="for hf: models")
    if Path(name).is_dir():
        weightfiles.see_folder(Path(name))
    with _quietly(library):
        config, is_type = _config(library, name, weights)
        maker, config = _maker(library, config, name)
        if Path(name).is_dir():
            budgets.see_weights(Path(name), lambda: maker.from_config(config))
        own = None if is_type else _preprocess(library, config, name)
        preprocess = own or Preprocess(note="assumed: ImageNet statistics; the model states none")
        size = _pair(getattr(config, "image_size", None))
        if weights is None:
            return _pretrained(maker, config, name).float(), preprocess, size
        module = _made(maker, config, name, seed)
        if weights != "random":
            checkpoint = weightfiles.read_checkpoint(Path(weights))
            classes = checkpoints.classes_in(checkpoint, module)
            if classes is not None and hasattr(config, "num_labels"):
                config.num_labels = classes
                module = _made(maker, config, name, seed)
            checkpoints.fit(module, checkpoint, architecture=f"transformers' {name}")
        return module, preprocess, size


@contextlib.contextmanager
def _quietly(library: Any) -> Iterator[None]:
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


def _from_cache_or_hub(read: Callable[..., Any], name: str, **options: Any) -> Any:
    """Return what a reader of transformers returns, without asking the hub where all of it lies in the cache."""
    if not Path(name).is_dir():
        with contextlib.suppress(Exception):
            return read(name, **options | {"local_files_only": True})
    return read(name, **options)


def _config(library: Any, name: str, weights: str | None) -> tuple[Any, bool]:
    """Return a model's configuration, and whether it is that of a type with nothing of its own."""
    if Path(name).is_dir() and not (Path(name) / "config.json").is_file():
        raise ModelNotFoundError(f"{name}: expected a folder with config.json, as save_pretrained writes it")
    try:
        if weights is not None and not Path(name).exists() and name in library.CONFIG_MAPPING:
            return library.AutoConfig.for_model(name), True
        return _from_cache_or_hub(library.AutoConfig.from_pretrained, name, trust_remote_code=False), False
    except Exception as error:
        if "trust_remote_code" in str(error):
            raise ModelNotFoundError(
                f"{name} needs Python code of its own from the hub, which is not run: load it yourself and dissect the "
                f"module in Python, or by python:module:function"
            ) from error
        raise ModelNotFoundError(f"transformers cannot find or read {name} ({reason(error)})") from error


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
        raise _lacking(name, error) from error
    return library.AutoModel, vision if known else config


def _made(maker: Any, config: Any, name: str, seed: int) -> nn.Module:
    try:
        module: nn.Module = seeded(seed, lambda: maker.from_config(config))
    except ImportError as error:
        raise _lacking(name, error) from error
    except (ValueError, RuntimeError, TypeError) as error:
        raise ModelNotFoundError(f"transformers cannot build {name} ({reason(error)})") from error
    return module.eval()


def _pretrained(maker: Any, config: Any, name: str) -> nn.Module:
    try:
        # The class itself is asked: AutoBackbone would look up even a folder on the hub.
        own = maker._model_mapping.get(type(config), maker)  # noqa: SLF001
        reader = maker if isinstance(own, (tuple, list)) else own
        with weightfiles.own_reader():
            module: nn.Module = _from_cache_or_hub(reader.from_pretrained, name, config=config)
    except ModelError:
        raise
    except ImportError as error:
        raise _lacking(name, error) from error
    except Exception as error:
        if (ours := _ours_behind(error)) is not None:
            raise ours from error
        if Path(name).is_dir():
            raise ModelFileError(f"{name}: its weights cannot be read ({reason(error)})") from error
        raise ModelNotFoundError(
            f"the weights of {name} could not be fetched ({reason(error)}): give a checkpoint with --weights FILE, or "
            f"--weights random"
        ) from error
    return module


def _ours_behind(error: BaseException) -> ModelError | None:
    """Return the error of this project's that a library put its own in the place of."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, ModelError):
        behind = behind.__cause__ or behind.__context__
    return behind


def _lacking(name: str, error: BaseException) -> MissingExtraError:
    return MissingExtraError(f"transformers cannot import what {name} needs {why(error)}")


def _preprocess(library: Any, config: Any, name: str, **options: Any) -> Preprocess | None:
    """Read a processor's numbers from its file; resizing and cropping are left out, since labels must stay aligned."""
    for file in _PROCESSORS:
        told = _json(library, name, file, options)
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


def _json(library: Any, name: str, file: str, options: dict[str, Any]) -> dict[str, Any]:
    path = Path(name) / file if Path(name).is_dir() else None
    if path is None:
        try:
            found = _from_cache_or_hub(lambda of, **how: library.utils.cached_file(of, file, **how), name, **options)
        except Exception:  # noqa: BLE001 - a model without a processor, or a hub that cannot be reached
            return {}
        path = Path(found) if found else None
    if path is None or not path.is_file():
        return {}
    told = read_json(path, "a processor's settings", missing=ModelFileError, wrong=ModelFileError)
    return told if isinstance(told, dict) else {}


def _pair(size: Any) -> tuple[int, int] | None:
    if isinstance(size, int):
        return size, size
    return (int(size[0]), int(size[1])) if isinstance(size, (tuple, list)) and len(size) == 2 else None
