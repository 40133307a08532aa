"""The built-in kinds of MODEL: how each is typed, what it is and which options apply to it.

Imports no torch, so that ``--help`` and error messages can list them quickly.
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


@dataclass(frozen=True)
class ModelSpelling:
    """How a kind of MODEL is typed.

    Attributes:
        typed: how help shows it, such as ``timm:NAME`` or ``FILE.onnx``.
        what: what this kind of MODEL is, in one line.
        prefix: with its colon, such as ``timm:``; empty for files.
        endings: suffixes of the file's name, in lower case; empty where the file's content decides.
        is_word: whether it is typed as it is.
    """

    typed: str
    what: str
    prefix: str = ""
    endings: tuple[str, ...] = ()
    is_word: bool = False

    def fits(self, model: str) -> bool:
        """Return whether `model` is this word, or has this prefix or one of these suffixes."""
        if self.is_word:
            return model == self.typed
        if self.prefix:
            return model.startswith(self.prefix)
        return Path(model).name.lower().endswith(self.endings) if self.endings else False


#: The built-in kinds of MODEL; the first that fits is taken.
SPELLINGS = {
    "torchvision": ModelSpelling("torchvision:NAME", "a torchvision architecture", "torchvision:"),
    "timm": ModelSpelling("timm:NAME", "a timm architecture", "timm:"),
    "hf": ModelSpelling("hf:NAME", "a vision model of transformers, by its name or folder", "hf:"),
    "python": ModelSpelling("python:module:function", "a network that your function returns", "python:"),
    "caffe": ModelSpelling("PATH.prototxt,PATH.caffemodel", "a Caffe network, or the stem that its two files share"),
    "onnx": ModelSpelling("FILE.onnx", "an ONNX file", endings=(".onnx",)),
    "exported": ModelSpelling("FILE.pt2", "a program saved by torch.export.save, with --trust", endings=(".pt2",)),
    "weights": ModelSpelling(
        "FILE.pth", "a state dict, with --arch",
        endings=(".pth", ".pt", ".tar", ".ckpt", ".bin", ".pkl", ".pickle", ".safetensors", ".index.json"),
    ),
    "demo": ModelSpelling("demo", "the network that comes with the package", is_word=True),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """One kind of MODEL.

    Attributes:
        spelling: how it is typed.
        load: returns the network; called with MODEL without the prefix, and the options.
        takes: names of the options that apply to it.
        holds: recognizes a file of this kind by its content, if the name is not enough.
    """

    spelling: ModelSpelling
    load: Callable[[str, LoadOptions], Network]
    takes: frozenset[str] = frozenset()
    holds: Callable[[str], bool] | None = None

    def fits(self, model: str) -> bool:
        """Return whether `model` is of this kind."""
        return self.holds(model) if self.holds is not None else self.spelling.fits(model)

    def __call__(self, model: str, options: LoadOptions) -> Network:
        """Load a model of this kind.

        Raises:
            SettingsError: if an option was given that does not apply to it.
        """
        unused = sorted(options.changed_options() - self.takes - {"seed"})
        if unused:
            raise SettingsError(f"--{unused[0]} does not go with {self.spelling.typed}, {self.spelling.what}")
        return self.load(model.removeprefix(self.spelling.prefix), options)
