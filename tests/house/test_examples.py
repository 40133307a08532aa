"""Every Python example in README, docs and docstrings runs, over a small network and a small probe set."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests import small_probe_set
from torch import nn

import netdissect as nd

ROOT = Path(__file__).resolve().parents[2]
#: Pages that other tests run: tests/house/test_extending.py and tests/unit/callbacks/test_training_page.py.
OTHERS = ("extending.md", "training.md")
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if page.name not in OTHERS and "```python" in page.read_text(encoding="utf-8")
]


class MyNetwork(nn.Sequential):
    """The network of the examples: two layers, and blocks as in a transformer."""

    def __init__(self) -> None:
        blocks = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in range(12))
        super().__init__(OrderedDict(layer3=nn.Conv2d(3, 8, 5, 2), layer4=nn.ReLU(), blocks=nn.Sequential(*blocks)))


class SmallGenerator(nn.Module):
    """A generator of images of 32 pixels from latents of 128 numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.layer4 = nn.Linear(128, 4 * 8 * 8)
        self.shape = nn.Unflatten(1, (4, 8, 8))
        self.out = nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(4, 3, 1), nn.Tanh())

    def forward(self, z):
        return self.out(self.shape(self.layer4(z)))


@pytest.fixture
def example_names(tmp_path, monkeypatch):
    """Return the variables that examples use, in a folder with the files that they read."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    small_probe_set.write_probe_set(tmp_path / "dataset" / "broden1_224", images=6)
    sae = nn.Linear(8, 16)
    save_file({"weight": sae.weight.detach(), "bias": sae.bias.detach()}, tmp_path / "sae.safetensors")
    rng = np.random.default_rng(0)
    for number in range(4):
        for folder, array in (("photos", rng.integers(0, 256, (32, 32, 3))), ("masks", rng.integers(0, 3, (32, 32)))):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(tmp_path / folder / f"{number}.png")
    Image.fromarray(rng.integers(0, 256, (48, 64, 3)).astype(np.uint8)).save(tmp_path / "street.jpg")
    # calls that need a download or Broden's sources only have their arguments checked
    build = inspect.signature(nd.build_broden)
    monkeypatch.setattr(nd, "build_broden", build.bind, raising=False)
    segmenter = inspect.signature(nd.load_segmenter)

    def label(image):
        return (image[..., 0] > 127).astype(np.uint16) + 1

    def load_segmenter(*args, **options):
        segmenter.bind(*args, **options)
        return nd.ImageLabeler(label, ["dark", "bright"])

    monkeypatch.setattr(nd, "load_segmenter", load_segmenter, raising=False)
    generate = nd.generate_probe_set
    monkeypatch.setattr(
        nd, "generate_probe_set", lambda *args, images, **more: generate(*args, images=min(images, 6), **more), raising=False
    )  # fmt: skip
    images = torch.from_numpy(rng.integers(0, 256, (2, 112, 112, 3)).astype(np.uint8))
    model = MyNetwork()
    return {
        "loader": [(torch.zeros(1, 3, 32, 32), torch.zeros(1))], "loss": lambda found, _: found.sum(),
        "optimizer": torch.optim.SGD(model.parameters()), "MyNetwork": MyNetwork, "model": model, "sae": sae,
        "module": SmallGenerator(), "segment": label,
        "images": images, "evaluate": lambda model: model(torch.zeros(1, 3, 32, 32)),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_of_a_page_run(page, example_names, tmp_path):
    text = page.read_text(encoding="utf-8")
    names = dict(example_names)
    for block in re.finditer(r"```python\n(.*?)```", text, re.DOTALL):
        code = block.group(1)
        line = text[: block.start()].count("\n") + 1
        if "torchvision:resnet18" in code:
            torchvision = pytest.importorskip("torchvision")
            torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "mine.pth")
        elif "mine.pth" in code:
            torch.save(MyNetwork().state_dict(), tmp_path / "mine.pth")
        exec(compile("\n" * line + code, str(page), "exec"), names)
        if callable(names.get("network")) and not isinstance(names["network"], nn.Module):
            names["network"] = names["network"]()  # the function of nets.py in docs/models.md


def find_examples():
    """Yield the code of every ``Example::`` block of a docstring, with where it is."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.Module)):
                for block in re.findall(
                    r"^Example::\n\n((?:    .*\n|\n)+)", (ast.get_docstring(node) or "") + "\n", re.MULTILINE
                ):
                    yield pytest.param(textwrap.dedent(block), id=f"{path.stem}.{getattr(node, 'name', '')}")


@pytest.mark.slow
@pytest.mark.parametrize("code", [*find_examples()])
def test_an_example_of_a_docstring_runs(code, example_names, tmp_path):
    if "mine.pth" in code:
        torchvision = pytest.importorskip("torchvision")
        torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "mine.pth")
    if "runs/*.ckpt" in code:
        torchvision = pytest.importorskip("torchvision")
        (tmp_path / "runs").mkdir()
        for epoch in (1, 2):
            torch.save(torchvision.models.resnet18().state_dict(), tmp_path / f"runs/epoch_{epoch}.ckpt")
    if "runs/trained" in code:
        for name in ("trained", "random"):
            nd.dissect(example_names["model"], ["layer4"], "dataset/broden1_224", out=f"runs/{name}", pictures=False)
    exec(code, dict(example_names))
