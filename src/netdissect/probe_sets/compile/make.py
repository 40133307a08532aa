"""Compile a probe set from sources in five phases: statistics, names, numbers, label tables, images (docs/broden.md).

The same sources and options give the same bytes, with any number of workers and after any interruption.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError, NetdissectError, SettingsError
from netdissect.io.text import escape_controls
from netdissect.probe_sets.broden.label_pngs import MAX_LABEL
from netdissect.probe_sets.broden.reader import Broden
from netdissect.probe_sets.broden.writer import write_index, write_label_tables
from netdissect.probe_sets.compile.build_cache import BuildCache
from netdissect.probe_sets.compile.build_options import hash_state
from netdissect.probe_sets.compile.image_batches import (
    BuildContext,
    NumberedBatch,
    count_batch_labels,
    divide_into_batches,
    make_index_rows,
    write_batch_label_maps,
)
from netdissect.probe_sets.compile.label_names import LabelNames, write_assignments
from netdissect.probe_sets.compile.statistics import Statistics
from netdissect.probe_sets.compile.unify import assign_numbers, name_labels, sum_usage
from netdissect.probe_sets.source import hash_parts, make_unique_names
from netdissect.protocols import NullProgress
from netdissect.runtime.main_program import require_importable_program
from netdissect.runtime.worker_processes import start_local_workers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.index_rows import IndexRow
    from netdissect.probe_sets.compile.build_options import BuildOptions
    from netdissect.probe_sets.compile.image_batches import ImageBatch
    from netdissect.probe_sets.compile.unify import Assignment
    from netdissect.probe_sets.source import Source
    from netdissect.protocols import Progress
    from netdissect.runtime.port import Runtime


@dataclass(frozen=True)
class BuildResult:
    """A finished probe set.

    Attributes:
        folder: its folder.
        images: number of images.
        concepts: number of concepts.
        categories: its categories.
        unused: names that were left out as too rare or too small.
        is_new: whether anything was written; False if the folder held the same probe set already.
    """

    folder: Path
    images: int
    concepts: int
    categories: tuple[str, ...]
    unused: tuple[str, ...]
    is_new: bool


def compile_probe_set(
    sources: Sequence[Source],
    out: Path,
    options: BuildOptions,
    *,
    title: str,
    about: str = "",
    workers: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> BuildResult:
    """Compile a probe set from the images and labels of some sources.

    Args:
        sources: the sources, with distinct names.
        out: folder of the probe set; after an interruption, the same call continues there.
        options: how it is built.
        title: first line of README.txt.
        about: text for README.txt after the description of the sources.
        workers: number of processes.
        progress: reports the progress of each phase.
        say: receives messages about a probe set or an unfinished build in `out`.

    Raises:
        DataError: a subclass, for anything wrong with a source or with `out`.
        SettingsError: if there is no source, two have the same name, or `workers` is out of its range.
    """
    if len({source.name for source in sources}) < len(sources) or not sources:
        raise SettingsError("expected at least one source to make a probe set of, and no two sources of the same name")
    require_importable_program(require_integer("workers", workers, 1, MAX_WORKERS))
    state = options.describe(sources)
    listed = [
        list(zip(images, make_unique_names(images), strict=True))
        for images in (source.list_images()[: options.limit] for source in sources)
    ]
    batches = divide_into_batches(sources, listed, hash_state(state))
    inputs = hash_parts([batch.key for batch in batches])
    cache = BuildCache(out)
    if cache.is_finished(state, inputs):
        say(f"{out}: this probe set is already complete there")
        return _describe_existing(out)
    with cache.lock():
        cache.begin(state, inputs, say)
        context = BuildContext(sources, options, options.load_color_names(), cache)
        readme = _make_readme_text(context, [len(images) for images in listed], about)
        with _explain_interruption(out):
            for source in sources:
                source.prepare(progress or NullProgress())
            with start_local_workers(context, min(workers, max(1, len(batches)))) as runtime:
                build = _Build(context, batches, runtime, progress or NullProgress())
                result = build.run(title, readme)
        cache.move_into_place(state, inputs, lambda folder: write_index(folder, result.rows, result.categories))
    return BuildResult(out, len(result.rows), result.concepts, result.categories, result.unused, is_new=True)


@contextlib.contextmanager
def _explain_interruption(out: Path) -> Iterator[None]:
    """Say after an interruption how to continue, and after a failed write where it failed."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(
            "interrupted; finished work is kept: run the same command again to continue"
        ) from interrupt
    except OSError as error:
        if isinstance(error, NetdissectError) or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(out)) from error  # a failed write names no file


class _Phases(NamedTuple):
    """The result of the five phases besides files."""

    rows: list[IndexRow]
    concepts: int
    categories: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class _Build:
    """The five phases of a build.

    Attributes:
        context: sources, options and cache.
        batches: all images.
        runtime: runs the work on batches.
        progress: reports the progress of each phase.
    """

    context: BuildContext
    batches: Sequence[ImageBatch]
    runtime: Runtime
    progress: Progress

    def run(self, title: str, text: str) -> _Phases:
        """Write images, label maps and all tables but ``index.csv`` into the cache."""
        options, folder = self.context.options, self.context.cache.set_folder
        statistics = self._count_labels()
        words = LabelNames(self.context.sources, options)
        with self._phase("names", len(statistics.frequency)):
            naming = name_labels(statistics, words.list_names)
        usage = sum_usage(statistics, naming)
        numbers = usage.number_names(min_frequency=options.min_frequency, min_coverage=options.min_coverage)
        _require_possible(numbers, statistics)
        with self._phase("numbers", len(numbers)):
            assignment = assign_numbers(statistics, naming, numbers)
        with self._phase("tables", 1):
            categories = write_label_tables(
                folder, numbers=numbers, usage=usage, title=title, synonyms=assignment.synonyms, text=text
            )
            write_assignments(folder / "label_assignment.csv", words, statistics, naming, assignment)
        rows = make_index_rows(options, self._write_label_maps(assignment, categories))
        unused = sorted({name for name in naming.name.values() if name and name not in numbers})
        return _Phases(rows, len(numbers), categories, tuple(unused))

    @contextlib.contextmanager
    def _phase(self, name: str, steps: int) -> Iterator[None]:
        self.progress.start(name, steps)
        yield
        self.progress.advance(steps)

    def _count_labels(self) -> Statistics:
        """Phase 1: scale every image and count its labels."""
        cache = self.context.cache
        missing = [
            batch
            for batch in self.batches
            if cache.read_piece("counts", batch.key) is None or not cache.has_arrays(batch.key)
        ]
        self._map("statistics", count_batch_labels, missing, [len(batch.images) for batch in missing])
        statistics = Statistics()
        for batch in self.batches:
            statistics.add(self.context.sources[batch.source].name, cache.read_piece("counts", batch.key))
        return statistics

    def _write_label_maps(self, assignment: Assignment, categories: Sequence[str]) -> Iterator[Mapping[str, object]]:
        """Phase 5: write every label map; yield every image's row of ``index.csv`` as a dictionary."""
        cache = self.context.cache
        numbered = []
        for batch in self.batches:
            tables = {
                category: table
                for (source, category), table in assignment.tables.items()
                if source == self.context.sources[batch.source].name and category in categories
            }
            key = hash_parts(batch.key, sorted((category, table.tobytes()) for category, table in tables.items()))
            numbered.append(NumberedBatch(batch, tables, key))
        missing = [batch for batch in numbered if cache.read_piece("rows", batch.key) is None]
        self._map("images", write_batch_label_maps, missing, [len(own.batch.images) for own in missing])
        for own in numbered:
            yield from cache.read_piece("rows", own.key)

    def _map(
        self, phase: str, task: Callable[[BuildContext, Any], None], items: Sequence[Any], sizes: Sequence[int]
    ) -> None:
        """Run a task for every item that is not in the cache; `sizes` has the number of images of each item."""
        total = sum(len(batch.images) for batch in self.batches)
        self.progress.start(phase, total)
        self.progress.advance(total - sum(sizes))
        for _, size in zip(self.runtime.map(task, items), sizes, strict=True):
            self.progress.advance(size)


def _require_possible(numbers: Mapping[str, int], statistics: Statistics) -> None:
    """Refuse a probe set without concepts, or with more than a label map can hold."""
    if not numbers:
        raise DataError(
            f"no label is left: of {len(statistics.frequency)} labels none is frequent and large enough; "
            f"check the masks, or lower --min-frequency and --min-coverage"
        )
    if len(numbers) > MAX_LABEL:
        raise DataError(f"{len(numbers)} concepts are more than the {MAX_LABEL:,} a label map can hold")


def _make_readme_text(context: BuildContext, images: Sequence[int], about: str) -> str:
    """Return the text of README.txt: sources, their numbers of images, and options."""
    options = context.options
    lines = ["Made of:"]
    lines += [
        f"    {source.name}: {number} images. {source.describe()}"
        for source, number in zip(context.sources, images, strict=True)
    ]
    lines += [
        "",
        f"Images of {options.size} x {options.size} pixels (scaled, not cropped), label maps of {options.size // 2}.",
        f"Colors: {context.colors.about}." if context.colors else "No label map of colors.",
        (
            f"Names: {options.load_synonym_table().about}; kept from {options.min_frequency} images and a coverage of "
            f"{options.min_coverage:g} on (label_assignment.csv: every label of every source, its number and name)."
        ),
        f"Split: by the hash of the file name, {100 * options.train:g} % train, unless the source says one.",
    ]
    if options.limit is not None:
        lines.append(f"A trial: only the first {options.limit} images of every source.")
    return escape_controls("\n".join([*lines, *(["", about] if about else [])]))


def _describe_existing(out: Path) -> BuildResult:
    found = Broden(out)
    return BuildResult(out, len(found), len(found.vocabulary), found.vocabulary.categories, (), is_new=False)
