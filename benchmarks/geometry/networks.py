"""The networks of the sweep: the smallest of every timm module, torchvision's, transformers' by small configurations, others'."""

from __future__ import annotations

import importlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import machine
from benchmarks.geometry.limits import (
    LARGEST_OWN_SIZE,
    MOST_PARAMETERS,
    USUAL_SIZE,
    SkippedNetworkError,
    count_parameters,
)  # fmt: skip
from benchmarks.geometry.transformers_models import build_transformers, list_transformers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

FAMILIES = ("timm", "torchvision", "transformers", "others")
_DECODERS = (
    "Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3", "DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT",
)  # fmt: skip


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
        "transformers": list_transformers,
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
        "transformers": build_transformers,
        "others": _build_other,
    }
    torch.manual_seed(0)
    module, size = build[candidate.family](candidate.name)
    count = count_parameters(module)
    if count > MOST_PARAMETERS:
        raise SkippedNetworkError(f"it has {count / 1e6:.0f} M parameters")
    return module.eval(), size


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
    if max(own) > LARGEST_OWN_SIZE and not config.get("fixed_input_size"):
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
