"""Load MODEL, or wrap a module, as a network; the table of built-in kinds and their loaders."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from netdissect.errors import ModelError, ModelNotFoundError, SettingsError, suggest_nearest
from netdissect.networks import checkpoints, weight_files
from netdissect.networks.kinds import SPELLINGS, ModelKind
from netdissect.networks.listed_network import ListedNetwork
from netdissect.networks.load_options import PREPROCESSING, LoadOptions, override_preprocess
from netdissect.networks.plugins import describe_model_kinds, find_added_kind, list_prefixes
from netdissect.networks.preprocess import Preprocess, make_caffe_preprocess
from netdissect.networks.sources import bundled, exported, python, timm, torchvision, transformers
from netdissect.networks.sources.caffe import caffe_network
from netdissect.networks.sources.caffe.caffe_loader import is_caffe
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.onnx import onnx_network as onnx
from netdissect.networks.torch_network import TorchNetwork, call_module, find_keyword_call
from netdissect.networks.untrained import describe_untrained, draw_untrained
from netdissect.networks.users_attributes import get_attribute

if TYPE_CHECKING:
    from netdissect.networks.network import Network

__all__ = [
    "KINDS",
    "LoadOptions",
    "load_without_weights",
    "open_network",
    "open_untrained",
    "unwrap_module",
    "wrap_module",
]


def open_network(model: str, options: LoadOptions | None = None) -> Network:
    """Load MODEL; `netdissect.load_network` also knows the names of downloaded networks.

    Raises:
        ModelNotFoundError: if there is no such name, file or function.
        ModelFileError: if a file is damaged, unsafe to open, or does not fit its architecture.
        MissingExtraError: if the library that the model needs is not installed.
        SettingsError: if an option does not apply to this kind of model.
    """
    kind = find_added_kind(model) or next((kind for kind in KINDS if kind.fits(model)), None)
    if kind is not None:
        return kind(model, options or LoadOptions())
    if Path(model).exists():
        weight_files.refuse_torchscript(Path(model))
        raise ModelNotFoundError(f"{model} is no known kind of model: MODEL may be {describe_model_kinds()}")
    guess = f"{suggest_nearest(model.partition(':')[0], list_prefixes())} " if ":" in model else ""
    raise ModelNotFoundError(f"there is no model {model!r}: {guess}MODEL may be {describe_model_kinds()}")


def open_untrained(model: str, options: LoadOptions) -> Network:
    """Load MODEL with untrained weights, drawn from ``options.seed`` as its architecture draws them.

    A weights file is not read: the architecture that ``options.arch`` names is built. ``options.weights`` is ignored, except for
    a user's function, whose network may need it.

    Raises:
        ModelError: if nothing says how its weights are drawn, such as those of an ONNX file.
        NetdissectError: as `open_network` does.
    """
    if options.arch is not None:
        return open_untrained(options.arch, replace(options, arch=None, weights=None))
    if model.startswith(_LIBRARIES):
        network = open_network(model, replace(options, weights="random"))
    elif SPELLINGS["demo"].fits(model):
        network = caffe_network.load_untrained_caffe(str(bundled.BUNDLED_STEM), replace(options, weights=None))
        network = replace(network, source=model)
    elif find_added_kind(model) is None and is_caffe(model):
        network = caffe_network.load_untrained_caffe(model, options)
    else:
        own = replace(options, weights=None) if options.weights == "random" else options
        return draw_untrained(open_network(model, own), options.seed)
    assert isinstance(network, ListedNetwork)
    return replace(network, source=describe_untrained(network.source, options.seed))


def load_without_weights(model: str, options: LoadOptions | None = None) -> Network | None:
    """Return the network of a prototxt without its caffemodel, whose layers can be listed; None for any other MODEL.

    Raises:
        ModelFileError: if it is damaged.
    """
    return caffe_network.load_prototxt_network(model, options or LoadOptions())


def _load_state_dict(model: str, options: LoadOptions) -> Network:
    path = Path(model)
    if options.arch is None:
        checkpoints.read_checkpoint(path)  # an unreadable file is reported first
        raise SettingsError(
            f"{path} holds weights without an architecture: name it with --arch, such as --arch torchvision:resnet18"
        )
    weight_files.check_weights_file(path)
    network = open_network(options.arch, replace(options, arch=None, weights=model))
    if isinstance(network, TorchNetwork):
        return replace(network, name=path.name.split(".")[0], source=f"{path} --arch {options.arch}")
    return network


def _load_python(spec: str, options: LoadOptions) -> Network:
    model = python.call_factory(spec)
    source = f"python:{spec}"
    if options.weights is not None:
        if not isinstance(model, nn.Module):
            raise SettingsError(f"--weights goes with a torch.nn.Module, and {source} returned {type(model).__name__}")
        checkpoints.load_checkpoint(model, checkpoints.read_checkpoint(Path(options.weights)), architecture=source)
        source += f" --weights {options.weights}"
    return adopt_network(model, spec.rpartition(":")[2], source, options)


def adopt_network(model: object, name: str, source: str, options: LoadOptions) -> Network:
    """Turn what a user's function or a plugin returned into a network.

    Args:
        model: a ``torch.nn.Module`` or a network.
        name: of the network, if it is a module.
        source: what the user typed to load it.
        options: applied to its preprocessing.

    Raises:
        ModelError: if it is neither.
    """
    if isinstance(model, nn.Module):
        network = wrap_module(model, name=re.sub(r"[/:]", "-", name))
    elif hasattr(model, "probe"):
        network = cast("Network", model)
    else:
        raise ModelError(f"{source} returned {type(model).__name__}: expected a torch.nn.Module")
    preprocess = override_preprocess(network.preprocess, options)
    network = network if preprocess is network.preprocess else network.with_preprocess(preprocess)
    return replace(network, source=source) if isinstance(network, ListedNetwork) else network


#: Prefixes of libraries that build untrained networks.
_LIBRARIES = tuple(SPELLINGS[name].prefix for name in ("torchvision", "timm", "hf"))
_NAMED_OPTIONS = PREPROCESSING | {"weights"}
#: The built-in kinds of MODEL, in the order of `SPELLINGS`.
KINDS: tuple[ModelKind, ...] = (
    ModelKind(spelling=SPELLINGS["torchvision"], load=torchvision.load_torchvision, takes=_NAMED_OPTIONS),
    ModelKind(spelling=SPELLINGS["timm"], load=timm.load_timm, takes=_NAMED_OPTIONS),
    ModelKind(spelling=SPELLINGS["hf"], load=transformers.load_transformers, takes=_NAMED_OPTIONS),
    ModelKind(spelling=SPELLINGS["python"], load=_load_python, takes=_NAMED_OPTIONS),
    ModelKind(
        spelling=SPELLINGS["caffe"],
        load=caffe_network.load_caffe_network,
        takes=_NAMED_OPTIONS - {"std"},
        holds=is_caffe,
    ),
    ModelKind(spelling=SPELLINGS["onnx"], load=onnx.load_onnx, takes=PREPROCESSING),
    ModelKind(spelling=SPELLINGS["exported"], load=exported.load_exported, takes=PREPROCESSING | {"trust"}),
    ModelKind(spelling=SPELLINGS["weights"], load=_load_state_dict, takes=PREPROCESSING | {"arch"}),
    ModelKind(spelling=SPELLINGS["demo"], load=bundled.load_bundled),
)


def wrap_module(module: nn.Module, preprocess: Preprocess | None = None, *, name: str | None = None) -> Network:
    """Return a module as a network.

    Args:
        module: any ``torch.nn.Module``, or a program of torch.export; wrappers of torch.compile and data parallelism are
            removed.
        preprocess: how images become its input; None takes the module's ``preprocess`` attribute, or what timm or
            transformers stored in it, else ImageNet statistics.
        name: of the network; None takes the class's name.

    Raises:
        SettingsError: if it is something else, or TorchScript.
        ModelError: if it has lazy layers that never ran.
    """
    if isinstance(module, torch.export.ExportedProgram):
        return exported.wrap_program(module, preprocess, name=name)
    if isinstance(module, torch.jit.ScriptModule):
        raise SettingsError(
            f"netdissect does not support TorchScript, which torch deprecates: pass the torch.nn.Module that "
            f"{type(module).__name__} was made from, or torch.export.export(model.eval(), (x,))"
        )
    if not isinstance(module, nn.Module):
        raise SettingsError(f"expected a torch.nn.Module or the name of a model, got {type(module).__name__}")
    module = unwrap_module(module)
    called = name or type(module).__name__
    lazy = [key for key, value in module.named_parameters() if nn.parameter.is_lazy(value)]
    if lazy:
        raise ModelError(f"{called} has no weights yet ({lazy[0]}): run it once on a batch of images, then dissect it")
    if isinstance(module, CaffeNet):
        return caffe_network.CaffeNetwork(
            module, preprocess=preprocess or make_caffe_preprocess(), name=called, source=called
        )
    carried = get_attribute(module, "preprocess")
    own = (
        carried
        if isinstance(carried, Preprocess)
        else timm.read_timm_preprocess(module) or transformers.read_transformers_preprocess(module)
    )
    return TorchNetwork(
        module,
        preprocess=preprocess or own or Preprocess(note="assumed: ImageNet statistics"),
        name=called,
        source=called,
        input_size=timm.read_timm_input_size(module) or transformers.read_transformers_input_size(module),
        call=transformers.find_transformers_call(module) or find_keyword_call(module) or call_module,
        fit=timm.set_timm_input_size,
        classes=transformers.read_transformers_classes(module),
    )


def unwrap_module(module: nn.Module) -> nn.Module:
    """Return what is inside the wrappers of torch.compile and data parallelism, which would prefix every layer's name."""
    while True:
        inner = module._modules.get("_orig_mod")  # noqa: SLF001 - an attribute of this name may be anything
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if inner is None:
            return module
        module = inner
