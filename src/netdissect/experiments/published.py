"""Read the paper's own table of networks, ``semantics_cvpr_release.mat``: detectors and unique detectors of 27 networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import RunFileError, RunNotFoundError
from netdissect.io.reading import is_regular
from netdissect.probe_sets.compile import matlab
from netdissect.results.compared import DetectorCounts, has_random_weights

if TYPE_CHECKING:
    from pathlib import Path

#: The paper's names of the networks in the file.
_NAMES = {
    "caffenet_random": "AlexNet-random",
    "caffe_reference_imagenet": "AlexNet-ImageNet",
    "caffe_reference_places205": "AlexNet-Places205",
    "caffe_reference_imagenetplaces205": "AlexNet-Hybrid",
    "caffe_reference_places205_batchnorm": "AlexNet-Places205-BatchNorm",
    "caffe_reference_places365": "AlexNet-Places365",
    "caffe_reference_places365_GAP": "AlexNet-Places365-GAP",
    "vgg16_imagenet": "VGG-ImageNet",
    "vgg16_places365": "VGG-Places365",
    "vgg16_places205": "VGG-Places205",
    "vgg16_hybrid1365": "VGG-Hybrid",
    "googlenet_imagenet": "GoogLeNet-ImageNet",
    "googlenet_places205": "GoogLeNet-Places205",
    "googlenet_places365": "GoogLeNet-Places365",
    "resnet-152-torch-places365": "ResNet-152-Places365",
    "resnet-152-torch-imagenet": "ResNet-152-ImageNet",
    "ResNet-50-model_imagenet": "ResNet-50-ImageNet",
    "weakly_deepcontext": "context",
    "weakly_audio": "audio",
    "weakly_videoorder": "frame order",
    "weakly_videotracking": "tracking",
    "weakly_egomotion": "ego-motion",
    "weakly_learningbymoving": "moving",
    "weakly_objectcentric": "object-centric",
    "weakly_solvingpuzzle": "puzzle",
    "weakly_colorization": "colorization",
    "weakly_splitbrain": "split-brain",
}


def read_published_table(path: Path) -> list[DetectorCounts]:
    """Read the paper's table of networks, which has counts by category only.

    The number of units is computed from the share of detectors; it is 0 where a network has none.

    Raises:
        RunNotFoundError: if there is no such file.
        RunFileError: if it is not that table.
    """
    if not path.exists():
        raise RunNotFoundError(f"there is no table {path}")
    if not is_regular(path):
        raise RunFileError(
            f"{path}: expected the paper's semantics_cvpr_release.mat, got something that is not a regular file"
        )
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):  # damaged numbers raise
            return _parse_table(matlab.read_mat_variable(path, "stat"))
    except (ArithmeticError, LookupError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise RunFileError(
            f"{path}: expected the paper's semantics_cvpr_release.mat (a struct stat with num_uniquedetectors), got another "
            f"file ({reason})"
        ) from error


def _parse_table(table: dict[str, Any]) -> list[DetectorCounts]:
    """Return one entry for each network of the table; a damaged table raises any error of numpy or Python."""
    kinds = [str(name) for name in table["concepts"]][1:]
    for name in ("num_detectors", "num_uniquedetectors", "ratio_detectors"):
        if not np.isfinite(table[name]).all() or (np.asarray(table[name]) < 0).any():
            raise ValueError(f"{name} has values that are not counts")
    if (table["num_uniquedetectors"] > table["num_detectors"]).any() or (table["ratio_detectors"] > 1).any():
        raise ValueError("a network has more unique detectors than detectors, or more detectors than units")
    columns = (
        table["networks_name"], table["layers_name"], table["num_detectors"].astype(int),
        table["num_uniquedetectors"].astype(int), table["ratio_detectors"],
    )  # fmt: skip
    return [
        DetectorCounts(
            name=_NAMES.get(str(network), str(network)),
            network=str(network),
            layer=str(layer),
            is_control=has_random_weights(str(network)),
            units=round(found[0] / share[0]) if share[0] else 0,
            detectors=int(found[0]),
            unique=_collect_counts(kinds, unique),
            by_category=_collect_counts(kinds, found),
            definition="category",
        )
        for network, layer, found, unique, share in zip(*columns, strict=True)
    ]


def _collect_counts(kinds: list[str], row: Any) -> dict[str, int]:
    """Return a row's counts by category; the row begins with the total, which is left out."""
    return {kind: int(count) for kind, count in zip(kinds, row[1:], strict=True) if count}
