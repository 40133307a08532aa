"""Plan what masks are compared with: folds, shifts, and shifts within scenes (docs/trust.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from netdissect.config import NOT_WITHIN
from netdissect.engine.comparisons import Comparisons
from netdissect.engine.image_groups import find_groups
from netdissect.engine.pairing import assign_folds, pair_images, pair_within
from netdissect.engine.tally_tasks import StrataTask
from netdissect.errors import SettingsError
from netdissect.results.trust import MIN_IMAGES
from netdissect.wording import count_noun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from netdissect.config import Settings
    from netdissect.engine.plan import Plan
    from netdissect.engine.tasks import ShardReceipt
    from netdissect.protocols import ConceptSource, Progress

#: Folds of the images, from which resamples are drawn.
FOLDS = 20


class TaskRuntime(Protocol):
    """Maps a task over items; its workers' context is a WorkerContext."""

    def map(self, task: Callable[[Any, Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Yield ``task(context, item)`` for every item, in the order of the items."""
        ...


def require_enough_images(null: int, images: int) -> None:
    """Refuse more shifts than half the images: they would repeat one another.

    Raises:
        SettingsError: if there are that many.
    """
    if images >= MIN_IMAGES and null > images // 2:
        raise SettingsError(
            f"--null {null} takes at least {2 * null:,} images, and there are {images:,}: use --null {images // 2} or less"
        )


@dataclass(frozen=True, eq=False)
class ComparisonPlan:
    """What the masks of a run are compared with.

    Attributes:
        comparisons: the comparisons of every image.
        notes: what a reader of the result should know.
    """

    comparisons: Comparisons
    notes: tuple[str, ...] = ()


def plan_comparisons(
    runtime: TaskRuntime,
    concepts: ConceptSource,
    plan: Plan,
    receipts: Mapping[int, ShardReceipt],
    settings: Settings,
    progress: Progress,
) -> ComparisonPlan:
    """Plan the comparisons of the images that were read.

    Args:
        runtime: reads the images' labels, if they are exchanged within scenes.
        concepts: the probe set.
        plan: the order of the run.
        receipts: the receipt of every shard.
        settings: shifts, resamples, groups and scenes.
        progress: shows how many images' labels are read.

    Raises:
        SettingsError: if there are too few images for the shifts, or `settings` names groups that there are not.
    """
    skipped = frozenset(image for receipt in receipts.values() for image in receipt.skipped)
    order, whole = _order_images(plan, skipped)
    if not (settings.null or settings.resamples):
        return ComparisonPlan(Comparisons.start(whole, 1))
    if order.size < MIN_IMAGES:
        note = f"{count_noun(order.size, 'image is', 'images are')} too few to measure chance and uncertainty, which takes {MIN_IMAGES}"
        return ComparisonPlan(Comparisons.start(whole, 1), (note,))
    require_enough_images(settings.null, order.size)
    prints = np.concatenate([receipts[shard.number].fingerprints for shard in plan.shards])
    groups, grouped = find_groups(concepts, order, settings.group_by, prints)
    notes = [grouped] if grouped else []
    count = order.size if groups is None else np.unique(groups[order]).size
    folds = min(FOLDS, count) if settings.resamples else 1
    fold = assign_folds(order, np.arange(plan.images) if groups is None else groups, folds)
    comparisons = Comparisons.start(fold, folds)
    if settings.null:
        sizes = _number_sizes(concepts, order, plan.images)
        pairing = pair_images(order, groups, sizes, settings.null, settings.seed)
        if pairing.left_out == order.size:
            notes.append("no image can lend its labels to another, so chance is not measured")
        else:
            notes += _note_left_out(pairing.left_out)
            comparisons = comparisons.add(pairing)
            strata = _find_strata(runtime, concepts, plan, skipped, settings.within, progress)
            if strata is not None and np.unique(strata[order]).size > 1:  # in one scene, it would be the same again
                pairing = pair_within(order, strata, sizes, settings.null, settings.seed, groups)
                if pairing.left_out < order.size:
                    comparisons = comparisons.add(pairing, str(settings.within))
    return ComparisonPlan(comparisons, tuple(notes))


def plan_lent_labels(
    concepts: ConceptSource, plan: Plan, receipts: Mapping[int, ShardReceipt], settings: Settings, shifts: int
) -> Comparisons:
    """Plan comparisons with own labels, in one table, and with those that other images lend, without folds and scenes.

    Args:
        concepts: the probe set.
        plan: the order of the run.
        receipts: the receipt of every shard.
        settings: groups and the seed of the shifts.
        shifts: number of shifts; there are none where images are too few to measure chance.
    """
    skipped = frozenset(image for receipt in receipts.values() for image in receipt.skipped)
    order, whole = _order_images(plan, skipped)
    own = Comparisons.start(whole, 1)
    if not shifts or order.size < max(MIN_IMAGES, 2 * shifts):
        return own
    prints = np.concatenate([receipts[shard.number].fingerprints for shard in plan.shards])
    groups, _ = find_groups(concepts, order, settings.group_by, prints)
    pairing = pair_images(order, groups, _number_sizes(concepts, order, plan.images), shifts, settings.seed)
    return own if pairing.left_out == order.size else own.add(pairing)


def _order_images(plan: Plan, skipped: frozenset[int]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the images that were read in the order of the run, and fold 0 for them, -1 for others, int32, shape (N,)."""
    order = np.concatenate([shard.images for shard in plan.shards])
    order = order[[image not in skipped for image in order.tolist()]]
    whole = np.full(plan.images, -1, np.int32)
    whole[order] = 0
    return order, whole


def _number_sizes(concepts: ConceptSource, order: NDArray[np.int64], images: int) -> NDArray[np.int64]:
    """Return the number of the label map's size of every image that was read, 0 for others, shape (N,)."""
    numbers: dict[tuple[int, int], int] = {}
    sizes = np.zeros(images, np.int64)
    sizes[order] = [numbers.setdefault(concepts.label_size(image), len(numbers)) for image in order.tolist()]
    return sizes


def _find_strata(
    runtime: TaskRuntime,
    concepts: ConceptSource,
    plan: Plan,
    skipped: frozenset[int],
    category: str | None,
    progress: Progress,
) -> NDArray[np.int64] | None:
    """Return the code of the category's label of every image, -1 for none, shape (N,); None if labels stay in no scenes."""
    categories = concepts.vocabulary.categories
    if category is None or category == NOT_WITHIN or category not in categories:
        return None
    progress.start("labels", plan.images)
    strata = np.full(plan.images, -1, np.int64)
    for images, found in runtime.map(StrataTask(categories.index(category), skipped), plan.shards):
        strata[images] = found
    return strata


def _note_left_out(images: int) -> list[str]:
    if not images:
        return []
    return [
        f"{images:,} image(s) whose label map or group is like no other's are left out of the measurement of chance"
    ]
