"""The probe pictures a report shows, each kept once in the report's own folder.

A report must be drawn again when the probe set is long gone, so pictures stay as the files they are; only one too large
to be shown whole is made smaller. What lies there belongs to one probe set: of another, nothing is reused.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from PIL import Image

from netdissect import atomic
from netdissect.errors import DataNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netdissect.protocols import PictureSource
    from netdissect.results.run import RunResult

#: The longer side of a kept picture in pixels, at most.
LONGEST = 640
_QUALITY = 85
_OWNER = "probe-set.json"


def gather(result: RunResult, folder: Path, source: PictureSource) -> Mapping[int, Path]:
    """Put every exemplar picture into a folder; what lies there already of the same probe set is kept.

    Returns:
        the files, by the picture's row in ``index.csv``.

    Raises:
        DataNotFoundError: if a picture is neither there nor given.
    """
    folder.mkdir(parents=True, exist_ok=True)
    claim(result, folder)
    there = {int(path.stem): path for path in folder.iterdir() if path.stem.isdecimal()}
    found = {}
    for row, name in result.image_names.items():
        if row not in there:
            data = source.picture_file(row)
            if data is None:
                raise DataNotFoundError(
                    f"picture {name} is needed for the report and lies neither in {folder} nor in the probe set "
                    f"{result.probe_set.path or result.probe_set.name}: put the probe set back, or redraw the report "
                    f"where it is"
                )
            data = within_bounds(data)
            suffix = ".png" if data.startswith(b"\x89PNG") else ".jpg"
            there[row] = folder / f"{row:06d}{suffix}"
            atomic.write_bytes(there[row], data)
        found[row] = there[row]
    return found


def claim(result: RunResult, folder: Path) -> None:
    """Empty a folder that holds files of another probe set, and write down whose it is now."""
    owner = folder / _OWNER
    mine = {"name": result.probe_set.name, "fingerprint": result.probe_set.fingerprint}
    try:
        theirs = json.loads(owner.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        theirs = None
    if theirs == mine:
        return
    for path in folder.iterdir():
        if path.stem.isdecimal() and path.is_file():
            path.unlink()
    atomic.write_text(owner, json.dumps(mine) + "\n")


def within_bounds(data: bytes) -> bytes:
    """Return a picture's file as it is, or made smaller where its longer side is beyond `LONGEST`."""
    with Image.open(io.BytesIO(data)) as picture:
        if max(picture.size) <= LONGEST:
            return data
        factor = LONGEST / max(picture.size)
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        out = io.BytesIO()
        picture.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(out, format="JPEG", quality=_QUALITY)
        return out.getvalue()
