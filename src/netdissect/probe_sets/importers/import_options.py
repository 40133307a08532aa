"""The options of all importers, and the one call that writes a source as a probe set."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataFileError, SettingsError, suggest_nearest
from netdissect.io.text import escape_controls
from netdissect.probe_sets.broden.preview import write_preview
from netdissect.probe_sets.compile.build_options import BuildOptions
from netdissect.probe_sets.compile.make import BuildResult, compile_probe_set
from netdissect.probe_sets.importers.class_list import ClassList, ClassListLike, read_class_list, read_renaming
from netdissect.probe_sets.set_options import SetOptions
from netdissect.probe_sets.source import Source, check_category
from netdissect.progress import require_progress, show_progress

if TYPE_CHECKING:
    from netdissect.protocols import Progress

#: Options that `make_probe_set` lacks, because a `Source` decides them itself.
_OF_IMPORTERS = frozenset({"name", "category", "rename", "skip_missing"})


def _ignore_message(_: str) -> None:
    """Ignore a message: the default of `ImportOptions.say`."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions(SetOptions):
    """Options of every importer: those of `SetOptions`, and how the work is done.

    Attributes:
        rename: a table, or in Python also a mapping from the name of a class to its new name and category.
        workers: worker processes.
        progress: shows how far the work is: bars on a terminal and in a notebook, else a log line every ten
            seconds; False shows nothing. An object with the methods ``start(task, total)`` and ``advance(steps)``
            gets the calls instead.
        say: is called with sentences about what was found and what was left out.
    """

    workers: int = 1
    progress: Progress | bool = True
    say: Callable[[str], None] = _ignore_message

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            SettingsError: if a value is out of its range.
        """
        require_integer("preview", self.preview, 0, 10_000)
        require_integer("workers", self.workers, 1, MAX_WORKERS)
        require_progress(self.progress)
        self.to_build_options()

    @classmethod
    def from_keywords(cls, options: Mapping[str, Any]) -> ImportOptions:
        """Return options from keyword arguments.

        Raises:
            SettingsError: if there is no such option.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in options:
            if name not in known:
                raise SettingsError(f"there is no option {name!r} here: {suggest_nearest(name, sorted(known))}")
        return cls(**options)

    def to_build_options(self) -> BuildOptions:
        """Return the options that decide how images and label maps are written."""
        shared = {field.name for field in dataclasses.fields(BuildOptions)} & set(self.__dict__)
        return BuildOptions(**{name: getattr(self, name) for name in shared})

    def choose_name(self, default: str | Path) -> str:
        """Return the name of a source, in letters, digits, ``-`` and ``_``; default: the name of a folder."""
        name = self.name or Path(default).resolve().name
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
        # A name of digits alone would be read as a label number in index.csv.
        return plain if plain and not plain.isdigit() else f"set_{plain}".rstrip("_")

    def read_classes(self, given: ClassListLike, *, category: str = "object", **numbering: Any) -> ClassList:
        """Return a class list with `category` and `rename` applied.

        Args:
            given: the class list, or a file with it.
            category: the category of classes that have none, if the options name no category.
            numbering: `first`, `column` and `trained` of `read_class_list`.

        Raises:
            DataFileError: as `read_class_list`.
            SettingsError: if a category has an invalid name.
        """
        classes = read_class_list(given, self.category or category, **numbering)
        rules: Any = self.rename
        if rules is not None:
            classes = classes.rename(rules if isinstance(rules, Mapping) else read_renaming(Path(rules)))
        for name in set(classes.categories):
            check_category(name)
            if name == "color" and self.colors:
                raise SettingsError(
                    "the category color is the label map of color names: choose another, or --no-colors"
                )
        return classes

    def write_probe_set(self, source: Source, out: str | Path, *, note: str = "") -> BuildResult:
        """Write the probe set of a source, and its preview page."""
        folder = Path(out)
        with show_progress(self.progress) as progress:
            result = compile_probe_set(
                [source], folder, self.to_build_options(), title=escape_controls(f"{folder.resolve().name}: an own probe set"),
                about=note, workers=self.workers, progress=progress, say=self.say,
            )  # fmt: skip
            page = folder / "preview.html"
            if self.preview and (result.is_new or not page.is_file()):
                write_preview(folder, page, images=self.preview, progress=progress)
        return result


class ImportOptionsDict(TypedDict, total=False):
    """Options of every importer as keyword arguments, typed."""

    size: int
    category: str | None
    train: float
    limit: int | None
    colors: bool
    preview: int
    name: str | None
    rename: Path | str | Mapping[str, tuple[str, str]] | None
    color_table: Path | None
    min_frequency: int
    min_coverage: float
    skip_missing: bool
    workers: int
    progress: Progress | bool
    say: Callable[[str], None]


def make_probe_set(
    source: Source, folder: str | Path, *, note: str = "", **options: Unpack[ImportOptionsDict]
) -> BuildResult:
    """Write images and labels of your own as a probe set in Broden's format (provisional).

    Args:
        source: the images and their labels.
        folder: the folder of the probe set. Repeating an interrupted call continues it.
        note: a paragraph for README.txt.
        options: size, train, limit, colors, color_table, min_frequency, min_coverage, preview, workers, progress and say of
            `ImportOptions`.

    Raises:
        DataError: or a subclass, if the source's images and labels do not fit each other, or the folder holds something
            else.
        SettingsError: if an option is out of its range, or the source has no valid name.
    """
    if not isinstance(source, Source):
        raise SettingsError(f"expected a source that is a netdissect.Source, got {type(source).__name__}")
    for name in _OF_IMPORTERS & set(options):
        raise SettingsError(f"the source itself decides names and categories: leave {name}= out")
    plain = getattr(source, "name", None)
    if not isinstance(plain, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", plain) or plain.isdigit():
        raise SettingsError(
            f"the name of a source is letters, digits, - and _, and not digits alone; {type(source).__name__}.name is {plain!r}"
        )
    if not source.list_images():
        raise DataFileError(f"{plain}: the source lists no image")
    return ImportOptions.from_keywords(options).write_probe_set(source, folder, note=note)
