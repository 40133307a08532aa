"""What the network's class outputs lose without the units of each concept: `ablate` (docs/ablation.md)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, TypedDict, get_args

import numpy as np

from netdissect.analyses.ablation_targets import choose_targets, group_units
from netdissect.analyses.class_curves import measure_curves
from netdissect.analyses.concept_ablations import divide_images, measure_concepts
from netdissect.analyses.finished_run import open_asked_run
from netdissect.analyses.image_classes import open_labeled_images
from netdissect.analyses.run_network import open_run_network
from netdissect.analyses.run_probe_set import open_run_probe_set
from netdissect.arguments import choose_run_layers
from netdissect.bounds import require_choice, require_integer
from netdissect.engine.removal_passes import RemovalPasses
from netdissect.errors import SettingsError
from netdissect.progress import require_progress, show_progress
from netdissect.report.figures import draw_ablation_graph
from netdissect.results.ablation import LayerAblation, Replacement
from netdissect.results.run_folder import WORK, hash_facts
from netdissect.results.run_layers import Layers
from netdissect.runtime.array_store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from netdissect.analyses.class_names import ClassNamesLike
    from netdissect.analyses.finished_run import AskedRun
    from netdissect.analyses.image_classes import ImageData, ImageLabelsLike
    from netdissect.analyses.labeled_images import LabeledImages
    from netdissect.analyses.run_network import NetworkLike
    from netdissect.networks.network import Network
    from netdissect.protocols import AblationSource, Progress
    from netdissect.results.ablation import ConceptAblation
    from netdissect.results.run_result import Result

#: The fewest matched sets, because fewer cannot give p < 0.05, and the most.
_FEWEST_SETS, _MOST_SETS = 20, 10_000
#: Note of classes whose outputs nothing names.
ORDER_NOTE = (
    "classes are taken in the order of their names, because neither the network nor --classes names its outputs"
)
#: Classes that an error names.
_NAMED = 3
#: Bytes that checkpoints of a run without a folder may take in memory.
_UNLIMITED = 2**62


class AblationOptions(TypedDict, total=False):
    """The keyword arguments of `ablate`."""

    labels: ImageLabelsLike | None
    classes: ClassNamesLike | None
    layers: str | Sequence[str] | None
    to: Replacement
    matched: int
    curve: bool
    split: str | None
    limit: int | None
    device: str
    arch: str | None
    weights: str | Path | None
    trust: bool
    progress: Progress | bool


@dataclass(frozen=True, slots=True)
class AblationPlan:
    """What is removed and measured, checked.

    Attributes:
        layers: names of the run's layers.
        replacement: what takes the place of removed activations.
        matched: the most matched sets of a concept.
        curve: whether single classes are measured without their most important units.
    """

    layers: tuple[str, ...]
    replacement: Replacement
    matched: int
    curve: bool


def ablate(
    run: Result | str | Path,
    network: NetworkLike | None = None,
    data: ImageData | None = None,
    *,
    labels: ImageLabelsLike | None = None,
    classes: ClassNamesLike | None = None,
    layers: str | Sequence[str] | None = None,
    to: Replacement = "zero",
    matched: int = 200,
    curve: bool = True,
    split: str | None = None,
    limit: int | None = None,
    device: str = "auto",
    arch: str | None = None,
    weights: str | Path | None = None,
    trust: bool = False,
    progress: Progress | bool = True,
) -> Result:
    """Measure what class outputs lose when the units of each concept are removed (docs/ablation.md).

    Args:
        run: a result, or the folder of a run, into which the answer is saved; an interrupted ablation of a folder continues.
        network: the run's network; None if it is the bundled one. It needs class outputs.
        data: images whose class is known (`open_labeled_images`); None takes the run's probe set, whose labels of whole images are
            the classes.
        labels: a table of images and their classes, or the class of every image.
        classes: the classes in the order of the network's outputs, or a file that lists them; None takes those that the network
            knows, else those of the images in the order of their names.
        layers: layers of the run, also by patterns such as ``conv*`` or ``*``; None for the last one, because early layers take
            many times as long: all that is above them runs once for every set of units.
        to: what takes the place of removed activations: ``"zero"``, or ``"mean"``, the unit's mean over these images.
        matched: how many sets of other units each concept's units are compared with, at most; from 20 to 10,000.
        curve: whether every class is also measured without its 1, 4 and 20 most important units.
        split: only images of this split.
        limit: at most this many images.
        device: where the network runs.
        arch: as for `netdissect.dissect`, of a network that is given as MODEL.
        weights: as for `netdissect.dissect`.
        trust: as for `netdissect.dissect`.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.

    Returns:
        the run with ``result[layer].ablation``.

    Raises:
        SettingsError: if arguments are out of range, or do not fit each other or the network.
        ModelError: if the network has no class outputs, or they do not depend on the layer.
        NetdissectError: one of its other subclasses, if the run, the network or the images cannot be opened.
    """
    require_progress(progress)
    from netdissect.run import resolve_device

    with open_asked_run(run) as asked, show_progress(progress) as shown:
        result = asked.result
        plan = _check_plan(result, layers, to, matched, curve)
        where = resolve_device(device)
        opened = open_run_network(result, network, arch=arch, weights=weights, trust=trust)
        known = opened.classes if classes is None else classes
        given = open_run_probe_set(result, None) if data is None else data
        images = open_labeled_images(given, known, labels, split=split, limit=limit)
        if known is None:
            images = replace(images, notes=(*images.notes, ORDER_NOTE))
        if not images.labeled.size:
            raise SettingsError(f"no image of {images.source.name} has one of the {len(images.classes)} classes")
        answer = asked.save(_ablate_layers(asked, opened, images, plan, where, shown), shown)
        if asked.folder is not None and asked.is_saved:
            _draw_figures(answer, plan, asked.folder)
        return answer


def _check_plan(
    run: Result, layers: str | Sequence[str] | None, replacement: Replacement, matched: int, curve: bool
) -> AblationPlan:
    """Check what is asked of a run before anything is computed."""
    require_choice("to", replacement, get_args(Replacement))
    require_integer("matched", matched, _FEWEST_SETS, _MOST_SETS)
    found = choose_run_layers(run, "last" if layers is None else layers)
    return AblationPlan(tuple(found), replacement, matched, curve)


def _ablate_layers(
    asked: AskedRun,
    network: Network,
    images: LabeledImages,
    plan: AblationPlan,
    device: torch.device,
    progress: Progress,
) -> Result:
    """Return a run with the ablations of layers."""
    run, stores = asked.result, []
    shares = images.find_concept_shares(run.probe_set.vocabulary, progress)
    found = dict(run.layers)
    for name in plan.layers:
        with network.open_ablation(name, run.network.input_size, device=device) as source:
            _require_classes(source, images)
            stores.append(_open_store(asked, images, plan, name))
            passes = RemovalPasses(source, images.source, images.labels, stores[-1], progress.advance)
            found[name] = replace(found[name], ablation=_ablate_layer(run, passes, images, shares, plan, progress))
    for store in stores:
        store.clear()
    return replace(run, layers=Layers(found))


def _ablate_layer(
    run: Result,
    passes: RemovalPasses,
    images: LabeledImages,
    shares: NDArray[np.float64] | None,
    plan: AblationPlan,
    progress: Progress,
) -> LayerAblation:
    """Return the ablations of one layer."""
    layer, seed = run[passes.source.layer.name], run.settings.seed
    units, notes = group_units(layer, run.settings.threshold)
    folds = divide_images(images, _find_grouping(run, images), seed)
    targets, left_out = choose_targets(layer, units, images, shares, folds)
    progress.start(f"{layer.name}: whole network", images.labeled.size)
    outputs, mean = passes.measure(images.labeled)
    values = (mean if plan.replacement == "mean" else np.zeros_like(mean)).astype(np.float32)
    own = images.labels[images.labeled]
    accuracy = float((outputs.argmax(axis=1) == own).mean())
    progress.start(f"{layer.name}: units of concepts", int(sum(images.counts[target.of_class] for target in targets)))
    concepts = measure_concepts(
        passes, images, targets, layer.vocabulary, outputs, mean, values, plan.matched, folds, seed
    )
    curves = measure_curves(passes, images, outputs, values, seed, progress) if plan.curve else ()
    said = (
        *_warn_of_guessing(accuracy, images),
        *_warn_of_few_sets(concepts),
        *notes,
        *images.notes,
        *filter(None, [passes.source.note]),
    )
    return LayerAblation(
        plan.replacement, len(own), passes.source.classes, accuracy, concepts, curves, plan.matched, left_out, said
    )


def _require_classes(source: AblationSource, images: LabeledImages) -> None:
    """Check that there is a class for every output.

    Raises:
        SettingsError: if there are more or fewer.
    """
    if len(images.classes) != source.classes:
        more = ", …" if len(images.classes) > _NAMED else ""
        raise SettingsError(
            f"the network has {source.classes:,} class outputs, and {len(images.classes):,} classes are known "
            f"({', '.join(images.classes[:_NAMED])}{more}): give the list of its classes, in the order of its outputs, with --classes"
        )


def _warn_of_guessing(accuracy: float, images: LabeledImages) -> list[str]:
    """Return a warning if the network recognizes no more images than always naming the most frequent class would."""
    most = int(images.counts.argmax())
    share = float(images.counts[most]) / images.labeled.size
    if accuracy > share:
        return []
    return [
        (
            f"the network recognizes {accuracy:.1%} of the images, and {share:.1%} are of class {images.classes[most]}: its classes may "
            f"be in another order; give their list with --classes"
        )
    ]


def _warn_of_few_sets(concepts: Sequence[ConceptAblation]) -> list[str]:
    """Return a warning if concepts have too few matched sets for p < 0.05, as in small layers."""
    few = sum(row.matched_sets < _FEWEST_SETS for row in concepts)
    if not few:
        return []
    return [
        f"{few} of {len(concepts)} concepts have fewer than {_FEWEST_SETS} matched sets, so their q cannot be below 0.05"
    ]


def _draw_figures(run: Result, plan: AblationPlan, folder: Path) -> None:
    """Draw the figure of every layer into a run's folder."""
    for name in plan.layers:
        layer = run[name]
        if layer.ablation is not None and (layer.ablation.concepts or layer.ablation.curves):
            draw_ablation_graph(layer.ablation, folder / f"{layer.layer.file_stem}-ablation.svg")


def _find_grouping(run: Result, images: LabeledImages) -> str | None:
    """Return what says which images belong together, if the images are those of the run."""
    return run.settings.group_by if images.source.fingerprint == run.probe_set.fingerprint else None


def _open_store(asked: AskedRun, images: LabeledImages, plan: AblationPlan, layer: str) -> Store:
    """Open the checkpoints of one layer's passes: in the run's work folder, if the answer is saved, else in memory."""
    if asked.folder is None or not asked.is_saved:
        return Store(budget=_UNLIMITED)
    run = asked.result
    units, _ = group_units(run[layer], run.settings.threshold)
    facts = asdict(plan) | {
        "layers": layer,
        "network": run.network.fingerprint,
        "images": images.fingerprint,
        "units": list(units.values()),
        "seed": run.settings.seed,
    }
    return Store(asked.folder / WORK / f"ablation-{hash_facts(facts)}", budget=0)
