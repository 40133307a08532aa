"""What a report keeps of the probe set, as a source of pictures: for a run whose probe set is not at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netdissect.report import cache_owner, label_cache

if TYPE_CHECKING:
    from pathlib import Path

    from netdissect.concepts import Labels
    from netdissect.results.run_result import RunResult


class ReportCache:
    """Images and labels that the report in a run's folder keeps: a PictureSource.

    Args:
        result: the run; files of another probe set are not given.
        folder: its folder.
    """

    def __init__(self, result: RunResult, folder: Path) -> None:
        pictures, maps = cache_owner.pictures_in(folder / "html"), cache_owner.labels_in(folder / "html")
        self._pictures = cache_owner.by_row(pictures) if cache_owner.owns(result, pictures) else {}
        self._concepts = len(result.probe_set.vocabulary)
        self._labels = cache_owner.by_row(maps) if cache_owner.owns(result, maps) else {}

    def read_image_file(self, row: int) -> bytes | None:
        """Return an image's file; None where none is kept."""
        try:
            return cache_owner.read(self._pictures[row])
        except (KeyError, OSError):
            return None

    def labels(self, row: int) -> Labels | None:
        """Return an image's labels; None where none are kept, or they are damaged."""
        try:
            return label_cache.read_label_script(self._labels[row], self._concepts)
        except (KeyError, OSError, ValueError):
            return None
