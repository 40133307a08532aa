"""Discriminative power: a linear classifier on every layer's activations beside its unique detectors (paper, § 3.6)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from netdissect.analyses.activation_pass import open_activation_pass, pool_cells
from netdissect.analyses.finished_run import open_asked_run
from netdissect.analyses.image_classes import open_labeled_images
from netdissect.analyses.linear_probe import choose_classes, measure_accuracy, predict_held_out, require_scikit_learn
from netdissect.analyses.run_network import open_run_network
from netdissect.analyses.run_probe_set import open_run_probe_set
from netdissect.arguments import choose_run_layers
from netdissect.bounds import MAX_SEED, require_integer
from netdissect.engine.image_groups import read_group_names
from netdissect.errors import SettingsError
from netdissect.probe_sets.source import hash_parts
from netdissect.progress import show_progress
from netdissect.results.discrimination import Discrimination, LayerDiscrimination, read_discrimination
from netdissect.results.run_folder import WORK
from netdissect.runtime.array_store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netdissect.analyses.activation_pass import ActivationPass
    from netdissect.analyses.class_names import ClassNamesLike
    from netdissect.analyses.finished_run import AskedRun
    from netdissect.analyses.image_classes import ImageData, ImageLabelsLike
    from netdissect.analyses.labeled_images import LabeledImages
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.protocols import Progress
    from netdissect.results.run_result import Result

#: Bytes of features that a result without a folder keeps in memory.
_MEMORY = 2**40


class DiscriminationOptions(TypedDict, total=False):
    """The keyword arguments of `discriminate`."""

    classes: ClassNamesLike | None
    labels: ImageLabelsLike | None
    layers: Sequence[str] | str | None
    folds: int
    seed: int
    split: str | None
    limit: int | None
    beside: Sequence[str | Path]
    device: str
    arch: str | None
    weights: str | Path | None
    trust: bool
    progress: Progress | bool


def discriminate(
    run: Result | str | Path,
    network: NetworkLike | None = None,
    data: ImageData | None = None,
    *,
    classes: ClassNamesLike | None = None,
    labels: ImageLabelsLike | None = None,
    layers: Sequence[str] | str | None = None,
    folds: int = 5,
    seed: int = 0,
    split: str | None = None,
    limit: int | None = None,
    beside: Sequence[str | Path] = (),
    device: str = "auto",
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    progress: Progress | bool = True,
) -> Discrimination:
    """Measure how well a linear classifier tells classes apart by each layer's activations (paper, § 3.6 and Fig. 12).

    Of every image it sees the mean and the maximum of each unit over the layer's cells.

    Args:
        run: a result, or the folder of a run; into a folder the answer is written, as ``discrimination.json``, ``.csv``,
            ``.svg`` and ``.png``.
        network: the run's network; None for the bundled one.
        data: images whose class is known (docs/discrimination.md); None takes the run's probe set.
        classes: class names, or a file that lists them; None takes the names that the images have.
        labels: a table of images and classes, or the class of every image.
        layers: layers of the run, also by patterns such as ``layer4.*`` or ``last``; None for all.
        folds: number of parts of the images, each held out once.
        seed: seed of the division into folds.
        split: only images of this split.
        limit: at most this many images.
        beside: folders of other runs with an answer over the same images, which the figure shows too.
        device: where the network runs.
        arch: as for `netdissect.dissect`, of a network that is given as MODEL.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Raises:
        MissingExtraError: if scikit-learn is not installed.
        SettingsError: if the network is not the run's, too few images have a class, or `beside` has other images.
        NetdissectError: one of its subclasses, if the images or the network are wrong.
    """
    require_scikit_learn()
    require_integer("folds", folds, 2, 1_000)
    require_integer("seed", seed, 0, MAX_SEED)
    with show_progress(progress) as shown, open_asked_run(run) as asked:
        names = choose_run_layers(asked.result, layers)
        others = [read_discrimination(Path(folder)) for folder in beside]
        source = open_run_probe_set(asked.result, None) if data is None else data
        images = open_labeled_images(source, classes, labels, split=split, limit=limit)
        found, notes = choose_classes(images.labels, images.classes, folds)
        for other in others:
            _require_same_images(other, images, folds, seed)
        opened = open_run_network(asked.result, network, arch=arch, weights=weights, trust=trust)
        key = hash_parts(images.fingerprint, found.tolist(), asked.result.network.fingerprint, names, device)
        with _open_store(asked, key) as store:
            with open_activation_pass(asked.result, opened, images.source, names, shown, device) as started:
                features = _collect_features(started, store, found, names, shown)
            truth, groups = images.labels[found], _find_groups(asked.result, images, found)
            shown.start("classify", len(names))
            measured = []
            for name in names:
                held_out = predict_held_out(features[name], truth, folds, seed, groups)
                measured.append(_describe_layer(asked.result, name, held_out, truth))
                shown.advance(1)
            answer = Discrimination(
                asked.result.network.name, images.source.name, images.fingerprint, found.size, np.unique(truth).size,
                folds, seed, asked.result.settings.threshold, tuple(measured), (*images.notes, *notes),
            )  # fmt: skip
            if asked.is_saved and asked.folder is not None:
                _write(answer, others, asked.folder)
            store.clear()
        return answer


def _write(answer: Discrimination, others: Sequence[Discrimination], folder: Path) -> None:
    from netdissect.report.figures.discrimination_graph import draw_discrimination

    draw_discrimination([answer, *others], folder / "discrimination.svg")
    answer.save(folder, others)


def _require_same_images(other: Discrimination, images: LabeledImages, folds: int, seed: int) -> None:
    if (other.fingerprint, other.folds, other.seed) != (images.fingerprint, folds, seed):
        raise SettingsError(
            f"{other.network} was classified over other images or folds ({other.images:,} images of {other.classes:,} "
            f"classes of {other.data}, {other.folds} folds): networks are compared over the same ones"
        )


def _find_groups(run: Result, images: LabeledImages, found: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the group of every image, so that images that belong together lie in one fold; None if none do."""
    is_own = images.source.fingerprint == run.probe_set.fingerprint
    names = read_group_names(images.source, run.settings.group_by if is_own else None)
    if names is None:
        return None
    words = [names[at] or f"\0{at}" for at in found.tolist()]
    return np.unique(words, return_inverse=True)[1].astype(np.int64)


def _open_store(asked: AskedRun, key: str) -> Store:
    """Open the store of finished parts, in the folder of a run until it is cleared."""
    if asked.is_saved and asked.folder is not None:
        return Store(asked.folder / WORK / f"features-{key[:16]}")
    return Store(budget=_MEMORY)


def _collect_features(
    opened: ActivationPass, store: Store, found: NDArray[np.int64], layers: Sequence[str], progress: Progress
) -> dict[str, NDArray[np.float32]]:
    """Return the features of images by layer, shape (N, 2U)."""
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
    progress.start("activations", found.size)
    for number, part in enumerate(opened.divide(found)):
        arrays = store.get_or_none(f"part-{number}")
        if arrays is None:
            pooled: dict[str, list[NDArray[np.float32]]] = {name: [] for name in layers}
            for read, outputs in opened.run(part):
                for name in layers:
                    pooled[name].append(pool_cells(outputs[name]))
                progress.advance(read.size)
            arrays = {str(at): np.concatenate(pooled[name]) for at, name in enumerate(layers)}
            store.put(f"part-{number}", arrays)
        else:
            progress.advance(part.size)
        for at, name in enumerate(layers):
            parts[name].append(arrays[str(at)])
    return {name: np.concatenate(own) for name, own in parts.items()}


def _describe_layer(
    run: Result, name: str, predicted: NDArray[np.int64], truth: NDArray[np.int64]
) -> LayerDiscrimination:
    """Return a layer's accuracy beside its detectors."""
    layer, threshold = run[name], run.settings.threshold
    accuracy, detectors = measure_accuracy(predicted, truth), layer.detectors(threshold)
    spread = layer.count_spread(threshold)
    return LayerDiscrimination(
        name, layer.layer.units, accuracy.mean, accuracy.sd, accuracy.overall, detectors.units, detectors.unique,
        None if spread is None else spread.unique_sd, detectors.unique_by_category.get("object", 0),
    )  # fmt: skip
