"""Find and open the sources of Broden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.errors import DataNotFoundError, SettingsError, suggest_nearest
from netdissect.probe_sets.compile.dtd import open_dtd
from netdissect.probe_sets.compile.opensurfaces import open_opensurfaces
from netdissect.probe_sets.compile.opensurfaces_shapes import has_release, render_label_maps
from netdissect.probe_sets.compile.pascal import open_pascal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from netdissect.probe_sets.source import Source
    from netdissect.protocols import Progress

#: The sources, in the order in which they are counted.
SOURCE_NAMES = ("ade20k", "dtd", "opensurfaces", "pascal")


def open_sources(folders: Mapping[str, Path], *, skip_missing: bool, workers: int, progress: Progress) -> list[Source]:
    """Open sources of Broden.

    Args:
        folders: the folder of every source, by its name.
        skip_missing: leave out images whose files are missing.
        workers: number of processes that draw OpenSurfaces' label maps, if its post-processing has not been done.
        progress: reports the progress of drawing them.

    Raises:
        DataError: a subclass, for anything wrong with one of them.
    """
    # Imported here because that module imports this package.
    from netdissect.probe_sets.importers.ade import open_ade_release

    found: list[Source] = []
    for name in SOURCE_NAMES:
        if name not in folders:
            continue
        folder = folders[name]
        if not folder.is_dir():
            raise DataNotFoundError(f"{name}: there is no folder {folder}")
        if name == "ade20k":
            found.append(open_ade_release(folder, name=name, skip_missing=skip_missing, splits=False))
        elif name == "dtd":
            found.append(open_dtd(folder, skip_missing=skip_missing))
        elif name == "pascal":
            found.append(open_pascal(folder, skip_missing=skip_missing))
        else:
            if not (folder / "photos.csv").is_file() and has_release(folder):
                render_label_maps(folder, workers=workers, progress=progress)
            found.append(open_opensurfaces(folder, skip_missing=skip_missing))
    return found


def find_sources(parent: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """Return the folders of the sources in a folder, by name.

    Args:
        parent: holds ``ade20k/``, ``dtd/``, ``opensurfaces/``, ``pascal/``, as ``netdissect data download`` makes them.
        only: names of the sources to use; empty uses all that exist.

    Raises:
        SettingsError: if Broden has no source of a name in `only`.
        DataNotFoundError: if no source exists, or one of `only` does not.
    """
    for name in only:
        if name not in SOURCE_NAMES:
            raise SettingsError(f"Broden has no source {name!r}: {suggest_nearest(name, SOURCE_NAMES)}")
    folders = {name: parent / name for name in only or SOURCE_NAMES if (parent / name).is_dir()}
    missing = [name for name in only if name not in folders]
    if missing:
        raise DataNotFoundError(
            f"{parent} has no folder {missing[0]}/: netdissect data download {missing[0]} fetches it"
        )
    if not folders:
        raise DataNotFoundError(
            f"{parent} holds none of Broden's sources: expected at least one of the folders {', '.join(SOURCE_NAMES)}"
        )
    return folders
