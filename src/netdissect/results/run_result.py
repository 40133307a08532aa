"""A whole dissection: its layers, and everything that made them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netdissect.bounds import require_between, require_choice
from netdissect.errors import UnknownLayerError, suggest_nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netdissect.concepts import Vocabulary
    from netdissect.config import Definition, Settings
    from netdissect.results.detectors import Detectors
    from netdissect.results.layer_result import LayerResult


@dataclass(frozen=True)
class NetworkCard:
    """What a run remembers of its network.

    Attributes:
        name: for titles and folder names.
        source: what was typed, such as ``torchvision:resnet18``.
        fingerprint: hash of the weights and the structure.
        input_size: height and width the network was given.
        preprocessing: how images became its input, in words.
    """

    name: str
    source: str
    fingerprint: str
    input_size: tuple[int, int]
    preprocessing: str


@dataclass(frozen=True)
class ProbeSetCard:
    """What a run remembers of its probe set.

    Attributes:
        name: the folder's name.
        path: where it lay; empty for a set that was never on disk.
        fingerprint: hash of its index and vocabulary files.
        images: number of images dissected.
        image_size: height and width of its images.
        label_size: height and width of its label maps.
        vocabulary: its concepts.
    """

    name: str
    path: str
    fingerprint: str
    images: int
    image_size: tuple[int, int]
    label_size: tuple[int, int]
    vocabulary: Vocabulary


@dataclass(frozen=True, eq=False, repr=False)
class RunResult:
    """A finished dissection.

    Attributes:
        layers: the layers by name, in the order they were asked for.
        settings: what decided the result.
        network: what a run remembers of the network.
        probe_set: what it remembers of the probe set.
        image_names: names of the exemplar images, by their row in ``index.csv``.
        journal: versions, timings and remarks, for ``run.json``.
    """

    layers: Mapping[str, LayerResult]
    settings: Settings
    network: NetworkCard
    probe_set: ProbeSetCard
    image_names: Mapping[int, str]
    journal: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        title = f"{self.network.name} on {self.probe_set.images} images of {self.probe_set.name}"
        found = self.detectors(self.settings.threshold)
        return "\n".join([title, *(f"  {name}: {detectors.describe()}" for name, detectors in found.items())])

    def __getitem__(self, layer: str | int) -> LayerResult:
        """Return a layer by name, or by its position: 0 is the first, -1 the last.

        Raises:
            UnknownLayerError: naming the nearest layers of the run.
        """
        return self.layers[self.name_of(layer)]

    def name_of(self, layer: str | int) -> str:
        """Return the name of a layer that is given by name or position.

        Raises:
            UnknownLayerError: naming the nearest layers of the run.
        """
        if isinstance(layer, int) and not isinstance(layer, bool):
            if not -len(self.layers) <= layer < len(self.layers):
                raise UnknownLayerError(f"this run has {len(self.layers)} layer(s), so none at position {layer}")
            return list(self.layers)[layer]
        if not isinstance(layer, str) or layer not in self.layers:
            raise UnknownLayerError(f"this run has no layer {layer!r}: {suggest_nearest(str(layer), self.layers)}")
        return layer

    def __iter__(self) -> Iterator[str]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)

    def __contains__(self, layer: object) -> bool:
        return layer in self.layers

    def detectors(self, threshold: float = 0.04, definition: Definition = "label") -> dict[str, Detectors]:
        """Count detectors and unique detectors of every layer (METHOD, § 5).

        Raises:
            SettingsError: if there is no such threshold or definition.
        """
        require_between("threshold", threshold, "lie between 0 and 1, an IoU", 0, 1)
        require_choice("definition", definition, ("label", "category"))
        return {name: result.detectors(threshold, definition) for name, result in self.layers.items()}
