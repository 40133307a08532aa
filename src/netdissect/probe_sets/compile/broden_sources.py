"""The sources of Broden, found in a folder."""

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

#: The sources, in the order in which their images are counted.
SOURCE_NAMES = ("ade20k", "dtd", "opensurfaces", "pascal")


def open_sources(folders: Mapping[str, Path], *, skip_missing: bool, workers: int, progress: Progress) -> list[Source]:
    """Open sources of Broden.

    Args:
        folders: the folder of each, by its name.
        skip_missing: leave out images whose files are not there.
        workers: processes that draw OpenSurfaces' label maps, where its post-processing has not been done.
        progress: shown how far that is.

    Raises:
        DataError: one of its leaves, for anything wrong with one of them.
    """
    from netdissect.probe_sets.importers.ade import open_ade_release  # now: it is made of this package's pieces

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
    """Return the folders of the sources below a folder: those that are there, or those that are asked for.

    Args:
        parent: holds ``ade20k/``, ``dtd/``, ``opensurfaces/``, ``pascal/``, as data download makes them.
        only: the sources wanted; none given takes all that are there.

    Raises:
        SettingsError: if one is asked for that Broden does not know.
        DataNotFoundError: if none is there, or one that is asked for is not.
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
