"""Load MODEL by name or from a file, and list its layers."""

from __future__ import annotations

import copy
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from netdissect.bounds import RESOLUTION_RANGE, describe_type, require_integer
from netdissect.errors import SettingsError
from netdissect.probe_sets.download.paths import require_downloaded, resolve_network

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike
    from torch import nn

    from netdissect.networks.layer_list import LayerList
    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.network import Network
    from netdissect.networks.preprocess import Preprocess

    #: One number, three numbers, or (for a mean) one file.
    Channels = float | str | Path | Sequence[float | str]

_LOG = logging.getLogger("netdissect")


def load_network(
    model: str,
    *,
    arch: str | None = None,
    weights: str | Path | None = None,
    mean: Channels | None = None,
    std: Channels | None = None,
    scale: float | None = None,
    channels: Literal["rgb", "bgr"] | None = None,
    colordepth: int = 3,
    seed: int = 0,
    trust: bool = False,
) -> Network:
    """Load a network by name or from a file.

    Args:
        model: MODEL as on the command line: ``torchvision:resnet18``, ``timm:NAME``, ``hf:NAME``,
            ``python:module:function``, the path of a Caffe, ONNX, ``.pt2`` or weights file, or the name of a network that
            ``netdissect zoo download`` fetched.
        arch: architecture of a state dict, such as ``torchvision:resnet18``.
        weights: a weights file, a name of weights in the library, or ``random``; None takes the model's own.
        mean: mean of the input, in its channel order and range: one number, three numbers, or a .npy or .binaryproto
            file; None takes the model's own.
        std: standard deviation of the input, in the same form; the input is divided by it after the mean is subtracted.
        scale: factor applied after the mean is subtracted, for images from 0 to 255 as in Caffe.
        channels: channel order of the input; None takes the model's own.
        colordepth: channels of the input: 3, or 1 for grayscale images.
        seed: seed of random weights.
        trust: open a file that may contain code (``.pt2``); set it only for files from people you trust.

    Returns:
        the network, an argument of `netdissect.dissect` and `list_layers`.

    Raises:
        ModelNotFoundError: if there is no such name, file or function.
        ModelFileError: if a file is damaged, unsafe to open, or does not fit its architecture.
        MissingExtraError: if the library that the model needs is not installed.
        SettingsError: if an option is out of range, does not apply to this kind of model, or `trust` is needed.

    Example::

        import netdissect as nd

        network = nd.load_network("torchvision:resnet18", weights="mine.pth", channels="bgr")
        [layer.name for layer in nd.list_layers(network)][:2]  # ['conv1', 'bn1']
    """
    from netdissect.networks.load import open_network
    from netdissect.networks.load_options import LoadOptions

    options = LoadOptions(
        arch=arch,
        weights=None if weights is None else str(weights),
        mean=_to_words(mean),
        std=_to_words(std),
        scale=scale,
        channels=channels,
        colordepth=colordepth,
        seed=seed,
        trust=trust,
    )
    return open_network(_resolve_model(model), options)


def defer_loading(model: str | None, options: LoadOptions) -> Callable[[], Network] | None:
    """Return a function that loads MODEL with its options when it is needed; None for no MODEL."""
    return None if model is None else partial(load_network, model, **asdict(options))


def load_untrained(model: str, options: LoadOptions) -> Network:
    """Load MODEL with untrained weights, drawn from ``options.seed`` as its architecture draws them.

    Args:
        model: as for `load_network`.
        options: its options; weights that they name are not used.

    Raises:
        ModelError: or a subclass, if nothing says how its weights are drawn, or as `load_network` does.
        SettingsError: as `load_network` does.
    """
    from netdissect.networks.load import open_untrained

    return open_untrained(_resolve_model(model), options)


def _resolve_model(model: str) -> str:
    """Return MODEL, with the name of a downloaded network replaced by its path."""
    is_bare_name = Path(model).name == model and not set(":,") & set(model)
    if is_bare_name and not Path(model).is_file() and not Path(f"{model}.prototxt").exists():
        return str(resolve_network(model) or model)
    if ":" not in model:
        require_downloaded(model)
    return model


def list_layers(
    model: nn.Module | str | Network,
    resolution: int | None = None,
    *,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> LayerList:
    """Return the layers of a network that can be dissected, in the order of computation.

    Args:
        model: any ``torch.nn.Module``, a network that was loaded, or a name that `load_network` accepts.
        resolution: side of square input images in pixels; None takes the network's own size, or 224.
        arch: as for `load_network`.
        weights: as for `netdissect.dissect`.
        trust: as for `load_network`.

    Returns:
        the layers, each with its name, number of units, grid, receptive field, type and output shape: a list that prints as a table
        in which ``*`` marks suggestions, has their names in ``suggested``, and converts with ``to_pandas()``.

    Raises:
        SettingsError: if the resolution is out of range.
        ModelError: or a subclass, if the network cannot be loaded or does not run on such images.

    Example:
        >>> from torch import nn
        >>> layers = list_layers(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()), resolution=32)
        >>> [(layer.name, layer.units, layer.grid, layer.field.step) for layer in layers]
        [('0', 4, (15, 15), (2, 2)), ('1', 4, (15, 15), (2, 2))]
    """
    if resolution is not None:
        resolution = require_integer("resolution", resolution, *RESOLUTION_RANGE)
    from torch import nn

    from netdissect.networks.layer_list import LayerList
    from netdissect.networks.load import wrap_module
    from netdissect.networks.suggest import suggest_layers

    if isinstance(model, nn.Module) and arch is None:  # nothing is said of a preprocessing that does not matter here
        network: Network = wrap_module(model if weights is None else fill_copy(model, weights))
    else:
        network = as_network(model, arch=arch, weights=weights, trust=trust)
    size = network.input_size or (224, 224)
    found = network.layers((resolution, resolution) if resolution else size)
    return LayerList(found, tuple(suggest_layers(found)))


def remove_units(
    model: nn.Module | str | Network,
    layer: str,
    units: Iterable[int] | int,
    to: str | ArrayLike = "zero",
    *,
    input_size: tuple[int, int] | None = None,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> contextlib.AbstractContextManager[Network]:
    """Remove units of a layer from a network inside a ``with`` block, for an evaluation loop of your own.

    The weights are not changed, and after the block everything is as before. If `model` is a module, that module itself lacks
    the units inside the block, and not a copy.

    Args:
        model: any ``torch.nn.Module``, a network that was loaded, or a name that `load_network` accepts.
        layer: name of the layer.
        units: the units, numbered from 1.
        to: what takes the place of their activations: ``"zero"``, or a number for every unit of the layer, shape (U,).
        input_size: height and width at which the layer is looked at, in pixels; None takes the network's own, or 224 x 224.
        arch: as for `load_network`.
        weights: as for `netdissect.dissect`: a module is not changed, and the units are removed from a copy with these weights.
        trust: as for `load_network`.

    Returns:
        a context manager, which gives the network; call its ``module``.

    Raises:
        UnknownLayerError: when the block is entered, if it has no such layer.
        SettingsError: when the block is entered, if there is no such unit, or `to` is neither.
        ModelError: or a subclass, if the network cannot be loaded, or its units cannot be removed.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        >>> with remove_units(module, "1", [1, 3]):
        ...     inside = module(torch.rand(1, 3, 8, 8))
        >>> inside.amax((0, 2, 3)).gt(0).tolist()[::2]
        [False, False]
    """
    from torch import nn

    from netdissect.networks.load import wrap_module

    if isinstance(model, nn.Module) and arch is None:  # nothing is said of a preprocessing that does not matter here
        network: Network = wrap_module(model if weights is None else fill_copy(model, weights))
    else:
        network = as_network(model, arch=arch, weights=weights, trust=trust)
    return network.without(layer, units, to, input_size=input_size)


def as_network(
    model: nn.Module | str | Network,
    preprocess: Preprocess | None = None,
    *,
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
) -> Network:
    """Return a model as a `Network`.

    Args:
        model: any ``torch.nn.Module``, a network that was loaded, or a name that `load_network` accepts.
        preprocess: how images become its input; None takes the model's own, or else ImageNet's statistics with a warning.
        arch: as for `load_network`.
        weights: as for `load_network`; with a module, the file of weights that a copy of it gets.
        trust: as for `load_network`.

    Raises:
        SettingsError: if an option does not go with the model.
        ModelError: or a subclass, as `load_network` does.
    """
    from torch import nn

    from netdissect.networks.load import wrap_module

    if isinstance(model, str):
        network = load_network(model, arch=arch, weights=weights, trust=trust)
        return network if preprocess is None else network.with_preprocess(preprocess)
    if arch is not None:
        raise SettingsError(
            f"arch= goes with a file of weights, and the model is {describe_type(model)}: leave arch= out"
        )
    if isinstance(model, nn.Module) or not hasattr(model, "probe"):
        filled = model if weights is None else fill_copy(model, weights)
        wrapped = wrap_module(filled, preprocess)  # type: ignore[arg-type]  # it refuses anything but modules
        if wrapped.preprocess.note.startswith("assumed"):
            _LOG.warning(
                "%s: %s; pass preprocess= if it was trained with another preprocessing",
                wrapped.name,
                wrapped.preprocess.describe(),
            )
        return wrapped
    if weights is not None:
        raise SettingsError(
            f"weights= goes with a module or a name, and {model.name} is loaded: give them to load_network(…, weights=…)"
        )
    return model if preprocess is None else model.with_preprocess(preprocess)


def fill_copy(module: object, weights: str | Path) -> nn.Module:
    """Return a copy of a module with the weights of a file; the module itself stays as it is.

    Raises:
        SettingsError: if it is not a module.
        ModelFileError: if the file is damaged, unsafe to open, or does not fit the module.
    """
    from torch import nn

    from netdissect.networks import checkpoints

    if not isinstance(module, nn.Module):
        raise SettingsError(f"weights= goes with a torch.nn.Module or the name of a model, not {describe_type(module)}")
    filled = copy.deepcopy(module)
    checkpoint = checkpoints.read_checkpoint(Path(weights))
    checkpoints.load_checkpoint(filled, checkpoint, architecture=type(module).__name__)
    return filled


def _to_words(value: Channels | None) -> list[str] | None:
    """Return numbers or a file as the words of an option on the command line.

    >>> _to_words(0.5), _to_words((0.5, 0.25, 1)), _to_words("mean.npy")
    (['0.5'], ['0.5', '0.25', '1'], ['mean.npy'])
    """
    if value is None:
        return None
    return [str(value)] if isinstance(value, (int, float, str, Path)) else [str(number) for number in value]
