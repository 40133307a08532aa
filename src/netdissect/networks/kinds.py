"""Everything that MODEL may be, as it is typed, in one table; and how a kind becomes a Network.

The table knows no torch: ``--help`` and the sentences about names that are none are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from netdissect.networks.load_options import LoadOptions
    from netdissect.networks.network import Network

    Build = Callable[[str, LoadOptions], Network]


@dataclass(frozen=True)
class ModelSpelling:
    """How a kind of MODEL is typed.

    Attributes:
        typed: by a person, such as ``timm:NAME`` or ``FILE.onnx``.
        what: what it is, in a line.
        prefix: what stands before it, with its colon; empty for files.
        endings: of its file's name, in lower case; empty where the name does not tell.
    """

    typed: str
    what: str
    prefix: str = ""
    endings: tuple[str, ...] = ()

    def fits(self, model: str) -> bool:
        """Say whether what was typed begins or ends so."""
        if self.prefix:
            return model.startswith(self.prefix)
        return Path(model).name.lower().endswith(self.endings) if self.endings else False


#: Everything that MODEL may be; the first that fits is taken.
SPELLINGS = {
    "torchvision": ModelSpelling("torchvision:NAME", "an architecture of torchvision", "torchvision:"),
    "timm": ModelSpelling("timm:NAME", "an architecture of timm", "timm:"),
    "hf": ModelSpelling("hf:NAME", "a vision model of transformers, by its name or folder", "hf:"),
    "python": ModelSpelling("python:module:function", "a network that a function of yours returns", "python:"),
    "caffe": ModelSpelling("PATH.prototxt,PATH.caffemodel", "a Caffe network, or the stem of its two files"),
    "onnx": ModelSpelling("FILE.onnx", "an ONNX file", endings=(".onnx",)),
    "exported": ModelSpelling("FILE.pt2", "a program of torch.export", endings=(".pt2",)),
    "scripted": ModelSpelling("FILE.pt", "a TorchScript file, by what it holds"),
    "weights": ModelSpelling(
        "FILE.pth", "a state dict, with --arch",
        endings=(".pth", ".pt", ".tar", ".ckpt", ".bin", ".pkl", ".pickle", ".safetensors", ".index.json"),
    ),
}  # fmt: skip


def describe_spellings() -> str:
    """Return everything that MODEL may be, as ``--help`` and sentences say it."""
    return "; ".join(f"{spelling.typed} ({spelling.what})" for spelling in SPELLINGS.values())


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """One kind of MODEL.

    Attributes:
        spelling: how it is typed.
        build: returns the Network of what was typed, less the prefix.
        takes: the options that mean something to it.
        holds: whether a file is of this kind, where its name does not tell.
    """

    spelling: ModelSpelling
    build: Build
    takes: frozenset[str] = frozenset()
    holds: Callable[[str], bool] | None = None

    def fits(self, model: str) -> bool:
        """Say whether what was typed is of this kind."""
        return self.holds(model) if self.holds is not None else self.spelling.fits(model)

    def __call__(self, model: str, options: LoadOptions) -> Network:
        """Load a model of this kind.

        Raises:
            SettingsError: if an option was given that means nothing to it.
        """
        idle = sorted(options.given() - self.takes - {"seed"})
        if idle:
            raise SettingsError(f"--{idle[0]} does not go with {self.spelling.typed}, {self.spelling.what}")
        return self.build(model.removeprefix(self.spelling.prefix), options)
