"""The settings of a dissection, each declared once as a dataclass field.

A field's annotation gives its type and choices; its metadata gives the help text, the bounds and the meaning of None. The
command line, error messages, ``run.schema.json`` and ``docs/settings.md`` are made from them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypedDict

from netdissect.bounds import (
    MAX_IMAGES,
    MAX_SEED,
    MAX_THREADS,
    MAX_WORKERS,
    RESOLUTION_RANGE,
    parse_bytes,
)
from netdissect.errors import SettingsError
from netdissect.setting_fields import CheckedSettings, declare_option, list_field_names

Geometry = Literal["receptive-field", "grid"]
Precision = Literal["fp32", "bf16"]
Linear = Literal["auto", "torch", "packed"]
Runtime = Literal["local", "ray"]
OnError = Literal["stop", "skip"]
Definition = Literal["label", "category"]

#: Settings that a run chooses itself, and the value that leaves them to it. A folder's run keeps what it has chosen.
LEFT_TO_THE_RUN: dict[str, Any] = {"batch_size": None, "linear": "auto", "within": None}
#: Value of `within` that exchanges no labels within scenes.
NOT_WITHIN = "none"
#: Fewest shifts, fewest shifts with ``null_exact``, and fewest resamples, unless there are none.
MIN_SHIFTS, MIN_EXACT_SHIFTS, MIN_RESAMPLES = 10, 99, 20


@dataclass(frozen=True, kw_only=True)
class MethodSettings(CheckedSettings):
    """The settings that decide what a dissection finds; the defaults are the paper's."""

    quantile: float = declare_option(
        0.005, "Fraction of a unit's activations above its threshold T.", bounds=(0, 1), inclusive=False, paper="0.005"
    )
    threshold: float = declare_option(
        0.04, "Smallest score of a detector, an IoU by default.", bounds=(0, 1), paper="0.04", aliases=("-t",)
    )
    score: str = declare_option(
        "iou", "Score that labels units: iou, f1, pearson, cosine, or the name of a registered score.", rare=True
    )
    quantiles: tuple[float, ...] | None = declare_option(
        None, "Further quantiles at which masks are counted, in LAYER-quantiles.csv.", none="none", bounds=(0, 1), inclusive=False,
        paper="0.005", rare=True,
    )  # fmt: skip
    ranges: int = declare_option(
        0, "Ranges of equally many cells that the cells above the lowest threshold are divided into, each counted for itself; 0: "
        "none.", bounds=(0, 100), rare=True,
    )  # fmt: skip
    null: int = declare_option(
        20,
        "Shifts that give units the labels of other images, to measure chance; 0 measures none.",
        bounds=(0, 10_000),
        rare=True,
    )
    resamples: int = declare_option(
        200,
        "Resamples of the images, from which intervals are computed; 0 computes none.",
        bounds=(0, 10_000),
        rare=True,
    )
    group_by: str | None = declare_option(
        None, "Images that belong together, such as frames of a video: a column of index.csv, or a regular expression whose "
        "first group in the image's name is the same.", none="the column group, and identical images", rare=True,
    )  # fmt: skip
    within: str | None = declare_option(
        None, "Category of image-level labels within which labels are exchanged too; none: no such exchange.",
        none="scene, where the label maps fit a quarter of --memory", rare=True,
    )  # fmt: skip
    null_exact: bool = declare_option(
        False, "Compute q from the shifts of each unit alone; it takes at least 99 shifts.", rare=True
    )
    resolution: int | None = declare_option(
        None, "Side of the network's input in pixels.", none="the probe set's", bounds=RESOLUTION_RANGE
    )
    geometry: Geometry = declare_option(
        "receptive-field", "How cells are placed on the image: by receptive field, or on an even grid."
    )
    split: str | None = declare_option(None, "Use only images of this split, such as train.", none="all")
    limit: int | None = declare_option(None, "Use only the first N images.", none="all", bounds=(1, MAX_IMAGES))
    images_per_unit: int = declare_option(20, "Exemplars of each unit.", bounds=(0, 10_000), aliases=("--imcount",))
    seed: int = declare_option(0, "Seed of the order in which images are visited.", bounds=(0, MAX_SEED))
    batch_size: int | None = declare_option(
        None, "Images per forward pass; it may change the last bits of activations.", none="by the memory that activations take",
        bounds=(1, 65_536), aliases=("--batch_size", "--probebatch"),
    )  # fmt: skip
    precision: Precision = declare_option("fp32", "Arithmetic of the network; bf16 changes labels.", rare=True)
    compile: bool = declare_option(
        False, "Compile the network with torch.compile; it changes the last bits of activations.", rare=True
    )
    linear: Linear = declare_option(
        "auto", "Linear layers on a CPU: torch's kernels, packed weights, or what is clearly quicker; it may change the last "
        "bits of activations.", rare=True,
    )  # fmt: skip
    on_error: OnError = declare_option(
        "stop", "What to do at an unreadable image: stop, or skip it and list it in the report.", rare=True
    )
    image_maxima: bool = declare_option(
        False, "Also store every unit's maximum on every image (LAYER-image-maxima.parquet).", rare=True
    )

    def __post_init__(self) -> None:
        """Check every value, and that those of the trust tables fit together.

        Raises:
            SettingsError: if a value is out of bounds, or too small for what it is used for.
        """
        super().__post_init__()
        for name, least in (("null", MIN_SHIFTS), ("resamples", MIN_RESAMPLES)):
            if 0 < getattr(self, name) < least:
                raise SettingsError(f"--{name} must be 0 or at least {least}, not {getattr(self, name)}")
        if self.null_exact and self.null < MIN_EXACT_SHIFTS:
            raise SettingsError(
                f"--null-exact takes --null {MIN_EXACT_SHIFTS} or more, not {self.null}: fewer shifts cannot give a small p"
            )


@dataclass(frozen=True, kw_only=True)
class ExecutionSettings(CheckedSettings):
    """The settings of how a dissection is carried out; they do not change its results."""

    device: str = declare_option("auto", "Device of the network: auto, cpu, cuda or cuda:N.")
    workers: int = declare_option(1, "Processes that share the images.", bounds=(1, MAX_WORKERS))
    pictures: bool = declare_option(True, "Write exemplar images and the HTML report.")
    classic: bool = declare_option(
        False, "Also write the released code's pages into the report: a strip of images for every unit.", rare=True
    )
    threads: int | None = declare_option(
        None, "Threads per worker.", none="CPU cores divided evenly among workers", bounds=(1, MAX_THREADS), rare=True
    )
    runtime: Runtime = declare_option("local", "Where workers run: on this machine, or on a Ray cluster.", rare=True)
    address: str | None = declare_option(
        None, "Address of a running Ray cluster.", none="the one Ray finds, else a new one on this machine", rare=True
    )
    memory: int | None = declare_option(
        None, "Memory for intermediate results before they are written to disk, such as 4GB; in Python, bytes.",
        none="an eighth of the machine's", bounds=(0, 2**60), parse=parse_bytes, rare=True,
    )  # fmt: skip
    artifacts: str | None = declare_option(
        None,
        "Folder or fsspec URL for intermediate results; every worker must be able to reach it.",
        none="the run folder",
        aliases=("--artefacts",),
        rare=True,
        path=True,
    )
    shard_size: int | None = declare_option(
        None, "Images per shard, the piece of work that an interrupted run keeps.", none="256, or eight batches", bounds=(1, MAX_IMAGES),
        rare=True,
    )  # fmt: skip
    keep: bool = declare_option(False, "Keep intermediate results in the run folder when the run succeeds.", rare=True)

    def __post_init__(self) -> None:
        """Check every value, and that they fit together.

        Raises:
            SettingsError: if a value is out of bounds, or has no effect with the others.
        """
        super().__post_init__()
        if self.address is not None and self.runtime != "ray":
            raise SettingsError("--address names a Ray cluster: add --runtime ray, or leave --address out")
        if self.memory is not None and (self.workers > 1 or self.runtime == "ray"):
            raise SettingsError(
                "--memory applies to a single process only: workers keep intermediate results on disk; leave it out"
            )


@dataclass(frozen=True, kw_only=True)
class Settings(MethodSettings, ExecutionSettings):
    """Every setting of a dissection; ``docs/settings.md`` lists them."""

    @property
    def exact_quantile(self) -> Fraction:
        """The quantile as the decimal that was typed: 0.005 is 1/200, not the nearest float."""
        return Fraction(repr(self.quantile))

    @property
    def largest_quantile(self) -> Fraction:
        """The largest quantile at which masks are counted."""
        return max([self.exact_quantile, *self._exact_quantiles])

    @property
    def local_workers(self) -> int:
        """The number of worker processes on this machine; 1 for a run on a cluster, whose workers are sent their code."""
        return self.workers if self.runtime == "local" else 1

    @property
    def counted_ranges(self) -> list[tuple[Fraction, Fraction]]:
        """The ranges of cells that are counted besides the masks at `quantile`, as fractions of all cells by falling activation.

        >>> Settings(quantiles=(0.01,), ranges=2).counted_ranges[1:]
        [(Fraction(0, 1), Fraction(1, 200)), (Fraction(1, 200), Fraction(1, 100))]
        """
        cuts = [self.largest_quantile * part / max(self.ranges, 1) for part in range(self.ranges + 1)]
        spans = [(Fraction(0), quantile) for quantile in self._exact_quantiles] + list(itertools.pairwise(cuts))
        return list(dict.fromkeys(spans))

    @property
    def _exact_quantiles(self) -> list[Fraction]:
        return [Fraction(repr(quantile)) for quantile in self.quantiles or ()]

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values for ``run.json``."""
        return {
            name: getattr(self, name) for part in (MethodSettings, ExecutionSettings) for name in list_field_names(part)
        }

    def as_method_dict(self) -> dict[str, Any]:
        """Return the settings that decide what is computed, as plain values; they are part of the key of stored arrays.

        The score threshold is left out, because it is applied to results afterwards; so are the default score, linear layers
        that are not packed, and shifts and resamples where there are none, so that runs from before they could be chosen keep their
        key.
        """
        values = {name: getattr(self, name) for name in list_field_names(MethodSettings) if name != "threshold"}
        if values["score"] == MethodSettings.score:
            del values["score"]
        if values["linear"] != "packed":
            del values["linear"]
        unused = {
            "quantiles": not self.quantiles,
            "ranges": not self.ranges,
            "null": not self.null,
            "resamples": not self.resamples,
            "group_by": self.group_by is None or not (self.null or self.resamples),
            "within": not self.null,
            "null_exact": not (self.null and self.null_exact),
        }
        return {name: value for name, value in values.items() if not unused.get(name)}


class SettingsDict(TypedDict, total=False):
    """Settings as keyword arguments, typed: ``netdissect.dissect(…, **settings: Unpack[SettingsDict])``."""

    quantile: float
    threshold: float
    score: str
    quantiles: tuple[float, ...] | None
    ranges: int
    null: int
    resamples: int
    group_by: str | None
    within: str | None
    null_exact: bool
    resolution: int | None
    geometry: Geometry
    split: str | None
    limit: int | None
    images_per_unit: int
    seed: int
    batch_size: int | None
    precision: Precision
    compile: bool
    linear: Linear
    on_error: OnError
    image_maxima: bool
    device: str
    workers: int
    pictures: bool
    classic: bool
    threads: int | None
    runtime: Runtime
    address: str | None
    memory: int | None
    artifacts: str | None
    shard_size: int | None
    keep: bool
