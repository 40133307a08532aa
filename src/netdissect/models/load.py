"""One table of everything MODEL may be, and the way each becomes a Network (docs/models.md)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from netdissect.errors import ModelNotFoundError, SettingsError, nearest
from netdissect.models import caffe_network, checkpoints, python, timm, torchvision, transformers, weightfiles
from netdissect.models.caffe.load import is_caffe
from netdissect.models.caffe.net import CaffeNet
from netdissect.models.exported import network as exported
from netdissect.models.kinds import SPELLINGS, Kind, in_words
from netdissect.models.network import Network, TorchNetwork
from netdissect.models.onnx import network as onnx
from netdissect.models.options import PREPROCESSING, LoadOptions, overridden
from netdissect.models.preprocess import Preprocess, caffe_preprocess
from netdissect.models.scripted import network as scripted
from netdissect.models.scripted.file import is_torchscript

__all__ = ["KINDS", "LoadOptions", "described", "load", "wrap"]


def load(model: str, options: LoadOptions | None = None) -> Network:
    """Load a network by what is typed for MODEL.

    Raises:
        ModelNotFoundError: if nothing of that name is there.
        ModelFileError: if a file is damaged, unsafe or does not fit.
        MissingExtraError: if the library it needs is not installed.
        SettingsError: if an option does not go with this kind of model.
    """
    kind = next((kind for kind in KINDS if kind.fits(model)), None)
    if kind is not None:
        return kind(model, options or LoadOptions())
    if Path(model).exists():
        raise ModelNotFoundError(f"{model} is no kind of model that is known: MODEL may be {in_words()}")
    prefixes = [spelling.prefix.removesuffix(":") for spelling in SPELLINGS.values() if spelling.prefix]
    guess = f"{nearest(model.partition(':')[0], prefixes)} " if ":" in model else ""
    raise ModelNotFoundError(f"there is no model {model!r}: {guess}MODEL may be {in_words()}")


def described(model: str, options: LoadOptions | None = None) -> Network | None:
    """Return what can be looked at although it cannot be run: a bare prototxt. None for anything else.

    Raises:
        ModelFileError: if it is damaged.
    """
    return caffe_network.described(model, options or LoadOptions())


def _state_dict(model: str, options: LoadOptions) -> Network:
    path = Path(model)
    if options.arch is None:
        weightfiles.read_checkpoint(path)  # a file that is refused anyway needs no architecture
        raise SettingsError(
            f"{path} holds weights and no architecture: say which with --arch, such as --arch torchvision:resnet18"
        )
    weightfiles.see_file(path)
    network = load(options.arch, replace(options, arch=None, weights=model))
    if isinstance(network, TorchNetwork):
        network.name, network.source = path.name.split(".")[0], f"{path} --arch {options.arch}"
    return network


def _python(spec: str, options: LoadOptions) -> Network:
    made, source = python.build(spec), f"python:{spec}"
    if options.weights is not None:
        if not isinstance(made, nn.Module):
            raise SettingsError(f"--weights goes with a torch.nn.Module, and {source} returned {type(made).__name__}")
        checkpoints.fit(made, weightfiles.read_checkpoint(Path(options.weights)), architecture=source)
    network = wrap(made, name=spec.rpartition(":")[2]) if isinstance(made, nn.Module) else made
    network.preprocess = overridden(network.preprocess, options)  # type: ignore[misc]
    network.source = source + (f" --weights {options.weights}" if options.weights else "")  # type: ignore[misc]
    return network


_NAMED = PREPROCESSING | {"weights"}
#: What becomes of every spelling, in the order of their table.
KINDS: tuple[Kind, ...] = (
    Kind(spelling=SPELLINGS["torchvision"], build=torchvision.network, takes=_NAMED),
    Kind(spelling=SPELLINGS["timm"], build=timm.network, takes=_NAMED),
    Kind(spelling=SPELLINGS["hf"], build=transformers.network, takes=_NAMED),
    Kind(spelling=SPELLINGS["python"], build=_python, takes=_NAMED),
    Kind(spelling=SPELLINGS["caffe"], build=caffe_network.network, takes=_NAMED - {"std"}, holds=is_caffe),
    Kind(spelling=SPELLINGS["onnx"], build=onnx.network, takes=PREPROCESSING),
    Kind(spelling=SPELLINGS["exported"], build=exported.network, takes=PREPROCESSING),
    Kind(spelling=SPELLINGS["scripted"], build=scripted.network, takes=PREPROCESSING, holds=is_torchscript),
    Kind(spelling=SPELLINGS["weights"], build=_state_dict, takes=PREPROCESSING | {"arch"}),
)


def wrap(module: nn.Module, preprocess: Preprocess | None = None, *, name: str | None = None) -> Network:
    """Return a module of yours as a Network.

    Args:
        module: any ``torch.nn.Module``, a program of torch.export or a module of TorchScript; what torch.compile and data parallelism wrapped around it is taken off.
        preprocess: how pictures become its input; None takes what the module carries as ``preprocess``, or what timm or
            transformers wrote into it, else RGB with ImageNet mean and standard deviation.
        name: what to call it; None takes its class's name.
    """
    if isinstance(module, torch.export.ExportedProgram):
        return exported.of_program(module, preprocess, name=name)
    if isinstance(module, torch.jit.ScriptModule):
        return scripted.of_module(module, preprocess, name=name)
    if not isinstance(module, nn.Module):
        raise SettingsError(f"expected a torch.nn.Module or the name of a model, got {type(module).__name__}")
    module = _bare(module)
    called = name or type(module).__name__
    if isinstance(module, CaffeNet):
        return caffe_network.CaffeNetwork(module, preprocess or caffe_preprocess(), name=called, source=called)
    carried = getattr(module, "preprocess", None)
    own = carried if isinstance(carried, Preprocess) else timm.carried(module) or transformers.carried(module)
    return TorchNetwork(
        module,
        preprocess or own or Preprocess(note="assumed: ImageNet statistics"),
        name=called,
        source=called,
        input_size=timm.size_of(module) or transformers.size_of(module),
        call=transformers.call_of(module),
        fitted=timm.fitted,
    )


def _bare(module: nn.Module) -> nn.Module:
    """Return the network inside torch.compile's and data parallelism's wrappers, whose layers have their own names."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner
