"""A probe set from sources, in five phases: statistics, names, numbers, label files, images (BRODEN, § 2).

Deterministic: the same sources and recipe give the same bytes, with any number of workers and after any interruption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataError, NetdissectError, SettingsError
from netdissect.io.text import escape_controls
from netdissect.probe_sets.broden import writer
from netdissect.probe_sets.compile.build_cache import BuildCache
from netdissect.probe_sets.compile.build_options import hash_state
from netdissect.probe_sets.compile.build_workers import BuildWorkers
from netdissect.probe_sets.compile.image_batches import (
    BuildContext,
    ImageBatch,
    NumberedBatch,
    count_batch_labels,
    divide_into_batches,
    make_index_rows,
    write_batch_label_maps,
)
from netdissect.probe_sets.compile.label_names import LabelNames, write_assignments
from netdissect.probe_sets.compile.statistics import Statistics
from netdissect.probe_sets.compile.unify import Assignment, assign_numbers, name_labels, sum_usage
from netdissect.probe_sets.source import hash_parts, make_unique_names
from netdissect.protocols import NullProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from netdissect.probe_sets.broden.index_rows import IndexRow
    from netdissect.probe_sets.compile.build_options import BuildOptions
    from netdissect.probe_sets.source import Source, SourceImage
    from netdissect.protocols import Progress


@dataclass(frozen=True)
class BuildResult:
    """A finished probe set.

    Attributes:
        folder: where it lies.
        images: how many images it has.
        concepts: how many concepts.
        categories: its categories.
        unused: names that were left out: too rare, or covering too little.
        anew: whether anything was made; False if the very set lay there already.
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
    recipe: BuildOptions,
    *,
    title: str,
    about: str = "",
    workers: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda _: None,
    prepare: Callable[[], None] | None = None,
) -> BuildResult:
    """Make a probe set.

    Args:
        sources: where its images and labels come from; their names differ.
        out: its folder. A call that was interrupted goes on when it is made again.
        recipe: how it is made.
        title: first line of its README.txt.
        about: what a reader should know besides the sources.
        workers: processes that work.
        progress: shown how far each phase is.
        say: told what is done with what lies in `out` already.
        prepare: called before the first phase, if there is anything to do: what makes the sources' label maps.

    Raises:
        DataError: one of its leaves, for anything wrong with a source or with `out`.
        SettingsError: if two sources have one name.
    """
    progress = progress or NullProgress()
    if len({source.name for source in sources}) < len(sources) or not sources:
        raise SettingsError("a probe set is made of at least one source, and no two of the same name")
    require_integer("workers", workers, 1, MAX_WORKERS)
    state = recipe.state(sources)
    listed = [_listed(source, recipe.limit) for source in sources]
    jobs = divide_into_batches(sources, listed, hash_state(state))
    inputs = hash_parts([job.key for job in jobs])
    work = BuildCache(out)
    if work.finished(state, inputs):
        say(f"{out}: this very set lies there already")
        return _made_before(out)
    with work.held():
        work.begin(state, inputs, say)
        bench = BuildContext(sources, recipe, recipe.color_names(), work)
        text = _readme(sources, listed, recipe, bench, about)
        try:
            if prepare is not None:
                prepare()
            with BuildWorkers(workers, bench) as pool:
                grown = _grow(pool, bench, jobs, progress, title, text)
        except KeyboardInterrupt as interrupt:
            raise KeyboardInterrupt(
                "interrupted; what is finished is kept, the same command goes on from there"
            ) from interrupt
        except OSError as error:
            if isinstance(error, NetdissectError) or error.filename is not None:
                raise
            # A write that fails does not say where.
            raise OSError(error.errno, error.strerror, str(out)) from error
        work.place(state, inputs, lambda folder: writer.write_index(folder, grown.rows, grown.categories))
    return BuildResult(out, len(grown.rows), grown.concepts, grown.categories, grown.unused, is_new=True)


class _Grown(NamedTuple):
    """What the five phases made besides files."""

    rows: list[IndexRow]
    concepts: int
    categories: tuple[str, ...]
    unused: tuple[str, ...]


def _grow(
    pool: BuildWorkers[BuildContext],
    bench: BuildContext,
    jobs: Sequence[ImageBatch],
    progress: Progress,
    title: str,
    text: str,
) -> _Grown:
    """Go through the five phases."""
    recipe, sources, work = bench.recipe, bench.sources, bench.work
    statistics = _statistics(pool, work, sources, jobs, progress)
    words = LabelNames(sources, recipe)
    progress.start("names", len(statistics.frequency))
    naming = name_labels(statistics, words.names)
    progress.advance(len(statistics.frequency))
    usage = sum_usage(statistics, naming)
    numbers = usage.number_names(min_frequency=recipe.min_frequency, min_coverage=recipe.min_coverage)
    _refuse_impossible(numbers, statistics)
    progress.start("numbers", len(numbers))
    assignment = assign_numbers(statistics, naming, numbers)
    progress.advance(len(numbers))
    progress.start("tables", 1)
    categories = writer.write_label_tables(
        work.set_folder, numbers=numbers, usage=usage, title=title, synonyms=assignment.synonyms, text=text
    )
    write_assignments(work.set_folder / "label_assignment.csv", words, statistics, naming, assignment)
    progress.advance(1)
    rows = make_index_rows(recipe, _images(pool, work, sources, jobs, assignment, categories, progress))
    unused = sorted({name for name in naming.name.values() if name and name not in numbers})
    return _Grown(rows, len(numbers), categories, tuple(unused))


def _listed(source: Source, limit: int | None) -> list[tuple[SourceImage, str]]:
    items = source.list_images()[:limit]
    return list(zip(items, make_unique_names(items), strict=True))


def _statistics(
    pool: BuildWorkers[BuildContext],
    work: BuildCache,
    sources: Sequence[Source],
    jobs: Sequence[ImageBatch],
    progress: Progress,
) -> Statistics:
    """Phase 1."""
    progress.start("statistics", sum(len(job.items) for job in jobs))
    missing = [job for job in jobs if work.read_piece("counts", job.key) is None or not work.has_arrays(job.key)]
    progress.advance(sum(len(job.items) for job in jobs) - sum(len(job.items) for job in missing))
    for images in pool.map(count_batch_labels, missing):
        progress.advance(images)
    statistics = Statistics()
    for job in jobs:
        statistics.add(sources[job.source].name, work.read_piece("counts", job.key))
    return statistics


def _refuse_impossible(numbers: dict[str, int], statistics: Statistics) -> None:
    if not numbers:
        raise DataError(
            f"no label is left: of {len(statistics.frequency)} labels none is frequent and large enough; "
            f"check the masks, or lower --min-frequency and --min-coverage"
        )
    if len(numbers) > 65535:
        raise DataError(f"{len(numbers)} concepts are more than the 65,535 a label map can hold")


def _images(
    pool: BuildWorkers[BuildContext],
    work: BuildCache,
    sources: Sequence[Source],
    jobs: Sequence[ImageBatch],
    assignment: Assignment,
    categories: Sequence[str],
    progress: Progress,
) -> list[list[dict[str, object]]]:
    """Phase 5."""
    numbered = []
    for job in jobs:
        own = {
            category: table
            for (source, category), table in assignment.tables.items()
            if source == sources[job.source].name and category in categories
        }
        key = hash_parts(job.key, sorted((category, table.tobytes()) for category, table in own.items()))
        numbered.append(NumberedBatch(job, own, key))
    progress.start("images", sum(len(job.items) for job in jobs))
    missing = [job for job in numbered if work.read_piece("rows", job.key) is None]
    progress.advance(sum(len(job.batch.items) for job in numbered) - sum(len(job.batch.items) for job in missing))
    for images in pool.map(write_batch_label_maps, missing):
        progress.advance(images)
    return [work.read_piece("rows", job.key) for job in numbered]


def _readme(
    sources: Sequence[Source], listed: Sequence[Sequence[object]], recipe: BuildOptions, bench: BuildContext, about: str
) -> str:
    lines = ["Made of:"]
    lines += [
        f"    {source.name}: {len(items)} images. {source.describe()}"
        for source, items in zip(sources, listed, strict=True)
    ]
    lines.append("")
    lines.append(
        f"Pictures of {recipe.size} x {recipe.size} pixels (scaled, not cropped), label maps of {recipe.size // 2}."
    )
    lines.append(f"Colors: {bench.colors.about}." if bench.colors else "No color plane.")
    lines.append(
        f"Names: {recipe.synonym_table().about}; kept from {recipe.min_frequency} images and a coverage of "
        f"{recipe.min_coverage:g} on (label_assignment.csv: every label of every source and what became of it)."
    )
    lines.append(f"Split: by the hash of the file name, {100 * recipe.train:g} % train, unless the source says one.")
    if recipe.limit is not None:
        lines.append(f"A trial: only the first {recipe.limit} images of every source.")
    return escape_controls("\n".join([*lines, *(["", about] if about else [])]))


def _made_before(out: Path) -> BuildResult:
    from netdissect.probe_sets.broden.reader import Broden

    found = Broden(out)
    return BuildResult(out, len(found), len(found.vocabulary), found.vocabulary.categories, (), is_new=False)
