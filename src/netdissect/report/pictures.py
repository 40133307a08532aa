"""The probe pictures a report shows, each kept once in the report's own folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect import atomic
from netdissect.errors import DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from netdissect.results.run import RunResult


def gather(result: RunResult, folder: Path, picture_file: Callable[[int], bytes | None]) -> Mapping[int, Path]:
    """Put every exemplar picture into a folder, as the file it is; what lies there already is kept.

    Returns:
        the files, by the picture's row in ``index.csv``.

    Raises:
        DataNotFoundError: if a picture is neither there nor given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = {int(path.stem): path for path in folder.iterdir() if path.stem.isdecimal()}
    found = {}
    for row, name in result.image_names.items():
        if row not in there:
            data = picture_file(row)
            if data is None:
                raise DataNotFoundError(
                    f"picture {name} is needed for the report and lies neither in {folder} nor in the probe set "
                    f"{result.probe_set.path or result.probe_set.name}: put the probe set back, or redraw the report "
                    f"where it is"
                )
            suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
            there[row] = folder / f"{row:06d}{suffix}"
            atomic.write_bytes(there[row], data)
        found[row] = there[row]
    return found
