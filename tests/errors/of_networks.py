"""Mistakes in networks."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pytest
import torch
from tests import exports, nets
from tests.errors.desk import cut, mistake

from netdissect.networks.sources.caffe.caffe_writer import write_caffe
from netdissect.networks.sources.caffe.prototxt import read_prototxt
from netdissect.networks.sources.caffe.random_weights import make_random_weights


def prototxt(desk):
    return desk.net.with_suffix(".prototxt")


def caffemodel(desk):
    return desk.net.with_suffix(".caffemodel")


@mistake("no model of that name")
def _(desk):
    return desk.run(model="resnet1800")


@mistake("a prototxt whose caffemodel is missing")
def _(desk):
    caffemodel(desk).unlink()
    return desk.run()


@mistake("an empty prototxt")
def _(desk):
    prototxt(desk).write_bytes(b"")
    return desk.run()


@mistake("a prototxt that is cut short")
def _(desk):
    path = prototxt(desk)
    path.write_text(path.read_text().rstrip()[:-3])
    return desk.run()


@mistake("a prototxt that is a web page")
def _(desk):
    prototxt(desk).write_text("<!DOCTYPE html><html>404</html>")
    return desk.run()


@mistake("prototxt and caffemodel the wrong way round")
def _(desk):
    return desk.run(model=f"{caffemodel(desk)},{prototxt(desk)}")


@mistake("an empty caffemodel")
def _(desk):
    caffemodel(desk).write_bytes(b"")
    return desk.run()


@mistake("a caffemodel that is cut short")
def _(desk):
    cut(caffemodel(desk))
    return desk.run()


@mistake("a caffemodel that is a Git LFS pointer")
def _(desk):
    caffemodel(desk).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")
    return desk.run()


@mistake("a caffemodel that claims a trillion numbers")
def _(desk):
    from tests.fuzz.test_networks import message, varint

    blob = message(7, message(7, message(1, varint(10**6), varint(10**6))), message(5, bytes(40)))
    layer = message(1, b"conv1") + blob
    caffemodel(desk).write_bytes(varint(100 << 3 | 2) + varint(len(layer)) + layer)
    return desk.run()


@mistake("a prototxt in which two layers write one blob")
def _(desk):
    path = prototxt(desk)
    path.write_text(path.read_text() + 'layer { name: "x" type: "ReLU" bottom: "data" top: "conv1" }')
    return desk.run()


@mistake("a caffemodel of another network")
def _(desk):
    path = prototxt(desk)
    path.write_text(path.read_text().replace("kernel_size: 5", "kernel_size: 7"))
    return desk.run()


def reweighted(desk, change):
    net = read_prototxt(prototxt(desk))
    weights = {name: [np.array(blob) for blob in blobs] for name, blobs in make_random_weights(net, seed=0).items()}
    change(weights)
    write_caffe(desk.net, net, weights)
    return desk.run()


@mistake("weights that are NaN")
def _(desk):
    return reweighted(desk, lambda weights: weights["conv1"][0].fill(np.nan))


@mistake("weights so large that activations overflow")
def _(desk):
    return reweighted(desk, lambda weights: weights["conv1"][0].fill(3e38))


@mistake("a layer that the network does not have")
def _(desk):
    return desk.run(layers="con1")


@mistake("a pattern that matches no layer")
def _(desk):
    return desk.run(layers="con[5-9]")


@mistake("a network that does not run on images of this size")
def _(desk):
    return desk.run("--resolution", "8", layers="conv2")


@mistake("a mean file that is damaged")
def _(desk):
    (desk.folder / "mean.npy").write_bytes(b"\x93NUMPY\x01\x00 cut")
    return desk.run("--mean", desk.folder / "mean.npy")


@mistake("a mean file whose channels come last")
def _(desk):
    np.save(desk.folder / "mean.npy", np.zeros((8, 9, 3), np.float32))
    return desk.run("--mean", desk.folder / "mean.npy")


def resnet(desk, weights, *more):
    pytest.importorskip("torchvision")
    return desk.run("--arch", "torchvision:resnet18", *more, model=weights, layers="layer1")


@mistake("weights without `--arch`")
def _(desk):
    torch.save(nets.make_small_net().state_dict(), desk.folder / "w.pth")
    return desk.run(model=desk.folder / "w.pth")


@mistake("a weights file that is missing")
def _(desk):
    return resnet(desk, desk.folder / "nowhere.pth")


@mistake("a weights file that is empty")
def _(desk):
    (desk.folder / "w.pth").write_bytes(b"")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a weights file that is cut short")
def _(desk):
    torch.save(nets.make_small_net().state_dict(), desk.folder / "w.pth")
    cut(desk.folder / "w.pth")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a weights file that is a named pipe")
def _(desk):
    os.mkfifo(desk.folder / "w.pth")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a weights file that would unpack to more memory than it may")
def _(desk):
    from tests.fuzz.test_networks import bomb

    bomb(desk.folder / "w.pth", 2**24)
    return resnet(desk, desk.folder / "w.pth")


@mistake("an index of weights that names itself")
def _(desk):
    index = desk.folder / "w.safetensors.index.json"
    index.write_text('{"weight_map": {"conv1.weight": "w.safetensors.index.json"}}')
    return resnet(desk, index)


@mistake("two sets of weights that fit equally well")
def _(desk):
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    nets_ = {key: torchvision.models.resnet18(num_classes=2).state_dict() for key in "ab"}
    torch.save(nets_, desk.folder / "w.pth")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a classifier that the weights file lacks is dissected")
def _(desk):
    torchvision = pytest.importorskip("torchvision")
    state = torchvision.models.resnet18().state_dict()
    torch.save({name: tensor for name, tensor in state.items() if not name.startswith("fc")}, desk.folder / "w.pth")
    return desk.run("--arch", "torchvision:resnet18", model=desk.folder / "w.pth", layers="fc")


class Leaving(torch.nn.Module):
    """Ends the program when it runs."""

    def forward(self, x):
        sys.exit(3)


@mistake("a network of yours that calls `sys.exit`")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(torch.nn.Sequential(Leaving()), "0", desk.data)


class Flow(torch.nn.Module):
    """Needs two images."""

    def __init__(self):
        super().__init__()
        self.encoder = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))

    def forward(self, image1, image2):
        return self.encoder(image1) - self.encoder(image2)


@mistake("a network that needs more than images")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(Flow(), "encoder", desk.data)


@mistake("a network that takes videos")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3)), "0", desk.data)


@mistake("a network with lazy layers that never ran")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(torch.nn.Sequential(torch.nn.LazyConv2d(4, 3)), "0", desk.data)


@mistake("a network of yours that fails on some images")
def _(desk):
    import netdissect as nd

    module = Hungry()
    desk.patch.setattr(torch, "empty", raising(torch.empty))
    return lambda: nd.dissect(module, "conv", desk.data)


def raising(empty):
    """Return torch.empty, failing where Hungry asks for memory."""

    def asked(*size, **options):
        if size == (10**15,):
            raise RuntimeError("an odd one")
        return empty(*size, **options)

    return asked


def encoder(desk, state, config=None):
    from safetensors.torch import save_file

    save_file({"W_enc": torch.zeros(5, 8), "b_enc": torch.zeros(8), **state}, desk.folder / "sae.safetensors")
    if config is not None:
        (desk.folder / "config.json").write_text(config)
    return desk.run("--projection", desk.folder / "sae.safetensors")


@mistake("a sparse autoencoder with an unknown tensor")
def _(desk):
    return encoder(desk, {"gate.weight": torch.zeros(8, 5)})


@mistake("a sparse autoencoder whose tensors and `config.json` do not fit")
def _(desk):
    return encoder(desk, {}, '{"trainer": {"dict_class": "GatedAutoEncoder"}}')


@mistake("a weights file that would run code when opened")
def _(desk):
    from tests.security.test_no_code import Trap

    torch.save(Trap(desk.folder / "it ran"), desk.folder / "w.pth")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a safetensors file that is cut short")
def _(desk):
    from safetensors.torch import save_file

    save_file(nets.make_small_net().state_dict(), desk.folder / "w.safetensors")
    cut(desk.folder / "w.safetensors")
    return resnet(desk, desk.folder / "w.safetensors")


@mistake("weights of another architecture")
def _(desk):
    torch.save(nets.make_small_net().state_dict(), desk.folder / "w.pth")
    return resnet(desk, desk.folder / "w.pth")


@mistake("a file of an unknown kind")
def _(desk):
    shutil.copy(prototxt(desk), desk.folder / "net.xyz")
    return desk.run(model=desk.folder / "net.xyz")


class Hungry(torch.nn.Module):
    """Asks for more memory than there is when it runs on real images."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)

    def forward(self, x):
        if len(x) != 2:  # not the empty images of a trace
            torch.empty(10**15)
        return self.conv(x)


@mistake("a batch that does not fit into memory")
def _(desk):
    import netdissect as nd

    return lambda: nd.dissect(Hungry(), "conv", desk.data)


@mistake("`--precision` or `--compile` for a network whose file decides both")
def _(desk):
    file = exports.write_pt2(desk.folder / "net.pt2", torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3)).eval())
    return desk.run("--precision", "bf16", "--trust", model=file, layers="0")


@mistake("a `.pt2` file without `--trust`")
def _(desk):
    (desk.folder / "net.pt2").write_bytes(b"never opened")
    return desk.run(model=desk.folder / "net.pt2", layers="0")


@mistake("a TorchScript file")
def _(desk):
    return desk.run(model=exports.write_torchscript(desk.folder / "net.pt", torch.nn.Conv2d(3, 4, 3)), layers="0")


@mistake("`--compile` where torch cannot compile")
def _(desk):
    def refuse(run, *, dynamic):
        def compiled(x):
            raise torch._dynamo.exc.TorchDynamoException("no C++ compiler was found")

        return compiled

    desk.patch.setattr(torch, "compile", refuse)  # tests/unit/networks/test_pace.py takes the compiler away itself
    return desk.run("--compile")
