"""The paper's own table of networks, ``semantics_cvpr_release.mat``: detectors and unique detectors of 27 networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import RunFileError, RunNotFoundError
from netdissect.io.reading import is_regular
from netdissect.probe_sets.compile import matlab
from netdissect.results.compared import DetectorCounts

if TYPE_CHECKING:
    from pathlib import Path

#: Names as the paper writes them; others stay as they stand in the file.
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
    """Read the table: by-category counts, as that file has no others.

    The number of units is recovered from the share of detectors; it is 0 where a network has none.

    Raises:
        RunNotFoundError: if there is no such file.
        RunFileError: if it is no such table.
    """
    if not path.exists():
        raise RunNotFoundError(f"there is no table {path}")
    if not is_regular(path):
        raise RunFileError(
            f"{path}: expected the paper's semantics_cvpr_release.mat, got something that is no regular file"
        )
    try:
        with np.errstate(over="raise", divide="raise", invalid="raise"):  # a damaged number is no count
            table: dict[str, Any] = matlab.read_mat_variable(path, "stat")
            concepts = [str(name) for name in table["concepts"]]
            kinds = concepts[1:]
            for name in ("num_detectors", "num_uniquedetectors", "ratio_detectors"):
                if not np.isfinite(table[name]).all() or (np.asarray(table[name]) < 0).any():
                    raise ValueError(f"{name} holds what is no count")
            if (table["num_uniquedetectors"] > table["num_detectors"]).any() or (table["ratio_detectors"] > 1).any():
                raise ValueError("a network has more unique detectors than detectors, or more than it has units")
            return [
                DetectorCounts(
                    _NAMES.get(str(name), str(name)), str(name), str(layer), round(found[0] / share[0]) if share[0] else 0,
                    int(found[0]), _collect_counts(kinds, unique), _collect_counts(kinds, found), "category",
                )
                for name, layer, found, unique, share in zip(
                    table["networks_name"], table["layers_name"], table["num_detectors"].astype(int),
                    table["num_uniquedetectors"].astype(int), table["ratio_detectors"], strict=True,
                )
            ]  # fmt: skip
    except (
        FloatingPointError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        OverflowError,
    ) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise RunFileError(
            f"{path}: expected the paper's semantics_cvpr_release.mat (a struct stat with num_uniquedetectors), got another "
            f"file ({reason})"
        ) from error


def _collect_counts(kinds: list[str], row: Any) -> dict[str, int]:
    return {kind: int(count) for kind, count in zip(kinds, row[1:], strict=True) if count}
