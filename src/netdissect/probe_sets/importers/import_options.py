"""What every way of making an own set has in common: options, the source's plain parts, the preview."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.bounds import MAX_WORKERS, require_integer
from netdissect.errors import DataNotFoundError, SettingsError, suggest_nearest
from netdissect.io import images
from netdissect.io.text import escape_controls
from netdissect.probe_sets.broden.preview import write_preview
from netdissect.probe_sets.compile.build_options import BuildOptions
from netdissect.probe_sets.compile.make import BuildResult, compile_probe_set
from netdissect.probe_sets.importers.class_list import ClassList, read_renaming
from netdissect.progress import require_progress, show_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netdissect.probe_sets.source import Source
    from netdissect.protocols import Progress


#: Letters of a category's name; it becomes part of files' names.
_LONGEST_CATEGORY = 60


def _ignore_message(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, kw_only=True)
class ImportOptions:
    """Options that every own set has.

    Attributes:
        name: what the set's images are called by, the folder below ``images/``; None takes the images' folder.
        category: the category of classes that name none.
        rename: other names and categories: a .csv with the columns name, as, category, or a mapping name → (new name,
            category).
        size: side of the images in pixels; label maps have half of it.
        train: share of the images in the split ``train``, where the data does not say.
        limit: only the first so many images.
        colors: whether every image gets a plane of colour names.
        color_table: the published table of colour names as a file; None takes the built-in model.
        min_frequency: classes that touch fewer images are left out.
        min_coverage: classes that cover less, in added-up shares of images, are left out.
        skip_missing: leave out images whose image or mask is missing.
        preview: labeled images shown in ``preview.html``; 0 writes none.
        workers: processes that work.
        progress: shown how far it is; True draws bars.
        say: told what is done.
    """

    name: str | None = None
    category: str = "object"
    rename: Path | Mapping[str, tuple[str, str]] | None = None
    size: int = 224
    train: float = 0.7
    limit: int | None = None
    colors: bool = True
    color_table: Path | None = None
    min_frequency: int = 1
    min_coverage: float = 0.0
    skip_missing: bool = False
    preview: int = 12
    workers: int = 1
    progress: Progress | bool | None = None
    say: Callable[[str], None] = _ignore_message

    def __post_init__(self) -> None:
        """Refuse values that mean nothing, before any work.

        Raises:
            SettingsError: naming the option, its range and what was given.
        """
        require_integer("preview", self.preview, 0, 10_000)
        require_integer("workers", self.workers, 1, MAX_WORKERS)
        require_progress(self.progress)
        self.recipe()

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> ImportOptions:
        """Return options by name.

        Raises:
            SettingsError: if there is no such option.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for name in options:
            if name not in known:
                raise SettingsError(f"there is no option {name!r} here: {suggest_nearest(name, sorted(known))}")
        return cls(**options)

    def recipe(self) -> BuildOptions:
        """Return the recipe."""
        return BuildOptions(
            size=self.size, train=self.train, limit=self.limit, colors=self.colors, color_table=self.color_table,
            min_frequency=self.min_frequency, min_coverage=self.min_coverage,
        )  # fmt: skip

    def source_name(self, default: str | Path) -> str:
        """Return the folder below ``images/``: plain letters, digits, ``-`` and ``_``."""
        name = self.name or Path(default).resolve().name
        plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")
        # A name of digits alone would read as a label number in index.csv.
        return plain if plain and not plain.isdigit() else f"set_{plain}".rstrip("_")

    def classes(self, classes: ClassList) -> ClassList:
        """Return a class list with the renaming applied.

        Raises:
            SettingsError: if a category's name cannot be one.
        """
        if self.rename is not None:
            rules = self.rename if isinstance(self.rename, Mapping) else read_renaming(self.rename)
            classes = classes.renamed(rules)
        for category in set(classes.categories):
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", category):
                raise SettingsError(f"a category's name is letters, digits, - and _, not {category!r}")
            if len(category) > _LONGEST_CATEGORY:
                raise SettingsError(
                    f"a category's name has at most {_LONGEST_CATEGORY} letters, not {category[:20]!r}…"
                )
            if category == "color" and self.colors:
                raise SettingsError("the category color is the colour plane's: choose another, or --no-colors")
        return classes

    def finish(
        self, source: Source, out: str | Path, *, about: str, prepare: Callable[[Progress], None] | None = None
    ) -> BuildResult:
        """Make the set of a source, and its preview; `prepare` is called first, where there is something to make."""
        folder = Path(out)
        with show_progress(self.progress) as shown:
            made = compile_probe_set(
                [source], folder, self.recipe(), title=escape_controls(f"{folder.resolve().name}: an own probe set"),
                about=about, workers=self.workers, progress=shown, say=self.say,
                prepare=None if prepare is None else functools.partial(prepare, shown),
            )  # fmt: skip
            page = folder / "preview.html"
            if self.preview and (made.is_new or not page.is_file()):
                write_preview(folder, page, images=self.preview, progress=shown)
        return made


def find_images(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Return every image below a folder, sorted; what lies there besides is counted and told.

    Args:
        folder: the folder.
        say: told how many files are left aside, by their endings.

    Raises:
        DataNotFoundError: if there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataNotFoundError(f"there is no folder of images {folder}")
    found, others = [], Counter[str]()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts) or path.is_dir():
            continue
        ending = path.suffix.lower()
        if ending in images.ENDINGS:
            found.append(path)
        else:
            others[ending] += 1
    if others:
        listed = ", ".join(f"{ending or 'no ending'} {count}" for ending, count in sorted(others.items()))
        say(f"{folder}: {others.total()} files are left aside, which are no images by their endings ({listed})")
    if not found:
        raise DataNotFoundError(
            f"{folder} holds no image: expected files ending in {', '.join(sorted(images.ENDINGS))}"
        )
    return found


def flatten_path(path: Path, folder: Path) -> str:
    """Return an image's name in the set: its path below a folder, with ``-`` for every folder."""
    return "-".join(path.relative_to(folder).parts)


def abbreviate_paths(paths: Sequence[Path], most: int = 3) -> str:
    """Return the first few names, for a message."""
    shown = ", ".join(path.name for path in paths[:most])
    return shown if len(paths) <= most else f"{shown} and {len(paths) - most} more"
