"""The libraries that this package uses, which extra installs each, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata


@dataclass(frozen=True)
class Library:
    """An optional library.

    Attributes:
        name: of its distribution.
        module: that is imported.
        extra: of this package that installs it.
        purpose: what it is for.
        tried: whether it is imported to see whether it works; the others take long and rarely fail.
    """

    name: str
    module: str
    extra: str
    purpose: str
    tried: bool = False


CORE = ("torch", "numpy", "numba", "scipy", "pyarrow", "pillow", "simplejpeg", "matplotlib", "cyclopts")
OPTIONAL = (
    Library("torchvision", "torchvision", "torchvision", "torchvision:NAME models", tried=True),
    Library("timm", "timm", "timm", "timm:NAME models", tried=True),
    Library("transformers", "transformers", "hf", "hf:NAME models and data from-words"),
    Library("datasets", "datasets", "hf", "data from-hf"),
    Library("onnx", "onnx", "onnx", "FILE.onnx models"),
    Library("onnxruntime", "onnxruntime", "onnx", "FILE.onnx models"),
    Library("ray", "ray", "ray", "--runtime ray"),
    Library("universal-pathlib", "upath", "ray", "probe sets at URLs"),
    Library("pandas", "pandas", "pandas", "to_pandas"),
    Library("scikit-learn", "sklearn", "sklearn", "discriminate"),
)


def find_version(name: str) -> str | None:
    """Return the version of an installed distribution; None if it is not installed.

    >>> find_version("no-such-distribution") is None
    True
    """
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
