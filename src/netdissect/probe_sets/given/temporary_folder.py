"""A temporary folder with prepared files, which is removed when nothing uses it any more."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from netdissect.probe_sets.prepared.prepared_file import PreparedFile

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOG = logging.getLogger("netdissect")


class TemporaryFolder:
    """A temporary folder that is removed with the last reference to it, in the process that made it."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="netdissect-"))
        self._files: list[PreparedFile] = []
        weakref.finalize(self, _remove_folder, self.path, os.getpid(), self._files)

    def open_file(self, path: Path) -> PreparedFile:
        """Open a prepared file in the folder; it is closed before the folder is removed."""
        self._files.append(PreparedFile(path))
        return self._files[-1]


def _remove_folder(path: Path, process: int, files: Sequence[PreparedFile]) -> None:
    if os.getpid() != process:
        return
    for file in files:  # Windows removes no file that is mapped
        file.close()
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        _LOG.warning("the temporary folder %s cannot be removed (%s): remove it", path, error.strerror or error)
