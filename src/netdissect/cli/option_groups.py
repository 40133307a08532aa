"""Options that several commands share, in groups as ``--help`` shows them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from netdissect.errors import SettingsError

MODEL = Group("Model", sort_key=1)
METHOD = Group("Method (defaults are the paper's)", sort_key=2)
WORK = Group("How the work is done", sort_key=3)

_Several = Parameter(consume_multiple=True, negative_iterable="")


@Parameter(name="*", group=MODEL)
@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What may be said of MODEL besides its name.

    Args:
        arch: architecture of a state dict, such as torchvision:resnet18.
        weights: weights file of MODEL, or random.
        mean: mean of the input, in its channel order: three numbers, or one .npy or .binaryproto file.
        std: standard deviation of the input, divided by after the mean is subtracted.
        scale: multiplied after the mean is subtracted, with images from 0 to 255 as in Caffe.
        channels: order of the input's channels.
        colordepth: 1 gives the network grey images.
    """

    arch: str | None = None
    weights: Annotated[str | None, Parameter(["--weights", "-w"])] = None
    mean: Annotated[list[str] | None, _Several] = None
    std: Annotated[list[str] | None, _Several] = None
    scale: float | None = None
    channels: Literal["rgb", "bgr"] | None = None
    colordepth: int = 3


@Parameter(name="*", group=METHOD)
@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """What decides the result.

    Args:
        quantile: share of a unit's cells above its threshold.
        threshold: IoU from which a unit counts as a detector.
        resolution: side of the network's input in pixels; the probe set's own if not given.
        geometry: where a cell looks: traced through the network, or an even grid.
        split: only images of this split.
        limit: only the first so many images.
        images_per_unit: images shown of each unit.
        seed: of the order in which images are visited.
        precision: arithmetic of the network; bf16 changes labels.
        compile: let torch compile the network first; it changes activations in their last bits.
        on_error: stop at an image that cannot be read, or skip it and list it in the report.
    """

    quantile: float = 0.005
    threshold: Annotated[float, Parameter(["--threshold", "-t"])] = 0.04
    resolution: int | None = None
    geometry: Literal["receptive-field", "grid"] = "receptive-field"
    split: str | None = None
    limit: int | None = None
    images_per_unit: Annotated[int, Parameter(["--images-per-unit", "--imcount"])] = 20
    seed: int = 0
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: Annotated[bool, Parameter(negative="")] = False
    on_error: Literal["stop", "skip"] = "stop"


@Parameter(name="*", group=WORK)
@dataclass(frozen=True, kw_only=True)
class WorkOptions:
    """How the work is done; none of it changes what is found.

    Args:
        batch_size: images per forward pass; 8 on a CPU and 32 on a GPU if not given.
        device: auto, cpu, cuda or cuda:N.
        workers: processes that scan at the same time.
        threads: of each worker; the processors are shared evenly if not given.
        runtime: processes of this machine, or a Ray cluster.
        address: of a running Ray cluster.
        memory: of intermediate results kept before they go to disk, such as 4GB; an eighth of the machine's if not given.
        artefacts: folder or URL for intermediate results, where all workers reach it; the run's own folder if not given.
        shard_size: images of a piece of work; an interrupted run goes on from finished pieces.
        image_maxima: keep every unit's maximum on every image (LAYER-image-maxima.parquet).
        keep: keep intermediate results when the run succeeds.
        fresh: forget what an interrupted run left, instead of going on from it.
        pictures: whether unit images and the report are drawn.
        quiet: show no progress.
    """

    batch_size: Annotated[int | None, Parameter(["--batch-size", "--batch_size", "--probebatch"])] = None
    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    runtime: Literal["local", "ray"] = "local"
    address: str | None = None
    memory: str | None = None
    artefacts: str | None = None
    shard_size: int | None = None
    image_maxima: Annotated[bool, Parameter(negative="")] = False
    keep: Annotated[bool, Parameter(negative="")] = False
    fresh: Annotated[bool, Parameter(negative="--resume")] = False
    pictures: bool = True
    quiet: Annotated[bool, Parameter(negative="")] = False

    def settings(self) -> dict[str, Any]:
        """Return the options that are settings of a dissection."""
        own = {"fresh", "quiet"}
        return {name: value for name, value in asdict(self).items() if name not in own} | {
            "memory": parse_bytes(self.memory)
        }


def parse_bytes(text: str | None) -> int | None:
    """Read an amount of memory.

    >>> _bytes("1.5GB"), _bytes("200 MiB"), _bytes("4096")
    (1500000000, 209715200, 4096)
    """
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", text.lower())
    if match is None:
        raise SettingsError(f"--memory takes an amount such as 4GB or 500MiB, not {text!r}")
    number, prefix, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** " kmgt".index(prefix or " "))
