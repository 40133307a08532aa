"""What a report keeps of the probe set, as a source of pictures: for a run whose probe set is not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report import labels, owner

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.concepts import Labels
    from netdissect.results.run import RunResult


class Kept:
    """Pictures and labels that the report in a run's folder keeps: a PictureSource.

    Args:
        result: the run; files of another probe set are not given.
        folder: its folder.
    """

    def __init__(self, result: RunResult, folder: Path) -> None:
        pictures, maps = owner.pictures_in(folder / "html"), owner.labels_in(folder / "html")
        self._pictures = owner.by_row(pictures) if owner.owns(result, pictures) else {}
        self._concepts = len(result.probe_set.vocabulary)
        self._labels = owner.by_row(maps) if owner.owns(result, maps) else {}

    def picture_file(self, row: int) -> bytes | None:
        """Return a picture's file; None where none is kept."""
        try:
            return owner.read(self._pictures[row])
        except (KeyError, OSError):
            return None

    def labels(self, row: int) -> Labels | None:
        """Return a picture's labels; None where none are kept, or they are damaged."""
        try:
            return labels.read(self._labels[row], self._concepts)
        except (KeyError, OSError, ValueError):
            return None
