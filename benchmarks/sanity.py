"""Test which scores fall when labels are missing or added, and write the table of docs/validation.md.

The tests are NeuronEval's (Oikarinen, Yan and Weng, "Evaluating Neuron Explanations", ICML 2025), on pixels: every labeled
image-concept is kept with probability 1/2; or each concept is added to as many images again, with its pixels in one that has it. A
score passes if more than 90 % of units fall, by more than 0.001 of the score's range, for the concepts that label them by IoU.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tests.fakes import make_layer
from tests.planted import GRID, LAYER, PlantedSource, draw_concept_maps, draw_noise, keep_probe_set

from benchmarks import marked_page
from benchmarks.probe_sets import make_demo
from netdissect.concepts import Concept, Labels, Vocabulary
from netdissect.config import Settings
from netdissect.demo import network
from netdissect.demo.world import DEMO_IMAGES
from netdissect.engine.dissect import dissect_layers, make_plan
from netdissect.engine.row_threads import RowThreads
from netdissect.engine.worker_context import WorkerContext
from netdissect.layers import FieldMap
from netdissect.results.activation_sums import compute_cosine, compute_pearson
from netdissect.results.counts import find_best_concepts
from netdissect.results.panel import ScorePanel
from netdissect.results.scores import Score
from netdissect.runtime.array_store import Store
from netdissect.runtime.worker_processes import InProcessRuntime

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netdissect.networks.network import Network
    from netdissect.protocols import ActivationSource, ConceptSource
    from netdissect.results.activation_sums import ActivationSums
    from netdissect.results.layer_result import LayerResult

    Array = NDArray[Any]

PAGE = Path(__file__).parent.parent / "docs" / "validation.md"
#: Scores that may choose labels, and those that are only shown.
CHOOSING = {"iou": "IoU", "f1": "F1", "pearson": "Pearson", "cosine": "Cosine"}
SHOWN = {
    "precision": "precision I/A (NeuronEval: recall)",
    "recall": "recall I/G (NeuronEval: precision)",
    "independence": "lift over independence",
    "attained": "IoU ÷ attainable",
}
#: Noise of planted units, as a share of the height of their maps.
NOISE = np.float32(0.3)
#: A fall counts if it is a larger share of the score's range; a score passes if a larger share of units falls.
LEAST_FALL, LEAST_UNITS = 0.001, 0.9


class ChangedLabels:
    """A probe set some of whose labels are missing, or to which others are added.

    What is missing gets the label of a further concept of its category, so that an image stays one of those over which units and
    concepts of the category are compared.
    """

    def __init__(
        self, concepts: ConceptSource, dropped: dict[int, Array], added: dict[int, list[tuple[int, int]]]
    ) -> None:
        self._concepts, self._dropped, self._added = concepts, dropped, added

    def __getattr__(self, name: str) -> Any:
        return getattr(self._concepts, name)

    def __len__(self) -> int:
        return len(self._concepts)

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts, and one of what is missing for every category."""
        own = self._concepts.vocabulary
        further = (
            Concept(own.largest_number + place, f"missing {category}", category)
            for place, category in enumerate(own.categories, start=1)
        )
        return Vocabulary(own.categories, (*own.concepts, *further))

    def read_labels(self, index: int) -> Labels:
        """Return an image's labels with the changes."""
        labels = self._concepts.read_labels(index)
        planes, whole = [labels.planes], [labels.whole]
        for code, lender in self._added.get(index, ()):
            lent = self._concepts.read_labels(lender)
            if code in lent.whole:
                whole.append(np.array([code]))
            shown = (lent.planes == code).any(axis=0)
            if shown.any():
                planes.append((shown * np.uint16(code))[None])
        joined, codes = np.concatenate(planes), np.concatenate(whole)
        dropped = self._dropped.get(index, np.zeros(0, np.int64))
        own = self._concepts.vocabulary
        named = np.arange(len(own) + 1)
        named[dropped] = len(own) + 1 + own.primary[dropped - 1]
        return Labels(named[joined].astype(np.uint16), np.unique(named[codes]))


def find_labeled(concepts: ConceptSource) -> Array:
    """Return which images have which concept, bool, shape (N, C)."""
    found = np.zeros((len(concepts), len(concepts.vocabulary) + 1), bool)
    for image in range(len(concepts)):
        labels = concepts.read_labels(image)
        found[image, np.unique(labels.planes)] = True
        found[image, labels.whole] = True
    return found[:, 1:]


def drop_labels(concepts: ConceptSource, labeled: Array, seed: int) -> ChangedLabels:
    """Return the probe set with every labeled image-concept kept with probability 1/2."""
    dropped = labeled & (np.random.default_rng([seed, 1]).random(labeled.shape) < 0.5)
    return ChangedLabels(concepts, {image: np.flatnonzero(row) + 1 for image, row in enumerate(dropped)}, {})


def add_labels(concepts: ConceptSource, labeled: Array, seed: int) -> ChangedLabels:
    """Return the probe set with every concept added to as many images again, as far as there are others."""
    rng = np.random.default_rng([seed, 2])
    added: dict[int, list[tuple[int, int]]] = {}
    for column, shown in enumerate(labeled.T):
        having, others = np.flatnonzero(shown), np.flatnonzero(~shown)
        for image in rng.choice(others, min(having.size, others.size), replace=False):
            added.setdefault(int(image), []).append((column + 1, int(rng.choice(having))))
    return ChangedLabels(concepts, {}, added)


@dataclass
class Sums:
    """A score that keeps the sums that it is computed from."""

    found: list[ActivationSums]

    def __call__(self, sums: ActivationSums, _: Vocabulary) -> Array:
        self.found.append(sums)
        return compute_pearson(sums)


def score_layers(
    source: ActivationSource, concepts: Any, store: Store, threads: RowThreads
) -> dict[str, tuple[LayerResult, dict[str, Array]]]:
    """Dissect layers, by the scans that are stored if there are any; return every layer and its scores by name."""
    settings = Settings(batch_size=32, images_per_unit=0, null=0, resamples=0, score="pearson")
    keep = Sums([])
    context = WorkerContext(source, concepts, threads, store, lambda _: None)
    outcome = dissect_layers(
        InProcessRuntime(context), store, source.layers, concepts, make_plan(source.layers, len(concepts), settings), settings,
        score=Score("sums", "Sums", keep, "activations"),
    )  # fmt: skip
    return {
        name: (layer, compute_scores(layer, sums))
        for (name, layer), sums in zip(
            outcome.layers.items(), keep.found[:: len(keep.found) // len(outcome.layers)], strict=True
        )
    }


def compute_scores(layer: LayerResult, sums: ActivationSums) -> dict[str, Array]:
    """Return every score of a layer, by name."""
    panel = ScorePanel(layer.counts, sums.pixels.astype(np.int64))
    of_masks = {name: getattr(panel, name) for name in ("iou", "f1", *SHOWN)}
    return of_masks | {"pearson": compute_pearson(sums), "cosine": compute_cosine(sums)}


def find_iou_labels(layer: LayerResult) -> Array:
    """Return the column of the concept that labels every unit by IoU, whatever labels the layer, -1 for none, shape (U,)."""
    best = find_best_concepts(layer.iou, layer.vocabulary)
    return np.where(best.category < 0, -1, best.column[np.arange(len(best.category)), best.category])


def count_falls(clean: dict[str, Array], changed: dict[str, Array], label: Array) -> dict[str, float]:
    """Return the share of labeled units that fall, by score."""
    units = np.flatnonzero(label >= 0)
    shares = {}
    for name, scores in clean.items():
        before, after = scores[units, label[units]], changed[name][units, label[units]]
        span = max(before.max(), after.max())
        shares[name] = float((before - after > LEAST_FALL * span).mean())
    return shares


def try_layers(
    source: ActivationSource,
    concepts: ConceptSource,
    seeds: int,
    threads: RowThreads,
    planted: Array | None = None,
) -> dict[str, dict[str, list[float]]]:
    """Return, by layer, the shares of units that fall of every score: with labels missing, and added.

    Args:
        source: the layers.
        concepts: the probe set.
        seeds: how often labels are changed in each way.
        threads: threads for the kernels.
        planted: column of every unit's concept, if it is known, shape (U,); None takes the labels by IoU.
    """
    labeled = find_labeled(concepts)
    falls: dict[str, dict[str, list[list[float]]]] = {}
    with Store(None, budget=2**33) as store:
        clean = score_layers(source, ChangedLabels(concepts, {}, {}), store, threads)
        for seed in range(seeds):
            for kind, change in enumerate((drop_labels, add_labels)):
                changed = score_layers(source, change(concepts, labeled, seed), store, threads)
                for name, (layer, before) in clean.items():
                    label = find_iou_labels(layer) if planted is None else planted
                    for score, share in count_falls(before, changed[name][1], label).items():
                        falls.setdefault(name, {}).setdefault(score, [[], []])[kind].append(share)
    return {
        name: {score: [float(np.mean(kind)) for kind in kinds] for score, kinds in scores.items()}
        for name, scores in falls.items()
    }


def try_planted(
    concepts: ConceptSource, images: int, seeds: int, threads: RowThreads, units: int = 60
) -> dict[str, dict[str, list[float]]]:
    """Do what `try_layers` does for units that are planted: concepts that many images have, with noise of 0.3."""
    kept = keep_probe_set(concepts, images)
    columns = np.argsort(-_count_parts(kept), kind="stable")[:units]
    rng = np.random.default_rng(0)
    maps = draw_concept_maps(kept, columns)
    for place in range(columns.size):
        maps[..., place] += NOISE * draw_noise(rng, images, 1)
    step = (kept.image_size[0] / GRID, kept.image_size[1] / GRID)
    layer = make_layer(LAYER, maps.transpose(0, 3, 1, 2), FieldMap((0, 0), step, step))
    return try_layers(
        PlantedSource((layer,), {LAYER: maps}, kept.image_size), kept, seeds, threads, columns.astype(np.int64)
    )


def _count_parts(concepts: ConceptSource) -> Array:
    """Return how many images have each concept in a part of their pixels, shape (C,)."""
    found = np.zeros(len(concepts.vocabulary) + 1, np.int64)
    for image in range(len(concepts)):
        found[np.unique(concepts.read_labels(image).planes)] += 1
    return found[1:]


def format_results(found: dict[str, dict[str, list[float]]]) -> str:
    """Return the table: a row per score, with the share of units that fall in every layer."""
    rows = []
    for name, title in (CHOOSING | SHOWN).items():
        shares = [scores[name] for scores in found.values()]
        passes = np.mean(shares, axis=0).min() > LEAST_UNITS
        cells = [f"{100 * missing:.0f} / {100 * extra:.0f}" for missing, extra in shares]
        rows.append([title, "may choose" if name in CHOOSING else "shown", *cells, "passes" if passes else "fails"])
    return marked_page.format_table(["score", "", *found, "on average"], rows)


def make_source(model: Network, layers: list[str], concepts: ConceptSource) -> ActivationSource:
    """Return the probed layers of a network on the CPU."""
    return model.probe(layers, concepts.image_size, geometry="receptive-field", device=torch.device("cpu"))


def main(words: list[str]) -> None:
    """Run both tests on the demo's network and on planted units, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sanity", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="how often labels are changed in each way")
    parser.add_argument("--images", type=int, default=DEMO_IMAGES, help="images of the demo's probe set")
    parser.add_argument("--layers", nargs="+", default=list(network.LAYERS))
    options = parser.parse_args(words)
    concepts = make_demo(options.images)
    model = network.load_trained_network()
    with RowThreads(torch.get_num_threads()) as threads, make_source(model, options.layers, concepts) as source:
        found = try_layers(source, concepts, options.seeds, threads)
        found |= try_planted(concepts, options.images, options.seeds, threads)
    text = (
        f"Share of units, in percent, whose score with their label falls when half of the labels are missing / when as many are "
        f"added ({options.images:,} images of the demo, {options.seeds} changes of each kind; a score passes above "
        f"{100 * LEAST_UNITS:.0f} / {100 * LEAST_UNITS:.0f}):\n\n{format_results(found)}"
    )
    print(text)
    if options.images == DEMO_IMAGES:
        marked_page.replace_part(PAGE, "sanity", text)
