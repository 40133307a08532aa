"""Keep images and masks that a program holds as a prepared probe set, in a temporary file or in one of the user's."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.bounds import MAX_IMAGE_SIDE, MAX_IMAGES, require_integer
from netdissect.errors import DataError, DataFileError, LabelError
from netdissect.io.names import make_portable_name
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.broden.writer import LabelUsage, write_index, write_label_tables
from netdissect.probe_sets.given.array_values import is_number
from netdissect.probe_sets.given.given_concepts import GivenConcepts, read_given_concepts
from netdissect.probe_sets.given.given_items import MAX_ENDLESS, GivenItems
from netdissect.probe_sets.given.given_labels import LabelReader
from netdissect.probe_sets.given.given_pixels import read_given_image
from netdissect.probe_sets.given.kept_images import KeptImages
from netdissect.probe_sets.given.known_concepts import find_known_concepts
from netdissect.probe_sets.given.normalization import Denormalizer
from netdissect.probe_sets.given.temporary_folder import TemporaryFolder
from netdissect.probe_sets.importers.split_names import name_split
from netdissect.probe_sets.prepared.prepare import (
    choose_batch_rows,
    encode_rows,
    read_tables,
    require_own_target,
    write_batches,
)
from netdissect.probe_sets.prepared.prepared_file import PreparedFile
from netdissect.probe_sets.prepared.prepared_schema import PreparedFacts
from netdissect.probe_sets.prepared.prepared_set import PreparedSet
from netdissect.probe_sets.set_options import SetOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netdissect.probe_sets.given.normalization import Normalization
    from netdissect.protocols import Progress

_LOG = logging.getLogger("netdissect")
#: Column of ``index.csv`` with a hash of the pixels and labels of every image, so that the fingerprint depends on them.
_HASH_COLUMN = "hash"
#: Split of images whose data has no splits.
_ONLY_SPLIT = "all"


@dataclass(frozen=True)
class GivenOptions:
    """How data is read.

    Attributes:
        concepts: what masks mean; None takes what the data itself says.
        category: of concepts without one; None for object, and scene for whole images.
        split: the only split that is read, of data with splits.
        limit: the number of images that are read, the first ones; None for all.
        image: key or column of the images; None finds it.
        mask: key or column of the masks; None finds it.
        size: side in pixels to which images are scaled; None keeps them if they all have one size.
        name: of the probe set; None takes that of the data's class.
        find_normalization: returns what float images were normalized with; it is called when the first one comes.
    """

    concepts: Any = None
    category: str | None = None
    split: str | None = None
    limit: int | None = None
    image: str | None = None
    mask: str | None = None
    size: int | None = None
    name: str | None = None
    find_normalization: Callable[[], Normalization | None] = lambda: None


class GivenProbeSet(PreparedSet):
    """A probe set of what a program holds. It implements ConceptSource.

    Its prepared file is temporary, and removed with the last reference to the probe set or at the end of the program.
    """

    def __init__(
        self, file: PreparedFile, folder: TemporaryFolder, *, split: str | None = None, limit: int | None = None
    ) -> None:
        """Open a probe set.

        Args:
            file: the prepared file.
            folder: its folder, which is removed.
            split: keep only the rows of this split.
            limit: keep only this many rows, the first ones.
        """
        self._temporary: TemporaryFolder | None = folder
        super().__init__(file, split=split, limit=limit)

    @property
    def path(self) -> str:
        """Empty: nothing stays on disk."""
        return ""

    def select(self, *, split: str | None = None, limit: int | None = None) -> Broden:
        """Return the probe set with one split only, by any of its usual names, and the first `limit` images only.

        Raises:
            SettingsError: if it was opened with another split.
        """
        return super().select(split=split and name_split(split), limit=limit)

    def _reopen(self, split: str | None, limit: int | None) -> Broden:
        assert self._temporary is not None
        return GivenProbeSet(self.file, self._temporary, split=split, limit=limit)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the folder to the process that made it."""
        return {**self.__dict__, "_temporary": None}


def open_given(data: Any, options: GivenOptions, progress: Progress, out: Path | None = None) -> Broden:
    """Read data once, and return it as a probe set.

    Args:
        data: what `GivenItems` takes.
        options: how it is read.
        progress: reports the progress.
        out: a prepared file to write; None for a temporary one.

    Raises:
        DataError: or a subclass, if an image or mask cannot be used, or none has a concept.
        SettingsError: if an option is out of its range, or the data is nothing that can be read.
    """
    if options.limit is not None:
        require_integer("limit", options.limit, 1, MAX_IMAGES)
    if options.size is not None:
        require_integer("size", options.size, 2, MAX_IMAGE_SIDE)
    if out is not None:
        require_own_target(out)
    name = make_portable_name(options.name or _choose_name(data))
    with KeptImages() as kept:
        concepts = _read_items(data, options, kept, progress)
        if out is not None:
            _write(kept, concepts, options.size, name, out, progress)
            return PreparedSet(PreparedFile(out)).select(
                split=options.split and name_split(options.split), limit=options.limit
            )
        folder = TemporaryFolder()
        file = folder.path / "given.arrow"
        _write(kept, concepts, options.size, name, file, progress)
        return GivenProbeSet(folder.open_file(file), folder).select(split=options.split, limit=options.limit)


def _choose_name(data: Any) -> str:
    """Return a name for data: that of its data set's class, without the wrappers around it."""
    inner = data
    while hasattr(inner, "dataset") and inner.dataset is not inner:
        inner = inner.dataset
    name = getattr(getattr(inner, "info", None), "dataset_name", None) or type(inner).__name__
    return "images" if name in ("list", "tuple", "generator", "dict", "zip", "Dataset", "DatasetDict") else str(name)


def _read_items(data: Any, options: GivenOptions, kept: KeptImages, progress: Progress) -> GivenConcepts:
    """Keep the images of data that carry labels; return their concepts."""
    items = GivenItems(data, options.image, options.mask, options.split)
    _warn_of_shuffling(data)
    length = items.count()
    progress.start("read images", min(filter(None, (options.limit, _count_images(data, length))), default=0))
    floats = Denormalizer(options.find_normalization)
    labels: LabelReader | None = None
    number = -1
    for number, item in enumerate(items):
        if length is None and number >= MAX_ENDLESS and options.limit is None:
            raise DataError(
                f"data= has given {number:,} images and says no length, as data without an end does: pass limit="
            )
        if labels is None and item.masks is not None:
            whole = is_number(item.masks)
            given = options.concepts
            given = find_known_concepts(data, items.mask_column, whole_images=whole) if given is None else given
            labels = LabelReader(read_given_concepts(given, options.category, whole_images=whole))
        found = labels.read(item.masks, item.where) if labels is not None else {}
        if found:
            pixels = read_given_image(item.image, item.where, floats)
            kept.add(number, pixels, found, item.split or _ONLY_SPLIT, item.group, item.where)
        progress.advance(1)
        if len(kept.known) == options.limit:
            break
    if labels is None or not kept.known:
        raise DataFileError(_describe_empty(number + 1))
    if floats.used:
        _LOG.warning("float images were turned back into 8-bit images exactly: %s", floats.used)
    _check_use(kept, labels.concepts)
    return labels.concepts


def _write(
    kept: KeptImages, concepts: GivenConcepts, size: int | None, name: str, target: Path, progress: Progress
) -> None:
    """Write the kept images as a prepared file."""
    sizes = list(_choose_sizes(kept, size))
    with tempfile.TemporaryDirectory(prefix="netdissect-") as temporary:
        folder = Path(temporary)
        names = {number: label for label, number in concepts.numbers.items()}
        usage = LabelUsage()
        for label, category in concepts.pairs:  # concepts that no image has stay in the vocabulary
            usage.frequency[label, category] = 0
        for category, counted in kept.counts.items():
            for number, (frequency, coverage) in counted.items():
                usage.frequency[names[int(number)], category] += frequency
                usage.coverage[names[int(number)], category] += coverage
        text = "Images and masks that were given in Python (netdissect.open_probe_set)."
        categories = write_label_tables(folder, numbers=concepts.numbers, usage=usage, title=name, text=text)
        rows = [
            known.make_row(number, *own) for known, number, own in zip(kept.known, kept.numbers, sizes, strict=True)
        ]
        write_index(folder, rows, categories, more={_HASH_COLUMN: [known.digest for known in kept.known]})
        probe_set = Broden(folder)
        tables = read_tables(probe_set)
        per_batch = choose_batch_rows(probe_set.rows, None)
        facts = PreparedFacts(name, len(probe_set), per_batch, None, probe_set.tables_fingerprint)
        progress.start("prepare", len(probe_set))
        batches = (
            encode_rows(
                (
                    (probe_set.rows[at], *kept.read(at, *sizes[at]))
                    for at in range(start, min(start + per_batch, len(sizes)))
                ),
                None,
            )
            for start in range(0, len(sizes), per_batch)
        )
        write_batches(target, facts, tables, batches, progress)


def _choose_sizes(kept: KeptImages, size: int | None) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield height and width of every image and of its label maps: all as they are if they have one size, else scaled."""
    own = {(known.image_size, known.label_size) for known in kept.known}
    if size is None and len(own) > 1:
        size = int(SetOptions().size)
        _LOG.warning(
            "images or label maps have different sizes: they are scaled to %s x %s, and label maps to half of it, as importers do; "
            "size= of netdissect.open_probe_set chooses another", size, size,
        )  # fmt: skip
    for known in kept.known:
        yield (known.image_size, known.label_size) if size is None else ((size, size), (size // 2, size // 2))


def _check_use(kept: KeptImages, concepts: GivenConcepts) -> None:
    """Refuse masks without any concept; warn if the last of several names is in none, as where masks count from 0."""
    used = {int(number) for counted in kept.counts.values() for number in counted}
    if not used:
        raise LabelError(
            "no pixel of any mask has one of the concepts: 0, and 255 unless concepts= names it, are no label; for masks of 0 and 255 "
            "pass concepts={255: 'name'}, for masks that count from 0 dict(enumerate(names))"
        )
    (first, own), *others = concepts.lists.items()
    is_counted = not first and not others and 0 not in own.codes and set(own.codes) == set(range(1, len(own.names) + 1))
    if is_counted and len(own.names) > 1 and len(kept.known) > 1 and concepts.numbers[own.names[-1]] not in used:
        _LOG.warning(
            "no mask has the number %s (%s), the last of concepts=: if your masks count from 0, pass concepts=dict(enumerate(names))",
            len(own.names), own.names[-1],
        )  # fmt: skip


def _count_images(data: Any, length: int | None) -> int | None:
    """Return about how many images there are: a loader's length counts batches."""
    batch = getattr(data, "batch_size", None)
    return length * batch if length is not None and isinstance(batch, int) else length


def _warn_of_shuffling(data: Any) -> None:
    """Warn of a loader in random order: every pass over it is another probe set."""
    if "Random" in type(getattr(data, "sampler", None)).__name__:
        _LOG.warning(
            "the loader shuffles its images, so the next pass is another probe set: pass shuffle=False to find a run again"
        )


def _describe_empty(read: int) -> str:
    if not read:
        return "data= gave no image: it is empty, or an iterator that was already read; pass the data set itself"
    return f"data= gave {read:,} images, and none has labels: their masks are None or empty"
