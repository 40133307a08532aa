"""A probe set whose images and labels are decoded once, for several dissections over it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from netdissect.io.array_cache import ArrayCache
from netdissect.protocols import GroupedSource, LatentSource, read_segments
from netdissect.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from netdissect.concepts import Labels, Vocabulary
    from netdissect.protocols import ConceptSource


class DecodedProbeSet:
    """A ConceptSource that keeps what another one decoded: images at the sizes they were read at, and labels.

    Everything else, the fingerprint included, is the other's, so a run over it is the same run. Use it as a context
    manager: at the end nothing is kept. Several threads may read from it at once.

    Attributes:
        source: the probe set that is decoded.
        cache: what is kept.
    """

    def __init__(
        self, source: ConceptSource, memory: int, folder: Path | None = None, *, labels_only: bool = False
    ) -> None:
        """Keep what is read from now on.

        Args:
            source: the probe set.
            memory: bytes to keep in memory; the rest is kept in a temporary file.
            folder: folder of the temporary file; None takes the system's.
            labels_only: keep labels in memory and nothing else; what does not fit is read again.
        """
        self.source = source
        self._labels_only = labels_only
        self.cache = ArrayCache(memory, folder, on_disk=not labels_only)

    @property
    def name(self) -> str:
        """Name of the probe set."""
        return self.source.name

    @property
    def path(self) -> str:
        """Folder or URL of the probe set."""
        return self.source.path

    @property
    def vocabulary(self) -> Vocabulary:
        """The concepts of the probe set."""
        return self.source.vocabulary

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the probe set."""
        return self.source.fingerprint

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images in pixels."""
        return self.source.image_size

    def __len__(self) -> int:
        return len(self.source)

    def row(self, index: int) -> int:
        """Return an image's row in ``index.csv``, counted from 0."""
        return self.source.row(index)

    def image_name(self, index: int) -> str:
        """Return an image's name."""
        return self.source.image_name(index)

    @property
    def columns(self) -> Sequence[str]:
        """Names of the columns of ``index.csv``; none if the probe set has no such table."""
        return self.source.columns if isinstance(self.source, GroupedSource) else ()

    def read_column(self, column: str) -> Sequence[str]:
        """Return the text of every image in a column."""
        assert isinstance(self.source, GroupedSource)
        return self.source.read_column(column)

    def label_size(self, index: int) -> tuple[int, int]:
        """Return height and width of an image's label map in pixels."""
        return self.source.label_size(index)

    def read_image_file(self, index: int) -> bytes:
        """Return an image as the bytes of a JPEG or PNG file."""
        return self.source.read_image_file(index)

    def read_image(self, index: int, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
        """Return an image at a size, as it was decoded the first time; it must not be changed."""
        if self._labels_only:
            return self.source.read_image(index, size)
        key = ("image", index, size)
        kept = self.cache.get(key)
        if kept is not None:
            return kept
        image = self.source.read_image(index, size).view()
        image.setflags(write=False)
        self.cache.put(key, image)
        return image

    def read_labels(self, index: int) -> Labels:
        """Return an image's labels, as they were decoded the first time."""
        return self.read_segments(index).to_labels()

    def read_segments(self, index: int) -> Segments:
        """Return an image's labels as segments, as they were decoded the first time."""
        pixels, table, whole = (self.cache.get((part, index)) for part in ("map", "table", "whole"))
        if pixels is not None and table is not None and whole is not None:
            return Segments(pixels, table, whole)
        segments = read_segments(self.source, index)
        for part, array in (("map", segments.map), ("table", segments.table), ("whole", segments.whole)):
            self.cache.put((part, index), array)
        return segments

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cache.close()


class DecodedLatentProbeSet(DecodedProbeSet):
    """A DecodedProbeSet of images that a generator made."""

    def latent(self, index: int) -> NDArray[np.generic]:
        """Return the latent that an image was made from."""
        assert isinstance(self.source, LatentSource)
        return self.source.latent(index)


def decode_once(
    source: ConceptSource, memory: int, folder: Path | None = None, *, labels_only: bool = False
) -> DecodedProbeSet:
    """Return a probe set whose images and labels are decoded once; `DecodedProbeSet` documents the arguments."""
    kind = DecodedLatentProbeSet if isinstance(source, LatentSource) else DecodedProbeSet
    return kind(source, memory, folder, labels_only=labels_only)


def find_undecoded(source: ConceptSource | None) -> ConceptSource | None:
    """Return the probe set itself, for what a probe set of one kind alone can answer; None stays None."""
    return source.source if isinstance(source, DecodedProbeSet) else source
