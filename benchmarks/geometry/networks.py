"""The networks of the sweep: the smallest of every timm module, torchvision's, transformers' by small configurations, others'."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import machine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

FAMILIES = ("timm", "torchvision", "transformers", "others")
#: Largest number of parameters of a network that is tried.
MOST_PARAMETERS = 120_000_000
#: Input's height and width of networks that accept any size.
USUAL_SIZE = 224
#: Largest input at which a network's own size is kept.
_LARGEST_OWN_SIZE = 256
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
_DECODERS = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT",
)  # fmt: skip


class SkippedNetworkError(Exception):
    """Raised with the reason why a network is not tried."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network of the sweep.

    Attributes:
        family: the library, or "others".
        name: unique in its family.
    """

    family: str
    name: str

    @property
    def full_name(self) -> str:
        """Its family and name."""
        return f"{self.family}:{self.name}"


def list_candidates(families: Sequence[str]) -> list[Candidate]:
    """Return the networks of some families."""
    listed = {
        "timm": _list_timm,
        "torchvision": _list_torchvision,
        "transformers": _list_transformers,
        "others": _list_others,
    }
    return [Candidate(family, name) for family in families for name in listed[family]()]


def build_network(candidate: Candidate) -> tuple[nn.Module, tuple[int, int]]:
    """Build a network with random weights; return it and the size of its input.

    Raises:
        SkippedNetworkError: if it is not to be tried.
    """
    build = {
        "timm": _build_timm,
        "torchvision": _build_torchvision,
        "transformers": _build_transformers,
        "others": _build_other,
    }
    torch.manual_seed(0)
    module, size = build[candidate.family](candidate.name)
    count = count_parameters(module)
    if count > MOST_PARAMETERS:
        raise SkippedNetworkError(f"it has {count / 1e6:.0f} M parameters")
    return module.eval(), size


def count_parameters(module: nn.Module) -> int:
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters())


def _list_timm() -> list[str]:
    """Return the smallest network of every module of timm, by parameters; sizes are cached, as counting takes minutes."""
    import timm

    path = machine.CACHE / f"timm-{timm.__version__}-parameters.json"
    sizes: dict[str, int | None] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    names = [name for name in timm.list_models() if name not in sizes]
    for name in names:
        sizes[name] = _count_timm_parameters(name)
    if names:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(sizes), encoding="utf-8")
    by_module: dict[str, list[str]] = defaultdict(list)
    for name in timm.list_models():
        if not name.startswith("test_"):
            by_module[timm.model_entrypoint(name).__module__].append(name)
    smallest = []
    for _, group in sorted(by_module.items()):
        name = min(group, key=lambda one: (sizes[one] or 10**12, len(one), one))
        if (sizes[name] or 0) <= MOST_PARAMETERS:
            smallest.append(name)
    return smallest


def _count_timm_parameters(name: str) -> int | None:
    import timm

    try:
        with torch.device("meta"):
            return count_parameters(timm.create_model(name, pretrained=False))
    except Exception:  # noqa: BLE001 - some networks compute with values while they are built
        return None


def _build_timm(name: str) -> tuple[nn.Module, tuple[int, int]]:
    import timm

    module = timm.create_model(name, pretrained=False)
    config = module.pretrained_cfg
    own = (int(config["input_size"][-2]), int(config["input_size"][-1]))
    if max(own) > _LARGEST_OWN_SIZE and not config.get("fixed_input_size"):
        return module, (USUAL_SIZE, USUAL_SIZE)
    return module, own


def _list_torchvision() -> list[str]:
    """Return the smallest classifier of every file of torchvision, and all networks for segmentation and detection."""
    from torchvision import models

    names, by_file = [], defaultdict(list)
    for name in models.list_models():
        builder = models.get_model_builder(name)
        kind = builder.__module__.split(".")[2]
        if kind in ("segmentation", "detection"):
            names.append(name)
        elif kind not in ("video", "optical_flow", "quantization"):
            by_file[builder.__module__].append(name)
    return [*(_choose_smallest_torchvision(group) for group in by_file.values()), *names]


def _choose_smallest_torchvision(names: Sequence[str]) -> str:
    from torchvision import models

    weights = [models.get_model_weights(name) for name in names]
    return min(zip((min(one.meta["num_params"] for one in every) for every in weights), names, strict=True))[1]


def _build_torchvision(name: str) -> tuple[nn.Module, tuple[int, int]]:
    from torchvision import models

    kind = models.get_model_builder(name).__module__.split(".")[2]
    options: dict[str, Any] = {"weights_backbone": None} if kind in ("segmentation", "detection") else {}
    if name in ("googlenet", "inception_v3"):
        options["init_weights"] = True
    if kind == "detection" and not name.startswith("ssd"):
        options |= {"min_size": USUAL_SIZE, "max_size": USUAL_SIZE}
    side = {"inception_v3": 299}.get(name, USUAL_SIZE)
    return models.get_model(name, weights=None, **options), (side, side)


def _list_transformers() -> list[str]:
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


def _build_transformers(name: str) -> tuple[nn.Module, tuple[int, int]]:
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
            return (size[0], size[1]) if owner is config or max(size) <= _LARGEST_OWN_SIZE else (USUAL_SIZE, USUAL_SIZE)
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
        elif key == "image_size" and isinstance(value, int) and value > _LARGEST_OWN_SIZE:
            changes[key] = USUAL_SIZE
        elif key == "image_size" and isinstance(value, (list, tuple)) and value and max(value) > _LARGEST_OWN_SIZE:
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


def _list_others() -> list[str]:
    return [f"segmentation_models_pytorch/{decoder}" for decoder in _DECODERS]


def _build_other(name: str) -> tuple[nn.Module, tuple[int, int]]:
    library, _, decoder = name.partition("/")
    try:
        smp = importlib.import_module(library)
    except ImportError as error:
        raise SkippedNetworkError(f"{library} is not installed ({error})") from error
    encoder = {"DPT": "tu-vit_tiny_patch16_224"}.get(decoder, "resnet18")
    return getattr(smp, decoder)(encoder_name=encoder, encoder_weights=None), (USUAL_SIZE, USUAL_SIZE)
