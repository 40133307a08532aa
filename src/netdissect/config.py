"""The settings of a dissection: one frozen record with the paper's values as defaults, written into every result."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

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


#: Images of a forward pass by kind of device. A CPU's eight leave activations in its caches and in memory that is at
#: hand: larger ones are given back to the system after every layer, and being given new pages costs up to half the time.
BATCH_SIZE = {"cpu": 8, "cuda": 32}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that decides what a dissection finds, and how it is carried out.

    Attributes:
        quantile: q, the share of a unit's cells that lie above its threshold T (paper, § 3.2).
        threshold: IoU from which a unit counts as a detector (paper, § 3.3). Reports only.
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
        pictures: whether unit pictures and the report are drawn.
        image_maxima: whether the maximum of every (image, unit) is kept, as an N x U table.
        keep: whether the scan's own files stay in the run's folder when it succeeds.
    """

    quantile: float = 0.005
    threshold: float = 0.04
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
        if not 0 < self.quantile < 1:
            raise SettingsError(f"--quantile must lie between 0 and 1 (the paper's is 0.005), not {self.quantile}")
        if not 0 <= self.threshold <= 1:
            raise SettingsError(f"--threshold must lie between 0 and 1 (the paper's is 0.04), not {self.threshold}")
        for name, least in (
            ("resolution", 8), ("batch_size", 1), ("limit", 1), ("images_per_unit", 0), ("workers", 1), ("threads", 1), ("memory", 0), ("shard_size", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise SettingsError(f"--{name.replace('_', '-')} must be at least {least}, not {value}")
        if self.geometry not in ("receptive-field", "grid"):
            raise SettingsError(f"--geometry must be receptive-field or grid, not {self.geometry!r}")
        if self.precision not in ("fp32", "bf16"):
            raise SettingsError(f"--precision must be fp32 or bf16, not {self.precision!r}")
        if self.on_error not in ("stop", "skip"):
            raise SettingsError(f"--on-error must be stop or skip, not {self.on_error!r}")
        if self.runtime not in ("local", "ray"):
            raise SettingsError(f"--runtime must be local or ray, not {self.runtime!r}")

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

    def deciding(self) -> dict[str, Any]:
        """Return only the settings that decide what is found; what a stored artefact is keyed by."""
        return {name: value for name, value in self.as_dict().items() if name not in _HOW}
