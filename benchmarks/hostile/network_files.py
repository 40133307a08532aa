"""Network files that are damaged, contradictory or impossible, or that would run code; users' own modules."""

from __future__ import annotations

import os
import pickle
import zipfile
from typing import TYPE_CHECKING

from benchmarks.hostile.attempts import add_attempt, check_printed, expect_either, expect_error, expect_success

if TYPE_CHECKING:
    from benchmarks.hostile.attempts import AttemptFolder

CAFFE = "Caffe files"
CODE = "files that would run code"
OTHERS = "other networks' files"
_LAYER = 'layer { name: "%s" type: "%s" bottom: "%s" top: "%s" %s }\n'


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, trace: str) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return open, (self.trace, "w")


for _name, _old, _new, _sentence in (
    ("no type", 'type: "Convolution"', "", "type|conv1"),
    ("an unknown type before the layer", 'type: "Convolution" bottom: "data"', 'type: "Wonder" bottom: "data"', "Wonder"),
    ("a missing brace", "stride: 2 } }", "stride: 2 }", "line|end|\\}"),
    ("a stride of 0", "stride: 2", "stride: 0", "stride|conv1"),
    ("a stride below zero", "stride: 2", "stride: -2", "stride|conv1|-2"),
    ("a kernel of 0", "kernel_size: 5", "kernel_size: 0", "kernel|conv1"),
    ("a kernel larger than the image", "kernel_size: 5", "kernel_size: 500", "kernel|conv1|smaller|larger"),
    ("a trillion weights", "num_output: 5", "num_output: 100000000000", "conv1"),
    ("a number that is a word", "num_output: 5", "num_output: five", "five|num_output|parse"),
    ("a bottom that no layer makes", 'bottom: "conv1" top: "conv2"', 'bottom: "conv9" top: "conv2"', "conv9"),
    ("itself as bottom", 'bottom: "data" top: "conv1"', 'bottom: "conv1" top: "conv1"', "conv1"),
    ("two layers that write one blob", 'bottom: "conv1" top: "conv2"', 'bottom: "data" top: "conv1"', "conv1"),
    ("an input of 3,200,000 x 3,200,000", "dim: 32 dim: 32", "dim: 3200000 dim: 3200000", "3200000|3,200,000|pixels|memory|size"),
    ("an input below zero", "dim: 32 dim: 32", "dim: -32 dim: 32", "-32|input"),
    ("half a megabyte of opening braces", 'name: "small"', "x " + "{" * 500_000, "deep|nested|line"),
):  # fmt: skip

    @add_attempt(
        CAFFE,
        _name,
        expect_either(_sentence, check_printed("conv1")) if "an input" in _name else expect_error(_sentence),
    )
    def _(folder: AttemptFolder, old: str = _old, new: str = _new) -> object:
        path = folder.network.with_suffix(".prototxt")
        text = path.read_text(encoding="utf-8")
        text = " ".join(text.split())
        if old not in text:
            raise ValueError((old, text))
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return folder.make_run_command(layers="conv2" if "conv9" in new else "conv1")


for _name, _share in (("nothing", 0.0), ("a tenth", 0.1), ("nearly all", 0.99)):

    @add_attempt(CAFFE, f"weights cut to {_name}", expect_error("caffemodel"))
    def _(folder: AttemptFolder, share: float = _share) -> object:
        path = folder.network.with_suffix(".caffemodel")
        data = path.read_bytes()
        path.write_bytes(data[: int(share * len(data))])
        return folder.make_run_command()


for _suffix in (".prototxt", ".caffemodel"):

    @add_attempt(CAFFE, f"a {_suffix} that is a named pipe", expect_error("pipe|regular"))
    def _(folder: AttemptFolder, suffix: str = _suffix) -> object:
        path = folder.network.with_suffix(suffix)
        path.unlink()
        os.mkfifo(path)
        return folder.make_run_command()

    @add_attempt(CAFFE, f"a {_suffix} that is /dev/zero", expect_error("device|regular"))
    def _(folder: AttemptFolder, suffix: str = _suffix) -> object:
        path = folder.network.with_suffix(suffix)
        path.unlink()
        path.symlink_to("/dev/zero")
        return folder.make_run_command()

    @add_attempt(CAFFE, f"a {_suffix} of random bytes", expect_error("small"))
    def _(folder: AttemptFolder, suffix: str = _suffix) -> object:
        folder.network.with_suffix(suffix).write_bytes(bytes(range(255, 0, -1)) * 40)
        return folder.make_run_command()


@add_attempt(CAFFE, "a prototxt without weights is listed", expect_success(check_printed("conv2.*9 *x *9|conv2")))
def _(folder: AttemptFolder) -> object:
    folder.network.with_suffix(".caffemodel").unlink()
    return ["layers", folder.network.with_suffix(".prototxt")]


@add_attempt(CAFFE, "layers after an unsupported type are listed", expect_success(check_printed("Wonder")))
def _(folder: AttemptFolder) -> object:
    path = folder.network.with_suffix(".prototxt")
    path.write_text(path.read_text(encoding="utf-8") + _LAYER % ("w", "Wonder", "conv2", "w", ""), encoding="utf-8")
    return ["layers", path]


def _write_trap(folder: AttemptFolder, name: str) -> object:
    """Write a pickle that, when opened, creates a file in the attempt's folder, which the judge notices."""
    return folder.write(name, pickle.dumps(Trap(str(folder.path / "it ran"))))


for _name, _arch in (
    ("net.pth", "torchvision:resnet18"), ("net.ckpt", "torchvision:resnet18"), ("net.bin", "torchvision:resnet18"),
    ("net.pt", None), ("net.pt2", None), ("net.onnx", None), ("net.caffemodel", None), ("net.safetensors", None),
):  # fmt: skip

    @add_attempt(CODE, f"a pickle named {_name}", expect_error("net"))
    def _(folder: AttemptFolder, name: str = _name, arch: str | None = _arch) -> object:
        path = _write_trap(folder, name)
        if name.endswith("caffemodel"):
            folder.network.with_suffix(".caffemodel").unlink()
            folder.network.with_suffix(".caffemodel").write_bytes((folder.path / name).read_bytes())
            return folder.make_run_command()
        return folder.make_run_command(*(("--arch", arch) if arch else ()), model=path, layers="layer1")


@add_attempt(CODE, "a .pt2 file without --trust, its sample inputs a pickle", expect_error("trust"))
def _(folder: AttemptFolder) -> object:
    path = folder.path / "net.pt2"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/archive_format", "pt2")
        archive.writestr("net/models/model.json", "{}")
        archive.writestr("net/data/sample_inputs/model.pt", pickle.dumps(Trap(str(folder.path / "it ran"))))
    return folder.make_run_command(model=path, layers="layer1")


@add_attempt(CODE, "a pickle inside torch's own archive", expect_error("run code|weights"))
def _(folder: AttemptFolder) -> object:
    import torch

    path = folder.path / "net.pth"
    torch.save({"state_dict": {"w": torch.zeros(2)}, "args": Trap(str(folder.path / "it ran"))}, path)
    return folder.make_run_command("--arch", "torchvision:resnet18", model=path, layers="layer1")


for _library in ("timm:local-dir", "hf"):

    @add_attempt(CODE, f"a folder of {_library}'s whose weights are a pickle", expect_error("net|weights|model|code"))
    def _(folder: AttemptFolder, library: str = _library) -> object:
        import json

        received = folder.path / "received"
        config = {"architecture": "test_vit", "num_classes": 10, "pretrained_cfg": {}, "model_type": "vit"}
        folder.write("received/config.json", json.dumps(config))
        _write_trap(folder, "received/pytorch_model.bin")
        return folder.make_run_command(model=f"{library}:{received}", layers="blocks.0")


@add_attempt(CODE, "hf with remote code in the folder", expect_error("code|model|transformers"))
def _(folder: AttemptFolder) -> object:
    import json

    folder.write("received/mine.py", f"open({str(folder.path / 'it ran')!r}, 'w')")
    config = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.C", "AutoModel": "mine.M"}, "architectures": ["M"]}
    folder.write("received/config.json", json.dumps(config))
    return folder.make_run_command(model=f"hf:{folder.path / 'received'}", layers="x")


@add_attempt(CODE, "--mean from an array of objects", expect_error("mean"))
def _(folder: AttemptFolder) -> object:
    import numpy as np

    np.save(folder.path / "mean.npy", np.array([Trap(str(folder.path / "it ran"))], dtype=object), allow_pickle=True)
    return folder.make_run_command("--mean", folder.path / "mean.npy")


@add_attempt(CODE, "numba's settings in the current folder", expect_success(check_printed("conv1")))
def _(folder: AttemptFolder) -> object:
    from benchmarks.hostile.attempts import FreshProcess

    folder.write("received/.numba_config.yaml", f"cache_dir: {folder.path / 'received/cache'}\n")
    return FreshProcess(folder.make_run_command(), working_folder=folder.path / "received")


for _name, _suffix in (("text", "hello"), ("an HTML page", "<!doctype html>"), ("nothing", "")):
    for _ending in (".pth", ".safetensors", ".onnx", ".pt", ".pt2"):

        @add_attempt(OTHERS, f"{_name} named {_ending}", expect_error("net"))
        def _(folder: AttemptFolder, text: str = _suffix, ending: str = _ending) -> object:
            arch = ("--arch", "torchvision:resnet18") if ending in (".pth", ".safetensors") else ()
            more = ("--trust",) if ending == ".pt2" else arch
            return folder.make_run_command(*more, model=folder.write(f"net{ending}", text), layers="layer1")


@add_attempt(OTHERS, "a safetensors header of 2**60 bytes", expect_error("net"))
def _(folder: AttemptFolder) -> object:
    path = folder.write("net.safetensors", (2**60).to_bytes(8, "little") + b"{}")
    return folder.make_run_command("--arch", "torchvision:resnet18", model=path, layers="layer1")


@add_attempt(OTHERS, "a .pth whose small record unpacks to gigabytes", expect_error("net|unpack|bytes|memory"))
def _(folder: AttemptFolder) -> object:
    path = folder.path / "net.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("net/data.pkl", b"\0" * (1 << 28))
        archive.writestr("net/version", "3\n")
    return folder.make_run_command("--arch", "torchvision:resnet18", model=path, layers="layer1")


for _model, _sentence in (
    ("nowhere", "nowhere"), ("nowhere.prototxt", "nowhere"), ("torchvision:resnet1", "resnet1"), ("timm:nothing", "nothing"),
    ("python:no_module:f", "no_module"), ("python:os:nothing", "nothing"), ("python:os", "function|python:"),
    ("python:json:dumps", "dumps|torch"), ("torchvision:", "torchvision"), ("python:sys:exit", "exit|torch"),
    ("/dev/zero", "zero|device|model|kind"), ("/etc", "etc"), ("https://example.org/net.pth", "net|example|address|file"),
):  # fmt: skip

    @add_attempt(OTHERS, f"MODEL {_model}", expect_error(_sentence))
    def _(folder: AttemptFolder, model: str = _model) -> object:
        return (
            folder.make_run_command("--weights", "random", model=model, layers="layer1")
            if model.startswith(("tor", "tim"))
            else (folder.make_run_command(model=model, layers="layer1"))
        )


for _name, _body, _sentence in (
    ("sys.exit in forward", "import sys; sys.exit(0)", "exit|forward|network"),
    ("an error in forward", "raise RuntimeError('oh')", "oh"),
    ("an endless recursion", "return self.forward(x)", "recursion|deep|network"),
    ("NaN", "return x * float('nan')", "NaN|finite|not a number"),
    ("infinity", "return x / 0", "infinit|finite"),
    ("None", "return None", "conv1|None|units|tensor"),
    ("a number", "return x.sum()", "units|shape|dimension|cells"),
    ("no units", "return x[:, :0]", "units|shape"),
    ("a tensor larger than memory", "return x.repeat(10**9, 1, 1, 1)", "memory"),
    ("printed text", "print('hello'); return x", None),
):

    @add_attempt(
        "a user's own code",
        f"a network that gives {_name}",
        expect_error(_sentence) if _sentence else expect_success(check_printed("own")),
    )
    def _(folder: AttemptFolder, body: str = _body) -> object:
        source = f"""
import torch
class Own(torch.nn.Module):
    def forward(self, x):
        {body}
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.own = Own()
    def forward(self, x):
        return self.own(x)
def make():
    return Net()
"""
        folder.write("code/own_network.py", source)
        words = folder.make_run_command(model="python:own_network:make", layers="own")

        def call() -> None:
            import sys

            from netdissect.cli.app import _run

            sys.path.insert(0, str(folder.path / "code"))
            sys.dont_write_bytecode = True
            code = _run([str(word) for word in words], debug=False)
            sys.stdout.flush()
            os._exit(code)

        return call


@add_attempt("a user's own code", "a module that exits while it is imported", expect_error("exit|import"))
def _(folder: AttemptFolder) -> object:
    folder.write("code/leaves.py", "import sys; sys.exit(3)")
    words = folder.make_run_command(model="python:leaves:make", layers="own")

    def call() -> None:
        import sys

        from netdissect.cli import main

        sys.path.insert(0, str(folder.path / "code"))
        sys.dont_write_bytecode = True
        try:
            main([str(word) for word in words])
        except SystemExit as left:
            sys.stdout.flush()
            os._exit(left.code if isinstance(left.code, int) else 1)

    return call


@add_attempt(OTHERS, "an ONNX file that names data outside", expect_either("net|onnx|outside|data", check_printed("x")))
def _(folder: AttemptFolder) -> object:
    import onnx
    from onnx import TensorProto, helper

    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3, 1, 1], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="../../../../etc/passwd")
    node = helper.make_node("Conv", ["x", "w"], ["y"], name="c")
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("x", 1, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("y", 1, [1, 2, 32, 32])], [weight],
    )  # fmt: skip
    path = folder.write("net.onnx", onnx.helper.make_model(graph).SerializeToString())
    return folder.make_run_command(model=path, layers="y")
