"""Install the wheel with each extra into an empty environment, and dissect there with what the extra is for.

    python -m benchmarks environments                                        every extra, with this Python
    python -m benchmarks environments -- --extras core onnx --python python3.13
    python -m benchmarks environments -- --torch torch==2.13.0               install this torch first, such as a CPU build

Environments are made in the temporary folder, one after the other, and removed. Each prints a row of a table.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What is run in every environment, before the lines of its extra.
CORE = """
import torch
import netdissect as nd

def make_net():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 3, padding=1))

def dissect(network, layer, **options):
    return nd.dissect(network, [layer], "set", images_per_unit=3, progress=False, **options)

if __name__ == "__main__":
    result = dissect(make_net(), "2", out="run")
    assert len(nd.load("run")["2"].units) == 8
"""
#: What each extra is for.
EXTRAS = {
    "core": "dissect(make_net(), '2', workers=2)",
    "torchvision": """
import torchvision
dissect(torchvision.models.resnet18(weights=None), "layer1")""",
    "timm": """
import timm
dissect(timm.create_model("resnet18", pretrained=False), "layer1")""",
    "hf": """
import datasets
from transformers import ViTConfig, ViTModel
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
dissect(ViTModel(ViTConfig(image_size=64, patch_size=8, **sizes)), "layers.0.mlp.fc1")""",
    "onnx": """
import numpy, onnx
weights = onnx.numpy_helper.from_array(numpy.ones((8, 3, 3, 3), numpy.float32), "w")
images = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, ["n", 3, 32, 32])
output = onnx.helper.make_tensor_value_info("conv", onnx.TensorProto.FLOAT, ["n", 8, 30, 30])
graph = onnx.helper.make_graph([onnx.helper.make_node("Conv", ["images", "w"], ["conv"])], "net", [images], [output], [weights])
onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), "net.onnx")
dissect("net.onnx", "conv")""",
    "ray": "dissect(make_net(), '2', runtime='ray', workers=2)",
    "pandas": "assert len(result['2'].units.to_pandas()) == 8",
    "sklearn": """
from netdissect.analyses import linear_probe
import sklearn.linear_model""",
    "docs": "import mkdocs, mkdocstrings, material",
}
#: Libraries whose versions are printed.
SHOWN = (
    "torch",
    "numpy",
    "torchvision",
    "timm",
    "transformers",
    "datasets",
    "onnxruntime",
    "ray",
    "pandas",
    "scikit-learn",
    "mkdocs",
)


def main(words: list[str]) -> None:
    """Print a row for each environment; exit with 1 if one fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks environments")
    parser.add_argument("--extras", nargs="+", choices=list(EXTRAS), default=list(EXTRAS))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--torch", default=None)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="environments-") as folder:
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True,
                       capture_output=True)  # fmt: skip
        (wheel,) = Path(folder).glob("*.whl")
        print(
            f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB\n\n| extra | Python | installed | size | result |\n|---|---|---|---|---|"
        )
        rows = [_try(extra, given.python, given.torch, wheel) for extra in given.extras]
    raise SystemExit(0 if all(rows) else 1)


def _try(extra: str, python: str, torch: str | None, wheel: Path) -> bool:
    """Install an extra and run its lines; print a row and return whether all worked."""
    folder = wheel.parent / extra
    start, program = time.monotonic(), folder / "env" / "bin" / "python"
    target = str(wheel) if extra == "core" else f"{wheel}[{extra}]"
    folder.mkdir()
    (folder / "check.py").write_text(CORE + "".join(f"    {line}\n" for line in EXTRAS[extra].splitlines()))
    steps = [
        [python, "-m", "venv", "env"],
        *([[program, "-m", "pip", "install", "-q", torch]] if torch else []),
        [program, "-m", "pip", "install", "-q", target],
        [program, "-m", "netdissect", "--help"],
        [program, "-m", "netdissect", "data", "synthetic", "--images", "24", "--size", "64", "--out", "set", "--quiet"],
        [program, "check.py"],
    ]
    failed = ""
    for step in steps:
        done = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            failed = (done.stderr.strip().splitlines() or ["?"])[-1][:200]
            break
    listed = subprocess.run(
        [program, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True, check=False
    ).stdout
    versions = dict(re.findall(r"^([\w-]+)==(\S+)$", listed, re.MULTILINE))
    shown = ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions)
    size = sum(path.lstat().st_size for path in (folder / "env").rglob("*")) / 1e9
    version = subprocess.run(
        [python, "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True, check=True
    ).stdout.strip()
    print(
        f"| {extra} | {version} | {shown} | {size:.1f} GB, {time.monotonic() - start:.0f} s | {failed or 'works'} |",
        flush=True,
    )
    shutil.rmtree(folder)
    return not failed
