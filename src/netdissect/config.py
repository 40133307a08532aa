"""The settings of a dissection: one frozen record with the paper's values as defaults, written into every result."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from netdissect.bounds import (
    MAX_IMAGES,
    MAX_SEED,
    MAX_THREADS,
    MAX_WORKERS,
    RESOLUTION_RANGE,
    format_value,
    require_between,
    require_choice,
    require_integer,
)
from netdissect.errors import SettingsError

Geometry = Literal["receptive-field", "grid"]
Precision = Literal["fp32", "bf16"]
Definition = Literal["label", "category"]

#: Settings that change how a run is carried out, never what it finds.
_HOW = frozenset(
    {
        "device",
        "workers",
        "threads",
        "runtime",
        "address",
        "artefacts",
        "memory",
        "pictures",
        "keep",
        "threshold",
        "shard_size",
    }
)


#: Whole numbers and where they lie, both ends included.
_RANGES = {
    "resolution": RESOLUTION_RANGE,
    "batch_size": (1, 65_536),
    "limit": (1, MAX_IMAGES),
    "images_per_unit": (0, 10_000),
    "seed": (0, MAX_SEED),
    "workers": (1, MAX_WORKERS),
    "threads": (1, MAX_THREADS),
    "shard_size": (1, MAX_IMAGES),
    "memory": (0, 2**60),
}
#: Those that may be left open, with None.
_LEFT_OPEN = frozenset({"resolution", "batch_size", "limit", "threads", "shard_size", "memory"})
_CHOICES = {
    "geometry": ("receptive-field", "grid"),
    "precision": ("fp32", "bf16"),
    "on_error": ("stop", "skip"),
    "runtime": ("local", "ray"),
}
_SWITCHES = ("compile", "pictures", "image_maxima", "keep")
_WORDS = ("score", "split", "address", "artefacts")


#: Images of a forward pass by kind of device. A CPU's eight leave activations in its caches and in memory that is at
#: hand: larger ones are given back to the system after every layer, and being given new pages costs up to half the time.
BATCH_SIZE = {"cpu": 8, "cuda": 32}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides what a dissection finds, and how it is carried out.

    Attributes:
        quantile: q, the share of a unit's cells that lie above its threshold T (paper, § 3.2).
        threshold: score from which a unit counts as a detector (paper, § 3.3). Reports only.
        score: how well a unit fits a concept: ``"iou"``, or the name of a registered score (docs/extending.md).
        geometry: where a cell looks: traced through the network, or an even grid (METHOD, § 2).
        resolution: side of the network's input in pixels; None keeps the probe set's own.
        batch_size: images a forward pass takes at once; None takes 8 on a CPU and 32 on a GPU (docs/performance.md).
            Another batch size may change the last bits of activations.
        precision: of the network's arithmetic: ``"fp32"``, or ``"bf16"``, which changes labels (docs/performance.md).
        compile: whether torch compiles the network first; it changes activations in their last bits.
        split: only images of this split of ``index.csv``; None takes all.
        limit: only the first so many images; None takes all.
        images_per_unit: exemplars kept for each unit.
        seed: of the order in which images are visited.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        workers: processes that scan shards; 1 works in this process.
        threads: of each worker; None shares the processors evenly.
        runtime: ``"local"`` or ``"ray"``.
        address: of a running Ray cluster; None uses the one at hand, or starts one.
        artefacts: folder or fsspec URL for intermediate results that all workers reach; None keeps them in the run's own.
        shard_size: images of a shard; None takes 256. What is found does not depend on it.
        on_error: ``"stop"`` ends the run at an image that cannot be read, ``"skip"`` leaves it out and lists it.
        memory: bytes of candidates kept in memory before they spill to disk; None takes an eighth of the machine's.
        pictures: whether unit images and the report are drawn.
        image_maxima: whether the maximum of every (image, unit) is kept, as an N x U table.
        keep: whether the scan's own files stay in the run's folder when it succeeds.
    """

    quantile: float = 0.005
    threshold: float = 0.04
    score: str = "iou"
    geometry: Geometry = "receptive-field"
    resolution: int | None = None
    batch_size: int | None = None
    precision: Precision = "fp32"
    compile: bool = False
    split: str | None = None
    limit: int | None = None
    images_per_unit: int = 20
    seed: int = 0
    device: str = "auto"
    workers: int = 1
    threads: int | None = None
    runtime: Literal["local", "ray"] = "local"
    address: str | None = None
    artefacts: str | None = None
    shard_size: int | None = None
    on_error: Literal["stop", "skip"] = "stop"
    memory: int | None = None
    pictures: bool = True
    image_maxima: bool = False
    keep: bool = False

    def __post_init__(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            SettingsError: naming the option, its value and its range.
        """
        self._take("quantile", _require_share("quantile", self.quantile, "0.005", ends=False))
        self._take("threshold", _require_share("threshold", self.threshold, "0.04", ends=True))
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None or name not in _LEFT_OPEN:
                self._take(name, require_integer(_spell_option(name), value, least, most))
        for name, choices in _CHOICES.items():
            require_choice(_spell_option(name), getattr(self, name), choices)
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(f"{name} must be True or False, not {format_value(getattr(self, name))}")
        for name in _WORDS:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and value and value.isprintable()):
                raise SettingsError(f"--{_spell_option(name)} must be a word, not {format_value(value)}")
        self._take("device", str(self.device))  # a torch.device too
        if not re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,4})?", self.device):
            raise SettingsError(f"--device must be auto, cpu, cuda or cuda:N, not {format_value(self.device)}")
        if self.address is not None and self.runtime != "ray":
            raise SettingsError("--address names a Ray cluster: it goes with --runtime ray")
        if self.memory is not None and (self.workers > 1 or self.runtime == "ray"):
            raise SettingsError("--memory goes with one process: workers keep what they find on disk; leave it out")

    def _take(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def on(self, device: str) -> Settings:
        """Return the settings with what was left open decided for a kind of device, ``"cpu"`` or ``"cuda"``."""
        if self.batch_size is not None:
            return self
        return dataclasses.replace(self, batch_size=BATCH_SIZE.get(device, BATCH_SIZE["cuda"]))

    @property
    def exact_quantile(self) -> Fraction:
        """Q as the decimal that was typed: 0.005 is 1/200, not the float nearest to it."""
        return Fraction(repr(self.quantile))

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as plain values for ``run.json``."""
        return dataclasses.asdict(self)

    def method_dict(self) -> dict[str, Any]:
        """Return only the settings that decide what is found; what a stored artefact is keyed by."""
        return {name: value for name, value in self.as_dict().items() if name not in _HOW}


def _spell_option(name: str) -> str:
    return name.replace("_", "-")


def _require_share(name: str, value: object, papers: str, *, ends: bool) -> float:
    return require_between(name, value, f"lie between 0 and 1 (the paper's is {papers})", 0, 1, ends=ends)
