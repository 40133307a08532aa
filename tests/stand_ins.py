"""What the commands of README and docs need, small and local: downloads, weights, checkpoints, photographs."""

from __future__ import annotations

import io
import re
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from tests.unit.probe_sets.download.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

#: Images of a stand-in for Broden and of the demo, and their side in pixels.
IMAGES, SIZE = 12, 48


def prepare_folder(folder: Path, server: Server, monkeypatch: pytest.MonkeyPatch, images: int = IMAGES) -> None:
    """Go to a folder in which every file that the documents name is there, and let downloads come from a local server.

    Args:
        folder: where commands are typed.
        server: serves what is downloaded.
        monkeypatch: undoes the changes to the environment.
        images: how many images the demo and `netdissect data synthetic` draw at most.
    """
    from netdissect.demo import demonstrate, network
    from netdissect.demo.world import write_probe_set as draw

    most = images
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TORCH_HOME", str(folder / "torch"))
    monkeypatch.delenv("NETDISSECT_DATA", raising=False)
    monkeypatch.delenv("NETDISSECT_ZOO", raising=False)
    monkeypatch.setattr(demonstrate, "IMAGES", images)
    monkeypatch.setattr(network, "LAYERS", network.LAYERS[-2:])

    def draw_few(target: Path, *, images: int, size: int = SIZE, **more: object) -> None:
        draw(target, images=min(images, most), size=min(size, 112), **more)

    monkeypatch.setattr("netdissect.demo.world.write_probe_set", draw_few)
    write_weights(folder)
    write_photos(folder)
    serve_registry(server, folder, monkeypatch)


def write_weights(folder: Path) -> None:
    """Write ResNet-18's weights where torchvision looks for its download, two checkpoints of it, and a Caffe network."""
    import torchvision

    from netdissect.networks.sources.caffe.caffe_writer import write_caffe
    from netdissect.networks.sources.caffe.net_spec import make_caffe_layer, make_net_spec
    from netdissect.networks.sources.caffe.random_weights import make_random_weights

    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    for path in ("torch/hub/checkpoints/resnet18-f37072fd.pth", "runs/epoch_1.ckpt", "runs/epoch_2.ckpt", "mine.pth"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        state["conv1.weight"] = state["conv1.weight"] + 0.01  # every checkpoint is another one
        torch.save(OrderedDict(state), folder / path)
    convolution = {"num_output": 8, "kernel_size": [3], "stride": 2}
    spec = make_net_spec("places", {"data": (1, 3, SIZE, SIZE)}, [
        make_caffe_layer("conv4", "Convolution", "data", convolution_param=convolution),
        make_caffe_layer("relu4", "ReLU", "conv4", "conv4"),
        make_caffe_layer("conv5", "Convolution", "conv4", convolution_param=convolution),
        make_caffe_layer("relu5", "ReLU", "conv5", "conv5"),
    ])  # fmt: skip
    (folder / "served").mkdir()
    write_caffe(folder / "served/caffe_reference_places365", spec, make_random_weights(spec, 1))


def write_photos(folder: Path) -> None:
    """Write photographs with masks, a street and a holiday."""
    rng = np.random.default_rng(0)
    for number in range(4):
        for name, array in (("photos", rng.integers(0, 256, (32, 32, 3))), ("masks", rng.integers(0, 3, (32, 32)))):
            (folder / name).mkdir(exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(folder / name / f"{number}.png")
    Image.fromarray(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)).save(folder / "street.jpg")


def serve_registry(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve Broden and the paper's networks, and let the built-in registry name this server instead of the hosts."""
    from importlib import resources

    from netdissect.demo.world import write_probe_set
    from netdissect.probe_sets.download import paths, registry

    write_probe_set(folder / "served/broden1_227", images=IMAGES, size=SIZE, workers=1)
    server.serve("broden1_227.zip", zip_folder(folder / "served/broden1_227"))
    for path in (folder / "served").glob("caffe*"):
        server.serve(path.name, path.read_bytes())
    built_in = resources.files("netdissect.probe_sets.download").joinpath("registry.toml").read_text("utf-8")
    text = re.sub(r'(?<=")https?://[^"]*/', server.url(""), built_in)
    text = re.sub(r',? (md5|sha1|sha256) = "\w+"', "", text)
    text = re.sub(r",? (size|about) = [\d_]+", "", text)
    entries = registry.parse_registry(text, "the stand-in registry")
    monkeypatch.setattr(registry, "load_registry", lambda _=None: dict(entries))
    monkeypatch.setattr(paths, "load_registry", lambda _=None: dict(entries))


def zip_folder(folder: Path) -> bytes:
    """Return a folder as a zip archive, below its own name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder.parent))
    return out.getvalue()
