"""``from-hf`` of a prepared probe set: a file, or a data set with its columns, is written back as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netdissect.errors import SettingsError
from netdissect.probe_sets.broden.preview import write_preview
from netdissect.probe_sets.compile.make import BuildResult
from netdissect.probe_sets.importers.import_options import ImportOptions
from netdissect.progress import show_progress

if TYPE_CHECKING:
    from netdissect.probe_sets.prepared.prepared_file import PreparedFile

#: Options that do not decide what is in the probe set.
_EXECUTION = ("preview", "workers", "progress", "say")


def is_prepared_dataset(rows: Any) -> bool:
    """Return whether a Hugging Face data set has the columns of a prepared probe set."""
    return {"segments", "labels", "labels_crc32", "tables"} <= set(rows.column_names)


def write_prepared_back(dataset: Any, out: str | Path, settings: ImportOptions, *choices: object) -> BuildResult:
    """Write a prepared probe set back as the folder it was made of, and its preview page.

    Args:
        dataset: a prepared file's path or URL, or a ``datasets.Dataset``.
        out: the folder.
        settings: only those that do not decide what is in the probe set may be chosen.
        choices: columns, classes and parts that were chosen, which must be None.

    Raises:
        DataError: a subclass, if anything in it is damaged, or the folder holds something else.
        SettingsError: if an option is chosen that changes images or labels.
    """
    default = ImportOptions()
    changed = [
        name for name, value in vars(settings).items() if name not in _EXECUTION and value != vars(default)[name]
    ]
    if changed or any(choice is not None for choice in choices):
        option = f"--{changed[0].replace('_', '-')}" if changed else "columns, classes or a part"
        raise SettingsError(f"a prepared probe set is written back as it was: leave {option} out")
    from netdissect.probe_sets.prepared.restore import restore_probe_set

    folder = Path(out)
    with show_progress(settings.progress) as progress:
        found = restore_probe_set(_open_rows(dataset), folder, progress)
        if settings.preview:
            write_preview(folder, folder / "preview.html", images=settings.preview, progress=progress)
    return BuildResult(folder, len(found), len(found.vocabulary), found.vocabulary.categories, (), is_new=True)


def _open_rows(dataset: Any) -> PreparedFile:
    """Return the rows of a prepared probe set."""
    if isinstance(dataset, (str, Path)):
        from netdissect.probe_sets.prepared.prepared_file import PreparedFile

        return PreparedFile(dataset)
    from netdissect.probe_sets.prepared.restore import PreparedRows

    return PreparedRows(dataset, "the data set")
