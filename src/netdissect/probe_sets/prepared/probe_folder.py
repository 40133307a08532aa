"""Open a folder in Broden's format, a prepared file, or the prepared file beside a folder.

Arrow is imported only if there is a prepared file.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from netdissect.errors import DataError
from netdissect.io.reading import is_regular, open_regular
from netdissect.probe_sets.broden.reader import Broden

#: Suffix of prepared files.
SUFFIX = ".arrow"
#: How Arrow files begin.
FIRST_BYTES = b"ARROW1"
_LOG = logging.getLogger("netdissect")


def open_probe_folder(path: str | Path, *, split: str | None = None, limit: int | None = None) -> Broden:
    """Open a folder in Broden's format or a prepared file; for a folder, use the prepared file beside it if it is current.

    Args:
        path: the folder, or a prepared file; a path or an fsspec URL.
        split: keep only the rows of this split.
        limit: keep only this many rows, the first ones.

    Raises:
        DataError: a subclass, if there is no probe set, or it is damaged.
        SettingsError: if no row is of that split.
    """
    options: dict[str, Any] = {"split": split, "limit": limit}
    beside = None if "://" in str(path) else name_prepared_file(Path(path))
    is_alone = is_prepared_file(path)
    if not is_alone and (beside is None or not is_regular(beside) or not Path(path).is_dir()):
        return Broden(path, **options)
    from netdissect.probe_sets.prepared.prepared_file import PreparedFile
    from netdissect.probe_sets.prepared.prepared_set import PreparedSet

    if is_alone or beside is None:
        return PreparedSet(PreparedFile(path), **options)
    try:
        file = PreparedFile(beside)
    except DataError as error:
        _LOG.warning("%s is read from its files: %s", path, error)
        return Broden(path, **options)
    found = PreparedSet(file, **options, beside=Path(path))
    try:
        change = found.find_change()
    except DataError as error:
        change = str(error)
    if change is None:
        return found
    _LOG.warning(
        "%s is not used, because it is not current: %s; make it again with: netdissect data prepare %s",
        beside,
        change,
        path,
    )
    return Broden(path, **options)


def name_prepared_file(folder: Path) -> Path:
    """Return the prepared file beside a folder."""
    whole = folder.resolve()
    return whole.with_name(f"{whole.name}{SUFFIX}")


def is_prepared_file(path: str | Path) -> bool:
    """Return whether a path or URL is named as a prepared file, or a file there begins as one."""
    if "://" in str(path):
        return str(path).endswith(SUFFIX)
    try:
        with open_regular(path) as file:
            return file.read(len(FIRST_BYTES)) == FIRST_BYTES or str(path).endswith(SUFFIX)
    except (OSError, ValueError):  # a device named as one is refused when it is opened
        return str(path).endswith(SUFFIX) and os.path.exists(path) and not os.path.isdir(path)  # noqa: PTH110, PTH112
