"""``from-segmenter`` and ``from-words``: unlabelled images, labeled by a network."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netdissect.errors import DataFileError, SettingsError
from netdissect.io import atomic, images
from netdissect.probe_sets.compile.build_cache import BuildCache
from netdissect.probe_sets.importers.class_list import ClassList, read_class_list
from netdissect.probe_sets.importers.import_options import ImportOptions, find_images, flatten_path
from netdissect.probe_sets.source import CategoryLabels, Source, SourceImage, hash_parts, stat_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netdissect.probe_sets.compile.make import BuildResult
    from netdissect.protocols import Progress, Segmenter


@dataclass(frozen=True)
class SegmentedImages(Source):
    """Images and the label maps that a network made of them: a Source.

    Attributes:
        name: its folder below ``images/``.
        about: a sentence for README.txt.
        classes: the network's classes.
        decided: hash of what decides the label maps besides the images.
        files: name in the set, image and label map of every image.
    """

    name: str
    about: str
    classes: ClassList
    decided: str
    files: tuple[tuple[str, Path, Path], ...]

    def describe(self) -> str:
        """Return a sentence for README.txt."""
        return self.about

    def fingerprint(self) -> str:
        """Return a hash of its tables."""
        return hash_parts("segmented", self.classes.fingerprint(), self.decided, [name for name, *_ in self.files])

    def list_images(self) -> Sequence[SourceImage]:
        """Return its images."""
        return [SourceImage(name, (photo, made), (photo,)) for name, photo, made in self.files]

    def list_names(self, category: str, label: int) -> Sequence[str]:  # noqa: ARG002 - a label has one category
        """Return the name of a class."""
        return (self.classes.names[label - 1],) if label else ()

    def read_image(self, entry: SourceImage) -> NDArray[np.uint8]:
        """Return an image's image, upright, as the network saw it."""
        return images.load_image(entry.record[0], upright=True)

    def read_labels(self, entry: SourceImage) -> Mapping[str, CategoryLabels]:
        """Return the label planes of an image, one stack per category."""
        try:
            planes = np.load(entry.record[1], allow_pickle=False)["planes"]
        except (OSError, ValueError, KeyError) as error:
            raise DataFileError(
                f"{entry.record[1]}: a label map of this build was damaged ({error}); delete it"
            ) from error
        codes = np.array([self.classes.codes.get(code, 0) for code in range(int(planes.max(initial=0)) + 1)], np.uint16)
        split = self.classes.split(codes[planes])
        return {category: stack[0] if len(stack) == 1 else stack for category, stack in split.items()}


def from_segmenter(segmenter: Segmenter, photos: str | Path, out: str | Path, **options: Any) -> BuildResult:
    """Make a probe set of unlabelled pictures: a network labels them, its classes are the concepts.

    The labels are a network's opinion: what it does not know or mistakes, the set does not know or mistakes either.
    Label maps are kept as they are made, so an interrupted call goes on.

    Args:
        segmenter: the network; ``netdissect.networks.labelers.segmenters`` makes one of a transformers model or a torch module.
        photos: folder of images.
        out: the set's folder.
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files or the network's labels.
        SettingsError: for an option out of its range.
    """
    return _import_segmented(segmenter, photos, out, "from-segmenter", options)


def from_words(segmenter: Segmenter, photos: str | Path, out: str | Path, **options: Any) -> BuildResult:
    """Make a probe set of your own words as concepts, labeled by an open-vocabulary network.

    Args:
        segmenter: the network, asked for the words; ``netdissect.networks.labelers.open_vocabulary.load_open_vocabulary`` makes one.
        photos: folder of images.
        out: the set's folder.
        options: as `ImportOptions`.

    Raises:
        DataError: one of its leaves, for anything wrong with the files or the network's labels.
        SettingsError: for an option out of its range.
    """
    return _import_segmented(segmenter, photos, out, "from-words", options)


def _import_segmented(
    segmenter: Segmenter, photos: str | Path, out: str | Path, command: str, options: Mapping[str, Any]
) -> BuildResult:
    making = ImportOptions.of(options)
    folder = Path(photos)
    names = list(segmenter.classes)
    if not names:
        raise SettingsError("the network has no class: nothing can be labeled")
    classes = making.classes(read_class_list(names, making.category, first=1))
    maps = BuildCache(Path(out)).folder / "maps"
    decided = segmenter.fingerprint()
    files = tuple(
        (flatten_path(path, folder), path, maps / f"{hash_parts(decided, stat_files([path]), str(path))}.npz")
        for path in find_images(folder, making.say)[: making.limit]
    )
    source = SegmentedImages(making.source_name(folder), f"pictures of {folder}", classes, decided, files)
    about = f"Labeled by {segmenter.about}.\nMade with: netdissect data {command}."
    return making.finish(source, out, about=about, prepare=lambda progress: _run_segmenter(segmenter, files, progress))


def _run_segmenter(segmenter: Segmenter, files: Sequence[tuple[str, Path, Path]], progress: Progress) -> None:
    """Label every image that has no label map yet."""
    progress.start("segment", len(files))
    most = len(segmenter.classes)
    for name, photo, made in files:
        if not made.is_file():
            planes = np.asarray(segmenter(images.load_image(photo, upright=True)))
            planes = planes[np.newaxis] if planes.ndim == 2 else planes
            sound = planes.ndim == 3 and planes.size and planes.dtype.kind in "ui"
            if not sound or not 0 <= planes.min() <= planes.max() <= most:
                raise DataFileError(
                    f"{name}: the network gave {planes.dtype} {planes.shape} with values beyond its {most} classes: expected "
                    f"planes of whole numbers from 0 to {most}"
                )
            out = io.BytesIO()
            np.savez_compressed(out, planes=planes.astype(np.uint16))
            atomic.write_bytes(made, out.getvalue())
        progress.advance(1)
