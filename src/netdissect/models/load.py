"""One table of everything ``MODEL`` may be, and the way each becomes a Network (docs/models.md)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import nn

from netdissect.errors import ModelNotFoundError, SettingsError, nearest
from netdissect.models.network import Network, TorchNetwork
from netdissect.models.preprocess import Preprocess, caffe_preprocess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LoadOptions:
    """What may be said of a model besides its name.

    Attributes:
        arch: architecture of a state dict, such as ``torchvision:resnet18``.
        weights: a weights file, a name the library knows, or ``random``.
        mean: numbers in the input's channel order, or one .npy or .binaryproto file.
        scale: multiplied after the mean is subtracted.
        channels: order of the input's channels.
        colordepth: 1 for grey.
        seed: of random weights.
    """

    arch: str | None = None
    weights: str | None = None
    mean: Sequence[str] | None = None
    scale: float | None = None
    channels: Literal["rgb", "bgr"] | None = None
    colordepth: int = 3
    seed: int = 0


def load(model: str, options: LoadOptions | None = None) -> Network:
    """Load a network by what is typed for MODEL.

    Raises:
        ModelNotFoundError: if nothing of that name is there.
        ModelFileError: if a file is damaged, unsafe or does not fit.
        MissingExtraError: if the library it needs is not installed.
        SettingsError: if an option does not go with this kind of model.
    """
    options = options or LoadOptions()
    kind, _, rest = model.partition(":")
    if kind in _BY_PREFIX and rest:
        return _BY_PREFIX[kind](rest, options)
    if _is_caffe(model):
        return _caffe(model, options)
    path = Path(model)
    if path.suffix in _STATE_DICTS:
        return _state_dict(path, options)
    if path.is_file():
        raise ModelNotFoundError(f"{path} is no kind of model file that is known: {_KINDS}")
    raise ModelNotFoundError(f"there is no model {model!r}: {nearest(model, _BY_PREFIX)} Known are {_KINDS}")


def wrap(module: nn.Module, preprocess: Preprocess | None = None, *, name: str | None = None) -> Network:
    """Return a module of yours as a Network.

    Args:
        module: any ``torch.nn.Module``.
        preprocess: how pictures become its input; None takes what the module carries as ``preprocess``, else RGB with
            ImageNet mean and standard deviation.
        name: what to call it; None takes its class's name.
    """
    from netdissect.models.caffe.net import CaffeNet
    from netdissect.models.caffe_network import CaffeNetwork

    if not isinstance(module, nn.Module):
        raise SettingsError(f"expected a torch.nn.Module or the name of a model, got {type(module).__name__}")
    called = name or type(module).__name__
    if isinstance(module, CaffeNet):
        return CaffeNetwork(module, preprocess or caffe_preprocess(), name=called, source=called)
    carried = getattr(module, "preprocess", None)
    if preprocess is None:
        preprocess = carried if isinstance(carried, Preprocess) else Preprocess(note="assumed: ImageNet statistics")
    return TorchNetwork(module, preprocess, name=called, source=called)


def _is_caffe(model: str) -> bool:
    first = model.split(",", maxsplit=1)[0]
    return first.endswith((".prototxt", ".caffemodel")) or Path(f"{model}.prototxt").is_file()


def _caffe(model: str, options: LoadOptions) -> Network:
    from netdissect.models.caffe.load import load_caffe
    from netdissect.models.caffe_network import CaffeNetwork

    spec = (
        model
        if options.weights is None or "," in model
        else f"{model.removesuffix('.prototxt')}.prototxt,{options.weights}"
    )
    net = load_caffe(spec)
    shape = net.input_shape
    size = (shape[2], shape[3]) if shape is not None and len(shape) == 4 else None
    preprocess = caffe_preprocess(
        mean=_mean(options.mean),
        scale=1.0 if options.scale is None else options.scale,
        channels=options.channels or "bgr",
        grey=options.colordepth == 1,
        input_size=size,
    )
    name = Path(spec.split(",")[0]).name.removesuffix(".prototxt")
    return CaffeNetwork(net, preprocess, name=name, source=model, input_size=size)


def _torchvision(name: str, options: LoadOptions) -> Network:
    from netdissect.models import torchvision

    module, preprocess, size = torchvision.build(name, options.weights, options.seed)
    source = f"torchvision:{name}" + (f" --weights {options.weights}" if options.weights else "")
    return TorchNetwork(module, _overridden(preprocess, options), name=name, source=source, input_size=size)


def _state_dict(path: Path, options: LoadOptions) -> Network:
    if options.arch is None:
        raise SettingsError(
            f"{path} holds weights and no architecture: say which with --arch, such as --arch torchvision:resnet18"
        )
    if not path.is_file():
        raise ModelNotFoundError(f"there is no weights file {path}")
    from dataclasses import replace

    network = load(options.arch, replace(options, arch=None, weights=str(path)))
    if isinstance(network, TorchNetwork):
        network.name, network.source = path.name.split(".")[0], f"{path} --arch {options.arch}"
    return network


def _overridden(preprocess: Preprocess, options: LoadOptions) -> Preprocess:
    """Apply --mean, --scale and --channels to a torch model's preprocessing."""
    from dataclasses import replace

    changes: dict[str, object] = {}
    if options.mean is not None:
        mean = _mean(options.mean)
        changes |= {"mean": mean, "unit": 1.0, "std": np.full(3, 1 / (options.scale or 1.0), np.float32), "note": ""}
    elif options.scale is not None:
        raise SettingsError("--scale goes with --mean for a torch model: both replace its own preprocessing")
    if options.channels is not None:
        changes["channels"] = options.channels
    if options.colordepth == 1:
        changes["grey"] = True
    return replace(preprocess, **changes) if changes else preprocess  # type: ignore[arg-type]


def _mean(given: Sequence[str] | None) -> NDArray[np.float32] | None:
    """Read --mean: one or three numbers, or a file."""
    if given is None:
        return None
    try:
        return np.array([float(word) for word in given], np.float32)
    except ValueError:
        pass
    if len(given) > 1:
        raise SettingsError(f"--mean takes three numbers or one .npy or .binaryproto file, not {' '.join(given)}")
    from netdissect.models.caffe.mean import read_mean

    return read_mean(Path(given[0]))


_STATE_DICTS = (".pth", ".pt", ".tar", ".safetensors", ".ckpt", ".bin")
_BY_PREFIX: dict[str, Callable[[str, LoadOptions], Network]] = {"torchvision": _torchvision}
_KINDS = "PATH.prototxt,PATH.caffemodel (or their stem), torchvision:NAME, and a state dict with --arch"
