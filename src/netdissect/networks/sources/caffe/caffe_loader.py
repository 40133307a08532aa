"""Load a `CaffeNet` from ``PATH.prototxt,PATH.caffemodel``, or from the stem that both share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.errors import ModelFileError, ModelNotFoundError, suggest_nearest
from netdissect.networks.sources.caffe.caffe_net import CaffeNet
from netdissect.networks.sources.caffe.caffemodel import read_caffemodel
from netdissect.networks.sources.caffe.layers import LAYER_TYPES
from netdissect.networks.sources.caffe.prototxt import read_prototxt

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netdissect.networks.sources.caffe.caffemodel import Blob
    from netdissect.networks.sources.caffe.net_spec import NetSpec

_TEXT, _BINARY = ".prototxt", ".caffemodel"


def load_caffe(model: str | Path, weights: str | Path | None = None) -> CaffeNet:
    """Load a network from Caffe's two files.

    Args:
        model: ``PATH.prototxt,PATH.caffemodel``; the stem both share; or the prototxt alone, with `weights` or with
            a caffemodel of the same stem.
        weights: the caffemodel, if `model` does not name it.

    Raises:
        ModelNotFoundError: if a file does not exist.
        ModelFileError: if one is of another kind or damaged, or they do not belong together.
    """
    text, binary = find_pair(model, weights)
    spec = read_prototxt(text)
    blobs = read_caffemodel(binary)
    _check_pair(spec, blobs, text, binary)
    return CaffeNet(spec, blobs)


def find_pair(model: str | Path, weights: str | Path | None = None) -> tuple[Path, Path]:
    """Return the prototxt and the caffemodel of a model's name (see `load_caffe`).

    Raises:
        ModelNotFoundError: if one of them does not exist.
    """
    if weights is not None:
        return _require_file(Path(model)), _require_file(Path(weights))
    name = str(model)
    parts = name.split(",")
    pairs = [(Path(",".join(parts[:cut]).strip()), Path(",".join(parts[cut:]).strip())) for cut in range(1, len(parts))]
    stem = name.removesuffix(_TEXT).removesuffix(_BINARY)
    same_stem = (Path(stem + _TEXT), Path(stem + _BINARY))
    for pair in (same_stem, *pairs):
        if all(path.is_file() for path in pair):
            return pair
    # No pair exists: report the most likely reading of the name.
    endings = [(pair[0].suffix == _TEXT) + (pair[1].suffix == _BINARY) for pair in pairs]
    text, binary = pairs[endings.index(max(endings))] if any(endings) else same_stem
    return _require_file(text), _require_file(binary)


def find_prototxt(model: str) -> Path:
    """Return the prototxt of a model's name (see `load_caffe`); it needs no caffemodel.

    Raises:
        ModelNotFoundError: if it does not exist.
    """
    stem = Path(model.removesuffix(_TEXT).removesuffix(_BINARY) + _TEXT)
    return stem if stem.is_file() else find_pair(model)[0]


def is_caffe(model: str) -> bool:
    """Return whether a model's name means Caffe's files: by its suffixes, or because the files of a stem exist."""
    if any(part.strip().endswith((_TEXT, _BINARY)) for part in model.split(",")):
        return True
    return Path(model + _TEXT).is_file() or Path(model + _BINARY).is_file()


def _require_file(path: Path) -> Path:
    """Return a path if it is a file."""
    if path.is_file() or (path.exists() and not path.is_dir()):  # the reader checks it
        return path
    kind = "caffemodel" if path.suffix == _BINARY else "prototxt" if path.suffix == _TEXT else "Caffe file"
    if path.is_dir():
        raise ModelNotFoundError(f"{path}: expected a {kind}, got a folder")
    if not path.parent.is_dir():
        raise ModelNotFoundError(f"{path}: no such {kind}; there is no folder {path.parent}")
    others = sorted(one.name for one in path.parent.iterdir() if one.suffix == path.suffix and one.is_file())
    hint = suggest_nearest(path.name, others) if others else f"the folder has no *{path.suffix} at all."
    raise ModelNotFoundError(f"{path}: no such {kind}; {hint}")


def _check_pair(spec: NetSpec, blobs: Mapping[str, Sequence[Blob]], text: Path, binary: Path) -> None:
    """Check that at least one layer with weights has the same name in both files."""
    needing = [layer.name for layer in spec.layers if layer.type in _WITH_WEIGHTS]
    if needing and not any(name in blobs for name in needing):
        raise ModelFileError(
            f"{binary}: expected weights for the layers of {text.name} ({', '.join(needing[:4])} …), "
            f"got weights for {', '.join(list(blobs)[:4]) or 'no layer'} …; the two do not belong together"
        )


_WITH_WEIGHTS = frozenset({"BatchNorm", "Convolution", "Deconvolution", "InnerProduct", "PReLU"} & LAYER_TYPES.keys())
