"""transformers' vision models, by small configurations."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.geometry.limits import (
    LARGEST_OWN_SIZE,
    MOST_PARAMETERS,
    USUAL_SIZE,
    SkippedNetworkError,
    count_parameters,
)  # fmt: skip

if TYPE_CHECKING:
    from torch import nn

#: Kinds of transformers' models that are tried, by the names of its tables.
_TRANSFORMERS_TABLES = (
    "MODEL", "MODEL_FOR_BACKBONE", "MODEL_FOR_IMAGE_CLASSIFICATION", "MODEL_FOR_DEPTH_ESTIMATION", "MODEL_FOR_IMAGE_TO_IMAGE",
    "MODEL_FOR_SEMANTIC_SEGMENTATION", "MODEL_FOR_INSTANCE_SEGMENTATION", "MODEL_FOR_UNIVERSAL_SEGMENTATION",
    "MODEL_FOR_OBJECT_DETECTION", "MODEL_FOR_MASKED_IMAGE_MODELING", "MODEL_FOR_KEYPOINT_DETECTION", "MODEL_FOR_IMAGE_MATTING",
    "MODEL_FOR_POSE_ESTIMATION", "MODEL_FOR_NORMAL_ESTIMATION", "MODEL_FOR_POINTMAP_ESTIMATION", "MODEL_FOR_IMAGE_SEGMENTATION",
)  # fmt: skip
#: Attributes of configurations that count layers: one number, or one per stage.
_COUNTS = re.compile(
    r"^(num_(hidden_)?layers|(encoder|decoder|text|vision|mask_decoder|num_decoder|num_encoder)_(hidden_)?layers|depths?|"
    r"layer_depths|num_blocks|blocks_per_stage|hidden_depths|n_layers?|num_decoder_layers|num_encoder_layers|encoder_depth|"
    r"decoder_num_hidden_layers|fusion_num_layers|num_attention_layers)$"
)


def list_transformers() -> list[str]:
    """Return ``TYPE/CLASS`` for every model type with an image processor or a backbone, and every class of it once."""
    from transformers.models.auto import modeling_auto
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    tables = {table: getattr(modeling_auto, f"{table}_MAPPING_NAMES", {}) for table in _TRANSFORMERS_TABLES}
    vision = set(IMAGE_PROCESSOR_MAPPING_NAMES) | {kind for table in _TRANSFORMERS_TABLES[1:] for kind in tables[table]}
    vision |= {kind for kind in tables["MODEL"] if re.search(r"vision|image|vit|_vq", kind)}
    names = []
    for table in _TRANSFORMERS_TABLES:
        for kind, classes in tables[table].items():
            for one in [classes] if isinstance(classes, str) else classes:
                if kind in vision and f"{kind}/{one}" not in names:
                    names.append(f"{kind}/{one}")
    seen: set[str] = set()
    kept = [name for name in names if not (name.split("/")[1] in seen or seen.add(name.split("/")[1]))]
    has_base = {name.split("/")[0] for name in kept if name.endswith("Model")}
    return sorted(name for name in kept if "ForImageClassification" not in name or name.split("/")[0] not in has_base)


def build_transformers(name: str) -> tuple[nn.Module, tuple[int, int]]:
    import transformers

    kind, _, class_name = name.partition("/")
    model_class = getattr(transformers, class_name, None)
    if model_class is None:
        raise SkippedNetworkError("transformers does not export it")
    if getattr(model_class, "main_input_name", "") != "pixel_values":
        raise SkippedNetworkError("its main input is not pixel_values")
    parameters = inspect.signature(model_class.forward).parameters.values()
    needed = [one.name for one in parameters if one.default is one.empty and one.kind == one.POSITIONAL_OR_KEYWORD]
    if [one for one in needed if one not in ("self", "pixel_values")]:
        raise SkippedNetworkError(f"it needs {', '.join(needed[1:])}")
    config = _make_small_config(type(transformers.AutoConfig.for_model(kind)))
    if isinstance(getattr(model_class, "config_class", None), type) and not isinstance(
        config, model_class.config_class
    ):
        config = _make_small_config(model_class.config_class)
    tried = [
        (one, size)
        for one in (config, _make_small_config(type(config), only_size=True))  # some cannot have fewer layers
        for size in dict.fromkeys((_read_size(one), (256, 256), (384, 384)))  # some need multiples of their windows
    ]
    problems = []
    for one, size in tried:
        count, problem = _try_on_meta(model_class, one, size)
        if count > MOST_PARAMETERS:
            raise SkippedNetworkError(f"it has {count / 1e6:.0f} M parameters even with few layers")
        if not problem:
            return model_class(one), size
        problems.append(problem)
    size = tried[0][1]
    try:
        module = model_class(config).eval()
        with torch.no_grad():
            module(pixel_values=torch.zeros(2, 3, *size))
    except Exception as error:
        raise SkippedNetworkError(f"its default configuration does not run ({problems[0][:100]})") from error
    return module, size


def _try_on_meta(model_class: Any, config: Any, size: tuple[int, int]) -> tuple[int, str]:
    """Build and run a model without memory; return its number of parameters, and why it fails."""
    count = 0
    try:
        with torch.device("meta"):
            module = model_class(config).eval()
            count = count_parameters(module)
            module(pixel_values=torch.zeros(2, 3, *size))
    except ImportError as error:
        raise SkippedNetworkError(f"it needs another library ({' '.join(str(error).split())[:80]})") from error
    except Exception as error:  # noqa: BLE001 - any may come from a configuration that does not fit
        return count, " ".join(str(error).split()) or type(error).__name__
    return count, ""


def _read_size(config: Any) -> tuple[int, int]:
    """Return the size of a model's input; parts that were made for large images run on smaller ones."""
    for owner in (config, getattr(config, "vision_config", None), getattr(config, "backbone_config", None)):
        size = getattr(owner, "image_size", None)
        size = (size, size) if isinstance(size, int) else size
        if isinstance(size, (list, tuple)) and len(size) == 2:
            return (size[0], size[1]) if owner is config or max(size) <= LARGEST_OWN_SIZE else (USUAL_SIZE, USUAL_SIZE)
    return USUAL_SIZE, USUAL_SIZE


def _make_small_config(config_class: Any, *, only_size: bool = False) -> Any:
    """Return a configuration with two layers, or two layers a stage, and an input of at most 256 pixels, where it allows this.

    Args:
        config_class: its class.
        only_size: whether the layers are left.
    """
    default = config_class()
    changes: dict[str, Any] = {}
    for key, value in list(vars(default).items()):
        if _COUNTS.match(key) and isinstance(value, int) and not isinstance(value, bool) and value > 2:
            changes[key] = 2
        elif _COUNTS.match(key) and isinstance(value, (list, tuple)) and all(isinstance(one, int) for one in value):
            changes[key] = [min(one, 2) for one in value]
        elif key == "image_size" and isinstance(value, int) and value > LARGEST_OWN_SIZE:
            changes[key] = USUAL_SIZE
        elif key == "image_size" and isinstance(value, (list, tuple)) and value and max(value) > LARGEST_OWN_SIZE:
            changes[key] = [USUAL_SIZE] * len(value)
        elif isinstance(value, tuple) and all(isinstance(one, int) for one in value):
            changes[key] = list(value)  # some models add lists to them
        elif key == "use_pretrained_backbone":
            changes[key] = False
        elif type(value).__name__.endswith("Config") and hasattr(value, "model_type"):
            changes[key] = _make_small_config(type(value)) if not _has_own_values(value) else value
    size = {key: value for key, value in changes.items() if key == "image_size"}
    for attempt in (size, {}) if only_size else (changes, size, {}):
        try:
            config = config_class(**attempt)
        except Exception:  # noqa: BLE001, S112 - some configurations check their values against each other
            continue
        config.return_dict = True
        return config
    return default


def _has_own_values(config: Any) -> bool:
    """Return whether a nested configuration differs from the default of its class."""
    try:
        return bool(config.to_diff_dict().keys() - {"model_type", "transformers_version"})
    except Exception:  # noqa: BLE001
        return True
