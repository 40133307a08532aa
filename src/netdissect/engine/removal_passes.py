"""Passes over labeled images with sets of units removed; an interrupted pass continues where its last checkpoint was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.stats.removals import compute_margins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from netdissect.engine.worker_context import ArtifactStore
    from netdissect.protocols import AblationSource, ConceptSource

#: Images per batch.
_BATCH = 32
#: Images times sets between two checkpoints.
_CHECKPOINT = 2**17
#: Arrays that a pass adds to, by name.
_State = dict[str, "NDArray[Any]"]


@dataclass(frozen=True, eq=False)
class RemovalPasses:
    """Runs a network over images, whole and with units removed.

    Attributes:
        source: the network, inside its block.
        images: the images.
        labels: class of every image, -1 for none, int64, shape (N,).
        store: where checkpoints are stored; its folder belongs to one network, layer and set of images.
        advance: called with the number of images that were finished.
    """

    source: AblationSource
    images: ConceptSource
    labels: NDArray[np.int64]
    store: ArtifactStore
    advance: Callable[[int], None]

    def measure(self, positions: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Run the whole network.

        Args:
            positions: positions of the images, shape (n,).

        Returns:
            the class outputs, float32, shape (n, Y), and the mean activation of every unit, float64, shape (U,).
        """

        def start() -> _State:
            return {
                "outputs": np.empty((len(positions), self.source.classes), np.float32),
                "sum": np.zeros(self.source.layer.units, np.float64),
            }

        def add(state: _State, place: slice, inputs: NDArray[np.generic]) -> None:
            state["outputs"][place], means = self.source.measure(inputs)
            state["sum"] += means.sum(axis=0, dtype=np.float64)

        state = self._run("intact", positions, 1, start, add)
        return state["outputs"], state["sum"] / max(1, len(positions))

    def count_recognized(
        self, name: str, positions: NDArray[np.int64], removed: NDArray[np.bool_], values: NDArray[np.float32]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count images by the class that is recognized without each set of units.

        Args:
            name: key of the pass's checkpoint.
            positions: positions of the images, shape (n,).
            removed: whether each of K sets holds each unit, bool, shape (K, U).
            values: what takes the place of each unit's activations, float32, shape (U,).

        Returns:
            the number of images of every class that are recognized, and that of images of any class that are recognized as it,
            each int64, shape (K, Y).
        """
        shape, rows = (len(removed), self.source.classes), np.arange(len(removed))

        def start() -> _State:
            return {"hits": np.zeros(shape, np.int64), "predicted": np.zeros(shape, np.int64)}

        def add(state: _State, place: slice, inputs: NDArray[np.generic]) -> None:
            recognized = self.source.remove(inputs, removed, values).argmax(axis=2)
            for classes, label in zip(recognized.T, self.labels[positions[place]], strict=True):
                state["predicted"][rows, classes] += 1
                state["hits"][:, label] += classes == label

        state = self._run(name, positions, len(removed), start, add)
        return state["hits"], state["predicted"]

    def remove(
        self, name: str, positions: NDArray[np.int64], removed: NDArray[np.bool_], values: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Measure every image without each set of units.

        Args:
            name: key of the pass's checkpoint.
            positions: positions of the images, shape (n,).
            removed: whether each of K sets holds each unit, bool, shape (K, U).
            values: what takes the place of each unit's activations, float32, shape (U,).

        Returns:
            the margins (`compute_margins`), float64, shape (K, n), and whether the image's class is recognized, bool, shape
            (K, n).
        """
        shape = (len(removed), len(positions))

        def start() -> _State:
            return {"margins": np.empty(shape, np.float64), "right": np.empty(shape, np.bool_)}

        def add(state: _State, place: slice, inputs: NDArray[np.generic]) -> None:
            outputs, own = self.source.remove(inputs, removed, values), self.labels[positions[place]]
            state["margins"][:, place] = compute_margins(outputs, own)
            state["right"][:, place] = outputs.argmax(axis=2) == own

        state = self._run(name, positions, len(removed), start, add)
        return state["margins"], state["right"]

    def _run(
        self,
        name: str,
        positions: NDArray[np.int64],
        sets: int,
        start: Callable[[], _State],
        add: Callable[[_State, slice, NDArray[np.generic]], None],
    ) -> _State:
        """Add every batch of images to the state, from the last checkpoint on."""
        state = {key: array.copy() for key, array in self.store.get(name).items()} if name in self.store else start()
        done = int(state.pop("done", np.array(0)))
        self.advance(done)
        since = 0
        for place in _divide(done, len(positions)):
            add(state, place, np.stack([self.source.model_input(self.images, int(at)) for at in positions[place]]))
            since += (place.stop - place.start) * sets
            if since >= _CHECKPOINT or place.stop == len(positions):
                self.store.put(name, state | {"done": np.array(place.stop)})
                since = 0
            self.advance(place.stop - place.start)
        return state


def _divide(start: int, stop: int) -> Iterator[slice]:
    """Yield the batches from one image to another.

    >>> [(batch.start, batch.stop) for batch in _divide(32, 70)]
    [(32, 64), (64, 70)]
    """
    for first in range(start, stop, _BATCH):
        yield slice(first, min(first + _BATCH, stop))
