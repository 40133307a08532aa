"""One table of everything MODEL may be, and the way each becomes a Network (docs/models.md)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import nn

from netdissect.errors import ModelError, ModelNotFoundError, SettingsError, suggest_nearest
from netdissect.networks import checkpoints, weight_files
from netdissect.networks.kinds import SPELLINGS, ModelKind
from netdissect.networks.load_options import PREPROCESSING, LoadOptions, override_preprocess
from netdissect.networks.network import ListedNetwork, Network
from netdissect.networks.plugins import describe_model_kinds, find_added_kind, list_prefixes
from netdissect.networks.preprocess import Preprocess, make_caffe_preprocess
from netdissect.networks.sources import exported, python, timm, torchvision, transformers
from netdissect.networks.sources.caffe import caffe_network
from netdissect.networks.sources.caffe.caffe_loader import is_caffe
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.onnx import onnx_network as onnx
from netdissect.networks.torch_network import TorchNetwork, call_module

__all__ = ["KINDS", "LoadOptions", "load_without_weights", "open_network", "wrap_module"]


def open_network(model: str, options: LoadOptions | None = None) -> Network:
    """Load a network by what is typed for MODEL.

    Raises:
        ModelNotFoundError: if nothing of that name is there.
        ModelFileError: if a file is damaged, unsafe or does not fit.
        MissingExtraError: if the library it needs is not installed.
        SettingsError: if an option does not go with this kind of model.
    """
    kind = next((kind for kind in KINDS if kind.fits(model)), None) or find_added_kind(model)
    if kind is not None:
        return kind(model, options or LoadOptions())
    if Path(model).exists():
        weight_files.refuse_torchscript(Path(model))
        raise ModelNotFoundError(f"{model} is no kind of model that is known: MODEL may be {describe_model_kinds()}")
    guess = f"{suggest_nearest(model.partition(':')[0], list_prefixes())} " if ":" in model else ""
    raise ModelNotFoundError(f"there is no model {model!r}: {guess}MODEL may be {describe_model_kinds()}")


def load_without_weights(model: str, options: LoadOptions | None = None) -> Network | None:
    """Return what can be looked at although it cannot be run: a bare prototxt. None for anything else.

    Raises:
        ModelFileError: if it is damaged.
    """
    return caffe_network.load_prototxt_network(model, options or LoadOptions())


def _load_state_dict(model: str, options: LoadOptions) -> Network:
    path = Path(model)
    if options.arch is None:
        weight_files.read_checkpoint(path)  # a file that is refused anyway needs no architecture
        raise SettingsError(
            f"{path} holds weights and no architecture: say which with --arch, such as --arch torchvision:resnet18"
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
        checkpoints.load_checkpoint(model, weight_files.read_checkpoint(Path(options.weights)), architecture=source)
        source += f" --weights {options.weights}"
    return adopt_network(model, spec.rpartition(":")[2], source, options)


def adopt_network(model: object, name: str, source: str, options: LoadOptions) -> Network:
    """Return what a user's function or a plugin gave as a network.

    Args:
        model: a ``torch.nn.Module`` or a network.
        name: what to call a module.
        source: what was typed for it.
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
    network = network.with_preprocess(override_preprocess(network.preprocess, options))
    return replace(network, source=source) if isinstance(network, ListedNetwork) else network


_NAMED_OPTIONS = PREPROCESSING | {"weights"}
#: What becomes of every spelling, in the order of their table.
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
)


def wrap_module(module: nn.Module, preprocess: Preprocess | None = None, *, name: str | None = None) -> Network:
    """Return a module of yours as a Network.

    Args:
        module: any ``torch.nn.Module``, a program of torch.export or a module of TorchScript; what torch.compile and data parallelism wrapped around it is taken off.
        preprocess: how images become its input; None takes what the module carries as ``preprocess``, or what timm or
            transformers wrote into it, else RGB with ImageNet mean and standard deviation.
        name: what to call it; None takes its class's name.
    """
    if isinstance(module, torch.export.ExportedProgram):
        return exported.wrap_program(module, preprocess, name=name)
    if isinstance(module, torch.jit.ScriptModule):
        raise SettingsError(
            f"netdissect takes no TorchScript, which torch deprecates: give the torch.nn.Module that "
            f"{type(module).__name__} was made from, or torch.export.export(model.eval(), (x,))"
        )
    if not isinstance(module, nn.Module):
        raise SettingsError(f"expected a torch.nn.Module or the name of a model, got {type(module).__name__}")
    module = _unwrap(module)
    called = name or type(module).__name__
    if isinstance(module, CaffeNet):
        return caffe_network.CaffeNetwork(
            module, preprocess=preprocess or make_caffe_preprocess(), name=called, source=called
        )
    carried = getattr(module, "preprocess", None)
    own = (
        carried
        if isinstance(carried, Preprocess)
        else timm.timm_preprocess(module) or transformers.transformers_preprocess(module)
    )
    return TorchNetwork(
        module,
        preprocess=preprocess or own or Preprocess(note="assumed: ImageNet statistics"),
        name=called,
        source=called,
        input_size=timm.timm_input_size(module) or transformers.transformers_input_size(module),
        call=transformers.find_processor_call(module) or call_module,
        fit=timm.set_timm_input_size,
    )


def _unwrap(module: nn.Module) -> nn.Module:
    """Return the network inside torch.compile's and data parallelism's wrappers, whose layers have their own names."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner
