"""A network and a probe set made of arrays, for tests of the engine."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from netdissect.concepts import Concept, Labels, Vocabulary
from netdissect.config import Settings
from netdissect.engine.dissect import dissect_layers, make_plan
from netdissect.engine.plan import Plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.errors import DataError
from netdissect.layers import FieldMap, Layer
from netdissect.results.scores import find_score
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime


@dataclass
class ArraySource:
    """A network with given activations; an image's first pixel encodes its number."""

    layers: tuple[Layer, ...]
    arrays: dict[str, np.ndarray]
    input_size: tuple[int, int]
    calls: int = 0
    images_seen: list[int] = field(default_factory=list)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def model_input(self, concepts, image):
        return concepts.read_image(image, self.input_size)

    def activations(self, inputs):
        self.calls += 1
        which = inputs[:, 0, 0, 0].astype(int) + 256 * inputs[:, 0, 0, 1].astype(int)
        self.images_seen += which.tolist()
        return {name: torch.from_numpy(array[which]).permute(0, 2, 3, 1) for name, array in self.arrays.items()}


@dataclass
class ArrayConcepts:
    """A probe set with given labels."""

    vocabulary: Vocabulary
    entries: list[Labels]
    image_size: tuple[int, int]
    name: str = "arrays"
    path: str = ""
    fingerprint: str = "0"
    unreadable: frozenset[int] = frozenset()

    def __len__(self):
        return len(self.entries)

    def row(self, index):
        return index

    def image_name(self, index):
        return f"image{index}.png"

    def label_size(self, index):
        return self.entries[index].shape

    def read_image(self, index, size=None):
        if index in self.unreadable:
            raise DataError(describe_unreadable(index))
        picture = np.zeros((*(size or self.image_size), 3), np.uint8)
        picture[0, 0, :2] = index % 256, index // 256
        return picture

    def read_image_file(self, index):
        out = io.BytesIO()
        Image.fromarray(self.read_image(index)).save(out, format="PNG")
        return out.getvalue()

    def read_labels(self, index):
        return self.entries[index]


def describe_unreadable(index: int) -> str:
    """Return why an image cannot be read, at length."""
    return f"images/image{index}.png: expected an image of a known format, got {'nothing ' * 9}of it"


def make_vocabulary(concepts: int, categories: int = 3) -> Vocabulary:
    names = tuple(["object", "part", "color", "scene", "texture", "material"][:categories])
    return Vocabulary(names, tuple(Concept(n + 1, f"c{n + 1}", names[n % len(names)]) for n in range(concepts)))


def make_layer(name: str, array: np.ndarray, field_map: FieldMap) -> Layer:
    return Layer(name, array.shape[1], array.shape[2:], field_map, "receptive-field")


def dissect_arrays(
    source: ArraySource,
    concepts: ArrayConcepts,
    *,
    plan: Plan | None = None,
    threads: int = 1,
    budget: int = 2**30,
    table_memory: int = 2**28,
    folder: str | Path | None = None,
    advance: Callable[[int], None] = lambda _: None,
    **options,
):
    """Dissect arrays with the engine; return its DissectionOutcome.

    A run with a `folder` resumes from the scans in it; `advance` is called with the number of finished images.
    """
    settings = Settings(**({"batch_size": 8} | options))
    plan = plan or make_plan(source.layers, len(concepts), settings)
    with RowThreads(threads) as pool, Store(folder, budget=budget) as store:
        context = WorkerContext(source, concepts, pool, store, advance)
        return dissect_layers(
            InProcessRuntime(context), store, source.layers, concepts, plan, settings, score=find_score(settings.score),
            table_memory=table_memory,
        )  # fmt: skip
